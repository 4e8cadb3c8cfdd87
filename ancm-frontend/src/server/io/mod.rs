//! The client's stream and what has been read from it, for the connection and for the body of its request.
//!
//! A body is read by whoever wants it, straight from the stream: by the connection's own task as a rule, by another
//! when an answer comes before the whole of the request. The lock between them is never contended, since both run on
//! the worker's one thread.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::{BufMut, Bytes, BytesMut};
use http_body::Frame;
use tokio::io::ReadBuf;
use tokio_util::io::poll_read_buf;

use self::incoming::Incoming;
use super::{
    body::BodyError,
    clocks::Clocks,
    head_guard::{Fault, Framing, HeadReader, Line},
    spare,
    stream::ClientStream,
};
use crate::http1::chunked::Step;

mod incoming;
mod shared;

pub(super) use self::shared::Shared;

/// The longest head that is read at all; what the backend takes is less, and is for the stack to judge.
pub(super) const LONGEST_HEAD: usize = 128 * 1024;
/// Read at once of a body at first; doubled as long as the client fills it.
const FIRST_READ: usize = 16 * 1024;
const LARGEST_READ: usize = 256 * 1024;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The stream, and what has been read from it.
#[derive(Debug)]
pub(super) struct Io<T> {
    pub(super) stream: T,
    /// What belongs to nobody yet.
    read: BytesMut,
    head: HeadReader,
    body: Incoming,
    /// The request that the body belongs to.
    number: u64,
    /// How much to read of a body at once.
    room: usize,
    /// What is left to say before the client sends the body.
    invitation: &'static [u8],
    /// The connection, when it waits for the body's end.
    connection: Option<Waker>,
}

/// What came instead of silence.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A request's head, whole.
    Head(Bytes),
    /// The end of the stream.
    End,
    /// What is no request.
    Refused(Fault),
    /// A head of which no end is in sight.
    TooLong,
}

// === impl Io ===

impl<T: ClientStream> Io<T> {
    /// Reads a request's head.
    pub(super) fn poll_head(
        &mut self,
        clocks: &Clocks,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Arrival>> {
        if self.head.lines_mut().capacity() == 0 {
            *self.head.lines_mut() = spare::take_lines();
        }
        let arrival = self.poll_arrival(clocks, context);
        if arrival.is_pending() && !self.head.has_begun() {
            self.keep_lines();
        }
        arrival
    }

    fn poll_arrival(&mut self, clocks: &Clocks, context: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        loop {
            let seen = self.head.length();
            if seen < self.read.len() {
                match self.head.follow(&self.read[seen..]) {
                    Err(fault) => return Poll::Ready(Ok(Arrival::Refused(fault))),
                    Ok(Some(length)) => {
                        return Poll::Ready(Ok(Arrival::Head(self.read.split_to(length).freeze())));
                    }
                    Ok(None) if self.read.len() > LONGEST_HEAD => return Poll::Ready(Ok(Arrival::TooLong)),
                    Ok(None) => clocks.received(),
                }
            }
            if let Some(arrival) = ready!(spare::with_room(|room| self.poll_more(room, clocks, context)))? {
                return Poll::Ready(Ok(arrival));
            }
        }
    }

    /// Reads once. A head that comes whole, as nearly all do, is looked at where it lies; none: look again.
    fn poll_more(
        &mut self,
        room: &mut [u8],
        clocks: &Clocks,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Arrival>>> {
        let mut buffer = ReadBuf::new(room);
        if Pin::new(&mut self.stream).poll_read(context, &mut buffer)?.is_pending() {
            clocks.reading();
            return Poll::Pending;
        }
        clocks.heard();
        let bytes = buffer.filled();
        if bytes.is_empty() {
            return Poll::Ready(Ok(Some(Arrival::End)));
        }
        let arrival = match self.read.is_empty().then(|| self.head.follow(bytes)) {
            Some(Err(fault)) => Some(Arrival::Refused(fault)),
            Some(Ok(Some(length))) => {
                self.read.extend_from_slice(&bytes[length..]);
                Some(Arrival::Head(Bytes::copy_from_slice(&bytes[..length])))
            }
            Some(Ok(None)) => {
                clocks.received();
                self.read.extend_from_slice(bytes);
                None
            }
            None => {
                self.read.extend_from_slice(bytes);
                None
            }
        };
        Poll::Ready(Ok(arrival))
    }

    /// Whether the connection broke while its request is served; what the client sends ahead meanwhile is kept.
    pub(super) fn poll_broken(&mut self, clocks: &Clocks, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_body_read() || !self.read.is_empty() || clocks.has_client_ended() {
            if self.connection.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
                self.connection = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        spare::with_room(|room| {
            let mut buffer = ReadBuf::new(room);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => {
                    clocks.reading();
                    Poll::Pending
                }
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    clocks.heard();
                    self.read.extend_from_slice(buffer.filled());
                    Poll::Pending
                }
                Poll::Ready(Ok(())) => {
                    clocks.client_ended();
                    Poll::Pending
                }
                Poll::Ready(Err(_)) => Poll::Ready(()),
            }
        })
    }

    /// Whether the client has left; not if it has only ended its side behind a request that is whole.
    pub(super) fn has_left(&self, clocks: &Clocks) -> bool {
        let ended = self.stream.has_left();
        if ended && self.is_body_read() {
            clocks.client_ended();
        }
        ended && !self.is_body_read()
    }

    /// Reads once into the buffer; false at the end of the stream.
    fn poll_fill(&mut self, clocks: &Clocks, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.read.reserve(self.room);
        let mut buffer = (&mut self.read).limit(self.room);
        match poll_read_buf(Pin::new(&mut self.stream), context, &mut buffer)? {
            Poll::Pending => {
                clocks.reading();
                Poll::Pending
            }
            Poll::Ready(count) => {
                clocks.heard();
                if count == self.room {
                    self.room = (self.room * 2).min(LARGEST_READ);
                }
                Poll::Ready(Ok(count > 0))
            }
        }
    }

    fn poll_frame(
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
        self.wake();
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
            if self.invitation.is_empty() {
                let _ = Pin::new(&mut self.stream).poll_flush(context)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// What the buffer holds of the body.
    fn step(&mut self) -> Result<Step, BodyError> {
        let step = self.body.step(&mut self.read);
        if self.is_body_read() {
            self.wake();
        }
        step
    }

    /// Throws away what is there already of a body that nobody wants; whether that was all of it.
    pub(super) fn discard(&mut self) -> bool {
        loop {
            match self.step() {
                Ok(Step::End) => return true,
                Ok(Step::Data(_) | Step::Trailers(_)) => {}
                Ok(Step::More) | Err(_) => return false,
            }
        }
    }

    /// Reads for a tunnel.
    pub(super) fn poll_read_on(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read.split_to(length));
        if self.read.is_empty() {
            // A tunnel lives long.
            self.read = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Io<T> {
    fn new(stream: T) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            head: HeadReader::new(),
            body: Incoming::Done,
            number: 0,
            room: FIRST_READ,
            invitation: b"",
            connection: None,
        }
    }

    /// Begins with the body of a request whose head has been read; its number.
    pub(super) fn begin_body(&mut self, framing: Framing, invite: bool) -> u64 {
        self.number += 1;
        self.room = FIRST_READ;
        self.body = Incoming::framed(framing);
        let invite = invite && !self.is_body_read() && self.read.is_empty();
        self.invitation = if invite { CONTINUE } else { b"" };
        self.number
    }

    /// Whether the whole of the request's body has been read; there may have been none.
    pub(super) fn is_body_read(&self) -> bool {
        matches!(self.body, Incoming::Done)
    }

    /// Whether nothing that follows on this connection can be told from the body.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.body, Incoming::Broken)
    }

    /// The answer comes first now. Whether the client still waits to be asked for its body; what had been begun to
    /// ask it with goes into `out`.
    pub(super) fn withdraw_invitation(&mut self, out: &mut Vec<u8>) -> bool {
        let rest = std::mem::take(&mut self.invitation);
        let uninvited = rest.len() == CONTINUE.len();
        if !uninvited {
            out.extend_from_slice(rest);
        }
        uninvited
    }

    /// The head that has been read, by its lines.
    pub(super) fn head(&self) -> &HeadReader {
        &self.head
    }

    /// The request is over: the next head may come.
    pub(super) fn next(&mut self) {
        self.number += 1;
        self.connection = None;
        if self.read.is_empty() {
            // What a large body needed is not kept.
            self.read = BytesMut::new();
        }
    }

    /// Gives up a head that does not come to its end.
    pub(super) fn give_up_head(&mut self) {
        self.forget_head();
        self.read = BytesMut::new();
    }

    /// Forgets the head that has been read.
    pub(super) fn forget_head(&mut self) {
        self.head.reset();
        self.keep_lines();
    }

    fn keep_lines(&mut self) {
        let lines: Vec<Line> = std::mem::take(self.head.lines_mut());
        spare::keep_lines(lines);
    }

    /// Whether the client may be in the middle of something.
    pub(super) fn is_within_request(&self) -> bool {
        !self.is_body_read() || !self.read.is_empty() || self.head.has_begun()
    }

    fn wake(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.wake();
        }
    }
}
