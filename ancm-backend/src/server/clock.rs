//! How long a connection may keep us waiting: for the end of a request head, and for the next request.
//!
//! hyper has one clock for both, which runs while a connection is idle too. A frontend keeps idle connections far
//! longer than any head should take, so the two limits must differ.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use ancm_tower::timers::sleep;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

// ANCM: Kestrel's own two limits; a frontend relies on the longer one when it keeps connections.
/// From a head's first byte to its last.
pub(super) const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// From the end of an answer, or from the connect, to the first byte of the next head.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(130);

/// Between requests.
const IDLE: u8 = 0;
/// A head has begun.
const HEAD: u8 = 1;
/// The application has the request: its own affair how long it takes.
const BUSY: u8 = 2;

/// What a connection is doing, shared by its stream and its requests.
#[derive(Clone, Debug)]
pub(super) struct Clock(Arc<AtomicU8>);

/// Turns the clock back to idle when an answer is out.
#[derive(Debug)]
struct Busy(Clock);

pin_project! {
    /// An answer's body, which ends the request when it is dropped.
    #[derive(Debug)]
    pub(super) struct Timed<B> {
        #[pin]
        body: B,
        busy: Option<Busy>,
    }
}

/// A client's stream that fails to read when its clock has run out, and holds `guard` as long as it is open.
#[derive(Debug)]
pub(super) struct Stream<T, G> {
    io: T,
    clock: Clock,
    timer: Pin<Box<Sleep>>,
    /// What the timer was set for, if it still counts.
    armed: Option<u8>,
    _guard: G,
}

// === impl Clock ===

impl Clock {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU8::new(IDLE)))
    }

    /// A head is complete.
    pub(super) fn begin(&self) {
        self.set(BUSY);
    }

    /// The request ends with this body.
    pub(super) fn time<B>(&self, body: B) -> Timed<B> {
        Timed { body, busy: Some(Busy(self.clone())) }
    }

    /// The request never ends: its connection is somebody else's from now on.
    pub(super) fn release<B>(body: B) -> Timed<B> {
        Timed { body, busy: None }
    }

    // Only one task touches it, so no order is needed.
    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }

    fn state(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(IDLE);
    }
}

// === impl Timed ===

impl<B: Body> Body for Timed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Stream ===

impl<T, G> Stream<T, G> {
    pub(super) fn new(io: T, clock: Clock, guard: G) -> Self {
        Self { io, clock, timer: Box::pin(sleep(IDLE_LIMIT)), armed: Some(IDLE), _guard: guard }
    }

    fn bytes_came(&mut self) {
        if self.clock.state() == IDLE {
            self.clock.set(HEAD);
            self.armed = None;
        }
    }

    /// Nothing came: is that too long?
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = self.clock.state();
        let limit = match state {
            IDLE => IDLE_LIMIT,
            HEAD => HEAD_LIMIT,
            _ => {
                self.armed = None;
                return Poll::Pending;
            }
        };
        if self.armed != Some(state) {
            self.timer.as_mut().reset(Instant::now() + limit);
            self.armed = Some(state);
        }
        self.timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin, G: Unpin> AsyncRead for Stream<T, G> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if buf.filled().len() > before {
                    this.bytes_came();
                }
                Poll::Ready(result)
            }
            Poll::Pending => this.poll_limit(cx),
        }
    }
}

impl<T: AsyncWrite + Unpin, G: Unpin> AsyncWrite for Stream<T, G> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    fn stream() -> (Stream<DuplexStream, ()>, DuplexStream, Clock) {
        let (ours, theirs) = duplex(64);
        let clock = Clock::new();
        (Stream::new(ours, clock.clone(), ()), theirs, clock)
    }

    /// How long a read waits until it fails.
    async fn patience(stream: &mut Stream<DuplexStream, ()>) -> Duration {
        let start = Instant::now();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn waits_longer_for_a_request_than_for_the_rest_of_its_head() {
        let (mut idle, _theirs, _) = stream();
        let waited = patience(&mut idle).await;
        assert!(waited >= IDLE_LIMIT && waited < IDLE_LIMIT + Duration::from_secs(1), "{waited:?}");

        let (mut begun, mut theirs, _) = stream();
        theirs.write_u8(b'G').await.unwrap();
        begun.read_u8().await.unwrap();
        let waited = patience(&mut begun).await;
        assert!(waited >= HEAD_LIMIT && waited < HEAD_LIMIT + Duration::from_secs(1), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn counts_a_head_from_its_first_byte() {
        let (mut begun, mut theirs, _) = stream();
        let start = Instant::now();
        let trickle = tokio::spawn(async move {
            while theirs.write_u8(b'x').await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        while begun.read_u8().await.is_ok() {}
        assert!(start.elapsed() <= HEAD_LIMIT + Duration::from_secs(2), "{:?}", start.elapsed());
        trickle.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn stands_still_while_the_application_works() {
        let (mut busy, _theirs, clock) = stream();
        clock.begin();
        tokio::time::timeout(10 * IDLE_LIMIT, busy.read_u8()).await.unwrap_err();

        drop(clock.time(()));
        let waited = patience(&mut busy).await;
        assert!(waited >= IDLE_LIMIT, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn never_runs_again_after_an_upgrade() {
        let (mut upgraded, _theirs, clock) = stream();
        clock.begin();
        drop(Clock::release(()));
        tokio::time::timeout(10 * IDLE_LIMIT, upgraded.read_u8()).await.unwrap_err();
    }
}
