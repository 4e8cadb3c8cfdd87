//! Wakes a connection when one of its clocks may have run out.
//!
//! A timer costs more to set than a request costs to serve. So it is set generously, for long after the request under way
//! as a rule, and only brought forward when it must be. That of a connection that is over serves the next one, which it
//! may wake too early: it asks its clocks then.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::server::clocks::{Clocks, Phase};

/// How often we look for a client whose bytes nobody reads.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a client that has just connected may take to send its first request, though we are to accept no more.
const FIRST_REQUEST: Duration = Duration::from_millis(250);

/// The timer of a connection; it belongs to the task that polls it.
#[derive(Debug, Default)]
pub(in crate::server) struct Alarm {
    /// None: it has never been set.
    sleep: Option<Pin<Box<Sleep>>>,
    // It has been polled since it was set: it will wake us.
    polled: bool,
}

// === impl Alarm ===

impl Alarm {
    pub(super) fn set(&mut self, at: Instant) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
        self.polled = false;
    }

    /// Ready when it is time to look, which may be earlier than it was set for.
    pub(super) fn poll(&mut self, earlier: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
        let is_set_later = |at: &Instant| self.sleep.as_ref().is_none_or(|sleep| *at < sleep.deadline());
        if let Some(earlier) = earlier.filter(is_set_later) {
            self.set(earlier);
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Ready(()) };
        // Asked first: a task that has used up its turn gets no answer from a poll, and a busy client could see to it
        // that it always has.
        if !sleep.is_elapsed() {
            if std::mem::replace(&mut self.polled, true) {
                return Poll::Pending;
            }
            ready!(sleep.as_mut().poll(context));
        }
        self.polled = false;
        Poll::Ready(())
    }
}

/// Whether a first request may still be on its way: the client connected before it could know of the drain.
pub(super) fn is_awaited(clocks: &Clocks, patience: &mut Option<Instant>) -> bool {
    clocks.is_fresh() && Instant::now() < *patience.get_or_insert_with(|| Instant::now() + FIRST_REQUEST)
}

/// When to look at the latest, if there is reason to; `shared` says that another task reads the request's body.
pub(super) fn look_by(clocks: &Clocks, shared: bool, patience: Option<Instant>) -> Option<Instant> {
    // What that task does is not heard of here: it may stop reading at any time.
    if shared || clocks.unwatched() {
        Some(Instant::now() + LOOK_EVERY)
    } else if matches!(clocks.phase(), Phase::Head | Phase::Lingering) || clocks.has_client_ended() {
        Some(clocks.check().unwrap_or_else(|_| Instant::now()))
    } else {
        patience.filter(|_| clocks.is_fresh())
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::coop;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rings_even_for_a_task_that_has_used_up_its_turn() {
        let mut alarm = Alarm::default();
        alarm.set(Instant::now() + Duration::from_secs(1));
        assert!(futures_util::poll!(std::future::poll_fn(|context| alarm.poll(None, context))).is_pending());
        tokio::time::advance(Duration::from_secs(2)).await;
        std::future::poll_fn(|context| {
            while coop::has_budget_remaining() {
                let mut turn = std::pin::pin!(coop::consume_budget());
                let _ = turn.as_mut().poll(context);
            }
            assert!(alarm.poll(None, context).is_ready());
            Poll::Ready(())
        })
        .await;
    }
}
