use super::{
    Action::{Abort, Attempt, Finish, GiveUp, Kill, Publish, Stop},
    Event::{AttemptFailed, Exited, Gone, Offline, Ready, Wake},
    *,
};

const LIMIT: Duration = Duration::from_secs(10);

fn policy(processes: usize) -> Policy {
    Policy { processes, fixed_port: None, shutdown_limit: LIMIT, rapid_fails: 10 }
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

#[test]
fn starts_every_slot_at_once_and_serves_when_the_first_is_ready() {
    let mut scene = Scene::new(policy(3));
    assert_eq!(scene.send(Event::Begin), [attempt(1, 1, 0, 1), attempt(2, 1, 1, 1), attempt(3, 1, 2, 1)]);
    assert_eq!(scene.send(Ready { start: 2 }), [serving(1, &[2])]);
    assert_eq!(scene.send(Ready { start: 1 }), [serving(1, &[1, 2])], "in the order of the slots");
    assert_eq!(scene.send(Ready { start: 3 }), [serving(1, &[1, 2, 3])]);
    assert_eq!(scene.state.deadline(), None);
}

#[test]
fn tries_a_start_twice_and_then_shows_why_it_failed() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    assert_eq!(scene.send(AttemptFailed { start: 1, critical: false }), [attempt(1, 1, 0, 2)]);
    assert_eq!(scene.send(AttemptFailed { start: 1, critical: false }), [GiveUp { start: 1 }, failed(1)]);
}

#[test]
fn gives_up_a_start_whose_second_attempt_could_only_fail_like_the_first() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    assert_eq!(scene.send(AttemptFailed { start: 1, critical: true }), [GiveUp { start: 1 }, failed(1)]);
    assert_eq!(scene.state.deadline(), None);
    assert_eq!(scene.send(Wake), []);
    assert_eq!(scene.send(Event::Recycle(policy(1))), [Publish(View::Starting), attempt(2, 2, 0, 1)]);
}

#[test]
fn pauses_longer_after_each_failed_start() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    scene.fail(1);
    for (start, seconds) in (2..).zip([1, 2, 4, 8, 16, 30, 30]) {
        let (waited, actions) = scene.wait();
        assert_eq!(waited, Duration::from_secs(seconds));
        assert_eq!(actions, [attempt(start, 1, 0, 1)], "requests go on seeing the failure");
        assert_eq!(scene.fail(start), [GiveUp { start }, failed(start)]);
    }
}

#[test]
fn forgets_the_pauses_once_a_process_was_ready() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    for start in 1..5 {
        scene.fail(start);
        scene.wait();
    }
    assert_eq!(scene.send(Ready { start: 5 }), [serving(1, &[5])]);
    scene.send(Exited { start: 5 });
    scene.fail(6);
    assert_eq!(scene.wait().0, Duration::from_secs(1));
}

#[test]
fn requests_cut_a_pause_short_at_most_once_a_second() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    scene.fail(1);
    assert_eq!(scene.send(Wake), [attempt(2, 1, 0, 1)]);
    scene.fail(2);
    for _ in 0..3 {
        assert_eq!(scene.send(Wake), [], "it is too early");
    }
    let (waited, actions) = scene.wait();
    assert_eq!((waited, actions), (Duration::from_secs(1), vec![attempt(3, 1, 0, 1)]));
    scene.fail(3);
    scene.now += Duration::from_millis(1500);
    assert_eq!(scene.send(Wake), [attempt(4, 1, 0, 1)]);
}

#[test]
fn serves_from_the_slots_that_are_ready_while_another_one_fails() {
    let mut scene = Scene::new(policy(2));
    scene.send(Event::Begin);
    assert_eq!(scene.fail(1), [GiveUp { start: 1 }], "the other slot may still become ready");
    assert_eq!(scene.send(Ready { start: 2 }), [serving(1, &[2])]);
    assert_eq!(scene.wait().1, [attempt(3, 1, 0, 1)]);
    assert_eq!(scene.send(Ready { start: 3 }), [serving(1, &[3, 2])]);
}

#[test]
fn restarts_a_crashed_process_at_once_and_holds_requests() {
    let mut scene = Scene::ready(policy(1));
    assert_eq!(
        scene.send(Exited { start: 1 }),
        [Publish(View::Starting), Kill { start: 1 }, attempt(2, 1, 0, 1)]
    );
    assert_eq!(scene.send(Gone { start: 1 }), []);
    assert_eq!(scene.send(Ready { start: 2 }), [serving(1, &[2])]);
}

#[test]
fn dispatches_to_the_other_slots_when_one_crashes() {
    let mut scene = Scene::ready(policy(2));
    scene.send(Ready { start: 2 });
    let actions = scene.send(Exited { start: 1 });
    assert_eq!(actions, [serving(1, &[2]), Kill { start: 1 }, attempt(3, 1, 0, 1)]);
}

#[test]
fn starts_nothing_before_the_minute_is_over_after_too_many_crashes() {
    let mut scene = Scene::ready(Policy { rapid_fails: 2, ..policy(1) });
    let begun = scene.now;
    for start in 1..3 {
        scene.now += Duration::from_secs(5);
        scene.send(Exited { start });
        scene.send(Ready { start: start + 1 });
    }
    let until = begun + Duration::from_secs(60);
    assert_eq!(
        scene.send(Exited { start: 3 }),
        [Action::RapidFail { until }, Publish(View::Failed(Cause::RapidFail)), Kill { start: 3 }]
    );
    assert_eq!(scene.send(Wake), [], "requests do not cut it short");
    assert_eq!(scene.wait().1, [Publish(View::Starting), attempt(4, 1, 0, 1)]);
    assert_eq!(scene.now, until);
}

#[test]
fn lets_a_new_configuration_end_the_rapid_fail_protection() {
    let mut scene = Scene::ready(Policy { rapid_fails: 0, ..policy(1) });
    scene.send(Exited { start: 1 });
    assert_eq!(scene.send(Event::Recycle(policy(1))), [Publish(View::Starting), attempt(2, 2, 0, 1)]);
}

#[test]
fn replaces_a_generation_when_every_slot_of_the_new_one_is_ready() {
    let mut scene = Scene::ready(policy(1));
    assert_eq!(scene.send(Event::Recycle(policy(2))), [attempt(2, 2, 0, 1), attempt(3, 2, 1, 1)]);
    assert_eq!(scene.send(Ready { start: 3 }), [], "the old one serves on");
    assert_eq!(scene.send(Ready { start: 2 }), [serving(2, &[2, 3]), Stop { start: 1, limit: LIMIT }]);
    assert_eq!(scene.send(Exited { start: 1 }), [], "that was wanted");
    assert_eq!(scene.send(Gone { start: 1 }), []);
}

#[test]
fn replaces_a_generation_when_the_rest_of_the_new_one_has_failed() {
    let mut scene = Scene::ready(policy(1));
    scene.send(Event::Recycle(policy(2)));
    scene.send(Ready { start: 2 });
    assert_eq!(scene.fail(3), [GiveUp { start: 3 }, serving(2, &[2]), Stop { start: 1, limit: LIMIT }]);
}

#[test]
fn keeps_the_old_generation_as_long_as_the_new_one_cannot_start() {
    let mut scene = Scene::ready(policy(1));
    scene.send(Event::Recycle(policy(1)));
    assert_eq!(scene.fail(2), [GiveUp { start: 2 }]);
    assert_eq!(scene.wait().1, [attempt(3, 2, 0, 1)]);
    assert_eq!(scene.send(Ready { start: 3 }), [serving(2, &[3]), Stop { start: 1, limit: LIMIT }]);
}

#[test]
fn does_not_restart_an_outgoing_process_that_crashes() {
    let mut scene = Scene::ready(policy(1));
    scene.send(Event::Recycle(policy(1)));
    assert_eq!(scene.send(Exited { start: 1 }), [Publish(View::Starting), Kill { start: 1 }]);
    assert_eq!(scene.send(Ready { start: 2 }), [serving(2, &[2])]);
}

#[test]
fn a_third_configuration_takes_the_place_of_the_second_while_the_first_serves() {
    let mut scene = Scene::ready(policy(1));
    scene.send(Event::Recycle(policy(2)));
    scene.send(Ready { start: 2 });
    assert_eq!(
        scene.send(Event::Recycle(policy(1))),
        [Stop { start: 2, limit: LIMIT }, Abort { start: 3 }, attempt(4, 3, 0, 1)]
    );
    assert_eq!(scene.send(AttemptFailed { start: 3, critical: false }), []);
    assert_eq!(scene.send(Ready { start: 4 }), [serving(3, &[4]), Stop { start: 1, limit: LIMIT }]);
}

#[test]
fn kills_a_process_that_became_ready_while_it_was_told_to_give_up() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    assert_eq!(scene.send(Event::Recycle(policy(1))), [Abort { start: 1 }, attempt(2, 2, 0, 1)]);
    assert_eq!(scene.send(Ready { start: 1 }), [Kill { start: 1 }]);
    assert_eq!(scene.send(Gone { start: 1 }), []);
}

#[test]
fn stops_then_starts_when_both_configurations_take_the_same_port() {
    let mut scene = Scene::ready(fixed(5000));
    assert_eq!(
        scene.send(Event::Recycle(fixed(5000))),
        [Publish(View::Starting), Stop { start: 1, limit: LIMIT }]
    );
    assert_eq!(scene.send(Exited { start: 1 }), [], "something of it may still hold the port");
    assert_eq!(scene.send(Gone { start: 1 }), [attempt(2, 2, 0, 1)]);
}

#[test]
fn starts_then_stops_when_the_ports_differ() {
    for policy in [fixed(5001), policy(1)] {
        let mut scene = Scene::ready(fixed(5000));
        assert_eq!(scene.send(Event::Recycle(policy)), [attempt(2, 2, 0, 1)]);
    }
}

#[test]
fn waits_for_the_remains_of_a_crashed_process_that_may_hold_the_fixed_port() {
    let mut scene = Scene::ready(fixed(5000));
    assert_eq!(scene.send(Exited { start: 1 }), [Publish(View::Starting), Kill { start: 1 }]);
    assert_eq!(scene.send(Gone { start: 1 }), [attempt(2, 1, 0, 1)]);
}

#[test]
fn gives_a_port_back_to_a_configuration_that_returns_to_it() {
    let mut scene = Scene::ready(fixed(5000));
    scene.send(Event::Recycle(policy(1)));
    assert_eq!(
        scene.send(Event::Recycle(fixed(5000))),
        [Publish(View::Starting), Abort { start: 2 }, Stop { start: 1, limit: LIMIT }]
    );
    assert_eq!(scene.send(Gone { start: 1 }), [attempt(3, 3, 0, 1)]);
}

#[test]
fn stops_everything_when_the_application_goes_offline_and_starts_it_when_it_returns() {
    let mut scene = Scene::ready(policy(2));
    assert_eq!(
        scene.send(Offline(true)),
        [Publish(View::Starting), Stop { start: 1, limit: LIMIT }, Abort { start: 2 }]
    );
    assert_eq!(scene.send(Offline(true)), []);
    assert_eq!(scene.send(Gone { start: 1 }), []);
    assert_eq!(scene.send(AttemptFailed { start: 2, critical: false }), []);
    assert_eq!(scene.send(Wake), []);
    assert_eq!(scene.state.deadline(), None);
    assert_eq!(scene.send(Offline(false)), [attempt(3, 1, 0, 1), attempt(4, 1, 1, 1)]);
    assert_eq!(scene.send(Offline(false)), []);
}

#[test]
fn starts_at_once_when_the_application_returns_after_a_failed_start() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    scene.fail(1);
    assert_eq!(scene.send(Offline(true)), [Publish(View::Starting)]);
    assert_eq!(scene.send(Offline(false)), [attempt(2, 1, 0, 1)]);
}

#[test]
fn starts_nothing_while_it_is_offline_from_the_beginning() {
    let now = Instant::now();
    let mut scene = Scene { state: State::new(policy(1), true, now), now };
    assert_eq!(scene.send(Event::Begin), []);
    assert_eq!(scene.send(Event::Recycle(policy(2))), []);
    assert_eq!(scene.send(Offline(false)), [attempt(1, 2, 0, 1), attempt(2, 2, 1, 1)]);
}

#[test]
fn returns_from_offline_before_the_old_process_has_ended_unless_they_share_a_port() {
    for (policy, actions) in [(policy(1), vec![attempt(2, 1, 0, 1)]), (fixed(5000), vec![])] {
        let mut scene = Scene::ready(policy);
        scene.send(Offline(true));
        assert_eq!(scene.send(Offline(false)), actions);
    }
}

#[test]
fn stops_all_slots_at_the_same_time_and_finishes_with_the_last() {
    let mut scene = Scene::ready(policy(2));
    scene.send(Ready { start: 2 });
    let limit = Duration::from_secs(3);
    assert_eq!(
        scene.send(Event::Stop { limit }),
        [Publish(View::Stopped), Stop { start: 1, limit }, Stop { start: 2, limit }]
    );
    assert_eq!(scene.send(Gone { start: 2 }), []);
    assert_eq!(scene.send(Event::Recycle(policy(1))), []);
    assert_eq!(scene.send(Offline(false)), []);
    assert_eq!(scene.send(Gone { start: 1 }), [Finish]);
    assert_eq!(scene.send(Event::Stop { limit }), []);
}

#[test]
fn stops_both_generations_within_the_limit_that_was_given() {
    let mut scene = Scene::ready(policy(1));
    scene.send(Event::Recycle(policy(1)));
    let limit = Duration::from_secs(3);
    assert_eq!(
        scene.send(Event::Stop { limit }),
        [Publish(View::Stopped), Stop { start: 1, limit }, Abort { start: 2 }]
    );
}

#[test]
fn finishes_at_once_when_nothing_runs() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    scene.fail(1);
    assert_eq!(scene.send(Event::Stop { limit: LIMIT }), [Publish(View::Stopped), Finish]);
}

#[test]
fn kills_at_once_when_the_limit_is_zero() {
    let mut scene = Scene::ready(Policy { shutdown_limit: Duration::ZERO, ..policy(1) });
    assert_eq!(scene.send(Offline(true)), [Publish(View::Starting), Kill { start: 1 }]);
}

#[test]
fn a_second_stop_kills_what_is_still_stopping() {
    let mut scene = Scene::ready(policy(2));
    scene.send(Event::Stop { limit: LIMIT });
    assert_eq!(scene.send(Event::Kill), [Kill { start: 1 }, Kill { start: 2 }]);
    scene.send(Gone { start: 1 });
    assert_eq!(scene.send(AttemptFailed { start: 2, critical: false }), [Finish]);
}

#[test]
fn a_kill_without_a_stop_before_it_kills_everything_once() {
    let mut scene = Scene::ready(policy(2));
    assert_eq!(scene.send(Event::Kill), [Publish(View::Stopped), Kill { start: 1 }, Abort { start: 2 }]);
}

#[test]
fn news_of_a_start_that_is_forgotten_change_nothing() {
    let mut scene = Scene::ready(policy(1));
    for event in [
        Ready { start: 9 },
        Exited { start: 9 },
        Gone { start: 9 },
        AttemptFailed { start: 9, critical: false },
    ] {
        assert_eq!(scene.send(event), []);
    }
}
