//! `app_offline.htm`: there before the start, dropped and removed under load.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{
    PATIENCE,
    app::App,
    client::{Client, Response, get, request},
    eventually,
    frontend::{Frontend, Start},
    load::{Load, Outcome},
    process::{self, Watched},
    site::in_flight,
};

const PAGE: &str = "<p>Back soon \u{e4}\u{f6}</p>";

fn is_offline(response: &Response, page: &str) {
    assert_eq!((response.status(), response.text().as_str()), (503, page), "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/html"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(response.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert!(response.header("proxy-status").is_some_and(|status| status.starts_with("ancm; ")));
}

/// Asks until the page is there.
fn await_offline(frontend: &Frontend, page: &str) {
    let response = eventually("it is offline", PATIENCE, || {
        let response = frontend.get("/HelloWorld");
        (response.status() == 503).then_some(response)
    });
    is_offline(&response, page);
}

#[test]
fn O1_file_that_is_there_before_the_start_is_answered_with_503() {
    let Some(app) = App::site() else { return };
    app.take_offline(PAGE);
    let frontend = Frontend::serve(&app);
    is_offline(&frontend.get("/HelloWorld"), PAGE);
    assert_eq!(process::backends(frontend.marker()), Vec::<i64>::new(), "nothing was started");
}

#[test]
fn O2_file_that_cannot_be_read_is_answered_with_503_and_an_empty_body() {
    let Some(app) = App::site() else { return };
    app.take_offline(PAGE);
    fs::set_permissions(app.path("app_offline.htm"), fs::Permissions::from_mode(0o000)).unwrap();
    let Some(start) = Start::run(&app).bound_by_permissions() else { return };
    let frontend = start.serve();
    is_offline(&frontend.get("/HelloWorld"), "");
    frontend.log.says("the file cannot be read");
    assert_eq!(process::backends(frontend.marker()), Vec::<i64>::new(), "nothing was started");
}

#[test]
fn O5_file_that_is_removed_again_leaves_a_site_that_works() {
    let Some(app) = App::site() else { return };
    app.take_offline(PAGE);
    let frontend = Frontend::serve(&app);
    is_offline(&frontend.get("/HelloWorld"), PAGE);
    app.bring_online();
    let response = eventually("the page is gone", PATIENCE, || {
        let response = frontend.get("/HelloWorld");
        (response.status() != 503).then_some(response)
    });
    // The first that does not see the page any more waits for the process.
    assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
}

#[test]
fn answers_every_kind_of_request_with_the_page() {
    let app = App::misbehaving("");
    app.take_offline(PAGE);
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for target in ["/", "/any/path?query", "/app_offline.htm"] {
        is_offline(&client.exchange(get(target, &[])), PAGE);
    }
    is_offline(&client.exchange(request("POST", "/", &[], "a body")), PAGE);
    let head = client.exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status(), head.header("content-length")), (503, Some(PAGE.len().to_string().as_str())));
    let upgrade = client.exchange(get("/ws", &["Connection: Upgrade", "Upgrade: websocket"]));
    is_offline(&upgrade, PAGE);
}

#[test]
fn an_empty_page_is_a_page() {
    let app = App::misbehaving("");
    app.take_offline("");
    let frontend = Frontend::serve(&app);
    is_offline(&frontend.get("/"), "");
}

#[test]
fn O4_file_that_comes_and_goes_stops_the_application_and_starts_it() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for round in 1..=5 {
        let started = frontend.started(round);
        assert_eq!(frontend.get("/HelloWorld").status(), 200);
        let process = Watched::new(started.pid);
        app.take_offline(&format!("round {round}"));
        await_offline(&frontend, &format!("round {round}"));
        assert!(process.ends_within(PATIENCE), "its files can be replaced now");
        is_offline(&frontend.get("/"), &format!("round {round}"));
        app.bring_online();
        frontend.started(round + 1);
    }
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    let process = Watched::new(frontend.started(6).pid);
    app.take_offline(PAGE);
    await_offline(&frontend, PAGE);
    assert!(process.ends_within(PATIENCE));
    fs::remove_file(app.path("Site.dll")).unwrap();
    is_offline(&frontend.get("/HelloWorld"), PAGE);
    assert_eq!(frontend.log.event(1006, 6).number("status"), 202);
    assert_eq!(frontend.log.count(|line| line.is_event(1005)), 0, "{}", frontend.log.text());
    frontend.log.event(1012, 1);
}

#[test]
fn the_name_counts_in_any_case_and_whole() {
    let app = App::misbehaving("");
    let frontend = Frontend::serve(&app);
    let started = frontend.started(1);
    for look_alike in
        ["app_offline.ht", "app_offline.html", "my_app_offline.htm", "app_offline", "sub/app_offline.htm"]
    {
        app.write(look_alike, "no");
    }
    std::fs::create_dir(app.path("APP_OFFLINE.HTM")).unwrap();
    app.write("elsewhere", "yes");
    std::fs::rename(app.path("elsewhere"), app.path("App_Offline.Htm")).unwrap();
    await_offline(&frontend, "yes");
    std::fs::rename(app.path("App_Offline.Htm"), app.path("app_offline.bak")).unwrap();
    assert_ne!(frontend.started(2).pid, started.pid);
    assert_eq!(frontend.log.count(|line| line.is_event(1012)), 1, "{}", frontend.log.text());
}

#[test]
fn a_changed_page_is_shown() {
    let app = App::misbehaving("");
    app.take_offline("first");
    let frontend = Frontend::serve(&app);
    is_offline(&frontend.get("/"), "first");
    app.take_offline("second");
    eventually("the second page", PATIENCE, || (frontend.get("/").text() == "second").then_some(()));
}

#[test]
fn a_request_under_way_is_finished() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut slow = frontend.connect();
    slow.send(get("/slow?head=1000&pieces=3&every=100", &[]));
    in_flight(&mut frontend.connect(), 1);
    app.take_offline(PAGE);
    await_offline(&frontend, PAGE);
    let response = slow.response();
    assert_eq!((response.status(), response.text().lines().count()), (200, 3));
}

#[test]
fn O3_file_that_is_dropped_on_a_failed_application_is_answered_with_503() {
    let app = App::empty().attribute("processPath", "nonexistent");
    let frontend = Frontend::serve(&app);
    let failed = frontend.get("/");
    assert_eq!(failed.status(), 502);
    assert!(failed.text().contains("502.5"), "{}", failed.text());
    app.take_offline(PAGE);
    await_offline(&frontend, PAGE);
    app.bring_online();
    eventually("it fails again", PATIENCE, || (frontend.get("/").status() == 502).then_some(()));
}

#[test]
fn a_starting_application_can_be_taken_offline() {
    let app = App::misbehaving("print:on my way;never-listen");
    let frontend = Frontend::serve(&app);
    frontend.log.says("on my way");
    let mut held = frontend.connect();
    held.send(get("/", &[])).await_read();
    app.take_offline(PAGE);
    await_offline(&frontend, PAGE);
    // A request that was held already is not left waiting.
    assert_eq!(held.response().status(), 503);
}

fn only_200_and_503(outcomes: &[Outcome]) {
    let expected = |outcome: &&Outcome| outcome.is(200) || outcome.is(503);
    let other: Vec<_> = outcomes.iter().filter(|outcome| !expected(outcome)).collect();
    assert!(other.is_empty(), "{} of {}: {other:?}", other.len(), outcomes.len());
}

#[test]
fn O6_files_that_come_and_go_under_load_cost_no_request_and_no_connection() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let load = Load::start(frontend.address(), "/HelloWorld", 8);
    for round in 1..=5 {
        let pid = frontend.started(round).pid;
        load.reaches(20, "by this process", |outcome| outcome.is_by(pid));
        let before = load.count(|outcome| outcome.is(503));
        app.take_offline(PAGE);
        load.reaches(before + 20, "offline", |outcome| outcome.is(503));
        app.bring_online();
    }
    let pid = frontend.started(6).pid;
    load.reaches(20, "by the last process", |outcome| outcome.is_by(pid));
    only_200_and_503(&load.stop());
    frontend.assert_sound();
}

#[test]
fn O6_files_that_flap_under_load_cost_no_request_and_no_connection() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    let load = Load::start(frontend.address(), "/HelloWorld", 4);
    for _ in 0..20 {
        let before = load.count(|_| true);
        app.take_offline(PAGE);
        app.bring_online();
        load.reaches(before + 1, "of any kind", |_| true);
    }
    let mut client = Client::connect(frontend.address());
    eventually("it is online again", PATIENCE, || {
        (client.exchange(get("/HelloWorld", &[])).status() == 200).then_some(())
    });
    only_200_and_503(&load.stop());
}
