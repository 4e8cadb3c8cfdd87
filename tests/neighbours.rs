//! Several applications of one frontend that do not disturb each other.

use crate::support::{
    PATIENCE,
    app::App,
    client::get,
    eventually,
    frontend::Start,
    load::{Load, Outcome},
    process::{Watched, kill},
    site::{pid, sites},
};

#[test]
fn each_application_goes_offline_and_recycles_by_itself() {
    let Some([one, two]) = sites() else { return };
    let frontend = Start::run_several(&[("/one", &one), ("/two", &two)]).serve();
    let first = frontend.started_at("/one", 1).pid;
    let second = frontend.started_at("/two", 1).pid;
    one.take_offline("back soon");
    eventually("/one is offline", PATIENCE, || (frontend.get("/one").status() == 503).then_some(()));
    assert_eq!(pid(&frontend.get("/two/HelloWorld")), Some(second));
    let offline = frontend.log.event(1012, 1);
    assert!(offline.is_about("/one"), "{}", offline.text);
    one.bring_online();
    let third = frontend.started_at("/one", 2).pid;
    assert_ne!(third, first);

    let two = two.attribute("startupTimeLimit", "99");
    let old = Watched::new(second);
    frontend.started_at("/two", 2);
    assert!(old.ends_within(PATIENCE));
    assert_eq!(pid(&frontend.get("/one/HelloWorld")), Some(third));
    drop(two);
}

#[test]
fn one_that_is_configured_wrongly_is_answered_500_while_the_others_are_served() {
    let Some([right]) = sites() else { return };
    let wrong = App::misbehaving("").attribute("startupTimeLimit", "99999");
    let frontend = Start::run_several(&[("/right", &right), ("/wrong", &wrong)]).serve();
    assert_eq!(frontend.get("/right/HelloWorld").status(), 200);
    let response = frontend.get("/wrong/any");
    assert_eq!(response.status(), 500);
    assert_eq!(response.header("proxy-status"), Some("ancm; error=proxy_configuration_error"));
    assert!(response.text().contains("500.0"), "{}", response.text());
    assert!(!response.text().contains("99999"), "details are for developers");
    let line = frontend.log.event(1034, 1);
    assert!(line.is_about("/wrong") && line.text.contains("startupTimeLimit"), "{}", line.text);

    // Still wrong, and then right.
    let wrong = wrong.attribute("startupTimeLimit", "x");
    frontend.log.first("the second fault", |line| line.is_event(1034) && line.text.contains("\\\"x\\\""));
    assert_eq!(frontend.get("/wrong/any").status(), 500);
    let wrong = wrong.attribute("startupTimeLimit", "60");
    frontend.started_at("/wrong", 1);
    eventually("it is served", PATIENCE, || (frontend.get("/wrong/any").status() != 500).then_some(()));
    assert_eq!(frontend.get("/right/HelloWorld").status(), 200);
    drop(wrong);
}

#[test]
fn a_crash_of_one_costs_the_others_nothing() {
    let Some([one, two]) = sites() else { return };
    let frontend = Start::run_several(&[("/one", &one), ("/two", &two)]).serve();
    let (first, second) = (frontend.started_at("/one", 1).pid, frontend.started_at("/two", 1).pid);
    let load = Load::start(frontend.address(), "/two/HelloWorld", 4);
    load.reaches(20, "before the crash", |outcome| outcome.is_by(second));
    kill(first);
    let third = frontend.started_at("/one", 2).pid;
    load.reaches(40, "after the crash", |outcome| outcome.is_by(second));
    let outcomes = load.stop();
    let others: Vec<&Outcome> =
        outcomes.iter().filter(|outcome| !(outcome.is(200) && outcome.is_by(second))).collect();
    assert!(others.is_empty(), "{} of {}: {others:?}", others.len(), outcomes.len());
    assert_eq!(pid(&frontend.get("/one/HelloWorld")), Some(third));
}

#[test]
fn a_child_that_cannot_be_used_does_not_stop_its_parent() {
    let Some([parent, child]) = sites() else { return };
    let child = child.attribute("startupTimeLimit", "99999");
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let first = frontend.started_at("/", 1).pid;
    assert_eq!(frontend.get("/child/HelloWorld").status(), 500);
    assert_eq!(pid(&frontend.get("/HelloWorld")), Some(first));

    let child = child.attribute("startupTimeLimit", "60");
    let second = frontend.started_at("/child", 1).pid;
    // Once it runs, a file that breaks changes nothing for either.
    let child = child.attribute("startupTimeLimit", "77777");
    frontend.log.first("the fault", |line| line.is_event(1034) && line.text.contains("77777"));
    assert_eq!(pid(&frontend.get("/child/HelloWorld")), Some(second));
    assert_eq!(pid(&frontend.get("/HelloWorld")), Some(first));
    assert_eq!(frontend.recycles_at("/"), 0);
    drop(child);
}

#[test]
fn a_changed_file_is_that_of_one_path_and_not_of_all_that_begin_like_it() {
    let Some([one, ten]) = sites() else { return };
    let frontend = Start::run_several(&[("/app1", &one), ("/app10", &ten)]).serve();
    let ten_first = frontend.started_at("/app10", 1).pid;
    frontend.started_at("/app1", 1);
    // Between two changes that were seen of one application, the files of the other were looked at as well.
    for n in 2..=3 {
        one.touch("web.config");
        frontend.started_at("/app1", n);
    }
    assert_eq!(frontend.recycles_at("/app10"), 0, "{}", frontend.log.report());
    assert_eq!(pid(&frontend.get("/app10/HelloWorld")), Some(ten_first));
    assert_eq!(pid(&frontend.get("/app1/HelloWorld")), Some(frontend.started_at("/app1", 3).pid));
}

#[test]
fn the_time_limit_of_one_is_not_that_of_the_others() {
    let Some([patient, hasty]) = sites() else { return };
    let (patient, hasty) =
        (patient.attribute("requestTimeout", "00:01:00"), hasty.attribute("requestTimeout", "00:00:01"));
    let frontend = Start::run_several(&[("/patient", &patient), ("/hasty", &hasty)]).serve();
    let too_slow = || frontend.get("/hasty/slow?head=60000").status();
    let mut client = frontend.connect();
    client.send(get("/patient/slow?head=2500", &[]));
    assert_eq!(too_slow(), 504);
    assert_eq!(client.response().status(), 200);
    // Whichever of the two was asked last.
    assert_eq!(frontend.get("/patient/slow?head=1500").status(), 200);
    assert_eq!(too_slow(), 504);
}
