//! An application below another one inherits from its `web.config`, and is recycled when that changes.

#![expect(non_snake_case, reason = "a test carries the name of the row that it is about")]

use std::fs;

use crate::support::{
    PATIENCE,
    app::App,
    client::get,
    eventually,
    frontend::{Frontend, Start},
    load::{Load, Outcome},
    process::Watched,
    site::pid,
};

fn environment(frontend: &Frontend, path: &str, name: &str) -> serde_json::Value {
    frontend.get(&format!("{path}/env")).json()[name].clone()
}

#[test]
fn a_nested_application_gets_what_its_parent_does_not_keep_for_itself() {
    let (Some(parent), Some(child)) = (App::site(), App::site()) else { return };
    let parent = parent.variable("FROM_PARENT", "yes").variable("BOTH", "parent");
    let child = child.variable("BOTH", "child");
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    assert_eq!(environment(&frontend, "/child", "FROM_PARENT"), "yes");
    assert_eq!(environment(&frontend, "/child", "BOTH"), "child");
    assert_eq!(environment(&frontend, "", "BOTH"), "parent");

    // What a parent keeps for itself is not inherited any more, and the child is told without a touch of its own file.
    let text = fs::read_to_string(parent.path("web.config")).unwrap();
    let location = "<location path=\".\" inheritInChildApplications=\"false\"><system.webServer>";
    let text = text.replace("<system.webServer>", location);
    parent.write("web.config", text.replace("</system.webServer>", "</system.webServer></location>"));
    frontend.started_at("/child", 2);
    eventually("the child has a process without it", PATIENCE, || {
        environment(&frontend, "/child", "FROM_PARENT").is_null().then_some(())
    });
    eventually("the parent still has it", PATIENCE, || {
        (environment(&frontend, "", "FROM_PARENT") == "yes").then_some(())
    });
}

#[test]
fn a_clear_of_the_child_and_a_location_of_the_parent_count() {
    let (parent, child) = (App::misbehaving(""), App::misbehaving(""));
    let text = fs::read_to_string(parent.path("web.config")).unwrap();
    let header = |name: &str| {
        format!(
            "<system.webServer><httpProtocol><customHeaders><add name='{name}' value='x'/></customHeaders></httpProtocol></system.webServer>"
        )
    };
    let locations = format!(
        "<location path='child'>{}</location><location path='other'>{}</location>",
        header("X-Child"),
        header("X-Other")
    );
    parent.write("web.config", text.replace("</configuration>", &format!("{locations}</configuration>")));
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let response = frontend.get("/child/any");
    assert_eq!((response.header("x-child"), response.header("x-other")), (Some("x"), None), "{response:?}");

    let text = fs::read_to_string(child.path("web.config")).unwrap();
    let clear = "<httpProtocol><customHeaders><clear/></customHeaders></httpProtocol></system.webServer>";
    child.write("web.config", text.replace("</system.webServer>", clear));
    eventually("it is cleared", PATIENCE, || {
        frontend.get("/child/any").header("x-child").is_none().then_some(())
    });
}

#[test]
fn folders_of_a_parent_on_the_way_count_too() {
    let (parent, child) = (App::misbehaving(""), App::misbehaving(""));
    let settings = "<configuration><system.webServer><httpProtocol><customHeaders><add name='X-Way' value='x'/>\
                    </customHeaders></httpProtocol></system.webServer></configuration>";
    parent.write("area/web.config", settings);
    let frontend = Start::run_several(&[("/", &parent), ("/area/child", &child)]).serve();
    assert_eq!(frontend.get("/area/child/").header("x-way"), Some("x"));
    assert_eq!(frontend.get("/record").header("x-way"), None);
}

#[test]
fn a_touched_file_of_the_parent_recycles_the_child_and_no_request_is_lost() {
    let (Some(parent), Some(child)) = (App::site(), App::site()) else { return };
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let old =
        [Watched::new(frontend.started_at("/", 1).pid), Watched::new(frontend.started_at("/child", 1).pid)];
    let load = Load::start(frontend.address(), "/child/HelloWorld", 4);
    load.reaches(20, "by the first process", |outcome| outcome.is(200));
    parent.touch("web.config");
    let new = frontend.started_at("/child", 2).pid;
    load.reaches(20, "by the second process", |outcome| outcome.is_by(new));
    let outcomes = load.stop();
    let lost: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is(200)).collect();
    assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), outcomes.len());
    for process in old {
        assert!(process.ends_within(PATIENCE));
    }
}

#[test]
fn a_touched_file_of_the_child_leaves_the_parent_alone() {
    let (Some(parent), Some(child)) = (App::site(), App::site()) else { return };
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let first = frontend.started_at("/", 1).pid;
    frontend.started_at("/child", 1);
    child.touch("web.config");
    frontend.started_at("/child", 2);
    let response = frontend.get("/HelloWorld");
    assert_eq!(response.header("x-site-pid"), Some(first.to_string().as_str()));
    assert_eq!(frontend.log.count(|line| line.is_event(1001)), 3);
}

#[test]
fn a_file_of_the_parent_that_breaks_changes_nothing_for_either() {
    let (parent, child) = (App::misbehaving(""), App::misbehaving(""));
    let parent = parent.variable("FROM_PARENT", "yes");
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let processes =
        [Watched::new(frontend.started_at("/", 1).pid), Watched::new(frontend.started_at("/child", 1).pid)];
    let text = fs::read_to_string(parent.path("web.config")).unwrap();
    parent.write("web.config", "<configuration>");
    for n in 1..=2 {
        let told = frontend.log.event(1034, n);
        let file = parent.path("web.config").display().to_string();
        assert!(told.text.contains(&file), "{}", told.text);
    }
    assert_eq!(frontend.get("/record").status(), 200);
    assert_ne!(frontend.get("/child/record").status(), 500);
    assert!(processes.iter().all(Watched::is_alive));
    assert_eq!((frontend.recycles_at("/"), frontend.recycles_at("/child")), (0, 0));
    // Whole again, it is a change like any other.
    parent.write("web.config", text);
    frontend.started_at("/", 2);
    frontend.started_at("/child", 2);
}

#[test]
fn a_changed_file_of_the_parent_is_not_followed_where_the_child_forbids_that() {
    let (parent, child) = (App::misbehaving(""), App::misbehaving(""));
    let child = child.handler_setting("disallowRotationOnConfigChange", "true");
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let process = Watched::new(frontend.started_at("/child", 1).pid);
    frontend.started_at("/", 1);
    parent.touch("web.config");
    frontend.started_at("/", 2);
    frontend.log.first("the child's refusal", |line| {
        line.is_about("/child") && line.text.contains("disallowRotation")
    });
    assert!(process.is_alive());
    assert_eq!(frontend.recycles_at("/child"), 0);
}

#[test]
fn whom_a_parent_keeps_out_of_a_part_of_the_child_is_not_let_in_there() {
    let (parent, child) = (App::misbehaving(""), App::misbehaving(""));
    let text = fs::read_to_string(parent.path("web.config")).unwrap();
    let closed = "<location path='child/admin'><system.webServer><security><ipSecurity allowUnlisted='false'/>\
                  </security></system.webServer></location></configuration>";
    parent.write("web.config", text.replace("</configuration>", closed));
    let both = [("/", &parent), ("/child", &child)];
    let refused = Start::run_several(&both).until_end();
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    for application in ["application /: ", "application /child: "] {
        assert!(refused.stderr.contains(application), "{}", refused.stderr);
    }
    let checked = Start::several("check", &both).until_end();
    assert_eq!(checked.code, Some(1));
    let (_, child) = checked.stdout.split_once("Application /child").unwrap();
    assert!(child.contains("accept it: --ignore-section ipSecurity"), "{child}");
    let accepted = Start::run_several(&both).argument("--ignore-section=ipSecurity").serve();
    assert_eq!(accepted.get("/record").status(), 200);
}

#[test]
fn V8_an_application_whose_web_config_was_moved_away_and_back_has_a_new_process() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let first = frontend.started(1).pid;
    let (file, away) = (app.path("web.config"), app.path("web.config.away"));
    fs::rename(&file, &away).unwrap();
    // While there is none, what runs goes on, and somebody is told.
    let told = frontend.log.event(1034, 1);
    assert!(told.text.contains("there is no such file"), "{}", told.text);
    assert_eq!(frontend.get("/HelloWorld").header("x-site-pid"), Some(first.to_string().as_str()));
    fs::rename(&away, &file).unwrap();
    let second = frontend.started(2).pid;
    assert!(second != first && Watched::new(first).ends_within(PATIENCE));
    assert_eq!(frontend.get("/HelloWorld").header("x-site-pid"), Some(second.to_string().as_str()));
    // At one stroke, too: nobody need see that it was away.
    fs::rename(&file, &away).unwrap();
    fs::rename(&away, &file).unwrap();
    let third = frontend.started(3).pid;
    assert!(third != second && Watched::new(second).ends_within(PATIENCE));
    fs::remove_file(app.path("Site.dll")).unwrap();
}

#[test]
fn V8_an_application_whose_parents_web_config_was_moved_away_and_back_has_a_new_process() {
    let (Some(parent), Some(child)) = (App::site(), App::site()) else { return };
    let parent = parent.variable("FROM_PARENT", "yes");
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let first = frontend.started_at("/child", 1).pid;
    assert_eq!(environment(&frontend, "/child", "FROM_PARENT"), "yes");
    let (file, away) = (parent.path("web.config"), parent.path("web.config.away"));
    fs::rename(&file, &away).unwrap();
    // A parent without a file has nothing to inherit; the parent's own process goes on.
    let second = frontend.started_at("/child", 2).pid;
    eventually("nothing is inherited", PATIENCE, || {
        environment(&frontend, "/child", "FROM_PARENT").is_null().then_some(())
    });
    fs::rename(&away, &file).unwrap();
    let third = frontend.started_at("/child", 3).pid;
    eventually("it is inherited again", PATIENCE, || {
        (environment(&frontend, "/child", "FROM_PARENT") == "yes").then_some(())
    });
    assert!(first != second && second != third);
    assert!(Watched::new(second).ends_within(PATIENCE));
    assert_eq!(frontend.connect().exchange(get("/HelloWorld", &[])).status(), 200);
    fs::remove_file(child.path("Site.dll")).unwrap();
}

#[test]
fn V9_recycle_below_a_parent_with_a_rewrite_rule() {
    let (Some(parent), Some(child)) = (App::site(), App::site()) else { return };
    let rule = "<rewrite><rules><rule name='all'><match url='^old/(.*)'/><action type='Rewrite' url='{R:1}'/>\
                </rule></rules></rewrite>";
    let parent = parent.variable("FROM_PARENT", "yes").section(rule);
    let frontend = Start::run_several(&[("/", &parent), ("/child", &child)]).serve();
    let first = frontend.started_at("/child", 1).pid;
    let text = fs::read_to_string(parent.path("web.config")).unwrap();
    parent.write("web.config.new", text.replace("'^old/", "'^older/"));
    fs::rename(parent.path("web.config.new"), parent.path("web.config")).unwrap();
    let second = frontend.started_at("/child", 2).pid;
    assert!(Watched::new(first).ends_within(PATIENCE));
    assert_eq!(pid(&frontend.get("/child/HelloWorld")), Some(second));
    assert_eq!(environment(&frontend, "/child", "FROM_PARENT"), "yes");
}
