//! A message on its way out: a head, and a body that is framed as it comes.

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use tokio::io::AsyncWrite;

/// A piece up to this size is copied behind the head, so that one plain write takes both.
const COPIED: usize = 4 * 1024;
/// How much may wait to be written before no further piece is taken.
const HELD: usize = 16 * 1024;

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
    /// What is to be written before `data`: the head, or the size of a chunk.
    before: Vec<u8>,
    written: usize,
    data: Bytes,
    /// What is to be written after `data`: the line end of a chunk.
    after: &'static [u8],
    ended: bool,
    /// How many bytes have been written.
    count: u64,
}

// === impl Outgoing ===

impl Outgoing {
    /// Begins with this head.
    pub(crate) fn new(head: Vec<u8>, framing: Framing) -> Self {
        Self { framing, before: head, written: 0, data: Bytes::new(), after: b"", ended: false, count: 0 }
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
        self.written == self.before.len() && self.data.is_empty() && self.after.is_empty()
    }

    /// Whether the next piece can be taken.
    pub(crate) fn has_room(&self) -> bool {
        // Small pieces are copied, so that they could pile up for a recipient that does not read.
        let holds_much = self.before.len() > HELD && !self.is_written();
        !self.ended && self.data.is_empty() && self.after.is_empty() && !holds_much
    }

    /// The buffer, to be used again.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.before);
        buffer.clear();
        self.written = 0;
        buffer
    }

    /// Takes a piece of the body.
    pub(crate) fn data(&mut self, data: Bytes) -> Result<(), &'static str> {
        if data.is_empty() {
            return Ok(());
        }
        self.compact();
        match &mut self.framing {
            // What is too much would be read as the next message.
            Framing::Length(left) => {
                let rest = left.checked_sub(data.len() as u64);
                *left = rest.ok_or("it is longer than was said")?;
            }
            Framing::Chunked => {
                // Cannot fail: it is memory.
                let _ = write!(self.before, "{:X}\r\n", data.len());
                self.after = b"\r\n";
            }
            Framing::Close => {}
        }
        self.data = data;
        Ok(())
    }

    /// The body has ended.
    pub(crate) fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), &'static str> {
        self.ended = true;
        match self.framing {
            Framing::Length(0) | Framing::Close => {}
            Framing::Length(_) => return Err("it is shorter than was said"),
            Framing::Chunked if self.data.is_empty() => {
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
        if self.written == self.before.len() {
            self.before.clear();
            self.written = 0;
        }
    }

    /// Writes until nothing is left of what it has been given.
    pub(crate) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut W,
    ) -> Poll<io::Result<()>> {
        if self.data.len() <= COPIED && !self.data.is_empty() && self.written < self.before.len() {
            self.before.extend_from_slice(&self.data);
            self.before.extend_from_slice(self.after);
            self.data = Bytes::new();
            self.after = b"";
        }
        while !self.is_written() {
            let count = ready!(self.poll_write_some(context, Pin::new(&mut *stream)))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.count += count as u64;
            self.wrote(count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_some<W: AsyncWrite>(
        &self,
        context: &mut Context<'_>,
        stream: Pin<&mut W>,
    ) -> Poll<io::Result<usize>> {
        let before = &self.before[self.written..];
        if self.data.is_empty() && self.after.is_empty() {
            return stream.poll_write(context, before);
        }
        if before.is_empty() && self.after.is_empty() {
            return stream.poll_write(context, &self.data);
        }
        let slices = [IoSlice::new(before), IoSlice::new(&self.data), IoSlice::new(self.after)];
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
        let data = step(self.data.len());
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
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Writes a message of these pieces into a pipe with so much room, and reads it back.
    async fn wire(framing: Framing, room: usize, pieces: &[&'static [u8]]) -> String {
        let (mut near, mut far) = tokio::io::duplex(room);
        let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), framing);
        let mut pieces = pieces.iter();
        let writing = async {
            loop {
                if message.has_room() {
                    match pieces.next() {
                        Some(piece) => message.data(Bytes::from_static(piece)).unwrap(),
                        None => message.end(None).unwrap(),
                    }
                }
                std::future::poll_fn(|context| message.poll_write(context, &mut near)).await.unwrap();
                if message.has_ended() {
                    break;
                }
            }
            drop(near);
        };
        let mut read = String::new();
        tokio::join!(writing, async { far.read_to_string(&mut read).await.unwrap() });
        read
    }

    #[tokio::test]
    async fn frames_a_body_whatever_room_there_is() {
        for room in [1, 2, 3, 7, 1024] {
            assert_eq!(wire(Framing::Length(5), room, &[b"abc", b"de"]).await, "HEAD\r\nabcde");
            assert_eq!(wire(Framing::Close, room, &[b"abc", b"", b"de"]).await, "HEAD\r\nabcde");
            let chunks = "HEAD\r\n3\r\nabc\r\nB\r\nhello world\r\n0\r\n\r\n";
            assert_eq!(wire(Framing::Chunked, room, &[b"abc", b"hello world"]).await, chunks);
        }
    }

    #[tokio::test]
    async fn holds_little_for_a_reader_that_takes_nothing() {
        let (mut near, _far) = tokio::io::duplex(10);
        let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Chunked);
        for _ in 0..1000 {
            if message.has_room() {
                message.data(Bytes::from_static(&[b'x'; 1000])).unwrap();
            }
            let written = std::future::poll_fn(|context| Poll::Ready(message.poll_write(context, &mut near)));
            assert!(written.await.is_pending());
        }
        assert!(message.before.len() < 50_000, "{}", message.before.len());
    }

    #[test]
    fn refuses_a_body_that_is_not_as_long_as_was_said() {
        let mut message = Outgoing::new(Vec::new(), Framing::Length(2));
        assert!(message.data(Bytes::from_static(b"abc")).unwrap_err().contains("longer"));
        assert!(message.end(None).unwrap_err().contains("shorter"));
    }

    #[test]
    fn writes_numbers() {
        for (value, text) in [(0, "0"), (9, "9"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
