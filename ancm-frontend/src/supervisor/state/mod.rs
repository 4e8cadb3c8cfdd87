//! Decides what happens to an application's processes; performs nothing.
//!
//! [`State::apply`] takes one event and the time, and gives the actions that follow from it. It starts no process,
//! reads no clock and never waits, so that every rule of supervision can be told by a table (see the tests).
//! Processes are known here by the number of their *start* only: one start is up to [`Policy::attempts`] attempts with one token.
//!
//! # Example
//!
//! ```text
//! Begin                    → Attempt { start: 1, number: 1 }
//! AttemptFailed { 1 }      → Attempt { start: 1, number: 2 }
//! Ready { 1 }              → Publish(Ready { generation: 1, starts: [1] })
//! Exited { 1 }             → Publish(Starting), Kill { 1 }, Attempt { start: 2, number: 1 }
//! ```

use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::vocabulary::{Action, Cause, Event, Policy, View};
use self::{
    generation::{Generation, Phase, Slot},
    rapid_fail::RapidFail,
};

mod generation;
mod rapid_fail;
mod vocabulary;

/// The pause after a first failed start; doubled by each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest pause between failed starts.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Requests cut a pause short no more often than this.
const WAKE_INTERVAL: Duration = Duration::from_secs(1);

/// Everything that is known about an application's processes.
#[derive(Debug)]
pub(super) struct State {
    mode: Mode,
    /// The newest configuration.
    current: Generation,
    /// The one before it, which serves until every slot of the newest is ready or has failed.
    outgoing: Option<Outgoing>,
    /// Processes on their way out, whatever they belonged to.
    ending: Vec<Ending>,
    rapid_fail: RapidFail,
    last_start: u64,
    /// When requests last cut a pause short, or will have.
    woken: Option<Instant>,
    /// When a stop for good loses its patience with what was being stopped before.
    kill_at: Option<Instant>,
    cause: Cause,
    view: View,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Running,
    Offline,
    Stopping,
    Stopped,
}

#[derive(Debug)]
struct Outgoing {
    generation: u64,
    limit: Duration,
    fixed_port: Option<u16>,
    starts: Vec<u64>,
}

#[derive(Debug)]
struct Ending {
    start: u64,
    fixed_port: Option<u16>,
}

// === impl State ===

impl State {
    /// An application of which nothing runs yet; offline means that [`Event::Begin`] will start nothing.
    pub(super) fn new(policy: Policy, offline: bool, now: Instant) -> Self {
        Self {
            mode: if offline { Mode::Offline } else { Mode::Running },
            current: Generation::new(1, policy),
            outgoing: None,
            ending: Vec::new(),
            rapid_fail: RapidFail::new(now),
            last_start: 0,
            woken: None,
            kill_at: None,
            cause: Cause::RapidFail,
            view: View::Starting,
        }
    }

    /// Whether `app_offline.htm` is there.
    pub(super) fn is_offline(&self) -> bool {
        self.mode == Mode::Offline
    }

    /// Whether it has been told to stop for good.
    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.mode, Mode::Stopping | Mode::Stopped)
    }

    /// When [`Event::Deadline`] is wanted.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // Nothing is due as long as it could not be done.
        if self.mode != Mode::Running || self.is_port_busy() {
            return self.kill_at;
        }
        self.current.slots.iter().filter_map(|slot| slot.phase.due()).min()
    }

    /// Takes in an event.
    pub(super) fn apply(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Begin | Event::Deadline => {}
            Event::Ready { start } => self.ready(start, &mut actions),
            Event::AttemptFailed { start, critical } => self.failed(start, critical, now, &mut actions),
            Event::Exited { start } => self.exited(start, &mut actions),
            Event::Gone { start } => self.ending.retain(|ending| ending.start != start),
            Event::Wake => self.wake(now),
            Event::Offline(offline) => self.offline(offline, now, &mut actions),
            Event::Recycle(policy) => self.recycle(policy, now, &mut actions),
            Event::Stop { limit } => self.stop(limit, now, &mut actions),
            Event::Kill => self.kill(now, &mut actions),
        }
        self.settle(now, &mut actions);
        actions.sort_by_key(Action::rank);
        actions
    }

    fn ready(&mut self, start: u64, actions: &mut Vec<Action>) {
        if let Some(slot) = self.current.starting(start) {
            slot.phase = Phase::Ready { start };
            slot.failures = 0;
        } else if self.is_ending(start) {
            // It became ready while it was told to give up. Nobody has seen it.
            actions.push(Action::Kill { start });
        }
    }

    fn failed(&mut self, start: u64, critical: bool, now: Instant, actions: &mut Vec<Action>) {
        self.ending.retain(|ending| ending.start != start);
        let generation = self.current.id;
        let attempts = self.current.policy.attempts;
        let Some(slot) = self.current.slots.iter().position(|slot| slot.phase.attempt() == Some(start))
        else {
            return;
        };
        let Slot { phase, failures } = &mut self.current.slots[slot];
        match phase {
            Phase::Starting { number, .. } if *number < attempts && !critical => {
                *number += 1;
                actions.push(Action::Attempt { start, generation, slot, number: *number });
            }
            _ => {
                let retry = (!critical).then(|| now + pause(*failures));
                *failures = failures.saturating_add(1);
                *phase = Phase::Failed { retry };
                self.cause = Cause::Start(start);
                actions.push(Action::GiveUp { start });
            }
        }
    }

    fn exited(&mut self, start: u64, actions: &mut Vec<Action>) {
        if let Some(slot) = self.current.ready(start) {
            slot.phase = Phase::Wanted;
            self.rapid_fail.count();
            self.end(start, self.current.policy.fixed_port, Action::Kill { start }, actions);
        } else if let Some(outgoing) = &mut self.outgoing
            && outgoing.starts.contains(&start)
        {
            // It is not restarted: its configuration is no longer wanted.
            outgoing.starts.retain(|other| *other != start);
            let fixed_port = outgoing.fixed_port;
            if outgoing.starts.is_empty() {
                self.outgoing = None;
            }
            self.end(start, fixed_port, Action::Kill { start }, actions);
        }
    }

    fn wake(&mut self, now: Instant) {
        if self.woken.is_some_and(|woken| woken > now) {
            return;
        }
        let at = self.woken.map_or(now, |woken| now.max(woken + WAKE_INTERVAL));
        for slot in &mut self.current.slots {
            if let Phase::Failed { retry: Some(retry) } = &mut slot.phase
                && at < *retry
            {
                *retry = at;
                self.woken = Some(at);
            }
        }
    }

    fn offline(&mut self, offline: bool, now: Instant, actions: &mut Vec<Action>) {
        match (self.mode, offline) {
            (Mode::Running, true) => {
                self.mode = Mode::Offline;
                self.end_outgoing(actions);
                self.end_current(self.current.policy.shutdown_limit, actions);
            }
            (Mode::Offline, false) => {
                self.mode = Mode::Running;
                self.rapid_fail = RapidFail::new(now);
            }
            _ => {}
        }
    }

    fn recycle(&mut self, policy: Policy, now: Instant, actions: &mut Vec<Action>) {
        if self.is_stopping() {
            return;
        }
        self.outgoing = self.outgoing.take().or_else(|| self.current.outgoing());
        self.end_current(self.current.policy.shutdown_limit, actions);
        if self
            .outgoing
            .as_ref()
            .is_some_and(|old| old.fixed_port.is_some() && old.fixed_port == policy.fixed_port)
        {
            self.end_outgoing(actions);
        }
        self.current = Generation::new(self.current.id + 1, policy);
        self.rapid_fail = RapidFail::new(now);
    }

    fn stop(&mut self, limit: Duration, now: Instant, actions: &mut Vec<Action>) {
        if self.is_stopping() {
            return;
        }
        self.mode = Mode::Stopping;
        // Those that are being stopped already may have been given more time.
        self.kill_at = if self.ending.is_empty() { None } else { now.checked_add(limit) };
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.limit = limit;
        }
        self.end_outgoing(actions);
        self.end_current(limit, actions);
    }

    fn kill(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.stop(Duration::ZERO, now, actions);
        self.kill_at = None;
        for ending in &self.ending {
            let kill = Action::Kill { start: ending.start };
            let abort = Action::Abort { start: ending.start };
            if !actions.contains(&kill) && !actions.contains(&abort) {
                actions.push(kill);
            }
        }
    }

    /// Does what has become possible, whatever made it so.
    fn settle(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.mode == Mode::Running {
            for slot in 0..self.current.slots.len() {
                self.start_if_due(slot, now, actions);
            }
            if self.current.is_complete() {
                self.end_outgoing(actions);
            }
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill(now, actions);
        }
        if self.mode == Mode::Stopping && self.ending.is_empty() {
            self.mode = Mode::Stopped;
            actions.push(Action::Finish);
        }
        let view = self.look();
        if view != self.view {
            self.view = view.clone();
            actions.push(Action::Publish(view));
        }
    }

    fn start_if_due(&mut self, slot: usize, now: Instant, actions: &mut Vec<Action>) {
        let phase = self.current.slots[slot].phase;
        let due = phase == Phase::Wanted || phase.due().is_some_and(|due| due <= now);
        if !due || self.is_port_busy() {
            return;
        }
        let limit = self.current.policy.rapid_fails;
        self.current.slots[slot].phase = if let Some(until) = self.rapid_fail.blocked(limit, now) {
            self.cause = Cause::RapidFail;
            actions.push(Action::RapidFail { until });
            Phase::Blocked { until }
        } else {
            self.last_start += 1;
            let (start, generation) = (self.last_start, self.current.id);
            actions.push(Action::Attempt { start, generation, slot, number: 1 });
            // While a failed start is tried again, requests go on seeing why it failed.
            let awaited = !matches!(phase, Phase::Failed { .. });
            Phase::Starting { start, number: 1, awaited }
        };
    }

    /// Whether an older process may still hold the port that the next one must take.
    fn is_port_busy(&self) -> bool {
        self.current
            .policy
            .fixed_port
            .is_some_and(|port| self.ending.iter().any(|ending| ending.fixed_port == Some(port)))
    }

    fn is_ending(&self, start: u64) -> bool {
        self.ending.iter().any(|ending| ending.start == start)
    }

    fn end_outgoing(&mut self, actions: &mut Vec<Action>) {
        if let Some(outgoing) = self.outgoing.take() {
            for start in outgoing.starts {
                self.end(start, outgoing.fixed_port, stop(start, outgoing.limit), actions);
            }
        }
    }

    /// Ends every process of the newest generation, except those that [`State::outgoing`] has taken over.
    fn end_current(&mut self, limit: Duration, actions: &mut Vec<Action>) {
        let fixed_port = self.current.policy.fixed_port;
        for slot in 0..self.current.slots.len() {
            let phase = std::mem::replace(&mut self.current.slots[slot], Slot::new()).phase;
            match phase {
                Phase::Starting { start, .. } => {
                    self.end(start, fixed_port, Action::Abort { start }, actions);
                }
                Phase::Ready { start } if !self.is_outgoing(start) => {
                    self.end(start, fixed_port, stop(start, limit), actions);
                }
                _ => {}
            }
        }
    }

    fn is_outgoing(&self, start: u64) -> bool {
        self.outgoing.as_ref().is_some_and(|outgoing| outgoing.starts.contains(&start))
    }

    fn end(&mut self, start: u64, fixed_port: Option<u16>, how: Action, actions: &mut Vec<Action>) {
        self.ending.push(Ending { start, fixed_port });
        actions.push(how);
    }

    fn look(&self) -> View {
        match (self.mode, &self.outgoing) {
            (Mode::Stopping | Mode::Stopped, _) => View::Stopped,
            (Mode::Offline, _) => View::Offline,
            (Mode::Running, Some(old)) => {
                View::Ready { generation: old.generation, starts: old.starts.clone() }
            }
            (Mode::Running, None) => self.current.look(self.cause),
        }
    }
}

fn stop(start: u64, limit: Duration) -> Action {
    // ANCM: with shutdownTimeLimit 0 nobody waits for the message's effect.
    if limit.is_zero() { Action::Kill { start } } else { Action::Stop { start, limit } }
}

/// The pause after a failed start that came after `failures` others.
fn pause(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.min(5)).min(LAST_RETRY)
}

#[cfg(test)]
mod tests;
