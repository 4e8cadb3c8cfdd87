//! The wait itself: bounded in number and in time, over as soon as the client leaves.

use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    Admission, Gate, Spare,
    answer::Refused,
    future::{Held, returned},
};
use crate::timers::{timeout, timeout_at};

/// How long a request rests that came back twice in a row: the gate may need a moment to see why.
const FIRST_REST: Duration = Duration::from_millis(5);
/// The rest doubles each time, up to this.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// Room for requests that wait, shared by all services of a layer.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

/// One place; free again when dropped.
struct Place(Arc<AtomicUsize>);

/// The way of one request through the gate.
struct Passage<S, G> {
    spare: Arc<Spare<S, G>>,
    service: S,
    gate: G,
    /// How long it may wait in all; what is in force when it begins.
    limit: Duration,
    /// None: farther off than a clock can show.
    deadline: Option<Instant>,
    /// How long to rest before the request is sent again.
    rest: Option<Duration>,
}

/// Sends a request as soon as the gate admits it, and again whenever it comes back.
pub(super) fn hold<S, G, B, ResBody>(spare: Arc<Spare<S, G>>, request: Request<B>) -> Held<ResBody, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    G: Gate + Send + 'static,
    B: Send + 'static,
    ResBody: From<Bytes> + 'static,
{
    Box::pin(Passage::new(spare).run(request))
}

// === impl Passage ===

impl<S: Clone, G: Gate> Passage<S, G> {
    fn new(spare: Arc<Spare<S, G>>) -> Self {
        let (service, gate) = spare.parts();
        let limit = spare.rules.settings().limit;
        let deadline = Instant::now().checked_add(limit);
        Self { spare, service, gate, limit, deadline, rest: None }
    }

    async fn run<B, ResBody>(mut self, mut request: Request<B>) -> Result<Response<ResBody>, S::Error>
    where
        S: Service<Request<B>, Response = Response<ResBody>>,
        B: Send + 'static,
        ResBody: From<Bytes>,
    {
        loop {
            match self.wait().await {
                Ok(ticket) => request.extensions_mut().insert(ticket),
                Err(refused) => return Ok(refused.to_response(&self.spare.rules)),
            };
            poll_fn(|cx| self.service.poll_ready(cx)).await?;
            let response = self.service.call(request).await?;
            request = match returned(&response) {
                None => return Ok(response),
                Some(request) => request,
            };
            self.rest = Some(self.rest.map_or(FIRST_REST, |rest| (rest * 2).min(LONGEST_REST)));
        }
    }

    /// Waits until the gate has decided. The place is free again when this ends, however it ends.
    async fn wait(&mut self) -> Result<G::Ticket, Refused> {
        let mut place = None;
        if let Some(rest) = self.rest {
            self.take(&mut place)?;
            let changed = self.gate.changed();
            let _ = timeout(rest, until(self.deadline, changed)).await;
        }
        loop {
            // Asked for before the decision, so that no change can fall between the two.
            let changed = self.gate.changed();
            match self.gate.admit() {
                // Only what has come back already is refused: a first attempt is never wasted.
                Admission::Admitted(_) if self.rest.is_some() && self.is_late() => return Err(self.late()),
                Admission::Admitted(ticket) => return Ok(ticket),
                Admission::Starting if self.is_late() => return Err(self.late()),
                Admission::Starting => self.take(&mut place)?,
                Admission::Offline(page) => return Err(Refused::Offline(page)),
                Admission::Failed(failure) => return Err(Refused::Failed(failure)),
                Admission::Stopped => return Err(Refused::Stopped),
            }
            until(self.deadline, changed).await;
        }
    }

    fn take(&self, place: &mut Option<Place>) -> Result<(), Refused> {
        if place.is_none() {
            *place = Some(self.spare.rules.places.take().ok_or(Refused::Full)?);
        }
        Ok(())
    }

    fn late(&self) -> Refused {
        Refused::Late { limit: self.limit }
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// Waits for a change, at most until the deadline; the caller looks which of them it was.
async fn until(deadline: Option<Instant>, changed: impl Future<Output = ()>) {
    match deadline {
        Some(deadline) => drop(timeout_at(deadline, changed).await),
        None => changed.await,
    }
}

// === impl Places ===

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self { taken: Arc::default(), limit }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    fn take(&self) -> Option<Place> {
        let free = |taken| (taken < self.limit).then_some(taken + 1);
        // Nothing else depends on the number, so no order is needed.
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        Some(Place(Arc::clone(&self.taken)))
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.taken.load(Ordering::Relaxed), self.limit)
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
