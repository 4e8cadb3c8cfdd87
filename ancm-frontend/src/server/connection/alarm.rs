//! Wakes a connection when one of its clocks may have run out.
//!
//! A timer costs more to set than a request costs to serve. So it is set generously, for long after the request under way
//! as a rule, and only brought forward when it must be. That of a connection that is over serves the next one, which it
//! may wake too early: it asks its clocks then.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use ancm_tower::timers::sleep_until;
use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep},
};

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
    /// It has been polled since it was set: it will wake us.
    polled: bool,
}

// === impl Alarm ===

impl Alarm {
    pub(super) fn set(&mut self, at: Instant) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
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
        if !sleep.is_elapsed() {
            if std::mem::replace(&mut self.polled, true) {
                return Poll::Pending;
            }
            // A task that has used up its turn would get no answer, nor be woken: a busy client could see to it that it
            // always has.
            ready!(pin!(unconstrained(sleep.as_mut())).poll(context));
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
    use std::future::poll_fn;

    use tokio::task::coop;

    use super::*;

    /// Its answer in a turn that is used up.
    async fn asked(alarm: &mut Alarm) -> Poll<()> {
        poll_fn(|context| {
            while coop::has_budget_remaining() {
                let mut turn = pin!(coop::consume_budget());
                let _ = turn.as_mut().poll(context);
            }
            Poll::Ready(alarm.poll(None, context))
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn rings_even_for_a_task_that_has_used_up_its_turn() {
        let mut alarm = Alarm::default();
        for _ in 0..2 {
            alarm.set(Instant::now() + Duration::from_secs(1));
            assert!(asked(&mut alarm).await.is_pending());
            tokio::time::advance(Duration::from_secs(2)).await;
            assert!(asked(&mut alarm).await.is_ready());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn wakes_a_task_that_had_used_up_its_turn_when_it_was_set() {
        let mut alarm = Alarm::default();
        let at = Instant::now() + Duration::from_secs(1);
        alarm.set(at);
        assert!(asked(&mut alarm).await.is_pending());
        let rings = poll_fn(|context| alarm.poll(None, context));
        tokio::time::timeout(Duration::from_secs(9), rings).await.unwrap();
        assert_eq!(Instant::now().duration_since(at).as_millis(), 0);
    }
}
