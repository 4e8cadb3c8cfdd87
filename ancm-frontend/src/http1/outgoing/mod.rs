//! A message on its way out: a head, and a body that is framed as it comes.

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::HeaderMap;
use tokio::{
    io::AsyncWrite,
    net::{TcpStream, tcp::OwnedWriteHalf},
};

use super::piece::Piece;

/// A piece up to this size is copied behind what is to be written before it, so that one plain write takes all.
const COPIED: usize = 4 * 1024;
/// How much may wait to be written before no further piece is taken.
const HELD: usize = 32 * 1024;

/// What a message can be written to.
pub trait Recipient: AsyncWrite + Unpin {
    /// The socket that takes bytes as they are, if it is one.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

/// How a recipient learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So much of it is still to come.
    Length(u64),
    /// It goes in chunks.
    Chunked,
    /// It ends with the connection.
    Close,
}

/// What is left to write of a message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    framing: Framing,
    /// What is to be written before `data`: the head, small pieces, the size of a chunk.
    before: Vec<u8>,
    written: usize,
    data: Piece,
    /// What is to be written after `data`: the line end of a chunk.
    after: &'static [u8],
    ended: bool,
    /// How many bytes have been written.
    count: u64,
}

// === impl Recipient ===

impl Recipient for TcpStream {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Recipient for OwnedWriteHalf {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// Begins with this head.
    pub(crate) fn new(head: Vec<u8>, framing: Framing) -> Self {
        Self { framing, before: head, written: 0, data: Piece::empty(), after: b"", ended: false, count: 0 }
    }

    /// Whether even one byte has been written.
    pub(crate) fn has_begun(&self) -> bool {
        self.count > 0
    }

    /// How many bytes have been written.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whether the message has no further pieces.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether all that it has been given is written.
    pub(crate) fn is_written(&self) -> bool {
        self.is_begun_by_data() && !self.data.has_remaining() && self.after.is_empty()
    }

    /// Whether the next piece can be taken: what is there already goes out together with what comes at once.
    pub(crate) fn has_room(&self) -> bool {
        // Small pieces could pile up for a recipient that does not read.
        let holds_much = self.before.len() > HELD && !self.is_written();
        !self.ended && !self.data.has_remaining() && self.after.is_empty() && !holds_much
    }

    /// The buffer, to be used again.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.before);
        buffer.clear();
        self.written = 0;
        buffer
    }

    /// Takes a piece of the body.
    pub(crate) fn data(&mut self, data: impl Into<Piece>) -> Result<(), &'static str> {
        let data = data.into();
        if !data.has_remaining() {
            return Ok(());
        }
        self.compact();
        match &mut self.framing {
            // What is too much would be read as the next message.
            Framing::Length(left) => {
                let rest = left.checked_sub(data.remaining() as u64);
                *left = rest.ok_or("it is longer than was said")?;
            }
            Framing::Chunked => {
                // Cannot fail: it is memory.
                let _ = write!(self.before, "{:X}\r\n", data.remaining());
                self.after = b"\r\n";
            }
            Framing::Close => {}
        }
        match data.memory().filter(|data| data.len() <= COPIED) {
            Some(small) => {
                self.before.extend_from_slice(small);
                self.before.extend_from_slice(std::mem::take(&mut self.after));
            }
            None => self.data = data,
        }
        Ok(())
    }

    /// The body has ended.
    pub(crate) fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), &'static str> {
        self.ended = true;
        match self.framing {
            Framing::Length(0) | Framing::Close => {}
            Framing::Length(_) => return Err("it is shorter than was said"),
            Framing::Chunked if !self.data.has_remaining() => {
                self.compact();
                self.last_chunk(trailers);
            }
            Framing::Chunked => self.after = b"\r\n0\r\n\r\n",
        }
        Ok(())
    }

    fn last_chunk(&mut self, trailers: Option<&HeaderMap>) {
        self.before.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            field(&mut self.before, name.as_str(), value.as_bytes());
        }
        self.before.extend_from_slice(b"\r\n");
    }

    fn compact(&mut self) {
        if self.is_begun_by_data() {
            self.before.clear();
            self.written = 0;
        }
    }

    /// Whether nothing is left to write before the data.
    fn is_begun_by_data(&self) -> bool {
        self.written == self.before.len()
    }

    /// Writes until nothing is left of what it has been given.
    pub(crate) fn poll_write<W: Recipient>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.is_written() {
            let moved = ready!(self.poll_move(context, stream))?;
            let count = match moved {
                Some(count) => count,
                None => ready!(self.poll_write_some(context, Pin::new(&mut *stream)))?,
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.count += count as u64;
            if moved.is_none() {
                self.wrote(count);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Has the kernel move some of what lies in a pipe; `None` if that is not what comes next.
    fn poll_move<W: Recipient>(
        &mut self,
        context: &mut Context<'_>,
        stream: &W,
    ) -> Poll<io::Result<Option<usize>>> {
        let next = self.is_begun_by_data().then(|| self.data.piped_mut()).flatten();
        match (next, stream.socket()) {
            (Some(piped), Some(socket)) if piped.len() > 0 => piped.poll_move(socket, context),
            _ => Poll::Ready(Ok(None)),
        }
    }

    fn poll_write_some<W: AsyncWrite>(
        &self,
        context: &mut Context<'_>,
        stream: Pin<&mut W>,
    ) -> Poll<io::Result<usize>> {
        let before = &self.before[self.written..];
        if !before.is_empty() && self.data.memory().is_none() {
            return stream.poll_write(context, before);
        }
        let data = self.data.chunk();
        if data.is_empty() && self.after.is_empty() {
            return stream.poll_write(context, before);
        }
        if before.is_empty() && self.after.is_empty() {
            return stream.poll_write(context, data);
        }
        let slices = [IoSlice::new(before), IoSlice::new(data), IoSlice::new(self.after)];
        let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or_default();
        stream.poll_write_vectored(context, &slices[first..])
    }

    fn wrote(&mut self, mut count: usize) {
        let mut step = |length: usize| {
            let step = count.min(length);
            count -= step;
            step
        };
        self.written += step(self.before.len() - self.written);
        let data = step(self.data.remaining());
        self.data.advance(data);
        self.after = &self.after[step(self.after.len())..];
    }
}

/// Appends a header line.
pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number.
pub(crate) fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests;
