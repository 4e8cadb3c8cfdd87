//! `web.config` that is missing, broken or wrong: `ancm check` explains it, `ancm run` does not start.

use std::fs;

use serde_json::Value;

use crate::support::{
    app::App,
    backend,
    client::get,
    frontend::{Ended, Frontend, Start},
};

fn check(app: &App) -> Ended {
    Start::command("check", app.root()).until_end()
}

fn check_json(app: &App) -> (Option<i32>, Value) {
    let ended = Start::command("check", app.root()).argument("--json").until_end();
    let json = serde_json::from_str(&ended.stdout);
    (ended.code, json.unwrap_or_else(|error| panic!("{error}: {} {}", ended.stdout, ended.stderr)))
}

/// Both commands refuse the folder, and both say these words.
fn is_refused(app: &App, words: &[&str]) {
    let checked = check(app);
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    let run = Start::run(app).until_end();
    assert_eq!(run.code, Some(78), "{}", run.stderr);
    assert!(!run.stderr.contains("listening on"), "{}", run.stderr);
    assert!(!run.stderr.contains("panicked") && !checked.stderr.contains("panicked"));
    for word in words {
        assert!(checked.stdout.contains(word), "{word:?} in: {}", checked.stdout);
        assert!(run.stderr.contains(word), "{word:?} in: {}", run.stderr);
    }
}

fn with(web_config: impl AsRef<[u8]>) -> App {
    let app = App::empty();
    app.write("web.config", web_config);
    app
}

fn element(attributes: &str) -> String {
    format!(
        "<configuration>\n<system.webServer>\n<aspNetCore {attributes} />\n</system.webServer>\n</configuration>"
    )
}

#[test]
fn a_missing_file_is_named() {
    is_refused(&App::empty(), &["web.config"]);
}

#[test]
fn a_missing_folder_is_named() {
    let folder = App::empty().path("nonexistent");
    let ended = Start::command("check", &folder).until_end();
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let ended = Start::command("run", &folder).argument("-l").argument("127.0.0.1:0").until_end();
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("nonexistent"), "{}", ended.stderr);
}

#[test]
fn an_empty_file_is_refused() {
    is_refused(&with(""), &["empty"]);
    is_refused(&with("\u{feff}"), &["empty"]);
    is_refused(&with("\n \n"), &["empty"]);
}

#[test]
fn a_file_that_is_no_xml_is_refused_with_its_place() {
    is_refused(&with("{\"not\": \"xml\"}"), &["web.config:1:1"]);
    is_refused(&with("<configuration>\n<system.webServer>\n</configuration>"), &["web.config:3:"]);
    is_refused(&with("<configuration>\n  <a b=>\n</configuration>"), &["web.config:2:"]);
    is_refused(&with("MZ\0\0\u{1}\u{2}binary"), &["web.config"]);
}

#[test]
fn a_file_in_another_encoding_is_refused() {
    let text = format!("\u{feff}{}", element("processPath=\"dotnet\""));
    is_refused(&with(text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>()), &["UTF-32"]);
    let declared = [
        br#"<?xml version="1.0" encoding="windows-1252"?><configuration><!-- gr"#.as_slice(),
        b"\xfc\xdfe -->",
    ]
    .concat();
    is_refused(&with(declared), &["windows-1252", "web.config:1:"]);
    let latin1 = [b"<configuration><!-- gr\xfc\xdfe -->".as_slice(), b"</configuration>"].concat();
    is_refused(&with(latin1), &["UTF-8"]);
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    let app = App::misbehaving("");
    let text = fs::read_to_string(app.path("web.config")).unwrap();
    let with_mark = format!("\u{feff}{text}");
    app.write("web.config", &with_mark);
    assert_eq!(check(&app).code, Some(0));
    assert_eq!(Frontend::serve(&app).get("/record").status(), 200);
    // IIS reads this, too.
    let utf16 = with_mark.replace("utf-8", "utf-16");
    app.write("web.config", utf16.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    assert_eq!(check(&app).code, Some(0));
    assert_eq!(Frontend::serve(&app).get("/record").status(), 200);
}

#[test]
fn another_root_is_refused() {
    is_refused(
        &with("<settings><aspNetCore processPath=\"x\" /></settings>"),
        &["configuration", "web.config:1:"],
    );
}

#[test]
fn a_file_without_an_application_is_refused() {
    is_refused(&with("<configuration><system.webServer /></configuration>"), &["aspNetCore"]);
    is_refused(&with(element("arguments=\"x\"")), &["processPath"]);
    is_refused(&with(element("processPath=\"\"")), &["processPath"]);
}

#[test]
fn all_faults_are_reported_at_once_with_place_range_and_fix() {
    let app = with(element(
        "processPath=\"dotnet\" startupTimeLimit=\"4000\"\nshutdownTimeLimit=\"-1\" rapidFailsPerMinute=\"many\"\n\
         requestTimeout=\"1.00:00\" processesPerApplication=\"0\" stdoutLogEnabled=\"perhaps\"\nhostingModel=\"sideways\" \
         procesPath=\"x\"",
    ));
    is_refused(
        &app,
        &[
            "startupTimeLimit",
            "4000",
            "3600",
            "shutdownTimeLimit",
            "600",
            "rapidFailsPerMinute",
            "100",
            "requestTimeout",
            "processesPerApplication",
            "stdoutLogEnabled",
            "hostingModel",
            "procesPath",
            "web.config:3:",
            "web.config:4:",
            "web.config:5:",
            "web.config:6:",
        ],
    );
}

#[test]
fn check_tells_a_program_all_of_it() {
    let app = with(element("processPath=\"dotnet\" startupTimeLimit=\"4000\" hostingModel=\"sideways\""));
    let (code, json) = check_json(&app);
    assert_eq!(code, Some(1));
    assert_eq!((&json["version"], &json["ok"]), (&1.into(), &false.into()));
    let faults = json["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{json}");
    for fault in faults {
        assert_eq!(fault["line"], 3, "{fault}");
        assert!(fault["column"].as_u64().unwrap() > 1, "{fault}");
        assert!(
            fault["code"].is_string() && fault["message"].is_string() && fault["fix"].is_string(),
            "{fault}"
        );
    }
}

#[test]
fn the_launcher_variables_start_what_the_placeholders_do_not_say() {
    let app =
        App::empty().attribute("processPath", "%LAUNCHER_PATH%").attribute("arguments", "%LAUNCHER_ARGS%");
    is_refused(&app, &["is a placeholder", "dotnet publish"]);
    let program = backend::program().display().to_string();
    let start = Start::run(&app).variable("ANCM_LAUNCHER_PATH", &program);
    let frontend =
        start.variable("ANCM_LAUNCHER_ARGS", backend::ARGUMENTS).variable(backend::ORDERS, "").serve();
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn check_is_content_with_what_runs() {
    let app = App::misbehaving("").attribute("startupTimeLimit", "17");
    let human = check(&app);
    assert_eq!(human.code, Some(0), "{}", human.stdout);
    assert!(human.stdout.contains("startupTimeLimit"), "{}", human.stdout);
    assert!(human.stdout.contains(&backend::program().display().to_string()), "{}", human.stdout);
    let (code, json) = check_json(&app);
    assert_eq!((code, &json["ok"]), (Some(0), &true.into()));
    assert_eq!(json["command"]["program"], backend::program().display().to_string());
}

#[test]
fn check_is_content_with_every_published_application() {
    for name in ["site", "classic", "site-win", "site8", "slim", "single"] {
        let Some(app) = App::kestrel(name) else { return };
        let mut start = Start::command("check", app.root());
        for (variable, value) in app.environment() {
            start = start.variable(&variable, &value);
        }
        let ended = start.until_end();
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stdout);
    }
}

#[test]
fn check_warns_of_a_body_limit_that_kestrel_does_not_share() {
    let Some(app) = App::site() else { return };
    let app = app.body_limit(50_000_000);
    let mut start = Start::command("check", app.root());
    for (variable, value) in app.environment() {
        start = start.variable(&variable, &value);
    }
    let ended = start.until_end();
    assert!(ended.stdout.contains("ClearMaxRequestBodySize"), "{}", ended.stdout);
}

#[test]
fn check_names_a_program_that_cannot_be_run_and_run_serves_the_page() {
    let app = App::empty().attribute("processPath", "nonexistent-program");
    let checked = check(&app);
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    assert!(checked.stdout.contains("nonexistent-program"), "{}", checked.stdout);
    // A program that is missing is a failed start, not a fault of the file: it may be deployed later.
    assert_eq!(Frontend::serve(&app).get("/").status(), 502);
}

#[test]
fn a_program_of_another_architecture_is_named() {
    let app = App::empty();
    // An ELF header for AArch64.
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0".to_vec();
    elf.resize(200, 0);
    app.write("program", elf);
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(app.path("program"), mode).unwrap();
    let app = app.attribute("processPath", "./program");
    let checked = check(&app);
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    assert!(checked.stdout.contains("arm64"), "{}", checked.stdout);
    let frontend = Frontend::serve(&app);
    let page = frontend.get("/");
    assert_eq!(page.status(), 502);
    assert!(page.text().contains("program"), "{}", page.text());
}

#[test]
fn of_two_names_the_exact_one_wins_and_both_are_named() {
    let app = App::misbehaving("");
    app.write("Web.Config", element("processPath=\"nonexistent\""));
    let checked = check(&app);
    assert_eq!(checked.code, Some(0), "{}", checked.stdout);
    assert!(checked.stdout.contains("Web.Config"), "{}", checked.stdout);
    let frontend = Frontend::serve(&app);
    frontend.log.says("Web.Config");
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn a_name_in_another_case_is_found() {
    let app = App::misbehaving("");
    fs::rename(app.path("web.config"), app.path("Web.config")).unwrap();
    assert_eq!(check(&app).code, Some(0));
    assert_eq!(Frontend::serve(&app).get("/record").status(), 200);
}

#[test]
fn ten_megabytes_of_garbage_are_refused_quickly() {
    let garbage: Vec<u8> = (0..10_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let text = garbage.iter().map(|byte| char::from(b' ' + byte % 95)).collect::<String>();
    let deep = "<a>".repeat(3_000_000);
    let wide = element(&(0..500_000).fold(String::new(), |text, i| text + &format!("a{i}=\"\" ")));
    for content in [garbage, text.into_bytes(), deep.into_bytes(), wide.into_bytes()] {
        let begun = tokio::time::Instant::now();
        let app = with(content);
        let checked = check(&app);
        assert_eq!(
            checked.code,
            Some(1),
            "{} {}",
            &checked.stdout[..checked.stdout.len().min(2000)],
            checked.stderr
        );
        assert!(checked.stdout.len() < 100_000, "{} bytes of explanation", checked.stdout.len());
        let run = Start::run(&app).until_end();
        assert_eq!(run.code, Some(78));
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }
}

#[test]
fn entities_that_grow_are_refused() {
    let bomb = "<!DOCTYPE configuration [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
                <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">]>\
                <configuration>&d;</configuration>";
    is_refused(&with(bomb), &["web.config"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let app = App::empty();
    fs::create_dir(app.path("web.config")).unwrap();
    is_refused(&app, &["web.config"]);
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_2() {
    let app = App::misbehaving("");
    for arguments in
        [&["--nonsense"][..], &["-l", "nowhere"], &["-l"], &["one", "two"], &["-l", "127.0.0.1:99999"]]
    {
        let start = arguments
            .iter()
            .fold(Start::command("run", app.root()), |start, argument| start.argument(argument));
        let ended = start.until_end();
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(Start::command("fly", app.root()).until_end().code, Some(2));
}

#[test]
fn exit_on_failure_ends_with_69() {
    let app = App::misbehaving("exit:3");
    let ended = Start::run(&app).argument("--exit-on-failure").until_end();
    assert_eq!(ended.code, Some(69), "{}", ended.stderr);
}

#[test]
fn flags_are_mirrored_by_variables() {
    let app = App::misbehaving("");
    let start = Start::command("run", app.root()).variable("ANCM_FRONTEND_LISTEN", "127.0.0.1:0");
    assert_eq!(start.serve().connect().exchange(get("/record", &[])).status(), 200);
}

#[test]
fn what_runs_goes_on_when_its_file_breaks() {
    let app = App::misbehaving("");
    let frontend = Frontend::serve(&app);
    let started = frontend.started(1);
    app.write("web.config", "<configuration>");
    frontend.log.event(1034, 1);
    assert_eq!(frontend.get("/record").status(), 200);
    assert_eq!(frontend.log.count(|line| line.is_event(1030)), 0);
    assert!(crate::support::process::Watched::new(started.pid).is_alive());
}
