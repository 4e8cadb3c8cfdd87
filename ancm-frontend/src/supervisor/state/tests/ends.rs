use super::*;

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
        [Publish(View::Offline), Stop { start: 1, limit: LIMIT }, Abort { start: 2 }]
    );
    assert_eq!(scene.send(Offline(true)), []);
    assert_eq!(scene.send(Gone { start: 1 }), []);
    assert_eq!(scene.send(AttemptFailed { start: 2, critical: false }), []);
    assert_eq!(scene.send(Wake), []);
    assert_eq!(scene.state.deadline(), None);
    assert_eq!(
        scene.send(Offline(false)),
        [Publish(View::Starting), attempt(3, 1, 0, 1), attempt(4, 1, 1, 1)]
    );
    assert_eq!(scene.send(Offline(false)), []);
}

#[test]
fn starts_nothing_while_it_is_offline_from_the_beginning() {
    let now = Instant::now();
    let mut scene = Scene { state: State::new(policy(1), true, now), now };
    assert_eq!(scene.send(Event::Begin), [Publish(View::Offline)]);
    assert_eq!(scene.send(Event::Recycle(policy(2))), []);
    assert_eq!(
        scene.send(Offline(false)),
        [Publish(View::Starting), attempt(1, 2, 0, 1), attempt(2, 2, 1, 1)]
    );
}

#[test]
fn returns_from_offline_before_the_old_process_has_ended_unless_they_share_a_port() {
    let held = Publish(View::Starting);
    for (policy, actions) in [(policy(1), vec![held.clone(), attempt(2, 1, 0, 1)]), (fixed(5000), vec![held])]
    {
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
    assert_eq!(scene.send(Offline(true)), [Publish(View::Offline), Kill { start: 1 }]);
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

#[test]
fn a_stop_cuts_the_time_of_what_was_being_stopped_already() {
    let mut scene = Scene::ready(policy(1));
    scene.send(Offline(true));
    assert_eq!(scene.send(Event::Stop { limit: Duration::from_secs(3) }), [Publish(View::Stopped)]);
    assert_eq!(scene.wait(), (Duration::from_secs(3), vec![Kill { start: 1 }]));
    assert_eq!(scene.state.deadline(), None);
    assert_eq!(scene.send(Gone { start: 1 }), [Finish]);

    let mut scene = Scene::ready(policy(1));
    scene.send(Offline(true));
    let limit = Duration::ZERO;
    assert_eq!(scene.send(Event::Stop { limit }), [Publish(View::Stopped), Kill { start: 1 }]);
}
