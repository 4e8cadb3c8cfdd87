//! The clients that are a burden to others, each kind in a process of its own.

use std::{
    io::{self, Read, Write, stdin},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use crate::{Failure, os, part::Part};

/// What they do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    connections: usize,
    work: fn(SocketAddr) -> io::Result<()>,
}

/// All of them.
pub(crate) const KINDS: [Kind; 5] = [
    Kind {
        name: "slow-readers",
        what: "8 clients that read 64 KiB of an answer of 1 GiB every 10 ms",
        connections: 8,
        work: slow_reader,
    },
    Kind { name: "upload", what: "an upload of 1 GiB, as fast as it goes", connections: 1, work: upload },
    Kind { name: "download", what: "an answer of 1 GiB, as fast as it goes", connections: 1, work: download },
    Kind {
        name: "websocket",
        what: "a WebSocket, flooded with messages of 125 bytes that come back",
        connections: 1,
        work: web_socket,
    },
    Kind {
        name: "websockets",
        what: "8 of them, which keep 24 threads of clients and application busy",
        connections: 8,
        work: web_socket,
    },
];

/// None of them may go on for longer than this.
const LIMIT: Duration = Duration::from_secs(60);
const PIECE: usize = 64 << 10;
/// A masked frame of the largest size that has the shortest head.
const MESSAGE: usize = 6 + 125;

/// Starts it.
pub(crate) fn start(kind: Kind, address: SocketAddr) -> Result<Part, Failure> {
    let mut part = Part::start(&["disturb", kind.name, &address.to_string()])?;
    part.line()?;
    Ok(part)
}

/// Goes on until the input ends.
pub(crate) fn main(arguments: &[String]) -> Result<(), Failure> {
    let [name, address] = arguments else { return Err("disturb: KIND ADDRESS".into()) };
    let kind = KINDS.iter().find(|kind| kind.name == name).ok_or("disturb: no such kind")?;
    let address: SocketAddr = address.parse()?;
    // In real life they have a machine of their own.
    os::stand_back();
    for _ in 0..kind.connections {
        let work = kind.work;
        thread::spawn(move || {
            loop {
                if let Err(error) = work(address) {
                    eprintln!("{address}: {error}");
                    thread::sleep(Duration::from_millis(50));
                }
            }
        });
    }
    thread::spawn(|| {
        thread::sleep(LIMIT);
        std::process::exit(1);
    });
    println!("begun");
    io::copy(&mut stdin(), &mut io::sink())?;
    Ok(())
}

fn open(address: SocketAddr, request: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("{request}Host: shop.example\r\n\r\n").as_bytes())?;
    Ok(stream)
}

fn slow_reader(address: SocketAddr) -> io::Result<()> {
    let mut stream = open(address, "GET /burden/bytes/1073741824 HTTP/1.1\r\n")?;
    let mut buffer = vec![0; PIECE];
    while stream.read(&mut buffer)? > 0 {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn download(address: SocketAddr) -> io::Result<()> {
    let mut stream = open(address, "GET /burden/bytes/1073741824 HTTP/1.1\r\nConnection: close\r\n")?;
    let mut buffer = vec![0; 4 * PIECE];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

fn upload(address: SocketAddr) -> io::Result<()> {
    let mut stream = open(address, "POST /burden/up HTTP/1.1\r\nContent-Length: 1073741824\r\n")?;
    let piece = vec![b'x'; 4 * PIECE];
    for _ in 0..(1 << 30) / piece.len() {
        stream.write_all(&piece)?;
    }
    let mut answer = [0; 1_024];
    match stream.read(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn web_socket(address: SocketAddr) -> io::Result<()> {
    let head = "GET /burden/echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut stream = open(address, head)?;
    let mut answer = [0; 1_024];
    let read = stream.read(&mut answer)?;
    if !answer[..read].starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other("no switch of protocols"));
    }
    let mut back = stream.try_clone()?;
    thread::spawn(move || io::copy(&mut back, &mut io::sink()));
    let mut message = [0; MESSAGE];
    message[..2].copy_from_slice(&[0x82, 0xfd]);
    loop {
        stream.write_all(&message)?;
    }
}
