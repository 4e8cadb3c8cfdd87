//! The client's stream and what has been read from it, for the connection and for the body of its request.
//!
//! A body is read by whoever wants it, straight from the stream: by the connection's own task as a rule, by another
//! when an answer comes before the whole of the request. The lock between them is never contended, since both run on
//! the worker's one thread. A stream wakes only the last who waited for it: so whoever takes it from the other sees to
//! it that the other is woken.
//!
//! `head` reads requests' heads, `body` their bodies, of which `incoming` knows how much is still to come.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use tokio::io::ReadBuf;
use tokio_util::io::poll_read_buf;

use self::incoming::Incoming;
use super::{clocks::Clocks, head_guard::HeadReader, header_lines::Habit, stream::ClientStream};
use crate::http1::{hand_out, room::with_room};

mod body;
mod head;
mod incoming;
mod shared;

pub(super) use self::{head::Arrival, shared::Shared};

/// The stream, and what has been read from it.
#[derive(Debug)]
pub(super) struct Io<T> {
    pub(super) stream: T,
    /// What belongs to nobody yet.
    read: BytesMut,
    /// Whether that lies in the thread's room, for which others wait.
    in_room: bool,
    head: HeadReader,
    /// What the header lines of the last request tell of the next.
    habit: Habit,
    body: Incoming,
    /// The request that the body belongs to.
    number: u64,
    /// What is left to say before the client sends the body.
    invitation: &'static [u8],
    /// It has been said, though perhaps not flushed.
    unflushed: bool,
    /// Nobody wants what is left of the body.
    abandoned: bool,
    /// The connection, when it waits for the body's end.
    connection: Option<Waker>,
    /// Whoever reads the body, when there is nothing to read.
    reader: Option<Waker>,
}

// === impl Io ===

impl<T: ClientStream> Io<T> {
    /// Whether the connection broke while its request is served; what the client sends ahead meanwhile is kept.
    pub(super) fn poll_broken(&mut self, clocks: &Clocks, context: &mut Context<'_>) -> Poll<()> {
        self.leave_room();
        if !self.is_body_read() || !self.read.is_empty() || clocks.has_client_ended() {
            keep_waker(&mut self.connection, context);
            return Poll::Pending;
        }
        with_room(|room| match poll_read_buf(Pin::new(&mut self.stream), context, room) {
            Poll::Pending => {
                clocks.reading();
                Poll::Pending
            }
            Poll::Ready(Ok(count)) if count > 0 => {
                clocks.heard();
                self.read.extend_from_slice(room);
                Poll::Pending
            }
            Poll::Ready(Ok(_)) => {
                clocks.client_ended();
                Poll::Pending
            }
            Poll::Ready(Err(_)) => Poll::Ready(()),
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

    /// Whether a request has come, be it in part, or to the kernel only.
    pub(super) fn has_request(&self) -> bool {
        self.head.has_begun() || self.stream.has_sent()
    }

    /// Reads for a tunnel.
    pub(super) fn poll_read_on(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if hand_out(&mut self.read, buffer) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T> Io<T> {
    fn new(stream: T) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            in_room: false,
            head: HeadReader::new(),
            habit: Habit::default(),
            body: Incoming::Done,
            number: 0,
            invitation: b"",
            unflushed: false,
            abandoned: false,
            connection: None,
            reader: None,
        }
    }

    /// Whether the whole of the request's body has been read; there may have been none.
    pub(super) fn is_body_read(&self) -> bool {
        matches!(self.body, Incoming::Done)
    }

    /// Whether nothing that follows on this connection can be told from the body.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.body, Incoming::Broken)
    }

    /// The head that has been read, by its lines.
    pub(super) fn head(&self) -> &HeadReader {
        &self.head
    }

    /// What the header lines of the last request tell of the next.
    pub(super) fn habit(&self) -> Habit {
        self.habit
    }

    /// The request is over: the next head may come.
    pub(super) fn next(&mut self) {
        self.cut_body();
        self.connection = None;
        if self.read.is_empty() {
            // What a large body needed is not kept.
            self.read = BytesMut::new();
        }
    }

    /// What has been read may have to wait for long now, and is little as a rule.
    fn leave_room(&mut self) {
        if std::mem::take(&mut self.in_room) {
            self.read = BytesMut::from(&self.read[..]);
        }
    }

    /// Whether the client may be in the middle of something.
    pub(super) fn is_within_request(&self) -> bool {
        !self.is_body_read() || !self.read.is_empty() || self.head.has_begun()
    }
}

/// Keeps a task to be woken later.
fn keep_waker(place: &mut Option<Waker>, context: &Context<'_>) {
    if place.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
        *place = Some(context.waker().clone());
    }
}
