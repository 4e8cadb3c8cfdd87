//! The idle clock: runs while we wait for the backend, and only then.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::StatusCode;
use tokio::time::{Instant, Sleep};

use crate::refusal::Refusal;

/// Stands for "the client has to send"; no clock ever counts so far.
const PAUSED: u64 = u64::MAX;

/// What the request's body tells the clock: when a piece was last taken, or that the client has to send.
///
/// Made only for requests that have a body.
#[derive(Debug)]
pub(super) struct Upload {
    started: Instant,
    /// Nanoseconds from `started` to the last piece taken, or [`PAUSED`].
    last: AtomicU64,
}

/// The body's end of an [`Upload`].
#[derive(Debug)]
pub(super) struct Uploading(Arc<Upload>);

/// One wait for the backend.
///
/// It costs nothing until it begins. The timer is not moved when something happens; it is set again when it rings too
/// early, which is as exact and cheaper.
#[derive(Debug)]
pub(super) struct Wait {
    limit: Duration,
    status: StatusCode,
    since: Option<Instant>,
    upload: Option<Arc<Upload>>,
}

// === impl Upload ===

impl Upload {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), last: AtomicU64::new(0) })
    }

    /// When the last piece was taken; `None` while the client has to send.
    fn last(&self) -> Option<Instant> {
        match self.last.load(Ordering::Acquire) {
            PAUSED => None,
            nanoseconds => self.started.checked_add(Duration::from_nanos(nanoseconds)),
        }
    }
}

// === impl Uploading ===

impl Uploading {
    pub(super) fn new(upload: Arc<Upload>) -> Self {
        Self(upload)
    }

    /// The client has to send.
    pub(super) fn pause(&self) {
        self.0.last.store(PAUSED, Ordering::Release);
    }

    /// A piece was taken.
    pub(super) fn restart(&self) {
        let nanoseconds = u64::try_from(self.0.started.elapsed().as_nanos()).unwrap_or(PAUSED - 1);
        self.0.last.store(nanoseconds, Ordering::Release);
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        // Whoever lets go of a body has no more use for the client's bytes, and waits for nothing but the backend.
        if self.0.last.load(Ordering::Acquire) == PAUSED {
            self.restart();
        }
    }
}

// === impl Wait ===

impl Wait {
    pub(super) fn new(limit: Duration, status: StatusCode, upload: Option<Arc<Upload>>) -> Self {
        Self { limit, status, since: None, upload }
    }

    /// Begins, or goes on; when the timer is to ring for the first time.
    pub(super) fn begin(&mut self) -> Instant {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.after(since)
    }

    /// Something came from the backend: nobody waits any longer.
    pub(super) fn end(&mut self) {
        self.since = None;
    }

    /// The same wait, ended.
    pub(super) fn ended(mut self) -> Self {
        self.end();
        self
    }

    /// `Ready` when the backend has been silent for too long.
    pub(super) fn poll_expired(&self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Refusal> {
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            // While the client has to send, a look once in a while is enough: what it sends starts the clock anew,
            // so the end cannot come sooner than one limit after that.
            let next = self.deadline(now).unwrap_or_else(|| self.after(now));
            if next <= now {
                return Poll::Ready(Refusal::RequestTimeout { limit: self.limit, status: self.status });
            }
            timer.as_mut().reset(next);
        }
    }

    /// When the backend will have been silent for too long; `None` while the client has to send.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let since = self.since.unwrap_or(now);
        let last = match &self.upload {
            None => since,
            Some(upload) => upload.last()?.max(since),
        };
        Some(self.after(last))
    }

    fn after(&self, start: Instant) -> Instant {
        // Some 30 years stand for what no clock can show.
        let far = Duration::from_secs(86_400 * 365 * 30);
        start.checked_add(self.limit).unwrap_or_else(|| start + far)
    }
}
