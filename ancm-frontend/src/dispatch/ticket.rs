//! The right to send one request to one process.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use ancm_tower::pairing_token::TokenSource;
use http::{Extensions, HeaderValue};
use tokio_util::sync::CancellationToken;

use super::Attachment;
use crate::{
    config::Config,
    supervisor::snapshot::{Backend, Generation},
};

/// One process, as one worker sees it.
pub struct WorkerBackend {
    backend: Arc<Backend>,
    generation: u64,
    config: Arc<Config>,
    /// This worker's own copy, so that no reference count is shared between cores.
    token: HeaderValue,
    /// A child of the backend's own token, for the same reason.
    abandon: CancellationToken,
    in_flight: AtomicUsize,
    /// It is about to be reported as ended: no request goes to it any more.
    lost: AtomicBool,
    attachment: OnceLock<Box<dyn Attachment>>,
}

/// Counts as one request in flight for as long as it lives; a clone counts as one more.
#[derive(Debug)]
pub struct Ticket {
    backend: Arc<WorkerBackend>,
}

/// Takes the pairing token from the [`Ticket`] of the request: each process has its own.
#[derive(Clone, Copy, Debug)]
pub struct TicketToken;

// === impl WorkerBackend ===

impl WorkerBackend {
    pub(super) fn new(backend: Arc<Backend>, generation: &Generation) -> Self {
        Self {
            token: backend.token.header_value(),
            abandon: backend.abandon.child_token(),
            generation: generation.id,
            config: Arc::clone(&generation.config),
            backend,
            in_flight: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
            attachment: OnceLock::new(),
        }
    }

    /// The process.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The number of the generation that it belongs to.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What it was started from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Cancelled when what is still half-sent must be cut.
    pub fn abandon(&self) -> &CancellationToken {
        &self.abandon
    }

    /// Requests of this worker that are under way in it.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// To be called when a connection to it broke: if it is dying, this worker sends it nothing more.
    ///
    /// A killed process closes its connections some milliseconds before the supervisor learns of its end; requests
    /// that came meanwhile would be lost one after another.
    pub fn broke(&self) {
        if !self.is_lost() && self.backend.process.is_ending() {
            self.lost.store(true, Relaxed);
        }
    }

    /// Whether it is known to be dying.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }

    /// What the innermost service keeps here; `None` if another kind of service keeps something already.
    pub fn attachment<T: Attachment + Default>(&self) -> Option<&T> {
        let attachment = self.attachment.get_or_init(|| Box::<T>::default());
        (attachment.as_ref() as &dyn Any).downcast_ref()
    }

    pub(super) fn retire(&self) {
        if let Some(attachment) = self.attachment.get() {
            attachment.retire();
        }
    }

    pub(super) fn tidy(&self) {
        if let Some(attachment) = self.attachment.get() {
            attachment.tidy();
        }
    }
}

impl fmt::Debug for WorkerBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBackend")
            .field("start", &self.backend.start)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

// === impl Ticket ===

impl Ticket {
    pub(super) fn new(backend: Arc<WorkerBackend>) -> Self {
        backend.in_flight.fetch_add(1, Relaxed);
        Self { backend }
    }

    /// The process that the request goes to.
    pub fn backend(&self) -> &WorkerBackend {
        &self.backend
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.backend))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.backend.in_flight.fetch_sub(1, Relaxed);
    }
}

// === impl TicketToken ===

impl TokenSource for TicketToken {
    fn token(&self, extensions: &Extensions) -> Option<HeaderValue> {
        extensions.get::<Ticket>().map(|ticket| ticket.backend.token.clone())
    }
}
