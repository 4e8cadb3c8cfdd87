//! A worker's view of the supervisor's newest snapshot.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use ancm_tower::{
    app_offline::Page,
    startup_error::{Admission, Gate, StartFailure},
    timers::interval,
};
use tokio::sync::watch;

use super::{Ticket, WorkerBackend, lock};
use crate::{
    lease::Lease,
    supervisor::snapshot::{Availability, Generation, Snapshot},
};

/// How often idle connections are looked through.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// Called when a request meets an application that failed to start; must be cheap and never block.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// One worker's processes to choose from.
#[derive(Clone)]
pub struct Table {
    shared: Arc<Shared>,
}

struct Shared {
    current: Mutex<Current>,
    changed: watch::Sender<()>,
    wake: Wake,
    page: watch::Receiver<Option<Page>>,
}

struct Current {
    state: State,
    /// Tells the supervisor that this worker still dispatches by its snapshot.
    _dispatching: Option<Lease>,
}

enum State {
    Starting,
    Ready { backends: Vec<Arc<WorkerBackend>>, next: usize },
    Offline,
    Failed(Arc<StartFailure>),
    Stopped,
}

// === impl Table ===

impl Table {
    /// A table that holds every request until the first snapshot arrives.
    ///
    /// `page` is what to show while the application is offline; `wake` is called when a request meets a failed start.
    pub fn new(page: watch::Receiver<Option<Page>>, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let current = Current { state: State::Starting, _dispatching: None };
        let changed = watch::Sender::new(());
        Self {
            shared: Arc::new(Shared { current: Mutex::new(current), changed, wake: Arc::new(wake), page }),
        }
    }

    /// Follows the supervisor until it is gone: the worker's one task for this application.
    pub async fn follow(self, mut snapshots: watch::Receiver<Snapshot>) {
        let mut tidy = interval(TIDY_EVERY);
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            self.replace(snapshot);
            loop {
                tokio::select! {
                    changed = snapshots.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    _ = tidy.tick() => self.tidy(),
                }
            }
        }
    }

    /// Dispatches by this snapshot from now on, and lets go of the one before.
    pub fn replace(&self, snapshot: Snapshot) {
        let mut current = lock(&self.shared.current);
        let known = match &mut current.state {
            State::Ready { backends, .. } => std::mem::take(backends),
            _ => Vec::new(),
        };
        let state = match snapshot.availability {
            Availability::Starting => State::Starting,
            Availability::Offline => State::Offline,
            Availability::Failed(failure) => State::Failed(failure),
            Availability::Stopped => State::Stopped,
            Availability::Ready(generation) => State::Ready { backends: adopt(&generation, &known), next: 0 },
        };
        let kept = match &state {
            State::Ready { backends, .. } => backends.as_slice(),
            _ => &[],
        };
        for backend in &known {
            if !kept.iter().any(|kept| Arc::ptr_eq(kept, backend)) {
                backend.retire();
            }
        }
        // The old lease is dropped here, after the last dispatch by it.
        *current = Current { state, _dispatching: Some(snapshot.dispatching) };
        drop(current);
        self.shared.changed.send_replace(());
    }

    fn tidy(&self) {
        if let State::Ready { backends, .. } = &lock(&self.shared.current).state {
            for backend in backends {
                backend.tidy();
            }
        }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// Processes that the worker knows keep their connections and their count.
fn adopt(generation: &Generation, known: &[Arc<WorkerBackend>]) -> Vec<Arc<WorkerBackend>> {
    let adopt = |backend: &Arc<_>| {
        known
            .iter()
            .find(|known| std::ptr::eq(known.backend(), Arc::as_ptr(backend)))
            .map_or_else(|| Arc::new(WorkerBackend::new(Arc::clone(backend), generation)), Arc::clone)
    };
    generation.backends.iter().map(adopt).collect()
}

impl Gate for Table {
    type Ticket = Ticket;

    fn admit(&self) -> Admission<Ticket> {
        let mut current = lock(&self.shared.current);
        match &mut current.state {
            State::Starting => Admission::Starting,
            State::Stopped => Admission::Stopped,
            // The page is shown before the application is stopped, and cleared after it is started.
            State::Offline => {
                self.shared.page.borrow().clone().map_or(Admission::Starting, Admission::Offline)
            }
            State::Failed(failure) => {
                (self.shared.wake)();
                Admission::Failed(Arc::clone(failure))
            }
            State::Ready { backends, next } => {
                least_in_flight(backends, next).map_or(Admission::Starting, Admission::Admitted)
            }
        }
    }

    fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut changed = self.shared.changed.subscribe();
        async move {
            // The sender is gone only with the worker itself, which ends this future too.
            let _ = changed.changed().await;
        }
    }
}

/// Fewest requests in flight; among equals the next in turn, beginning with slot 0. None, if all are dying: the
/// supervisor will say so in a moment.
fn least_in_flight(backends: &[Arc<WorkerBackend>], next: &mut usize) -> Option<Ticket> {
    let count = backends.len();
    let chosen = (0..count)
        .map(|step| (*next + step) % count)
        .filter(|&index| !backends[index].is_lost())
        .min_by_key(|&index| backends[index].in_flight())?;
    *next = (chosen + 1) % count;
    Some(Ticket::new(Arc::clone(&backends[chosen])))
}
