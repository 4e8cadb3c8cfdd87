mod ends;
mod starts;

use super::{
    Action::{Abort, Attempt, Finish, GiveUp, Kill, Publish, Stop},
    Event::{AttemptFailed, Exited, Gone, Offline, Ready, Wake},
    *,
};

const LIMIT: Duration = Duration::from_secs(10);

fn policy(processes: usize) -> Policy {
    Policy { processes, fixed_port: None, shutdown_limit: LIMIT, rapid_fails: 10, attempts: 2 }
}

fn fixed(port: u16) -> Policy {
    Policy { fixed_port: Some(port), ..policy(1) }
}

/// A state with a clock that only moves when it is told to.
struct Scene {
    state: State,
    now: Instant,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        let now = Instant::now();
        Self { state: State::new(policy, false, now), now }
    }

    /// The first process of a new application, ready.
    fn ready(policy: Policy) -> Self {
        let mut scene = Self::new(policy);
        scene.send(Event::Begin);
        scene.send(Ready { start: 1 });
        scene
    }

    fn send(&mut self, event: Event) -> Vec<Action> {
        self.state.apply(event, self.now)
    }

    /// Fails both attempts of a start.
    fn fail(&mut self, start: u64) -> Vec<Action> {
        self.send(AttemptFailed { start, critical: false });
        self.send(AttemptFailed { start, critical: false })
    }

    /// Waits for the deadline; how long that took.
    fn wait(&mut self) -> (Duration, Vec<Action>) {
        let deadline = self.state.deadline().expect("there is something to wait for");
        let waited = deadline - self.now;
        self.now = deadline;
        (waited, self.send(Event::Deadline))
    }
}

fn attempt(start: u64, generation: u64, slot: usize, number: u8) -> Action {
    Attempt { start, generation, slot, number }
}

fn serving(generation: u64, starts: &[u64]) -> Action {
    Publish(View::Ready { generation, starts: starts.to_vec() })
}

fn failed(start: u64) -> Action {
    Publish(View::Failed(Cause::Start(start)))
}
