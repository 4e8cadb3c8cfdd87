//! The application: answers of any length, uploads of any length, and an echo behind a switch of protocols. Each
//! connection has a thread of its own, so that the kernel is fair where the application is concerned. The burden has a
//! process of its own, which stands back.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use crate::{Failure, os, wire};

const PIECE: usize = 64 << 10;
const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n\r\nHello World\n";
const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Where the process for the burden is.
pub(crate) const BURDEN: &str = "/burden";

/// Serves until it is killed.
pub(crate) fn main(arguments: &[String]) -> Result<(), Failure> {
    if arguments.iter().any(|argument| argument == BURDEN) {
        os::stand_back();
    }
    let port: u16 = std::env::var("ASPNETCORE_PORT").map_err(|_| "ASPNETCORE_PORT is not set")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    for stream in listener.incoming() {
        let stream = stream?;
        // It ends with its connection.
        thread::Builder::new().stack_size(256 << 10).spawn(move || serve(stream))?;
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; PIECE];
    let mut filled = 0;
    loop {
        let head = loop {
            if let Some(length) = wire::head_length(&buffer[..filled]) {
                break length;
            }
            let read = stream.read(&mut buffer[filled..])?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
        };
        let target = buffer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let target = String::from_utf8_lossy(target).into_owned();
        let length = wire::content_length(&buffer[..head]).unwrap_or(0);
        let mut rest = filled - head;
        while rest < length {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            rest += read;
        }
        filled = 0;
        let target = target.strip_prefix(BURDEN).unwrap_or(&target);
        match target.strip_prefix("/bytes/").map(str::parse) {
            Some(Ok(length)) => send(&mut stream, length)?,
            _ if target == "/echo" => return echo(&mut stream, &mut buffer),
            _ => stream.write_all(HELLO)?,
        }
    }
}

fn send(stream: &mut TcpStream, length: u64) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
    io::copy(&mut io::repeat(b'x').take(length), stream)?;
    Ok(())
}

fn echo(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    stream.write_all(SWITCH)?;
    loop {
        let read = stream.read(buffer)?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read])?;
    }
}
