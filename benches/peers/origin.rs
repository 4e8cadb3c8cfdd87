//! The application behind the proxies: answers of fixed sizes at as little cost as a process can.
//!
//! It listens where `ASPNETCORE_PORT` says, as every application behind `ancm` does. One thread for each core; the
//! connections are dealt out in turn, so that no run is luckier than another.

use std::{io, net::Ipv4Addr, sync::Arc, thread};

use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::LocalSet,
};

use crate::{Failure, wire};

/// Request heads and uploads are read into this: more than any scenario sends.
const BUFFER: usize = 32 << 10;

/// The answers that are always the same, ready to be written.
struct Answers {
    hello: Vec<u8>,
    small: Vec<u8>,
    medium: Vec<u8>,
    large: Vec<u8>,
    /// What is written one after the other.
    chunked: Vec<Vec<u8>>,
}

/// Serves until it is killed.
pub(crate) fn main() -> Result<(), Failure> {
    let port = std::env::var("ASPNETCORE_PORT").map_err(|_| "ASPNETCORE_PORT is not set")?.parse()?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    // Accepted sockets inherit it.
    socket.set_tcp_nodelay(true)?;

    let answers = Arc::new(Answers::new());
    let workers = thread::available_parallelism()?.get();
    let workers: Vec<_> = (0..workers).map(|_| worker(Arc::clone(&answers))).collect::<io::Result<_>>()?;
    for (turn, stream) in std::net::TcpListener::from(socket).incoming().enumerate() {
        let stream = stream?;
        stream.set_nonblocking(true)?;
        workers[turn % workers.len()].send(stream)?;
    }
    Ok(())
}

/// Starts a thread that serves the connections that it is sent.
fn worker(answers: Arc<Answers>) -> io::Result<mpsc::UnboundedSender<std::net::TcpStream>> {
    let (sender, mut streams) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().spawn(move || {
        LocalSet::new().block_on(&runtime, async {
            while let Some(stream) = streams.recv().await {
                let answers = Arc::clone(&answers);
                tokio::task::spawn_local(async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        // Whoever sends us nonsense, or leaves, loses the connection.
                        let _ = serve(stream, &answers).await;
                    }
                });
            }
        });
    })?;
    Ok(sender)
}

/// Answers one request after the other.
async fn serve(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    loop {
        let head = loop {
            if let Some(length) = wire::head_length(&buffer[..filled]) {
                break length;
            }
            filled += read(&mut stream, &mut buffer[filled..]).await?;
        };
        // Only a POST has a body: that spares us to look through the other heads.
        let mut end = head;
        if buffer.starts_with(b"POST ") {
            let Some(body) = wire::content_length(&buffer[..head]) else {
                return stream.write_all(b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n\r\n").await;
            };
            end += body;
            while filled < end {
                filled += read(&mut stream, &mut buffer[filled..]).await?;
            }
            stream.write_all(&answer(&buffer[head..end])).await?;
        } else {
            match buffer.split(|byte| *byte == b' ').nth(1).unwrap_or_default() {
                b"/" => stream.write_all(&answers.hello).await?,
                b"/1k" => stream.write_all(&answers.small).await?,
                b"/64k" => stream.write_all(&answers.medium).await?,
                b"/1m" => stream.write_all(&answers.large).await?,
                b"/chunked" => {
                    for piece in &answers.chunked {
                        stream.write_all(piece).await?;
                    }
                }
                // What has the proxy made of the request?
                b"/head" => stream.write_all(&answer(&buffer[..head])).await?,
                _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?,
            }
        }
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
}

/// Reads some bytes; having no room for more, or nothing more to read, is the end.
async fn read(stream: &mut TcpStream, room: &mut [u8]) -> io::Result<usize> {
    match stream.read(room).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}

/// An answer with the headers that Kestrel gives.
fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: Kestrel\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

// === impl Answers ===

impl Answers {
    fn new() -> Self {
        let fixed = |size| answer(&vec![b'x'; size]);
        Self {
            hello: answer(b"Hello World\n"),
            small: fixed(1 << 10),
            medium: fixed(64 << 10),
            large: fixed(1 << 20),
            chunked: Self::chunked(16, 4 << 10),
        }
    }

    /// A head with the first chunk, the other chunks, and the end.
    fn chunked(count: usize, size: usize) -> Vec<Vec<u8>> {
        let chunk = [format!("{size:x}\r\n").as_bytes(), &vec![b'x'; size], b"\r\n"].concat();
        let mut pieces = vec![chunk; count];
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: Kestrel\r\nTransfer-Encoding: chunked\r\n\r\n";
        pieces[0].splice(0..0, head.iter().copied());
        pieces.push(b"0\r\n\r\n".to_vec());
        pieces
    }
}
