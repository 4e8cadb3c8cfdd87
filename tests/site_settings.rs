//! What a `web.config` says beside `aspNetCore`: limits, headers, WebSockets, parts of a site, who is kept out, and
//! programs made for `HttpPlatformHandler`.

use std::fs;

use crate::support::{
    PATIENCE,
    app::App,
    backend,
    client::{get, request},
    eventually,
    frontend::{Frontend, Start},
};

/// The backend with these orders and this in its web.config, inside of `system.webServer` and beside it.
fn app(orders: &str, inside: &str, beside: &str) -> App {
    let app = App::misbehaving(orders);
    put(&app, inside, beside);
    app
}

fn put(app: &App, inside: &str, beside: &str) {
    let text = fs::read_to_string(app.path("web.config")).expect("it was written");
    let (before, after) = text.split_once("</system.webServer>").expect("it has one");
    app.write("web.config", format!("{before}{inside}</system.webServer>{beside}{after}"));
}

fn headers(inside: &str) -> String {
    format!("<httpProtocol><customHeaders>{inside}</customHeaders></httpProtocol>")
}

fn limits(limits: &str) -> String {
    format!("<security><requestFiltering><requestLimits {limits}/></requestFiltering></security>")
}

fn location(path: &str, inside: &str) -> String {
    format!("<location path=\"{path}\"><system.webServer>{inside}</system.webServer></location>")
}

const ANSWER: &str =
    "/answer?HTTP/1.1%20200%20OK%0d%0aServer:%20Own%0d%0aX-A:%20own%0d%0aContent-Length:%200%0d%0a%0d%0a";

#[test]
fn custom_headers_are_on_every_answer_ours_too() {
    let settings = headers("<add name='X-A' value='ours'/><add name='X-B' value='2'/><remove name='X-B'/>");
    let app = app("", &(settings + &limits("maxAllowedContentLength='3' maxQueryString='300'")), "");
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    assert_eq!(client.exchange(get(ANSWER, &[])).head.all("x-a"), ["own", "ours"], "joined, not replaced");
    let refused = [
        (413, request("POST", "/body", &[], "1234")),
        (404, get(&format!("/?{}", "q".repeat(301)), &[])),
        (431, get("/", &[&format!("X-Long: {}", "x".repeat(32_768))])),
        (502, get("/close", &[])),
    ];
    for (status, bytes) in refused {
        let response = frontend.connect().exchange(bytes);
        assert_eq!((response.status(), response.head.all("x-a")), (status, vec!["ours"]), "{response:?}");
        assert_eq!(response.header("x-b"), None);
    }
    app.take_offline("<h1>Back soon</h1>");
    eventually("the page is served", PATIENCE, || (frontend.get("/").status() == 503).then_some(()));
    assert_eq!(frontend.get("/").head.all("x-a"), ["ours"]);
}

#[test]
fn custom_headers_are_on_the_page_of_a_failed_start() {
    let frontend = Frontend::serve(&app("exit:3", &headers("<add name='X-A' value='1'/>"), ""));
    let response = frontend.get("/");
    assert_eq!((response.status(), response.header("x-a")), (502, Some("1")));
}

#[test]
fn the_server_header_is_removed_on_request_and_another_put_in_its_place() {
    let frontend = Frontend::serve(&app("", "", ""));
    assert_eq!(frontend.get(ANSWER).head.all("server"), ["Own"]);
    let filtering = "<security><requestFiltering removeServerHeader='True'/></security>";
    let frontend = Frontend::serve(&app("", filtering, ""));
    assert_eq!(frontend.get(ANSWER).header("server"), None);
    let named = filtering.to_owned() + &headers("<add name='Server' value='shop'/>");
    assert_eq!(Frontend::serve(&app("", &named, "")).get(ANSWER).head.all("server"), ["shop"]);
}

#[test]
fn a_changed_file_changes_the_headers_of_connections_that_are_open() {
    let app = app("", "", "");
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    assert_eq!(client.exchange(get("/record", &[])).header("x-a"), None);
    put(&app, &headers("<add name='X-A' value='1'/>"), "");
    eventually("the header is there", PATIENCE, || {
        client.exchange(get("/record", &[])).header("x-a").map(str::to_owned)
    });
}

#[test]
fn urls_and_bodies_are_limited_for_the_site_and_for_its_parts() {
    let beside = location("body", &limits("maxAllowedContentLength='6'"))
        + &location("record/deep", &(limits("maxUrl='20'") + &headers("<add name='X-Deep' value='1'/>")));
    let app = app("", &limits("maxAllowedContentLength='3' maxUrl='16' maxQueryString='4'"), &beside);
    let frontend = Frontend::serve(&app);
    let status = |bytes: String| frontend.connect().exchange(bytes).status();
    assert_eq!(status(request("POST", "/record", &[], "123")), 200);
    assert_eq!(status(request("POST", "/record", &[], "1234")), 413);
    assert_eq!(status(request("POST", "/BODY", &[], "123456")), 200);
    assert_eq!(status(request("POST", "/x/../%62ody", &[], "1234567")), 413);
    assert_eq!(status(get("/record/56789abc?1234", &[])), 200);
    let long = frontend.get("/record/56789abcd");
    assert_eq!(long.status(), 404);
    assert!(long.text().contains("HTTP Error 404.14 - "), "{}", long.text());
    assert!(frontend.get("/record?12345").text().contains("HTTP Error 404.15 - "));
    assert_eq!(frontend.get("/record/deep/123456").header("x-deep"), Some("1"));
    assert_eq!(frontend.get("/record/deeper").header("x-deep"), None);
    assert_eq!(frontend.get("/record/deep/1234567890").status(), 404);
}

#[test]
fn without_a_limit_in_the_file_urls_are_as_long_as_the_backend_reads() {
    let frontend = Frontend::serve(&app("", "", ""));
    let target = format!("/record?{}", "q".repeat(8_000));
    assert_eq!(frontend.get(&target).status(), 200);
}

#[test]
fn web_sockets_that_are_switched_off_are_not_offered() {
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"];
    let frontend = Frontend::serve(&app("", "<webSocket enabled='false' />", ""));
    let seen = frontend.connect().exchange(get("/record", &upgrade)).text().to_ascii_lowercase();
    assert!(!seen.contains("upgrade"), "{seen}");
    let seen = Frontend::serve(&app("", "", "")).connect().exchange(get("/record", &upgrade)).text();
    assert!(seen.to_ascii_lowercase().contains("upgrade: websocket"), "{seen}");
}

#[test]
fn web_sockets_may_be_switched_off_for_a_part_of_the_site() {
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"];
    let off = location("record/plain", "<webSocket enabled='false' />")
        + &location("record/plain/live", "<webSocket enabled='true' />");
    let frontend = Frontend::serve(&app("", "", &off));
    for (target, expected) in [("/record", true), ("/Record/Plain/x", false), ("/record/plain/live", true)] {
        let seen = frontend.connect().exchange(get(target, &upgrade)).text().to_ascii_lowercase();
        assert_eq!(seen.contains("upgrade: websocket"), expected, "{target}: {seen}");
    }
}

#[test]
fn a_file_that_keeps_people_out_is_not_served_unless_that_is_accepted() {
    let security =
        "<security><authentication><windowsAuthentication enabled='true'/></authentication></security>";
    for (inside, beside) in [(security, String::new()), ("", location("admin", security))] {
        let app = app("", inside, &beside);
        let run = Start::run(&app).until_end();
        assert_eq!(run.code, Some(78), "{}", run.stderr);
        assert!(run.stderr.contains("--ignore-section windowsAuthentication"), "{}", run.stderr);
        let check = Start::command("check", app.root());
        let checked = check.until_end();
        assert_eq!(checked.code, Some(1), "{}", checked.stdout);
        assert!(checked.stdout.contains("accept it: --ignore-section windowsAuthentication"));

        let accepted = || Start::run(&app).argument("--ignore-section=windowsauthentication").serve();
        assert_eq!(accepted().get("/record").status(), 200);
        let by_variable = Start::run(&app).variable("ANCM_FRONTEND_IGNORE_SECTION", "windowsAuthentication");
        assert_eq!(by_variable.serve().get("/record").status(), 200);
        let check = Start::command("check", app.root()).argument("--ignore-section=windowsAuthentication");
        assert_eq!(check.until_end().code, Some(0));
        let wrong = Start::run(&app).argument("--ignore-section=ipSecurity").until_end();
        assert_eq!(wrong.code, Some(78), "{}", wrong.stderr);
    }
}

#[test]
fn a_change_that_would_keep_people_out_does_not_replace_what_runs() {
    let app = app("", &headers("<add name='X-A' value='1'/>"), "");
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/record").header("x-a"), Some("1"));
    put(&app, "<security><ipSecurity allowUnlisted='false'/></security>", "");
    frontend.log.event(1034, 1);
    assert_eq!(frontend.get("/record").header("x-a"), Some("1"));
    assert!(frontend.log.text().contains("ipSecurity: addresses are not checked"));
}

/// The application, with a handler setting in its web.config.
fn handler_setting(app: App, name: &str, value: &str) -> App {
    let text = fs::read_to_string(app.path("web.config")).expect("it was written");
    let setting = format!(
        "<handlerSettings><handlerSetting name=\"{name}\" value=\"{value}\" /></handlerSettings></aspNetCore>"
    );
    app.write("web.config", text.replace("</aspNetCore>", &setting));
    app
}

#[test]
fn S6_connection_header_is_passed_on_where_that_is_asked_for() {
    let answer = "/headers?set=Connection:close";
    for (value, passed) in [("true", true), ("false", false)] {
        let Some(app) = App::site() else { return };
        let frontend = Frontend::serve(&handler_setting(app, "forwardResponseConnectionHeader", value));
        let mut client = frontend.connect();
        let response = client.exchange(get(answer, &[]));
        assert_eq!(response.header("connection"), passed.then_some("close"));
        if passed {
            assert!(client.rest().is_empty());
        } else {
            assert_eq!(client.exchange(get("/HelloWorld", &[])).status(), 200);
        }
    }
}

#[test]
fn what_a_process_prints_is_not_kept_where_that_is_switched_off() {
    let printing = |value| {
        let app = App::misbehaving("print:can anybody hear me");
        Frontend::serve(&handler_setting(app, "enableOutOfProcessConsoleRedirection", value))
    };
    let mut frontend = printing("False");
    assert_eq!(frontend.get("/record").status(), 200);
    frontend.stop();
    frontend.log.ended();
    assert!(!frontend.log.text().contains("can anybody hear me"), "{}", frontend.log.text());
    printing("no").log.says("can anybody hear me");
}

#[test]
fn C2_changed_file_is_not_followed_where_that_is_forbidden() {
    let Some(app) = App::site() else { return };
    let app = handler_setting(app, "disallowRotationOnConfigChange", "true");
    let frontend = Frontend::serve(&app);
    let pid = frontend.started(1).pid.to_string();
    let ignored =
        |n| frontend.log.nth("a change is ignored", n, |line| line.text.contains("disallowRotation"));
    app.touch("web.config");
    ignored(1);
    put(&app, &headers("<add name='X-A' value='1'/>"), "");
    ignored(2);
    let response = frontend.get("/HelloWorld");
    assert_eq!((response.header("x-site-pid"), response.header("x-a")), (Some(pid.as_str()), None));
    assert_eq!(frontend.log.count(|line| line.is_event(1021) || line.is_event(1030)), 0);
}

#[test]
fn the_example_gives_every_attribute_and_has_no_fault() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/every-attribute");
    let checked = Start::command("check", &example).argument("--json").until_end();
    let checked: serde_json::Value = serde_json::from_str(&checked.stdout).expect("it is JSON");
    assert_eq!(checked["faults"], serde_json::json!([]));
    let settings = checked["settings"].as_array().expect("a list");
    let missing: Vec<_> = settings.iter().filter(|setting| setting["given"] != true).collect();
    assert!(!settings.is_empty() && missing.is_empty(), "{missing:?}");
}

#[test]
fn a_program_made_for_http_platform_runs_on_the_port_it_was_told() {
    let app = App::empty();
    let script = format!(
        "test \"$HTTP_PLATFORM_PORT\" = \"$MINE\" || exit 9; ASPNETCORE_PORT=$1 exec \"$0\" {}",
        backend::ARGUMENTS
    );
    app.write("start.sh", script);
    let program = backend::program();
    app.write(
        "web.config",
        format!(
            "<configuration><system.webServer><handlers><add name='httpPlatform' path='*' verb='*' \
             modules='httpPlatformHandler'/></handlers><httpPlatform processPath='/bin/sh' \
             arguments='-c \". ./start.sh\" \"{}\" %HTTP_PLATFORM_PORT%' startupTimeLimit='20' startupRetryCount='2'>\
             <environmentVariables><environmentVariable name='MINE' value='%HTTP_PLATFORM_PORT%'/>\
             <environmentVariable name='{}' value=''/></environmentVariables></httpPlatform></system.webServer>\
             </configuration>",
            program.display(),
            backend::ORDERS
        ),
    );
    let checked = Start::command("check", app.root()).until_end();
    assert_eq!(checked.code, Some(0), "{}", checked.stdout);
    assert!(checked.stdout.contains("Honoured as well"), "{}", checked.stdout);
    let frontend = Start::run(&app).variable("HTTP_PLATFORM_PORT", "1").serve();
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn a_program_made_for_http_platform_is_started_as_often_as_its_file_says() {
    let app = App::empty();
    app.write(
        "web.config",
        "<configuration><system.webServer><httpPlatform processPath='/bin/sh' arguments='-c &quot;exit 3&quot;' \
         startupRetryCount='3'/></system.webServer></configuration>",
    );
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/").status(), 502);
    frontend.log.event(1020, 1);
    let failed: Vec<_> = (1..=4).map(|n| frontend.log.event(1000, n).number("attempt")).collect();
    assert_eq!(failed, [1, 2, 3, 4]);
}

#[test]
fn development_is_warned_of_only_where_others_can_reach_it() {
    let app = App::misbehaving("").variable("ASPNETCORE_ENVIRONMENT", "Development");
    let public = Start::run_at(&app, "0.0.0.0:0").serve();
    public.log.says("ASPNETCORE_ENVIRONMENT=Development shows details of errors to everybody");
    let mut local = Frontend::serve(&app);
    local.started(1);
    local.stop();
    local.log.ended();
    assert!(!local.log.text().contains("shows details"), "{}", local.log.text());
    let inherited =
        Start::run_at(&App::misbehaving(""), "0.0.0.0:0").variable("DOTNET_ENVIRONMENT", "Development");
    inherited.serve().log.says("DOTNET_ENVIRONMENT=Development");
}
