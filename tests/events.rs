//! Each event that happens is seen, at the level that the table of them says.

use std::fs;

use ancm_frontend::events::{self, EVENTS, Event};

use crate::support::{
    app::App,
    frontend::{Frontend, Start},
    log::Line,
    process,
};

/// Makes an event happen.
fn provoke(event: &Event) -> Line {
    match event.id {
        events::ATTEMPT_FAILED | events::START_FAILED => seen(event, &App::misbehaving("exit:1"), |_| {}),
        events::STARTED => seen(event, &app(), |_| {}),
        events::RAPID_FAIL => seen(event, &app().attribute("rapidFailsPerMinute", "0"), |frontend| {
            process::kill(frontend.started(1).pid);
        }),
        events::LOG_FILE_FAILED => {
            let app = app().attribute("stdoutLogEnabled", "true");
            seen(event, &app.attribute("stdoutLogFile", r".\web.config\log"), |_| {})
        }
        events::KILLED => {
            let app = App::misbehaving("ignore-stop").attribute("shutdownTimeLimit", "1");
            seen(event, &app, stop)
        }
        events::SHUTDOWN_SENT | events::EXITED => seen(event, &app(), stop),
        events::OFFLINE => {
            let app = app();
            seen(event, &app, |_| app.take_offline("offline"))
        }
        events::RECYCLED => {
            let app = app();
            seen(event, &app, |frontend| {
                frontend.started(1);
                let text = fs::read_to_string(app.path("web.config")).unwrap();
                app.write("web.config", text + "\n");
            })
        }
        events::UNWATCHED => {
            let app = app();
            let away = app.root().with_extension("away");
            let line = seen(event, &app, |frontend| {
                frontend.started(1);
                fs::rename(app.root(), &away).unwrap();
            });
            fs::remove_dir_all(&away).unwrap();
            line
        }
        events::MISCONFIGURED => {
            let app = app();
            seen(event, &app, |frontend| {
                frontend.started(1);
                app.write("web.config", "<configuration");
            })
        }
        events::DEBUG_LINE => seen(event, &app().handler_setting("debugLevel", "eventlog"), |_| {}),
        other => panic!("nothing makes the event {other} happen"),
    }
}

fn app() -> App {
    App::misbehaving("")
}

fn stop(frontend: &mut Frontend) {
    frontend.started(1);
    frontend.stop();
}

fn seen(event: &Event, app: &App, act: impl FnOnce(&mut Frontend)) -> Line {
    let mut frontend = Frontend::serve(app);
    act(&mut frontend);
    frontend.log.event(event.id.into(), 1)
}

#[test]
fn each_event_that_happens_is_seen_at_its_level() {
    for event in EVENTS {
        let line = provoke(event);
        let level = line.field("level").and_then(serde_json::Value::as_str);
        assert_eq!(level, Some(event.level.as_str()), "{}: {}", event.meaning, line.text);
    }
}

#[test]
fn a_file_that_cannot_be_used_at_the_start_is_an_event_too() {
    let app = App::empty();
    app.write("web.config", "<configuration");
    let ended = Start::run(&app).until_end();
    assert_eq!(ended.code, Some(78));
    assert!(ended.stderr.contains("\"event_id\":1034"), "{}", ended.stderr);
}

#[test]
fn a_failed_attempt_tells_how_far_it_came() {
    for (app, stage) in [
        (App::misbehaving("exit:1"), "PostStartCheck"),
        (app().attribute("processPath", "nonexistent-program"), "SetupCommandLine"),
    ] {
        let frontend = Frontend::serve(&app);
        let line = frontend.log.event(1000, 1);
        assert_eq!(line.field("stage").and_then(serde_json::Value::as_str), Some(stage), "{}", line.text);
    }
}
