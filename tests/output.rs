//! What applications print: where it goes, and what is kept out of it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use crate::support::{
    PATIENCE,
    app::App,
    client::{Client, get},
    eventually,
    frontend::Frontend,
};

/// The text of the only log file, once it holds this.
fn log_file(app: &App, folder: &str, text: &str) -> String {
    eventually("the log file", PATIENCE, || {
        let files = app.files(folder);
        let content = fs::read_to_string(files.first()?).ok()?;
        content.contains(text).then_some(content)
    })
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn the_log_file_is_named_after_time_and_pid() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("stdoutLogEnabled", "true");
    let frontend = Frontend::serve(&app);
    let folder = "logs";
    log_file(&app, folder, "Application started");
    let files = app.files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    let name = name(&files[0]);
    let rest = name.strip_prefix("stdout_").expect("as web.config says");
    let (time, rest) = rest.split_once('_').expect("a time");
    assert!(time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
    assert!(time.starts_with("20"), "{name}");
    assert_eq!(rest, format!("{}.log", frontend.pid()), "{name}");
}

#[test]
fn the_log_file_holds_what_was_printed_on_both_streams() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("stdoutLogEnabled", "true").attribute("stdoutLogFile", r".\deep\er\out");
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.post("/log?text=printed-%C3%A4%C3%B6%E2%82%AC&repeat=3").status(), 200);
    assert_eq!(frontend.post("/log?text=complained&stream=err").status(), 200);
    let text = log_file(&app, "deep/er", "complained");
    assert_eq!(text.matches("printed-\u{e4}\u{f6}\u{20ac}\n").count(), 3, "{text}");
    assert!(!text.contains('\r') && !text.contains("\n\n"), "{text:?}");
    // And to our own log, too.
    let line = frontend.log.first("a line of the application", |line| {
        line.field("target").is_some_and(|target| target == "app")
            && line.field("message").is_some_and(|message| message == "complained")
    });
    assert_eq!(line.field("stream").unwrap(), "stderr");
    assert_eq!(line.number("pid"), frontend.started(1).pid);
}

#[test]
fn there_is_no_log_file_unless_it_is_asked_for() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    assert!(!app.path("logs").exists());
}

#[test]
fn several_processes_have_log_files_of_their_own() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("stdoutLogEnabled", "true").attribute("processesPerApplication", "2");
    let frontend = Frontend::serve(&app);
    frontend.started(2);
    let files =
        eventually("two log files", PATIENCE, || Some(app.files("logs")).filter(|files| files.len() == 2));
    let pid = frontend.pid();
    assert!(name(&files[0]).ends_with(&format!("_{pid}_0.log")), "{files:?}");
    assert!(name(&files[1]).ends_with(&format!("_{pid}_1.log")), "{files:?}");
}

#[test]
fn a_log_file_that_cannot_be_made_is_said_and_the_application_runs() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("stdoutLogEnabled", "true").attribute("stdoutLogFile", r".\logs\stdout");
    // A file where the folder should be: not even root can write there.
    app.write("logs", "a file");
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    let line = frontend.log.event(1004, 1);
    assert!(line.text.contains("logs"), "{}", line.text);
    assert_eq!(frontend.post("/log?text=still-here").status(), 200);
    frontend.log.says("still-here");
}

#[test]
fn a_flood_of_output_holds_nobody_up() {
    let Some(app) = App::site() else { return };
    let app = app
        .variable("SITE_STARTUP", "flood-stdout:2000;flood-stderr:2000")
        .attribute("stdoutLogEnabled", "true");
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    assert_eq!(frontend.post("/log?text=after-the-flood").status(), 200);
    frontend.assert_sound();
}

#[test]
fn the_report_of_a_failure_holds_the_first_30_000_characters() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_STARTUP", "stdout:first words;flood-stdout:60;stdout:last words;exit:9");
    let frontend = Frontend::serve(&app);
    let report = frontend.log.event(1020, 1);
    assert!(report.text.contains("first words"));
    assert!(report.text.contains("00000100"));
    let output = report.field("output").and_then(serde_json::Value::as_str).expect("what it printed");
    assert_eq!(output.chars().count(), 30_000);
}

/// Makes the application print its token, as it does at a mismatch, and asserts that it is nowhere to be seen.
#[test]
fn the_token_is_masked_wherever_it_is_printed() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("stdoutLogEnabled", "true");
    let mut frontend = Frontend::serve(&app);
    let environment = frontend.get("/env").json();
    let token = environment["ASPNETCORE_TOKEN"].as_str().unwrap().to_owned();
    let backend = SocketAddr::from((Ipv4Addr::LOCALHOST, frontend.started(1).port));
    for line in ["MS-ASPNETCORE-TOKEN: wrong", "X: none"] {
        assert_eq!(Client::connect(backend).exchange(get("/", &[line])).status(), 400);
    }
    assert_eq!(frontend.post(&format!("/log?text=it-is-{token}-indeed")).status(), 200);
    frontend.log.says("it-is-");
    frontend.log.says("-indeed");
    let file = log_file(&app, "logs", "-indeed");
    assert!(file.contains("IISMiddleware"), "the application complains: {file}");
    assert!(!file.contains(&token), "{file}");
    assert_eq!(frontend.stop().code(), Some(0));
    frontend.log.ended();
    let log = frontend.log.text();
    assert!(log.contains("IISMiddleware"), "{log}");
    assert!(!log.contains(&token), "{log}");
}

#[test]
fn the_token_is_not_in_the_report_of_a_failed_start() {
    let app = App::misbehaving("print-token;exit:1")
        .attribute("stdoutLogEnabled", "true")
        .attribute("stdoutLogFile", r"logs\out")
        .variable("ASPNETCORE_TOKEN", "a-token-that-the-test-knows-000000")
        .variable("ASPNETCORE_ENVIRONMENT", "Development");
    let frontend = Frontend::serve(&app);
    let page = frontend.get("/").text();
    frontend.log.event(1020, 1);
    let file = log_file(&app, "logs", "the token is ");
    for text in [page, frontend.log.text(), file] {
        assert!(text.contains("the token is "), "{text}");
        assert!(!text.contains("that-the-test-knows"), "{text}");
    }
}
