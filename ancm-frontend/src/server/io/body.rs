//! Requests' bodies, read from the stream by whoever wants them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;

use super::{Io, incoming::Incoming, keep_waker};
use crate::{
    http1::{chunked::Step, room},
    server::{body::BodyError, clocks::Clocks, head_guard::Framing, stream::ClientStream},
};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

// === impl Io ===

impl<T: ClientStream> Io<T> {
    /// Reads once into the buffer; false at the end of the stream.
    fn poll_fill(&mut self, clocks: &Clocks, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.in_room |= self.read.is_empty();
        match room::poll_fill(&mut self.stream, context, &mut self.read)? {
            Poll::Pending => {
                clocks.reading();
                Poll::Pending
            }
            Poll::Ready(count) => {
                clocks.heard();
                Poll::Ready(Ok(count > 0))
            }
        }
    }

    /// The next piece of the body.
    pub(super) fn poll_frame(
        &mut self,
        clocks: &Clocks,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = self.poll_piece(clocks, context);
        if frame.is_pending() {
            keep_waker(&mut self.reader, context);
        }
        frame
    }

    fn poll_piece(
        &mut self,
        clocks: &Clocks,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match self.step() {
                Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Step::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(error) => return self.broken(error),
            }
            if let Err(error) = ready!(self.poll_invite(context)) {
                return self.broken(BodyError::Io(error));
            }
            match ready!(self.poll_fill(clocks, context)) {
                Ok(true) => {}
                Ok(false) => return self.broken(BodyError::Incomplete),
                Err(error) => return self.broken(BodyError::Io(error)),
            }
        }
    }

    fn broken(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.body = Incoming::Broken;
        self.body_ends();
        Poll::Ready(Some(Err(error)))
    }

    /// RFC 9110 10.1.1: tells a client that waits for it to send its body.
    fn poll_invite(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.invitation.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, self.invitation))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.invitation = &self.invitation[count..];
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Io<T> {
    /// What the buffer holds of the body.
    fn step(&mut self) -> Result<Step, BodyError> {
        let step = self.body.step(&mut self.read);
        if self.is_body_read() {
            self.body_ends();
        }
        step
    }

    /// Throws away what is there already of a body that nobody wants; whether that was all of it.
    pub(in crate::server) fn discard(&mut self) -> bool {
        loop {
            match self.step() {
                Ok(Step::End) => return true,
                Ok(Step::Data(_) | Step::Trailers(_)) => {}
                Ok(Step::More) | Err(_) => return false,
            }
        }
    }

    /// Begins with the body of a request whose head has been read; its number.
    pub(in crate::server) fn begin_body(&mut self, framing: Framing, invite: bool) -> u64 {
        self.number += 1;
        self.body = Incoming::framed(framing);
        let invite = invite && !self.is_body_read() && self.read.is_empty();
        self.invitation = if invite { CONTINUE } else { b"" };
        self.unflushed = false;
        self.abandoned = false;
        self.number
    }

    /// The answer comes first now. Whether the client still waits to be asked for its body; what had been begun to
    /// ask it with goes into `out`.
    pub(in crate::server) fn withdraw_invitation(&mut self, out: &mut Vec<u8>) -> bool {
        let rest = std::mem::take(&mut self.invitation);
        let uninvited = rest.len() == CONTINUE.len();
        if !uninvited {
            out.extend_from_slice(rest);
        }
        if !rest.is_empty() || std::mem::take(&mut self.unflushed) {
            // From now on it is the connection that hears when there is room to write.
            self.unflushed = false;
            self.wake_reader();
        }
        uninvited
    }

    /// Nobody wants what is left of it.
    pub(super) fn abandon_body(&mut self) {
        self.abandoned = true;
        self.body_ends();
    }

    /// Whether there is more of a body that nobody wants than what has come already.
    pub(in crate::server) fn is_cut_short(&mut self) -> bool {
        self.abandoned && !self.discard()
    }

    /// Whoever still reads it learns that its request is over.
    pub(in crate::server) fn cut_body(&mut self) {
        self.number += 1;
        self.wake_reader();
    }

    /// Nobody waits for it any longer.
    fn body_ends(&mut self) {
        self.reader = None;
        if let Some(connection) = self.connection.take() {
            connection.wake();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}
