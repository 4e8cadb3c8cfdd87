//! Processes that die: of the application, and of the frontend itself.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{
    PATIENCE,
    app::App,
    client::{get, request},
    frontend::Frontend,
    load::{Load, Outcome},
    log::Line,
    process::{self, Watched, describe, kill},
    site::in_flight,
};

#[test]
fn a_killed_process_costs_only_the_requests_in_flight_on_it() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("rapidFailsPerMinute", "100"));
    let load = Load::start(frontend.address(), "/HelloWorld", 8);
    let mut deaths = Vec::new();
    for life in 1..=3 {
        let pid = frontend.started(life).pid;
        load.reaches(life * 20, "by this process", |outcome| outcome.is_by(pid));
        let process = Watched::new(pid);
        let killed = Instant::now();
        kill(pid);
        assert!(process.ends_within(PATIENCE));
        deaths.push(killed..=Instant::now());
    }
    let pid = frontend.started(4).pid;
    load.reaches(20, "by the last process", |outcome| outcome.is_by(pid));
    let outcomes = load.stop();
    let lost: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is(200)).collect();
    // Killing takes the system some milliseconds, in which the process may still accept and never answer.
    let excused = |outcome: &Outcome| {
        deaths.iter().any(|death| outcome.began <= *death.end() && outcome.ended >= *death.start())
    };
    let (excused, others): (Vec<_>, Vec<_>) = lost.into_iter().partition(|outcome| excused(outcome));
    assert!(others.is_empty(), "lost without a reason: {others:?}");
    println!("{} of {} requests were lost with their process", excused.len(), outcomes.len());
    let cut = excused.iter().filter(|outcome| outcome.is_cut()).count();
    assert!(excused.iter().all(|outcome| outcome.is_cut() || outcome.is(502)), "{excused:?}");
    if cut > 0 {
        frontend.log.nth("a cut answer", cut, Line::is_of_cut_answer);
    }
    frontend.assert_sound();
}

#[test]
fn requests_that_come_after_a_crash_wait_for_the_next_process() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_STARTUP", "delay:300");
    let frontend = Frontend::serve(&app);
    let first = frontend.started(1);
    let watched = Watched::new(first.pid);
    kill(first.pid);
    assert!(watched.ends_within(PATIENCE));
    for _ in 0..10 {
        let response = frontend.get("/HelloWorld");
        assert_eq!(response.status(), 200);
        assert_ne!(response.header("x-site-pid"), Some(first.pid.to_string().as_str()));
    }
    frontend.log.event(1030, 1);
    let second = frontend.started(2);
    assert_ne!(second.pid, first.pid);
}

#[test]
fn a_request_in_flight_on_a_killed_process_is_502_and_never_sent_again() {
    let Some(app) = App::site() else { return };
    let ledger = app.path("ledger");
    let app = app.variable("SITE_LEDGER", &ledger.display().to_string());
    let frontend = Frontend::serve(&app);
    let pid = frontend.started(1).pid;
    let mut client = frontend.connect();
    client.send(request("POST", "/ledger/once?ms=60000", &[], ""));
    in_flight(&mut frontend.connect(), 1);
    let process = Watched::new(pid);
    kill(pid);
    assert_eq!(client.response().status(), 502);
    assert!(process.ends_within(PATIENCE));
    assert_eq!(frontend.post("/ledger/another").status(), 200);
    let text = std::fs::read_to_string(&ledger).unwrap();
    assert!(!text.contains("once"), "{text}");
}

#[test]
fn exits_of_every_kind_are_survived() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for (n, path) in ["/exit?code=0", "/exit?code=3", "/crash", "/kill", "/stop"].into_iter().enumerate() {
        let pid = frontend.started(n + 1).pid;
        // The process may be gone before it has answered.
        let _ = frontend.connect().try_exchange(request("POST", path, &[], ""));
        frontend.log.event(1030, n + 1);
        assert_eq!(frontend.get("/HelloWorld").status(), 200, "after {path}");
        assert_ne!(frontend.started(n + 2).pid, pid);
    }
    frontend.assert_sound();
}

#[test]
fn nothing_survives_a_frontend_that_is_killed() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let started = frontend.started(1);
    let mut all = vec![started.pid];
    for detach in ["true", "false"] {
        let spawned = frontend.post(&format!("/spawn?seconds=1000&detach={detach}"));
        all.push(spawned.text().parse().expect("a pid"));
    }
    // The frontend itself, the guard, the application, its children.
    let marked = process::with_marker(frontend.marker());
    assert!(marked.len() >= 5, "{}", describe(&marked));
    assert!(all.iter().all(|pid| marked.contains(pid)), "{all:?} in {}", describe(&marked));
    ends_with_the_frontend(&frontend);
}

/// Kills the frontend; everything that belongs to it must be gone a second later.
fn ends_with_the_frontend(frontend: &Frontend) {
    let watched: Vec<_> = process::with_marker(frontend.marker()).into_iter().map(Watched::new).collect();
    let deadline = Instant::now() + Duration::from_secs(1);
    kill(frontend.pid());
    let alive = |watched: &&Watched| !watched.ends_within(deadline.saturating_duration_since(Instant::now()));
    let left: Vec<_> = watched.iter().filter(alive).map(|watched| watched.pid).collect();
    assert!(left.is_empty(), "alive after a second: {}", describe(&left));
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

#[test]
fn nothing_survives_a_frontend_that_is_killed_while_the_application_starts() {
    let frontend = Frontend::serve(&App::misbehaving("spawn;never-listen"));
    let line = frontend.log.says("grandchild: ").text;
    let (_, pid) = line.split_once("grandchild: ").unwrap();
    let pid = pid.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
    assert!(Watched::new(pid).is_alive());
    ends_with_the_frontend(&frontend);
}

#[test]
fn grandchildren_end_with_their_application() {
    let Some(app) = App::site() else { return };
    let mut frontend = Frontend::serve(&app);
    let spawned = frontend.post("/spawn?seconds=1000&detach=true").text().parse().unwrap();
    let spawned = Watched::new(spawned);
    assert_eq!(frontend.stop().code(), Some(0));
    assert!(spawned.ends_within(PATIENCE), "{}", describe(&[spawned.pid]));
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

#[test]
fn grandchildren_of_a_crashed_process_end_too() {
    let frontend = Frontend::serve(&App::misbehaving("spawn"));
    let line = frontend.log.says("grandchild: ").text;
    let (_, pid) = line.split_once("grandchild: ").unwrap();
    let pid = pid.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
    let grandchild = Watched::new(pid);
    kill(frontend.started(1).pid);
    assert!(grandchild.ends_within(PATIENCE), "{}", describe(&[pid]));
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn the_pool_does_not_offer_connections_of_a_dead_process() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("rapidFailsPerMinute", "100"));
    let mut client = frontend.connect();
    for life in 1..=5 {
        let started = frontend.started(life);
        // Fills the pools of all workers.
        for _ in 0..8 {
            assert_eq!(frontend.get("/HelloWorld").status(), 200);
        }
        let watched = Watched::new(started.pid);
        kill(started.pid);
        assert!(watched.ends_within(PATIENCE));
        // It is known to be dead: what comes now must not be sent there.
        assert_eq!(client.exchange(get("/HelloWorld", &[])).status(), 200, "life {life}");
    }
}
