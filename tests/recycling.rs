//! A changed `web.config`: a new generation takes over, and no request is lost.

use std::fs;

use crate::support::{
    PATIENCE,
    app::App,
    client::{Response, get},
    free_port,
    frontend::Frontend,
    load::{Load, Outcome},
    process::Watched,
    site::in_flight,
};

/// Saves web.config at one stroke, with another limit, so that it is another file and another text.
fn change(app: &App, seconds: usize) {
    let text = fs::read_to_string(app.path("web.config")).unwrap();
    let (head, tail) = text.split_once("<aspNetCore ").unwrap();
    let tail = match tail.strip_prefix("startupTimeLimit=") {
        Some(rest) => rest.split_once(' ').unwrap().1,
        None => tail,
    };
    app.write("web.config.new", format!("{head}<aspNetCore startupTimeLimit=\"{seconds}\" {tail}"));
    fs::rename(app.path("web.config.new"), app.path("web.config")).unwrap();
}

#[test]
fn C1_touched_file_starts_a_new_process() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let first = frontend.started(1);
    let by = |response: Response| response.header("x-site-pid").and_then(|pid| pid.parse::<i64>().ok());
    assert_eq!(by(frontend.get("/HelloWorld")), Some(first.pid));
    app.touch("web.config");
    let second = frontend.started(2);
    assert_ne!(second.pid, first.pid);
    assert!(Watched::new(first.pid).ends_within(PATIENCE));
    assert_eq!(by(frontend.get("/HelloWorld")), Some(second.pid));
}

#[test]
fn a_changed_file_of_recycle_on_file_change_starts_a_new_process_and_any_other_file_does_not() {
    let Some(app) = App::site() else { return };
    let frontend =
        Frontend::serve(list(&app, r#"<file path=".\settings\shop.json"/><file path="later.txt"/>"#));
    let first = Watched::new(frontend.started(1).pid);
    fs::create_dir(app.path("settings")).unwrap();
    app.write("settings/other.json", "{}");
    app.write("settings/shop.json", "{}");
    let second = frontend.started(2).pid;
    assert!(first.ends_within(PATIENCE));
    app.write("later.txt", "x");
    let third = frontend.started(3).pid;
    assert!(Watched::new(second).ends_within(PATIENCE));
    fs::remove_file(app.path("later.txt")).unwrap();
    frontend.started(4);
    assert!(Watched::new(third).ends_within(PATIENCE));
    assert_eq!(frontend.log.count(|line| line.is_event(1021)), 3, "{}", frontend.log.report());
}

#[test]
fn a_list_of_files_that_changes_with_the_configuration_is_obeyed() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    list(&app, r#"<file path="shop.json"/>"#);
    frontend.started(2);
    app.write("shop.json", "{}");
    frontend.started(3);
}

/// Has these files watched.
fn list<'a>(app: &'a App, files: &str) -> &'a App {
    let text = fs::read_to_string(app.path("web.config")).unwrap();
    let listed = format!("<recycleOnFileChange>{files}</recycleOnFileChange></aspNetCore>");
    assert!(text.contains("</aspNetCore>"), "{text}");
    app.write("web.config", text.replace("</aspNetCore>", &listed));
    app
}

#[test]
fn C4_requests_while_the_application_is_started_anew_are_all_answered() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let load = Load::start(frontend.address(), "/HelloWorld", 8);
    for round in 1..=3 {
        let started = frontend.started(round);
        load.reaches(500, "by this process", |outcome| outcome.is_by(started.pid));
        let process = Watched::new(started.pid);
        change(&app, 100 + round);
        assert!(process.ends_within(PATIENCE));
    }
    let pid = frontend.started(4).pid;
    load.reaches(500, "by the last process", |outcome| outcome.is_by(pid));
    let outcomes = load.stop();
    assert!(outcomes.len() >= 2000);
    let lost: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is(200)).collect();
    assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), outcomes.len());
    assert_eq!(frontend.log.count(|line| line.is_event(1005)), 0, "{}", frontend.log.report());
    frontend.log.event(1021, 3);
    frontend.assert_sound();
}

#[test]
fn a_request_under_way_keeps_its_process() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let first = frontend.started(1);
    let mut slow = frontend.connect();
    slow.send(get("/slow?head=1500&pieces=2&every=100", &[]));
    in_flight(&mut frontend.connect(), 1);
    change(&app, 100);
    let second = frontend.started(2);
    crate::support::eventually("the new process answers", PATIENCE, || {
        let response = frontend.get("/HelloWorld");
        assert_eq!(response.status(), 200);
        (response.header("x-site-pid") == Some(second.pid.to_string().as_str())).then_some(())
    });
    let response = slow.response();
    assert_eq!(
        (response.status(), response.header("x-site-pid")),
        (200, Some(first.pid.to_string().as_str()))
    );
    assert!(Watched::new(first.pid).ends_within(PATIENCE));
}

#[test]
fn a_fixed_port_is_handed_over_while_requests_are_held() {
    let Some(app) = App::site() else { return };
    let port = free_port();
    let app = app.variable("ASPNETCORE_PORT", &port.to_string());
    let frontend = Frontend::serve(&app);
    let first = frontend.started(1);
    let load = Load::start(frontend.address(), "/HelloWorld", 4);
    load.reaches(20, "by the first process", |outcome| outcome.is_by(first.pid));
    change(&app, 100);
    let second = frontend.started(2);
    assert_eq!((first.port, second.port), (port, port));
    load.reaches(20, "by the second process", |outcome| outcome.is_by(second.pid));
    let outcomes = load.stop();
    let lost: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is(200)).collect();
    assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), outcomes.len());
}

#[test]
fn new_settings_hold_for_new_requests() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/slow?head=1500").status(), 200);
    let app = app.attribute("requestTimeout", "00:00:01");
    let second = frontend.started(2);
    crate::support::eventually("the new process answers", PATIENCE, || {
        let response = frontend.get("/HelloWorld");
        (response.header("x-site-pid") == Some(second.pid.to_string().as_str())).then_some(())
    });
    assert_eq!(frontend.get("/slow?head=60000").status(), 504);
    drop(app);
}

#[test]
fn a_new_application_that_does_not_start_leaves_the_old_one_in_place() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let first = frontend.started(1);
    let _app = app.variable("SITE_STARTUP", "exit:3");
    frontend.log.event(1020, 1);
    let response = frontend.get("/HelloWorld");
    // ANCM would have nothing left to serve with.
    assert_eq!(
        (response.status(), response.header("x-site-pid")),
        (200, Some(first.pid.to_string().as_str()))
    );
}
