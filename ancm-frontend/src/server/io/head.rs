//! Requests' heads, as they come from the stream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::refusal::Refusal;
use bytes::{Buf, Bytes, BytesMut};
use tokio_util::io::poll_read_buf;

use super::{Io, incoming::Incoming};
use crate::{
    http1::room::{take, with_room},
    server::{
        clocks::Clocks,
        head_guard::{Fault, HeadReader, Line},
        header_lines::{Habit, HeaderLines},
        request::method_and_target,
        spare,
        stream::ClientStream,
    },
};

/// The longest head that is read at all; what the backend takes is less, and is for the stack to judge.
const LONGEST_HEAD: usize = 128 * 1024;
/// So much behind a head is copied: it may have to wait for long, and would hold up the thread's room.
const COPIED: usize = 4 * 1024;

/// What came instead of silence.
#[derive(Debug)]
pub(in crate::server) enum Arrival {
    /// A request's head, whole; or at least method and target, and the header lines, which are known.
    Head(Bytes, Option<HeaderLines>),
    /// The end of the stream.
    End,
    /// What is no request, or none that we read to its end: nothing can be told from what follows it.
    Refused(Refusal),
}

// === impl Io ===

impl<T: ClientStream> Io<T> {
    /// Reads a request's head.
    pub(in crate::server) fn poll_head(
        &mut self,
        clocks: &Clocks,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Arrival>> {
        if self.head.lines_mut().capacity() == 0 {
            *self.head.lines_mut() = spare::take_lines();
        }
        let arrival = self.poll_arrival(clocks, context);
        if arrival.is_pending() {
            self.leave_room();
        }
        match &arrival {
            Poll::Pending if !self.head.has_begun() => self.keep_lines(),
            Poll::Ready(Ok(Arrival::Refused(_))) => self.body = Incoming::Broken,
            _ => {}
        }
        arrival
    }

    fn poll_arrival(&mut self, clocks: &Clocks, context: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        loop {
            let seen = self.head.length();
            if seen < self.read.len() {
                match follow(&mut self.head, &mut self.habit, &self.read[seen..]) {
                    Err(fault) => return Poll::Ready(Ok(bad(fault))),
                    Ok(Some((length, lines))) => {
                        // A request may have to wait for long.
                        self.leave_room();
                        return Poll::Ready(Ok(Arrival::Head(take(&mut self.read, length), lines)));
                    }
                    Ok(None) if self.read.len() > LONGEST_HEAD => {
                        let refusal = Refusal::HeadTooLarge { what: "bytes", limit: LONGEST_HEAD };
                        return Poll::Ready(Ok(Arrival::Refused(refusal)));
                    }
                    Ok(None) => clocks.received(),
                }
            }
            if let Some(arrival) = ready!(with_room(|room| self.poll_more(room, clocks, context)))? {
                return Poll::Ready(Ok(arrival));
            }
        }
    }

    /// Reads once. A head that comes whole, as nearly all do, is looked at where it lies; none: look again.
    fn poll_more(
        &mut self,
        room: &mut BytesMut,
        clocks: &Clocks,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Arrival>>> {
        let Poll::Ready(count) = poll_read_buf(Pin::new(&mut self.stream), context, room)? else {
            clocks.reading();
            return Poll::Pending;
        };
        clocks.heard();
        if count == 0 {
            return Poll::Ready(Ok(Some(Arrival::End)));
        }
        let arrival = match self.read.is_empty().then(|| follow(&mut self.head, &mut self.habit, room)) {
            Some(Err(fault)) => Some(bad(fault)),
            Some(Ok(Some((length, lines)))) => {
                // What is known already need not be kept once more.
                let head = &room[..length];
                let head =
                    Bytes::copy_from_slice(if lines.is_some() { method_and_target(head) } else { head });
                room.advance(length);
                if room.len() > COPIED {
                    self.read = room.split();
                    self.in_room = true;
                } else {
                    self.read.extend_from_slice(room);
                }
                Some(Arrival::Head(head, lines))
            }
            Some(Ok(None)) => {
                clocks.received();
                self.read.extend_from_slice(room);
                None
            }
            None => {
                self.read.extend_from_slice(room);
                None
            }
        };
        Poll::Ready(Ok(arrival))
    }
}

impl<T> Io<T> {
    /// Gives up a head that does not come to its end.
    pub(in crate::server) fn give_up_head(&mut self) {
        self.forget_head(Habit::default());
        self.read = BytesMut::new();
    }

    /// Forgets the head that has been read, but for what it tells of the next.
    pub(in crate::server) fn forget_head(&mut self, habit: Habit) {
        self.habit = habit;
        self.head.reset();
        self.keep_lines();
    }

    fn keep_lines(&mut self) {
        let lines: Vec<Line> = std::mem::take(self.head.lines_mut());
        spare::keep_lines(lines);
    }
}

/// Has the head followed; how long it is once it is complete, and its lines, if they are known.
fn follow(
    head: &mut HeadReader,
    habit: &mut Habit,
    bytes: &[u8],
) -> Result<Option<(usize, Option<HeaderLines>)>, Fault> {
    let mut lines = None;
    let length = head.follow(bytes, |bytes| {
        let (length, passed, recalled) = HeaderLines::recall(habit, bytes)?;
        lines = Some(recalled);
        Some((length, passed))
    })?;
    Ok(length.map(|length| (length, lines)))
}

fn bad(fault: Fault) -> Arrival {
    Arrival::Refused(Refusal::BadRequest { reason: fault.as_str() })
}
