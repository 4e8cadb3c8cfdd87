//! What a connection is doing, and for how long it may.
//!
//! One [`Clocks`] is shared by the connection and by the body of its request. Everything in it is touched by one worker
//! only; the atomics make it `Send`, they are never contended.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// How long a connection may do nothing, or not do what we wait for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of a request head to its last.
    pub head: Duration,
    /// Without a request, or without progress of a body in either direction because of the client.
    pub idle: Duration,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// It waits for a request.
    Idle,
    /// Part of a request head has come.
    Head,
    /// A request is being served.
    Busy,
    /// It has switched protocols: no clock of ours runs.
    Tunnel,
    /// All has been said, but the client still sends: what comes is thrown away, so that it can read our answer.
    Lingering,
}

/// How long the rest of a request that has been answered already is thrown away.
///
/// Closing at once would reset the connection, and the client would lose the answer while it is still sending.
const LINGER: Duration = Duration::from_secs(5);

/// How long a client that has ended its side may wait for an answer, and for each further piece of it.
///
/// One that has gone for good looks just the same, and the application shall hear of that within a second. One that
/// has only said that it will send no more (`nc -N`, old clients) gets what is answered in time: Kestrel alone gives
/// it nothing.
const LEAVING: Duration = Duration::from_millis(400);

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No request came.
    Idle,
    /// A request head did not come to its end.
    Head,
    /// The client stopped sending its body.
    Body,
    /// The client stopped reading its answer.
    Write,
    /// The client went on sending what nobody wants.
    Lingering,
    /// The client will send no more, and most likely does not listen either.
    Left,
}

/// The clocks of one connection.
#[derive(Debug)]
pub(super) struct Clocks {
    limits: Limits,
    epoch: Instant,
    phase: AtomicU8,
    since: AtomicU64,
    /// When we began to wait for a piece of the body; 0: we do not.
    body_since: AtomicU64,
    /// When the client stopped taking bytes; 0: it does take them.
    write_since: AtomicU64,
    /// When the client ended its side, or took a byte after that; 0: it has not.
    ended_since: AtomicU64,
    /// Whether somebody waits for bytes, and will be told when the client leaves.
    reading: AtomicBool,
    /// Whether nothing at all has come yet.
    fresh: AtomicBool,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(15), idle: Duration::from_secs(120) }
    }
}

// === impl Clocks ===

impl Clocks {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            epoch: Instant::now(),
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU64::new(1),
            body_since: AtomicU64::new(0),
            write_since: AtomicU64::new(0),
            ended_since: AtomicU64::new(0),
            reading: AtomicBool::new(false),
            fresh: AtomicBool::new(true),
        }
    }

    /// Milliseconds since the connection was accepted; never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Busy,
            3 => Phase::Tunnel,
            _ => Phase::Lingering,
        }
    }

    /// Enters a phase.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.body_since.store(0, Relaxed);
        if phase != Phase::Busy {
            self.since.store(self.now(), Relaxed);
        }
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        self.reading.store(false, Relaxed);
        self.fresh.store(false, Relaxed);
    }

    /// Bytes have come, and there is more to come of what they belong to.
    pub(super) fn received(&self) {
        self.heard();
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// Somebody waits for bytes, who will see the client leave.
    pub(super) fn reading(&self) {
        self.reading.store(true, Relaxed);
    }

    /// Whether nobody would notice if the client left now.
    pub(super) fn unwatched(&self) -> bool {
        self.phase() == Phase::Busy && !self.reading.load(Relaxed)
    }

    /// Whether the client has not sent anything yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.load(Relaxed)
    }

    /// The backend wants more of the request's body than has come, or has got it.
    pub(super) fn awaits_body(&self, waiting: bool) {
        Self::mark(&self.body_since, waiting, || self.now());
    }

    /// Nobody wants more of the request's body, so nobody waits for it.
    pub(super) fn body_dropped(&self) {
        self.awaits_body(false);
        self.reading.store(false, Relaxed);
    }

    /// The client has ended its side, behind a request that is whole: that may say only that there will be no other.
    pub(super) fn client_ended(&self) {
        // Nobody need look for what is known.
        self.reading();
        Self::mark(&self.ended_since, true, || self.now());
    }

    /// Whether the client has ended its side.
    pub(super) fn has_client_ended(&self) -> bool {
        self.ended_since.load(Relaxed) != 0
    }

    /// The client's system has taken bytes: if there is nobody to read them, the next ones will fail.
    pub(super) fn wrote(&self) {
        self.awaits_room(false);
        if self.has_client_ended() {
            self.ended_since.store(self.now(), Relaxed);
        }
    }

    /// The client does not take what we write, or takes it again.
    pub(super) fn awaits_room(&self, waiting: bool) {
        Self::mark(&self.write_since, waiting, || self.now());
    }

    fn mark(since: &AtomicU64, waiting: bool, now: impl Fn() -> u64) {
        match (waiting, since.load(Relaxed)) {
            (true, 0) => since.store(now(), Relaxed),
            (false, marked) if marked != 0 => since.store(0, Relaxed),
            _ => {}
        }
    }

    /// What has taken too long, or when to look again.
    pub(super) fn check(&self) -> Result<Instant, Overdue> {
        let (body, write) = (self.body_since.load(Relaxed), self.write_since.load(Relaxed));
        let (since, ended) = (self.since.load(Relaxed), self.ended_since.load(Relaxed));
        let (since, limit, overdue) = match self.phase() {
            Phase::Tunnel => return Ok(Instant::now() + self.limits.idle),
            Phase::Lingering => (since, LINGER.min(self.limits.idle), Overdue::Lingering),
            _ if write != 0 => (write, self.limits.idle, Overdue::Write),
            Phase::Head => (since, self.limits.head, Overdue::Head),
            Phase::Idle => (since, self.limits.idle, Overdue::Idle),
            Phase::Busy if ended != 0 => (ended, LEAVING, Overdue::Left),
            Phase::Busy if body != 0 => (body, self.limits.idle, Overdue::Body),
            Phase::Busy => return Ok(Instant::now() + self.limits.idle),
        };
        let due = self.epoch + Duration::from_millis(since) + limit;
        if Instant::now() >= due { Err(overdue) } else { Ok(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn advance(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_be_idle_for_two_minutes() {
        let clocks = Clocks::new(Limits::default());
        advance(119).await;
        assert!(clocks.check().is_ok());
        advance(2).await;
        assert_eq!(clocks.check(), Err(Overdue::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_must_end_soon_however_busily_it_trickles() {
        let clocks = Clocks::new(Limits::default());
        for _ in 0..16 {
            clocks.received();
            advance(1).await;
        }
        assert_eq!(clocks.check(), Err(Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_may_be_served_for_ever() {
        let clocks = Clocks::new(Limits::default());
        clocks.enter(Phase::Busy);
        advance(100_000).await;
        assert!(clocks.check().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_sending_or_reading_is_given_up() {
        let clocks = Clocks::new(Limits::default());
        clocks.enter(Phase::Busy);
        clocks.awaits_body(true);
        advance(121).await;
        assert_eq!(clocks.check(), Err(Overdue::Body));
        clocks.awaits_body(false);
        assert!(clocks.check().is_ok());
        clocks.awaits_room(true);
        advance(121).await;
        assert_eq!(clocks.check(), Err(Overdue::Write));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_ended_its_side_is_answered_only_while_bytes_go_out() {
        let clocks = Clocks::new(Limits::default());
        clocks.enter(Phase::Busy);
        clocks.client_ended();
        for _ in 0..3 {
            tokio::time::advance(LEAVING / 2).await;
            clocks.wrote();
        }
        assert!(clocks.check().is_ok() && clocks.has_client_ended());
        advance(1).await;
        assert_eq!(clocks.check(), Err(Overdue::Left));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_served_request_that_nobody_reads_for_is_unwatched() {
        let clocks = Clocks::new(Limits::default());
        clocks.reading();
        assert!(!clocks.unwatched());
        clocks.received();
        clocks.enter(Phase::Busy);
        assert!(clocks.unwatched());
        clocks.reading();
        assert!(!clocks.unwatched());
    }
}
