use super::*;

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
fn tries_a_start_as_often_as_it_is_told() {
    let mut scene = Scene::new(Policy { attempts: 3, ..policy(1) });
    scene.send(Event::Begin);
    let mut fail = || scene.send(AttemptFailed { start: 1, critical: false });
    assert_eq!(fail(), [attempt(1, 1, 0, 2)]);
    assert_eq!(fail(), [attempt(1, 1, 0, 3)]);
    assert_eq!(fail(), [GiveUp { start: 1 }, failed(1)]);
    let mut once = Scene::new(Policy { attempts: 1, ..policy(1) });
    once.send(Event::Begin);
    assert_eq!(once.send(AttemptFailed { start: 1, critical: false }), [GiveUp { start: 1 }, failed(1)]);
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
fn starts_at_once_when_the_application_returns_after_a_failed_start() {
    let mut scene = Scene::new(policy(1));
    scene.send(Event::Begin);
    scene.fail(1);
    assert_eq!(scene.send(Offline(true)), [Publish(View::Offline)]);
    assert_eq!(scene.send(Offline(false)), [Publish(View::Starting), attempt(2, 1, 0, 1)]);
}
