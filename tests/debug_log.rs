//! What `debugLevel`, `debugFile` and their variables have written down.
#![expect(non_snake_case, reason = "a test carries the name of the row that it is about")]

use std::fs;

use crate::support::{
    PATIENCE,
    app::App,
    eventually,
    frontend::{Frontend, Start},
};

const DEFAULT_FILE: &str = "aspnetcore-debug.log";

fn app() -> App {
    App::misbehaving("")
}

/// The text of a file once it holds this.
fn text(app: &App, file: &str, wanted: &str) -> String {
    eventually(&format!("{wanted:?} in {file}"), PATIENCE, || {
        fs::read_to_string(app.path(file)).ok().filter(|text| text.contains(wanted))
    })
}

#[test]
fn L8_startup_messages_are_in_the_debug_log_file_and_its_folder_is_made() {
    let app = app().handler_setting("debugLevel", "file").handler_setting("debugFile", r"sub\dir\debug.txt");
    let frontend = Frontend::serve(&app);
    let text = text(&app, "sub/dir/debug.txt", "event_id=1001");
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.starts_with("[20"), "{first}");
    assert!(
        first.contains(&format!("Z, PID: {}] [ancm] INFO the debug log begins: ", frontend.pid())),
        "{first}"
    );
    assert!(first.contains(&app.root().display().to_string()), "{first}");
    assert!(rest.contains("[ancm] INFO the process is ready event_id=1001 "), "{rest}");
    assert!(!text.contains("DEBUG"), "{text}");
}

#[test]
fn L8_startup_messages_are_in_the_default_debug_log_file() {
    let app = app().handler_setting("debugLevel", "file,trace");
    let mut frontend = Frontend::serve(&app);
    frontend.started(1);
    assert_eq!(frontend.get("/record").status(), 200);
    frontend.stop();
    let text = text(&app, DEFAULT_FILE, "event_id=1030");
    for part in ["the debug log begins", "event_id=1001", " INFO method=GET path=/record ", "event_id=1006"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn L8_startup_messages_are_in_the_debug_log_file_where_a_variable_asks_for_it() {
    let app = app();
    let _frontend = Start::run(&app).variable("ASPNETCORE_MODULE_DEBUG", "file").serve();
    text(&app, DEFAULT_FILE, "event_id=1001");
}

#[test]
fn L8_the_debug_log_file_of_the_variable_is_left_for_the_one_in_web_config() {
    let app = app().handler_setting("debugLevel", "file").handler_setting("debugFile", "second.log");
    let first = app.path("first.log").display().to_string();
    let start = Start::run(&app).variable("ASPNETCORE_MODULE_DEBUG", "file,info");
    let mut frontend = start.variable("ASPNETCORE_MODULE_DEBUG_FILE", &first).serve();
    let second = text(&app, "second.log", "event_id=1001");
    assert!(second.contains("the debug log begins"), "{second}");
    frontend.stop();
    let first = text(&app, "first.log", "the debug log goes on in ");
    assert!(first.contains(&app.path("second.log").display().to_string()), "{first}");
    assert!(!first.contains("event_id=1001"), "{first}");
}

#[test]
fn L8_debug_lines_are_events_of_the_ordinary_log() {
    let app = app().handler_setting("debugLevel", "eventlog");
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    let begun = frontend.log.event(1036, 1);
    assert!(begun.text.contains("the debug log begins"), "{}", begun.text);
    let debug = |line: &crate::support::log::Line| line.is_event(1036) && line.text.contains("event_id=1001");
    frontend.log.first("the start", debug);
    assert_eq!(app.files("."), [app.path("./web.config")], "there is no file");
}

#[test]
fn the_console_is_our_standard_output() {
    let app = App::misbehaving("exit:1").handler_setting("debugLevel", "Console, Warn");
    let ended = Start::run(&app).argument("--exit-on-failure").until_end();
    assert_eq!(ended.code, Some(69));
    assert!(
        ended.stdout.contains("] [ancm] ERROR the application could not be started: "),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("INFO"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("[ancm]"), "{}", ended.stderr);
}

#[test]
fn a_debug_log_that_cannot_be_written_stops_nobody() {
    let app = app()
        .handler_setting("debugLevel", "file,trace")
        .handler_setting("debugFile", "web.config/debug.log");
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    assert_eq!(frontend.get("/record").status(), 200);
    let line = frontend.log.says("the debug log cannot be written");
    assert!(line.text.contains("web.config/debug.log"), "{}", line.text);
    frontend.assert_sound();
}

#[test]
fn a_full_disk_under_the_debug_log_stops_nobody() {
    let app = app().handler_setting("debugLevel", "file,trace").handler_setting("debugFile", "/dev/full");
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    for _ in 0..20 {
        assert_eq!(frontend.get("/record").status(), 200);
    }
    let line = frontend.log.says("the debug log cannot be written");
    assert!(line.text.contains("No space left on device"), "{}", line.text);
    assert_eq!(frontend.log.count(|line| line.text.contains("the debug log cannot be written")), 1);
    frontend.assert_sound();
}

#[test]
fn a_file_that_holds_something_else_is_no_debug_log() {
    let app = app().handler_setting("debugLevel", "file").handler_setting("debugFile", "./web.config");
    let before = fs::read_to_string(app.path("web.config")).unwrap();
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    let line = frontend.log.says("holds something else than a debug log");
    assert!(line.text.contains("web.config"), "{}", line.text);
    assert_eq!(frontend.get("/record").status(), 200);
    assert_eq!(fs::read_to_string(app.path("web.config")).unwrap(), before);
}

#[test]
fn the_token_is_in_no_debug_log() {
    let app = App::misbehaving("print-token;exit:1")
        .variable("ASPNETCORE_TOKEN", "a-token-that-the-test-knows-000000")
        .handler_setting("debugLevel", "file,trace");
    let frontend = Frontend::serve(&app);
    frontend.log.event(1020, 1);
    let text = text(&app, DEFAULT_FILE, "event_id=1020");
    assert!(text.contains("the token is [pairing token]"), "{text}");
    assert!(!text.contains("that-the-test-knows"), "{text}");
}

#[test]
fn a_changed_web_config_changes_the_debug_log() {
    let app = app();
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    assert!(!app.path(DEFAULT_FILE).exists());
    let app = app.handler_setting("debugLevel", "file");
    frontend.started(2);
    text(&app, DEFAULT_FILE, "event_id=1001");
}

#[test]
fn words_of_the_variable_that_nobody_knows_are_said() {
    let frontend = Start::run(&app()).variable("ASPNETCORE_MODULE_DEBUG", "loud").serve();
    frontend.log.says("ASPNETCORE_MODULE_DEBUG: \\\"loud\\\" is not known");
}
