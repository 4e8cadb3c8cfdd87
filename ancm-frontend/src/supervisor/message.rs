//! Asks a backend to stop, by the message that the ASP.NET Core integration understands.
//!
//! The message travels on a short connection of its own, so that it waits for no other request. It carries the
//! token: before it is sent, the process that was paired must still live.
//!
//! # Example
//!
//! ```text
//! POST /app/iisintegration HTTP/1.1
//! Host:
//! MS-ASPNETCORE-EVENT: shutdown
//! MS-ASPNETCORE-TOKEN: …
//! Content-Length: 0
//! Connection: close
//! ```

use std::{fmt::Write as _, io, net::SocketAddr};

use ancm_tower::{contract, pairing_token::PairingToken};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::process::ProcessHandle;

/// The answer of a backend that has understood.
pub(super) const UNDERSTOOD: u16 = 202;
/// More than a status line ever has.
const STATUS_LINE: usize = 1_024;

/// Sends the message; the status of the answer. Has no limit in time of its own.
pub(super) async fn send_shutdown(
    address: SocketAddr,
    appl_path: &str,
    token: &PairingToken,
    process: &ProcessHandle,
) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    if !process.is_alive() {
        return Err(io::Error::new(io::ErrorKind::NotConnected, "the process has ended"));
    }
    stream.write_all(head(appl_path, token).as_bytes()).await?;
    // The other direction stays open: Kestrel gives no answer on a connection that is closed halfway.
    let mut line = Vec::with_capacity(64);
    while line.len() < STATUS_LINE && !line.contains(&b'\n') {
        if stream.read_buf(&mut line).await? == 0 {
            break;
        }
    }
    status(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP"))
}

// An empty host is one that the application's AllowedHosts does not refuse.
// ANCM: serverprocess.cpp sends the path below the application's, unless that is the root.
fn head(appl_path: &str, token: &PairingToken) -> String {
    let base = encoded(appl_path.trim_end_matches('/'));
    format!(
        "POST {base}{} HTTP/1.1\r\nHost:\r\n{}: {}\r\n{}: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        contract::SHUTDOWN_PATH,
        contract::header::EVENT.as_str().to_ascii_uppercase(),
        contract::SHUTDOWN_EVENT,
        contract::header::TOKEN.as_str().to_ascii_uppercase(),
        token.expose(),
    )
}

/// The path base is known decoded; a request target is not.
fn encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(byte.into()),
            b'/' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'(' | b')' | b'+' | b',' | b';' | b'='
            | b'@' => {
                out.push(byte.into());
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered(answer: &'static [u8]) -> (io::Result<u16>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let token = PairingToken::new("secret").unwrap();
        let us = ProcessHandle::open(std::process::id()).unwrap();
        let backend = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            stream.write_all(answer).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        tokio::join!(send_shutdown(address, "/a b", &token, &us), backend)
    }

    #[tokio::test]
    async fn sends_the_token_and_an_empty_host() {
        let (status, request) = answered(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(status.unwrap(), UNDERSTOOD);
        assert_eq!(
            request,
            "POST /a%20b/iisintegration HTTP/1.1\r\nHost:\r\nMS-ASPNETCORE-EVENT: shutdown\r\n\
             MS-ASPNETCORE-TOKEN: secret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn tells_any_other_answer() {
        assert_eq!(answered(b"HTTP/1.0 404 Not Found\r\n\r\n").await.0.unwrap(), 404);
        for answer in [&b""[..], b"HTTP/1.1 2", b"SSH-2.0-OpenSSH\r\n", b"HTTP/2 202\r\n", &[b'x'; 4_096]] {
            assert!(answered(answer).await.0.is_err());
        }
    }

    #[test]
    fn stands_below_the_path_base_unless_that_is_the_root() {
        let token = PairingToken::new("t").unwrap();
        for (appl_path, target) in
            [("/", "/iisintegration"), ("/app", "/app/iisintegration"), ("/ä%/", "/%C3%A4%25/iisintegration")]
        {
            assert!(
                head(appl_path, &token).starts_with(&format!("POST {target} HTTP/1.1\r\n")),
                "{appl_path}"
            );
        }
    }
}
