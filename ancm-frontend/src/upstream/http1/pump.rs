//! Sends a request: its head, and its body as it comes.

use std::{
    fmt,
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::BoxError;
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use tokio::io::AsyncWrite;

/// Sends what is left of a request.
pub(super) struct Pump<B> {
    /// `None` once it has been sent whole; boxed, because it outlives the exchange in which it began.
    body: Option<Pin<Box<B>>>,
    /// So much of the body is still to come; without a length it goes in chunks.
    left: Option<u64>,
    /// What is to be written before `data`: the head, or the size of a chunk.
    before: Vec<u8>,
    written: usize,
    data: Bytes,
    /// What is to be written after `data`: the line end of a chunk.
    after: &'static [u8],
    ended: bool,
    any: bool,
}

/// Why a request could not be sent.
#[derive(Debug)]
pub(super) enum PumpError {
    /// Its body broke off.
    Body(BoxError),
    /// The connection did; what is to be read of it may still be whole.
    Write,
}

// === impl Pump ===

impl<B> Pump<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Sends this head, then the body: of this length, or in chunks.
    pub(super) fn new(head: Vec<u8>, body: Option<Pin<Box<B>>>, length: Option<u64>) -> Self {
        let ended = body.is_none();
        Self {
            body,
            left: length,
            before: head,
            written: 0,
            data: Bytes::new(),
            after: b"",
            ended,
            any: false,
        }
    }

    /// Whether even one byte has been written.
    pub(super) fn has_begun(&self) -> bool {
        self.any
    }

    /// The buffer, to be used again.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.before);
        buffer.clear();
        buffer
    }

    fn is_written(&self) -> bool {
        self.written == self.before.len() && self.data.is_empty() && self.after.is_empty()
    }

    /// Sends as much as can be sent now; ready when all of it has been.
    pub(super) fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut W,
    ) -> Poll<Result<(), PumpError>> {
        loop {
            // A body that is there already goes out with the head, in one call.
            let waiting = !self.ended && self.data.is_empty() && self.poll_body(context)?.is_pending();
            while !self.is_written() {
                ready!(self.poll_write(context, stream)).map_err(|_| PumpError::Write)?;
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if waiting {
                return Poll::Pending;
            }
        }
    }

    /// Takes the next piece of the body.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        let Some(body) = self.body.as_mut() else {
            self.ended = true;
            return Poll::Ready(Ok(()));
        };
        let frame = match ready!(body.as_mut().poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Err(PumpError::Body(error.into()))),
            None => return Poll::Ready(self.end(None)),
        };
        // Asked now: the next poll might have to wait for an end that is known already.
        let last = body.is_end_stream();
        Poll::Ready(match frame.into_data() {
            Ok(data) if last => self.data(data).and_then(|()| self.end(None)),
            Ok(data) => self.data(data),
            Err(frame) => self.end(frame.into_trailers().ok().as_ref()),
        })
    }

    fn data(&mut self, data: Bytes) -> Result<(), PumpError> {
        if data.is_empty() {
            return Ok(());
        }
        self.compact();
        if let Some(left) = &mut self.left {
            // What is too much would be read as the next request.
            let rest = left.checked_sub(data.len() as u64);
            *left = rest.ok_or_else(|| PumpError::Body("it is longer than was said".into()))?;
        } else {
            // Cannot fail: it is memory.
            let _ = write!(self.before, "{:X}\r\n", data.len());
            self.after = b"\r\n";
        }
        self.data = data;
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), PumpError> {
        self.ended = true;
        self.body = None;
        match self.left {
            Some(0) => {}
            Some(_) => return Err(PumpError::Body("it is shorter than was said".into())),
            None if self.data.is_empty() => {
                self.compact();
                self.last_chunk(trailers);
            }
            None => self.after = b"\r\n0\r\n\r\n",
        }
        Ok(())
    }

    fn last_chunk(&mut self, trailers: Option<&HeaderMap>) {
        self.before.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                self.before.extend_from_slice(piece);
            }
        }
        self.before.extend_from_slice(b"\r\n");
    }

    fn compact(&mut self) {
        if self.written == self.before.len() {
            self.before.clear();
            self.written = 0;
        }
    }

    fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut W,
    ) -> Poll<io::Result<()>> {
        let before = &self.before[self.written..];
        let slices = [IoSlice::new(before), IoSlice::new(&self.data), IoSlice::new(self.after)];
        let stream = Pin::new(stream);
        let mut count = ready!(if self.data.is_empty() && self.after.is_empty() {
            stream.poll_write(context, before)
        } else {
            stream.poll_write_vectored(context, &slices)
        })?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.any = true;
        for (index, length) in [before.len(), self.data.len(), self.after.len()].into_iter().enumerate() {
            let step = count.min(length);
            match index {
                0 => self.written += step,
                1 => self.data.advance(step),
                _ => self.after = &self.after[step..],
            }
            count -= step;
        }
        Poll::Ready(Ok(()))
    }
}

impl<B> fmt::Debug for Pump<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("ended", &self.ended).finish_non_exhaustive()
    }
}
