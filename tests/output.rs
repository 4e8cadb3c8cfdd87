//! What applications print: where it goes, and what is kept out of it.
#![expect(non_snake_case, reason = "a test carries the name of the row that it is about")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use crate::support::{
    PATIENCE,
    app::App,
    backend,
    client::{Client, get},
    eventually,
    frontend::{Frontend, Start},
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
fn L3_exactly_one_log_file_is_made_named_after_start_time_and_pid() {
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
    // Both attempts of a start write to it, and whatever comes later.
    assert_eq!(frontend.post("/log?text=later").status(), 200);
    log_file(&app, folder, "later");
    assert_eq!(app.files(folder), files);
}

#[test]
fn L1_text_of_both_streams_is_in_the_log_file_without_doubled_line_ends() {
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
fn L2_with_a_bad_log_path_the_application_still_runs() {
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
fn V17_the_log_folder_is_made_and_a_file_in_its_place_is_event_1004_until_a_recycle_finds_it_gone() {
    let app = App::misbehaving("print:hello").attribute("stdoutLogEnabled", "true");
    let app = app.attribute("stdoutLogFile", r".\logs\out");
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    log_file(&app, "logs", "hello");
    assert_eq!(app.files("logs").len(), 1);
    drop(frontend);

    fs::remove_dir_all(app.path("logs")).unwrap();
    app.write("logs", "a file");
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/record").status(), 200);
    assert!(frontend.log.event(1004, 1).text.contains("logs"));
    fs::remove_file(app.path("logs")).unwrap();
    let app = app.attribute("requestTimeout", "00:03:00");
    frontend.started(2);
    log_file(&app, "logs", "hello");
    // The old process is gone, and with it whatever could be cut.
    frontend.log.event(1030, 1);
    assert_eq!(frontend.get("/record").status(), 200);
    assert_eq!(frontend.log.count(|line| line.is_event(1004)), 1);
}

#[test]
fn a_log_file_is_written_as_soon_as_it_can_be() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("stdoutLogEnabled", "true");
    app.write("logs", "a file");
    let frontend = Frontend::serve(&app);
    frontend.log.event(1004, 1);
    fs::remove_file(app.path("logs")).unwrap();
    eventually("the log file", PATIENCE, || {
        assert_eq!(frontend.post("/log?text=written-again").status(), 200);
        let text = fs::read_to_string(app.files("logs").first()?).ok()?;
        text.contains("written-again\n").then_some(())
    });
    frontend.log.says("the stdout log file is written again");
    // Somebody cleans up.
    fs::remove_dir_all(app.path("logs")).unwrap();
    eventually("another log file", PATIENCE, || {
        assert_eq!(frontend.post("/log?text=and-again").status(), 200);
        fs::read_to_string(app.files("logs").first()?).ok()?.contains("and-again").then_some(())
    });
    assert_eq!(frontend.log.count(|line| line.is_event(1004)), 1);
}

#[test]
fn a_full_disk_under_the_log_file_stops_nobody() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("stdoutLogEnabled", "true");
    let frontend = Frontend::serve(&app);
    log_file(&app, "logs", "Application started");
    let file = app.files("logs").remove(0);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();
    eventually("event 1004", PATIENCE, || {
        assert_eq!(frontend.post("/log?text=nobody-keeps-it").status(), 200);
        (frontend.log.count(|line| line.is_event(1004)) > 0).then_some(())
    });
    let line = frontend.log.event(1004, 1);
    assert!(line.text.contains("No space left on device"), "{}", line.text);
    for _ in 0..20 {
        assert_eq!(frontend.post("/log?text=nobody-keeps-it").status(), 200);
    }
    assert_eq!(frontend.log.count(|line| line.is_event(1004)), 1, "it is said once");
    frontend.assert_sound();
}

#[test]
fn log_files_are_ended_by_size_and_the_oldest_are_removed() {
    let Some(app) = App::site() else { return };
    let app = app
        .attribute("stdoutLogEnabled", "true")
        .handler_setting("stdoutLogMaxSize", "1KB")
        .handler_setting("stdoutLogMaxFiles", "3");
    app.write("logs/stdout_20240131235959_1999999999.log", "of long ago");
    app.write("logs/stdout_of_somebody.log", "else");
    let frontend = Frontend::serve(&app);
    for n in 0..30 {
        assert_eq!(frontend.post(&format!("/log?text=line-{n:02}-of-many&repeat=10")).status(), 200);
    }
    assert_eq!(frontend.post("/log?text=that-was-all").status(), 200);
    // Three of ours, one of somebody else; for a moment there is one more.
    let (files, text) = eventually("the last line in one of three files", PATIENCE, || {
        let files = app.files("logs");
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap_or_default()).collect();
        (files.len() == 4 && text.contains("that-was-all\n")).then_some((files, text))
    });
    assert!(files.contains(&app.path("logs/stdout_of_somebody.log")), "{files:?}");
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= 1024), "{files:?}");
    assert!(!text.contains("of long ago") && !text.contains("line-00"), "{text}");
    assert!(!text.contains("\n\n") && text.lines().all(|line| !line.is_empty()), "no line is cut: {text}");
}

#[test]
fn L4_a_folder_and_words_that_are_not_ascii_are_kept_as_they_are() {
    let Some(app) = App::site() else { return };
    let app = app
        .attribute("stdoutLogEnabled", "true")
        .attribute("stdoutLogFile", r".\彡⾔\löγ")
        .variable("SITE_STARTUP", "stdout:彡⾔ grüße 🦀;exit:7");
    let frontend = Frontend::serve(&app);
    let report = frontend.log.event(1020, 1);
    let output = report.field("output").and_then(serde_json::Value::as_str).expect("what it printed");
    assert!(output.contains("彡⾔ grüße 🦀\n"), "{output}");
    log_file(&app, "彡⾔", "彡⾔ grüße 🦀\n");
    assert!(name(&app.files("彡⾔")[0]).starts_with("löγ_20"));
}

#[test]
fn L5_the_report_of_a_failed_start_holds_what_was_printed_on_both_streams() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_STARTUP", "stdout:first words;stderr:last words;exit:9");
    let frontend = Frontend::serve(&app);
    let report = frontend.log.event(1020, 1);
    let output = report.field("output").and_then(serde_json::Value::as_str).expect("what it printed");
    for (words, attempts) in [("first words\n", 2), ("last words\n", 2)] {
        assert_eq!(output.matches(words).count(), attempts, "{output:?}");
    }
    assert!(report.text.contains("exit code 9") && report.number("port") > 0, "{}", report.text);
    assert!(report.field("command_line").is_some_and(|line| line.to_string().contains("Site.dll")));
}

#[test]
fn L7_without_redirection_the_report_of_a_failed_start_holds_no_text() {
    let app = App::misbehaving("print:can anybody hear me;exit:9")
        .attribute("stdoutLogEnabled", "true")
        .handler_setting("enableOutOfProcessConsoleRedirection", "false");
    let mut frontend = Frontend::serve(&app);
    let report = frontend.log.event(1020, 1);
    assert_eq!(report.field("output").and_then(serde_json::Value::as_str), Some(""));
    frontend.stop();
    frontend.log.ended();
    assert!(!frontend.log.text().contains("can anybody hear me"), "{}", frontend.log.text());
    assert_eq!(app.files("."), [app.path("./web.config")], "there is no log file");
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
fn L6_the_report_of_a_failed_start_holds_the_first_30_000_characters() {
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

#[test]
fn secrets_of_web_config_and_those_that_are_named_are_masked_wherever_they_are_printed() {
    let Some(app) = App::site() else { return };
    let app = app
        .attribute("stdoutLogEnabled", "true")
        .variable("DB_PASSWORD", "correct-horse")
        .variable("ConnectionStrings__Shop", "Server=db;Password=battery;User=me");
    let mut frontend = Frontend::serve(&app);
    for text in [
        "it-is-CORRECT-horse-indeed",
        "battery",
        "with%20Server=other%3BPassword=staple%3BUser=you",
        "Authorization:%20Bearer%20troubador",
        "that-was-all",
    ] {
        assert_eq!(frontend.post(&format!("/log?text={text}")).status(), 200);
    }
    let file = log_file(&app, "logs", "that-was-all");
    frontend.log.says("that-was-all");
    assert_eq!(frontend.stop().code(), Some(0));
    frontend.log.ended();
    for text in [file, frontend.log.text()] {
        for shown in ["it-is-******-indeed", "Password=******;User=you", "Authorization: ******"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        for secret in ["orrect-horse", "CORRECT", "battery", "staple", "troubador"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn secrets_are_not_in_the_report_of_a_failed_start() {
    let app = App::misbehaving(
        "print:the password is correct-horse-battery, or password=staple;print:a key of-the-container;exit:1",
    );
    let arguments = format!("{} --skip api-key=troubador", backend::ARGUMENTS);
    let app = app
        .attribute("arguments", &arguments)
        .variable("DB_PASSWORD", "correct-horse-battery")
        .variable("ASPNETCORE_ENVIRONMENT", "Development");
    let frontend = Start::run(&app).variable("UPSTREAM_API_KEY", "of-the-container").serve();
    let page = frontend.get("/").text();
    frontend.log.event(1020, 1);
    for text in [page, frontend.log.text()] {
        for shown in ["the password is ******, or password=******", "a key ******", "api-key=******"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        for secret in ["correct-horse", "staple", "of-the-container", "troubador"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}
