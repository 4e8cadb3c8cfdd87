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

use crate::{scenario::Scenario, wire};

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
}

// === impl Connection ===

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER] })
    }

    /// Sends a request and reads the answer; says whether the connection has ended with it.
    pub(crate) async fn exchange(&mut self, request: &[u8], scenario: &Scenario) -> io::Result<bool> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if let Some(length) = wire::head_length(&self.buffer[..filled]) {
                break length;
            }
        };
        let (head, body) = self.buffer[..filled].split_at(head);
        if !wire::is_ok(head) {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(io::Error::other(String::from_utf8_lossy(line).into_owned()));
        }
        if wire::content_length(head) != Some(scenario.answer) || body.len() > scenario.answer {
            return Err(io::Error::other("an answer of another length"));
        }
        let ends = scenario.closes || wire::field(head, "connection") == Some(b"close");
        self.discard(scenario.answer - body.len()).await?;
        if ends {
            // Whoever closes first keeps the port for a minute; the server has plenty.
            if self.stream.read(&mut self.buffer).await? > 0 {
                return Err(io::Error::other("more than the answer"));
            }
        }
        Ok(ends)
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
