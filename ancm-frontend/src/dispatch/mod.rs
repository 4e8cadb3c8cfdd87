//! Chooses the process for a request, on the worker that serves it.
//!
//! Each worker holds its own [`Table`]: the newest snapshot of the supervisor, with what this worker alone knows of
//! each process (requests in flight, idle connections). Choosing takes no lock that another core can hold. The
//! choice is a [`Ticket`], which travels in the request's extensions to the innermost service.

mod inner;
mod table;
mod ticket;

use std::{
    any::Any,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub use self::{
    inner::{Dispatch, DispatchFuture, InnerStacks},
    table::Table,
    ticket::{Ticket, TicketToken, WorkerBackend},
};

/// What the innermost service keeps for one process on one worker, such as idle connections.
pub trait Attachment: Any + Send + Sync {
    /// The process gets no new requests: let go of what is idle, and keep nothing from now on.
    fn retire(&self);
    /// Called every few seconds: let go of what has been idle for too long.
    fn tidy(&self);
}

/// Locks what only this thread ever locks; a panic elsewhere leaves nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests;
