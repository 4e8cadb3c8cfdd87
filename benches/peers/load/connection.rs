//! One client's connection.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use crate::wire;

/// Answer heads, and bodies as large as that, are read into this.
const BUFFER: usize = 16 << 10;

thread_local! {
    /// Where large bodies go: nobody looks at them, so all connections share it.
    static WASTE: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 << 10]);
}

/// One client's connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// How much of it has been read and not been looked at.
    filled: usize,
}

// === impl Connection ===

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER], filled: 0 })
    }

    /// Sends requests, once all answers to earlier ones have been read.
    pub(crate) async fn send(&mut self, requests: &[u8]) -> io::Result<()> {
        if self.filled > 0 {
            return Err(io::Error::other("more than the answer"));
        }
        self.stream.write_all(requests).await
    }

    /// Reads the next answer, which has a body of this length; says whether the connection has ended with it.
    pub(crate) async fn answer(&mut self, length: usize, closes: bool) -> io::Result<bool> {
        let end = loop {
            if let Some(end) = wire::head_length(&self.buffer[..self.filled]) {
                break end;
            }
            self.fill().await?;
        };
        let head = &self.buffer[..end];
        if !wire::is_ok(head) {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(io::Error::other(String::from_utf8_lossy(line).into_owned()));
        }
        let ends = closes || wire::field(head, "connection") == Some(b"close");
        let told = wire::content_length(head);
        let is_chunked = told.is_none() && wire::is_chunked(head);
        self.pass(end).await?;
        if is_chunked {
            self.chunks(length).await?;
        } else if told == Some(length) {
            self.pass(length).await?;
        } else {
            return Err(io::Error::other("an answer of another length"));
        }
        // Whoever closes first keeps the port for a minute; the server has plenty.
        if ends && (self.filled > 0 || self.stream.read(&mut self.buffer).await? > 0) {
            return Err(io::Error::other("more than the answer"));
        }
        Ok(ends)
    }

    /// Reads chunks that hold so many bytes, and what ends them.
    async fn chunks(&mut self, mut length: usize) -> io::Result<()> {
        loop {
            let end = loop {
                if let Some(at) = self.buffer[..self.filled].iter().position(|byte| *byte == b'\n') {
                    break at + 1;
                }
                self.fill().await?;
            };
            let chunk =
                wire::chunk_length(&self.buffer[..end]).ok_or_else(|| io::Error::other("no chunk"))?;
            length = length.checked_sub(chunk).ok_or_else(|| io::Error::other("more than the answer"))?;
            self.pass(end + chunk + 2).await?;
            if chunk == 0 {
                return if length == 0 { Ok(()) } else { Err(io::Error::other("less than the answer")) };
            }
        }
    }

    /// Reads more behind what is there.
    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read(&mut self.buffer[self.filled..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }

    /// Goes on behind so many bytes, read or not.
    async fn pass(&mut self, length: usize) -> io::Result<()> {
        let there = length.min(self.filled);
        self.buffer.copy_within(there..self.filled, 0);
        self.filled -= there;
        self.discard(length - there).await
    }

    async fn discard(&mut self, mut length: usize) -> io::Result<()> {
        while length > 0 {
            let read = poll_fn(|context| {
                WASTE.with_borrow_mut(|waste| {
                    let space = waste.len().min(length);
                    let mut waste = ReadBuf::new(&mut waste[..space]);
                    ready!(Pin::new(&mut self.stream).poll_read(context, &mut waste))?;
                    Poll::Ready(io::Result::Ok(waste.filled().len()))
                })
            })
            .await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length -= read;
        }
        Ok(())
    }
}
