//! A message on its way out: a head, and a body that is framed as it comes.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;

use super::{piece::Piece, recipient::Recipient};

/// A piece up to this size is copied to what is written around it.
const COPIED: usize = 2 * 1024;
/// How much may wait to be written before no further piece is taken.
const HELD: usize = 64 * 1024;
/// A piece of this size is held as it is, whatever it was read into.
const LARGE: usize = 32 * 1024;
/// How much goes out by one call at the most: pieces, and what is written around them.
const SLICES: usize = 32;

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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub(crate) struct Outgoing {
    framing: Framing,
    /// All but the large pieces: the head, sizes and ends of chunks, small pieces.
    text: Vec<u8>,
    /// How much of that has been written.
    written: usize,
    /// The large pieces, each with its place in the text.
    pieces: VecDeque<(usize, Piece)>,
    has_data: bool,
    /// No piece holds up more than it is itself.
    is_settled: bool,
    ended: bool,
    /// Nothing follows it on its stream.
    is_last: bool,
    /// Its end may go out only when the stream ends.
    is_held: bool,
    /// How many bytes have been written.
    count: u64,
}

// === impl Outgoing ===

impl Outgoing {
    /// Begins with this head.
    pub(crate) fn new(head: Vec<u8>, framing: Framing) -> Self {
        Self {
            framing,
            text: head,
            written: 0,
            pieces: VecDeque::new(),
            has_data: false,
            is_settled: true,
            ended: false,
            is_last: false,
            is_held: false,
            count: 0,
        }
    }

    /// Whether even one byte has been written.
    pub(crate) fn has_begun(&self) -> bool {
        self.count > 0
    }

    /// How many bytes have been written.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whether it has been given anything of a body.
    pub(crate) fn has_data(&self) -> bool {
        self.has_data
    }

    /// Whether the message has no further pieces.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Nothing will follow it: whoever writes it ends the stream as soon as it is written.
    pub(crate) fn be_last(&mut self) {
        self.is_last = true;
    }

    /// Whether its end may go out only when the stream ends.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether all that it has been given is written.
    pub(crate) fn is_written(&self) -> bool {
        self.written == self.text.len() && self.pieces.is_empty()
    }

    /// Whether the next piece can be taken: what is there at once goes out together.
    pub(crate) fn has_room(&self) -> bool {
        // A pipe's content goes out alone.
        let held = |(_, piece): &(usize, Piece)| piece.memory().map_or(HELD, Bytes::len);
        let is_full = || self.text.len() + self.pieces.iter().map(held).sum::<usize>() >= HELD;
        !self.ended && (self.is_written() || !is_full())
    }

    /// The buffer, to be used again.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.text);
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
        self.has_data = true;
        match &mut self.framing {
            // What is too much would be read as the next message.
            Framing::Length(left) => {
                let rest = left.checked_sub(data.remaining() as u64);
                *left = rest.ok_or("it is longer than was said")?;
            }
            // Cannot fail: it is memory.
            Framing::Chunked => drop(write!(self.text, "{:X}\r\n", data.remaining())),
            Framing::Close => {}
        }
        if let Some(small) = data.memory().filter(|data| data.len() <= COPIED) {
            self.text.extend_from_slice(small);
        } else {
            self.is_settled = false;
            self.pieces.push_back((self.text.len(), data));
        }
        if self.framing == Framing::Chunked {
            self.text.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// The body has ended.
    pub(crate) fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), &'static str> {
        match self.framing {
            Framing::Length(0) | Framing::Close => {}
            Framing::Length(_) => return Err("it is shorter than was said"),
            Framing::Chunked => {
                self.compact();
                self.last_chunk(trailers);
            }
        }
        self.ended = true;
        Ok(())
    }

    fn last_chunk(&mut self, trailers: Option<&HeaderMap>) {
        self.text.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            field(&mut self.text, name.as_str(), value.as_bytes());
        }
        self.text.extend_from_slice(b"\r\n");
    }

    fn compact(&mut self) {
        if self.is_written() {
            self.text.clear();
            self.written = 0;
        }
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
                None => match self.poll_write_some(context, Pin::new(&mut *stream))? {
                    Poll::Ready(count) => count,
                    Poll::Pending => {
                        self.settle();
                        return Poll::Pending;
                    }
                },
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.count += count as u64;
            self.wrote(if moved.is_some() { 0 } else { count });
        }
        Poll::Ready(Ok(()))
    }

    /// The recipient is slow: small pieces do not hold up the large buffers that they were read into.
    fn settle(&mut self) {
        if !std::mem::replace(&mut self.is_settled, true) {
            for (_, piece) in &mut self.pieces {
                if let Some(small) = piece.memory().filter(|data| data.len() < LARGE) {
                    *piece = Bytes::copy_from_slice(small).into();
                }
            }
        }
    }

    /// Has the kernel move some of what lies in a pipe; `None` if that is not what comes next.
    fn poll_move<W: Recipient>(
        &mut self,
        context: &mut Context<'_>,
        stream: &W,
    ) -> Poll<io::Result<Option<usize>>> {
        if let Some((place, piece)) = self.pieces.front_mut()
            && *place == self.written
            && let Some(piped) = piece.piped_mut()
        {
            if let Some(socket) = stream.socket()
                && let Some(count) = ready!(piped.poll_move(socket, context))?
            {
                return Poll::Ready(Ok(Some(count)));
            }
            let promised = piece.remaining();
            if piece.chunk().len() < promised {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Poll::Ready(Ok(None))
    }

    fn poll_write_some<W: Recipient>(
        &mut self,
        context: &mut Context<'_>,
        stream: Pin<&mut W>,
    ) -> Poll<io::Result<usize>> {
        let Some((place, first)) = self.pieces.front() else {
            let text = &self.text[self.written..];
            self.is_held = self.is_last && self.ended;
            return if self.is_held {
                stream.poll_write_end(context, text)
            } else {
                stream.poll_write(context, text)
            };
        };
        let is_alone = self.pieces.len() == 1 && *place == self.text.len();
        if is_alone && self.written == *place {
            return stream.poll_write(context, first.chunk());
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut filled = 0;
        for slice in self.slices().filter(|slice| !slice.is_empty()).take(SLICES) {
            slices[filled] = IoSlice::new(slice);
            filled += 1;
        }
        stream.poll_write_vectored(context, &slices[..filled])
    }

    /// What is left to write, in its order, up to what lies in a pipe unless that comes first.
    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let place = |number: usize| self.pieces.get(number).map_or(self.text.len(), |(place, _)| *place);
        let piece = |number: usize| self.pieces.get(number).map_or(&[][..], |(_, piece)| piece.chunk());
        let piped = self.pieces.iter().position(|(_, piece)| piece.memory().is_none());
        let first_is_piped = piped == Some(0) && self.written == place(0);
        let until = piped.filter(|_| !first_is_piped).unwrap_or(self.pieces.len());
        (0..=until).flat_map(move |number| {
            let begin = if number == 0 { self.written } else { place(number - 1) };
            let text = &self.text[begin..place(number)];
            [text, if number < until { piece(number) } else { &[] }]
        })
    }

    /// So much has been written of what comes next.
    fn wrote(&mut self, mut count: usize) {
        loop {
            let place = self.pieces.front().map_or(self.text.len(), |(place, _)| *place);
            let text = count.min(place - self.written);
            self.written += text;
            count -= text;
            let Some((_, piece)) = self.pieces.front_mut().filter(|_| self.written == place) else { return };
            let data = count.min(piece.remaining());
            piece.advance(data);
            count -= data;
            if piece.has_remaining() {
                return;
            }
            self.pieces.pop_front();
        }
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
