//! Stands between the socket and hyper, and hands over what the guard lets through.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::ReadBuf;

use super::{HeadGuard, Verdict};
use crate::server::clocks::{Clocks, Phase};

/// What hyper surely refuses, wherever in a head it is. Some time ago hyper saw a part of this head, then it looks
/// for the end before it parses again: hence the end.
pub(super) const POISON: &[u8] = b"\0\r\n\r\n";

/// The head guard of one connection.
#[derive(Debug)]
pub(in crate::server) struct Gate {
    guard: HeadGuard,
    state: State,
    client: SocketAddr,
    /// What came behind a request that asks for an upgrade. Empty on every other connection.
    held: Bytes,
    /// Whether hyper wanted to read when it had to wait for an answer.
    asked: bool,
}

#[derive(Debug)]
enum State {
    /// Bytes are looked at and passed on.
    Guarding,
    /// A head was refused; this is what hyper shall read instead of the rest of it.
    Poisoned(&'static [u8]),
    /// A body was refused.
    Broken,
    /// The protocol has been switched: the bytes are none of our business.
    Open,
}

// === impl Gate ===

impl Gate {
    pub(in crate::server) fn new(client: SocketAddr) -> Self {
        Self { guard: HeadGuard::new(), state: State::Guarding, client, held: Bytes::new(), asked: false }
    }

    /// What a read gets without asking the socket; None: it is to be asked.
    #[inline]
    pub(in crate::server) fn before_read(
        &mut self,
        clocks: &Clocks,
        buffer: &mut ReadBuf<'_>,
    ) -> Option<Poll<io::Result<()>>> {
        let simple = matches!(self.state, State::Guarding) && !self.guard.awaits_answer();
        if simple && self.held.is_empty() { None } else { self.before_odd_read(clocks, buffer) }
    }

    #[cold]
    fn before_odd_read(&mut self, clocks: &Clocks, buffer: &mut ReadBuf<'_>) -> Option<Poll<io::Result<()>>> {
        if self.guard.awaits_answer() {
            match clocks.phase() {
                Phase::Tunnel => self.state = State::Open,
                Phase::Idle => self.guard.not_switched(),
                Phase::Head | Phase::Busy | Phase::Lingering => {
                    self.asked = true;
                    return Some(Poll::Pending);
                }
            }
        }
        match &mut self.state {
            State::Poisoned(poison) => hand(poison, buffer),
            State::Broken => return Some(Poll::Ready(Err(broken()))),
            State::Guarding | State::Open if self.held.is_empty() => return None,
            State::Open => {
                let length = self.held.len().min(buffer.remaining());
                buffer.put_slice(&self.held.split_to(length));
            }
            State::Guarding => {
                clocks.received();
                let length = self.held.len().min(buffer.remaining());
                let verdict = self.guard.inspect(&self.held[..length]);
                let passed = match verdict {
                    Verdict::Pass => length,
                    Verdict::Hold { at } | Verdict::Refuse { at, .. } => at,
                };
                buffer.put_slice(&self.held.split_to(passed));
                return Some(Poll::Ready(self.obey(verdict, passed, clocks, buffer)));
            }
        }
        Some(Poll::Ready(Ok(())))
    }

    /// Looks at what a read has brought, from `start` of the buffer on, and leaves there what hyper may see.
    #[inline]
    pub(in crate::server) fn after_read(
        &mut self,
        start: usize,
        clocks: &Clocks,
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<()> {
        if matches!(self.state, State::Open) {
            return Ok(());
        }
        let verdict = self.guard.inspect(&buffer.filled()[start..]);
        let (Verdict::Hold { at } | Verdict::Refuse { at, .. }) = verdict else { return Ok(()) };
        if matches!(verdict, Verdict::Hold { .. }) {
            self.held = Bytes::copy_from_slice(&buffer.filled()[start + at..]);
        }
        buffer.set_filled(start + at);
        self.obey(verdict, at, clocks, buffer)
    }

    /// Hands out what a verdict demands behind the bytes that `passed`.
    fn obey(
        &mut self,
        verdict: Verdict,
        passed: usize,
        clocks: &Clocks,
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<()> {
        let Verdict::Refuse { fault, in_body, .. } = verdict else { return Ok(()) };
        tracing::info!(target: "server", client = %self.client, %fault, "refused a request");
        clocks.refuse();
        self.held.clear();
        if in_body {
            self.state = State::Broken;
            return if passed == 0 { Err(broken()) } else { Ok(()) };
        }
        let mut poison = POISON;
        hand(&mut poison, buffer);
        self.state = State::Poisoned(poison);
        Ok(())
    }

    /// Whether the client is in the middle of a request, or has been refused and may not know it.
    pub(in crate::server) fn is_within_request(&self) -> bool {
        match self.state {
            State::Open => false,
            State::Guarding => !self.held.is_empty() || self.guard.is_within_request(),
            State::Poisoned(_) | State::Broken => true,
        }
    }

    /// Has hyper read again, if it had to wait for an answer that has been given now.
    #[inline]
    pub(in crate::server) fn answered(&mut self, clocks: &Clocks, context: &Context<'_>) {
        if self.asked && clocks.phase() != Phase::Busy {
            self.asked = false;
            context.waker().wake_by_ref();
        }
    }
}

/// Moves as much as there is room for.
fn hand(bytes: &mut &'static [u8], buffer: &mut ReadBuf<'_>) {
    let (now, later) = bytes.split_at(bytes.len().min(buffer.remaining()));
    buffer.put_slice(now);
    *bytes = later;
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the framing of the body is malformed")
}
