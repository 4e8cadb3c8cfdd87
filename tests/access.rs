//! Sites that ask for TLS, or for a client certificate: `sslFlags`, for all of a site and for its parts.

use std::fs;

use crate::support::{
    PATIENCE,
    app::App,
    client::get,
    eventually,
    frontend::{Frontend, Start},
    tls::{Files, Identity},
};

fn flags(flags: &str) -> String {
    format!("<security><access sslFlags=\"{flags}\" /></security>")
}

/// The backend with this in its web.config, inside of `system.webServer` and for the part `record/admin`.
fn site(inside: &str, part: &str) -> App {
    let app = App::misbehaving("");
    put(&app, inside, part);
    app
}

fn put(app: &App, inside: &str, part: &str) {
    let text = fs::read_to_string(app.path("web.config")).expect("it was written");
    let (before, after) = text.split_once("</system.webServer>").expect("it has one");
    let part =
        format!("<location path=\"record/admin\"><system.webServer>{part}</system.webServer></location>");
    app.write("web.config", format!("{before}{inside}</system.webServer>{part}{after}"));
}

/// The number of the page; 200 if there was none.
fn code(response: &crate::support::client::Response) -> String {
    if response.status() == 200 {
        return "200".into();
    }
    let text = response.text();
    let (_, rest) = text.split_once("<h1>HTTP Error ").unwrap_or_else(|| panic!("{response:?}"));
    rest.split(' ').next().unwrap_or_default().to_owned()
}

fn plain(frontend: &Frontend, target: &str) -> String {
    code(&frontend.get(target))
}

fn encrypted(files: &Files, frontend: &Frontend, target: &str, shows: Option<&Identity>) -> String {
    code(&files.connect(frontend, shows).exchange(get(target, &[])))
}

#[test]
fn plain_http_is_refused_where_tls_is_asked_for() {
    let files = Files::new();
    let frontend = files.run(&site(&flags("Ssl, SslNegotiateCert"), "")).serve();
    assert_eq!(plain(&frontend, "/record"), "403.4");
    assert_eq!(encrypted(&files, &frontend, "/record", None), "200");
    let claimed = frontend.connect().exchange(get("/record", &["X-Forwarded-Proto: https"]));
    assert_eq!(code(&claimed), "403.4", "what a client claims is no TLS");
}

#[test]
fn a_part_of_the_site_may_ask_for_more_or_for_less() {
    let files = Files::new();
    let frontend = files.run(&site("", &flags("Ssl"))).serve();
    for (target, expected) in [
        ("/record", "200"),
        ("/record/admin", "403.4"),
        ("/x/../%72ecord//%61dmin/x", "403.4"),
        ("/record/administration", "200"),
    ] {
        assert_eq!(plain(&frontend, target), expected, "{target}");
    }
    assert_eq!(encrypted(&files, &frontend, "/record/admin", None), "200");
    let frontend = files.run(&site(&flags("Ssl"), &flags("None"))).serve();
    assert_eq!(plain(&frontend, "/record/admin"), "200");
    assert_eq!(plain(&frontend, "/record"), "403.4");
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_asked_for() {
    let files = Files::new();
    let app = site("", &flags("Ssl, SslNegotiateCert, SslRequireCert"));
    let frontend = files.run(&app).argument("--tls-client-cert").argument("request").serve();
    let client = Identity::new("a client");
    assert_eq!(encrypted(&files, &frontend, "/record/admin", Some(&client)), "200");
    assert_eq!(encrypted(&files, &frontend, "/record/admin", None), "403.7");
    assert_eq!(encrypted(&files, &frontend, "/record", None), "200");
    assert_eq!(plain(&frontend, "/record/admin"), "403.4");
}

#[test]
fn a_site_that_nobody_could_reach_is_not_served_unless_that_is_accepted() {
    let files = Files::new();
    let app = site(&flags("Ssl"), "");
    let ended = Start::run(&app).until_end();
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    for way in ["--tls-cert", "--ignore-section access"] {
        assert!(ended.stderr.contains(way), "{way}: {}", ended.stderr);
    }
    let accepted = Start::run(&app).argument("--ignore-section=access").serve();
    assert_eq!(plain(&accepted, "/record"), "200");
    let ended = files.run(&site("", &flags("SslRequireCert"))).until_end();
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("--tls-client-cert request"), "{}", ended.stderr);
}

#[test]
fn one_of_several_that_nobody_could_reach_is_told_so_and_the_others_are_served() {
    let (open, closed) = (site("", ""), site("", &flags("Ssl")));
    let frontend = Start::run_several(&[("/", &open), ("/closed", &closed)]).serve();
    assert_eq!(plain(&frontend, "/record"), "200");
    assert_eq!(plain(&frontend, "/closed/record"), "500.0");
    put(&open, "", &flags("Ssl"));
    frontend.log.event(1034, 2);
    assert_eq!(plain(&frontend, "/record"), "200");
}

#[test]
fn parts_of_an_application_below_another_are_counted_from_its_own_path() {
    let files = Files::new();
    let (open, other) = (site("", ""), site("", &flags("Ssl")));
    let start = Start::run_several(&[("/", &open), ("/shop", &other)]);
    let frontend = files.add_to(start).serve();
    assert_eq!(plain(&frontend, "/shop/record"), "200");
    assert_eq!(plain(&frontend, "/shop/record/admin"), "403.4");
    assert_eq!(plain(&frontend, "/record/admin"), "200");
}

#[test]
fn a_change_that_nobody_could_meet_does_not_replace_what_runs() {
    let app = site("", "");
    let frontend = Frontend::serve(&app);
    assert_eq!(plain(&frontend, "/record"), "200");
    put(&app, &flags("Ssl"), "");
    frontend.log.event(1034, 1);
    assert_eq!(plain(&frontend, "/record"), "200");
    let files = Files::new();
    let app = site("", "");
    let frontend = files.run(&app).serve();
    assert_eq!(plain(&frontend, "/record"), "200");
    put(&app, &flags("Ssl"), "");
    eventually("plain http is refused", PATIENCE, || (plain(&frontend, "/record") == "403.4").then_some(()));
}

#[test]
fn the_check_tells_what_is_enforced_and_what_that_needs() {
    let app = site(&flags("Ssl, SslRequireCert"), "");
    let checked = Start::command("check", app.root()).until_end();
    assert_eq!(checked.code, Some(0), "{}", checked.stdout);
    for part in
        ["sslFlags                  Ssl, SslRequireCert", "403.4", "403.7", "--tls-client-cert request"]
    {
        assert!(checked.stdout.contains(part), "{part}: {}", checked.stdout);
    }
    let ignored = Start::command("check", app.root()).argument("--ignore-section=access").until_end();
    assert_eq!(ignored.code, Some(0), "{}", ignored.stdout);
    assert!(ignored.stdout.contains("accepted: --ignore-section access"), "{}", ignored.stdout);
    assert!(ignored.stdout.contains("sslFlags                  None"), "{}", ignored.stdout);
    app.write("web.config", fs::read_to_string(app.path("web.config")).unwrap().replace("Ssl,", "SSL3,"));
    let wrong = Start::command("check", app.root()).until_end();
    assert_eq!(wrong.code, Some(1), "{}", wrong.stdout);
    assert!(wrong.stdout.contains("SslNegotiateCert, SslRequireCert"), "{}", wrong.stdout);
}
