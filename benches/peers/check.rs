//! Whether a proxy does the work that is measured: it must answer rightly before it may answer fast.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use crate::{child::Child, scenario::SCENARIOS, wire};

/// What the application must be told, whoever is in front of it.
const TOLD: [&str; 3] = ["x-forwarded-for", "x-forwarded-proto", "ms-aspnetcore-token"];
/// How long a program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);

/// A client's connection without any hurry.
pub(crate) struct Client(TcpStream);

/// Waits until the application answers there.
pub(crate) fn wait(address: SocketAddr, child: &mut Child) -> Result<(), String> {
    let hello = &SCENARIOS[0];
    for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
        child.check()?;
        let answer = Client::open(address).and_then(|mut client| client.exchange(&hello.request(false)));
        if answer.is_ok_and(|(head, _)| wire::is_ok(&head)) {
            return Ok(());
        }
        thread::sleep(STEP);
    }
    Err(format!("it does not answer at {address}:\n{}", child.last_words()))
}

/// Puts every scenario's request twice, and looks at what comes back.
pub(crate) fn check(address: SocketAddr) -> Result<(), String> {
    for scenario in &SCENARIOS {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", scenario.name);
        let mut client = Client::open(address).map_err(|error| failed(&error))?;
        for number in 1..=2 {
            let closes = scenario.closes(number);
            let (head, body) = client.exchange(&scenario.request(closes)).map_err(|error| failed(&error))?;
            let is_as_sent = wire::is_chunked(&head) == scenario.chunked && body.len() == scenario.answer;
            if !wire::is_ok(&head) || !is_as_sent {
                return Err(failed(&format!(
                    "{} bytes after\n{}",
                    body.len(),
                    String::from_utf8_lossy(&head)
                )));
            }
            if closes {
                break;
            }
        }
    }
    let told = Client::open(address).and_then(|mut client| {
        client.exchange(b"GET /head HTTP/1.1\r\nHost: shop.example\r\nMS-ASPNETCORE-TOKEN: guess\r\n\r\n")
    });
    let (_, told) = told.map_err(|error| error.to_string())?;
    for name in TOLD {
        if wire::field(&told, name).is_none_or(|value| value == b"guess") {
            let told = String::from_utf8_lossy(&told);
            return Err(format!("it does not tell the application {name}:\n{told}"));
        }
    }
    Ok(())
}

// === impl Client ===

impl Client {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self(stream))
    }

    /// Sends a request; gives the answer's head and body.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
        self.0.write_all(request)?;
        let mut answer = Vec::new();
        let mut piece = vec![0; 64 << 10];
        let head = loop {
            if let Some(head) = wire::head_length(&answer) {
                break head;
            }
            let read = self.0.read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&piece[..read]);
        };
        let mut body = answer.split_off(head);
        if wire::is_chunked(&answer) {
            return Ok((answer, self.unchunked(body)?));
        }
        let length =
            wire::content_length(&answer).ok_or_else(|| io::Error::other("an answer without a length"))?;
        let missing = length.saturating_sub(body.len());
        let start = body.len();
        body.resize(start + missing, 0);
        self.0.read_exact(&mut body[start..])?;
        Ok((answer, body))
    }

    /// What the chunks hold of which some bytes have been read.
    fn unchunked(&mut self, read: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut chunks = BufReader::new(Cursor::new(read).chain(&mut self.0));
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            chunks.read_until(b'\n', &mut line)?;
            let length = wire::chunk_length(&line).ok_or_else(|| io::Error::other("no chunk"))?;
            // With the end of the line behind it.
            let start = body.len();
            body.resize(start + length + 2, 0);
            chunks.read_exact(&mut body[start..])?;
            body.truncate(start + length);
            if length == 0 {
                return Ok(body);
            }
        }
    }
}
