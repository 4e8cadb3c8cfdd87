//! The question that is asked for each request: may it go in, and to whom?
//!
//! The layer knows nothing of processes. It asks a [`Gate`], and hands what the gate gives inward.
//!
//! # Example
//!
//! ```
//! use ancm_tower::startup_error::{Admission, Gate, WatchGate};
//! use tokio::sync::watch;
//!
//! let (sender, receiver) = watch::channel(Admission::Starting);
//! let gate = WatchGate::new(receiver);
//! assert!(matches!(gate.admit(), Admission::Starting));
//!
//! sender.send_replace(Admission::Admitted("127.0.0.1:5000"));
//! assert!(matches!(gate.admit(), Admission::Admitted("127.0.0.1:5000")));
//! ```

use std::sync::Arc;

use tokio::sync::watch;

use super::StartFailure;
use crate::app_offline::Page;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Admission<T> {
    /// It may go in; the ticket (who is to serve it) is put into its extensions.
    Admitted(T),
    /// It has to wait: no backend is ready, one is coming.
    Starting,
    /// The application has been taken offline while the request was on its way: this is what to show.
    Offline(Page),
    /// The backend could not be started, and this is why.
    Failed(Arc<StartFailure>),
    /// The application is being stopped for good.
    Stopped,
}

/// Decides about requests.
pub trait Gate: Clone {
    /// What an admitted request takes along.
    type Ticket: Clone + Send + Sync + 'static;

    /// Decides about one request, now: it never waits, and should not allocate.
    fn admit(&self) -> Admission<Self::Ticket>;

    /// Ends when [`admit`](Self::admit) may say something else than it did.
    ///
    /// A change that happens after this call must end the future, even if it comes before the first poll.
    fn changed(&self) -> impl Future<Output = ()> + Send + 'static;
}

/// A gate whose answer is whatever a [`watch`] channel holds.
///
/// When the sender is dropped, the last value stays in force, except that nobody waits any longer:
/// [`Admission::Starting`] then reads as [`Admission::Stopped`].
#[derive(Clone, Debug)]
pub struct WatchGate<T> {
    receiver: watch::Receiver<Admission<T>>,
}

// === impl WatchGate ===

impl<T> WatchGate<T> {
    /// A gate that follows this channel.
    pub fn new(receiver: watch::Receiver<Admission<T>>) -> Self {
        Self { receiver }
    }
}

impl<T: Clone + Send + Sync + 'static> Gate for WatchGate<T> {
    type Ticket = T;

    fn admit(&self) -> Admission<T> {
        // Asked before the value is read: what a sender set last, it set before it went.
        let closed = self.receiver.has_changed().is_err();
        let admission = self.receiver.borrow().clone();
        match admission {
            Admission::Starting if closed => Admission::Stopped,
            other => other,
        }
    }

    fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.receiver.clone();
        // What is there now has been seen, so that only what comes after this call counts.
        receiver.borrow_and_update();
        async move {
            // An error means that the sender is gone, which is a change too.
            let _ = receiver.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    #[test]
    fn notices_a_change_before_the_first_poll() {
        let (sender, receiver) = watch::channel(Admission::<u8>::Starting);
        let gate = WatchGate::new(receiver);
        let mut early = task::spawn(gate.changed());
        sender.send_replace(Admission::Admitted(1));
        assert_ready!(early.poll());
        assert_pending!(task::spawn(gate.changed()).poll());
    }

    #[test]
    fn refuses_to_wait_for_a_sender_that_is_gone() {
        let (sender, receiver) = watch::channel(Admission::<u8>::Starting);
        let gate = WatchGate::new(receiver);
        drop(sender);
        assert!(matches!(gate.admit(), Admission::Stopped));
        assert_ready!(task::spawn(gate.changed()).poll());
    }
}
