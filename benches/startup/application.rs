//! The application: listens as soon as it runs, and answers every request with the microseconds since then.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Instant,
};

use crate::Failure;

/// Serves until it is killed.
#[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
pub(crate) fn main() -> Result<(), Failure> {
    let port: u16 = std::env::var("ASPNETCORE_PORT").map_err(|_| "ASPNETCORE_PORT is not set")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let listening = Instant::now();
    for stream in listener.incoming() {
        let stream = stream?;
        // It ends with its connection.
        thread::spawn(move || serve(stream, listening));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, listening: Instant) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 8 << 10];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            let body = listening.elapsed().as_micros().to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes())?;
            filled = 0;
        }
    }
}
