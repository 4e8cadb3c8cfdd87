//! What clients are told when the frontend answers in the application's place: to whom, in which words, and to whom not.

#![expect(non_snake_case, reason = "a test carries the name of the row that it is about")]

use std::fs;

use serde_json::Value;

use crate::support::{
    PATIENCE,
    app::App,
    client::{Response, get, request},
    eventually,
    frontend::{Frontend, Start},
};

const JSON: &str = "Accept: application/json";
const LINK: &str = "ANCM_ADDITIONAL_ERROR_PAGE_LINK";
const BOGUS: &str = "bogus-program";

fn ask(frontend: &Frontend, target: &str, accept: &str) -> Response {
    frontend.connect().exchange(get(target, &[accept]))
}

/// Fails unless it is a page of ours about this.
fn assert_page(response: &Response, code: &str) {
    assert!(code.starts_with(&response.status().to_string()), "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"), "{response:?}");
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert!(response.header("proxy-status").is_some_and(|value| value.starts_with("ancm; error=")));
    let text = response.text();
    assert!(text.contains(&format!("<h1>HTTP Error {code} - ")), "{text}");
    assert!(text.ends_with("</html>\n"), "{text}");
    for foreign in ["<script", "<link", "<img", "@import", "url("] {
        assert!(!text.contains(foreign), "{foreign}: {text}");
    }
}

/// The problem that it tells of.
fn problem(response: &Response, code: &str) -> Value {
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{response:?}");
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert!(response.header("proxy-status").is_some());
    let problem = response.json();
    assert_eq!(problem["type"], format!("urn:problem-type:ancm:{code}"));
    assert_eq!(problem["status"], response.status());
    for name in ["title", "detail"] {
        assert!(problem[name].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    problem
}

/// The one answer to an application that cannot be started.
fn failed(app: &App) -> (Frontend, Response) {
    let frontend = Frontend::serve(app);
    let response = frontend.get("/");
    frontend.log.event(1020, 1);
    (frontend, response)
}

#[test]
fn V14_a_bogus_process_path_is_answered_with_our_page() {
    let app = App::empty().attribute("processPath", BOGUS).attribute("disableStartUpErrorPage", "false");
    let (frontend, response) = failed(&app);
    assert_page(&response, "502.5");
    frontend.log.first("the path", |line| line.is_event(1000) && line.text.contains(BOGUS));
    frontend.assert_sound();
}

#[test]
fn V14_a_bogus_process_path_is_answered_without_a_page_where_that_is_disabled() {
    let app = App::empty().attribute("processPath", BOGUS).attribute("disableStartUpErrorPage", "true");
    let (frontend, response) = failed(&app);
    for response in [response, ask(&frontend, "/", JSON)] {
        assert_eq!((response.status(), response.body.len()), (502, 0), "{response:?}");
        assert_eq!(response.header("content-type"), None);
    }
    frontend.log.first("the path", |line| line.is_event(1000) && line.text.contains(BOGUS));
}

#[test]
fn V14_the_page_can_be_disabled_while_it_is_shown() {
    let app = App::empty().attribute("processPath", BOGUS);
    let (frontend, response) = failed(&app);
    assert_page(&response, "502.5");
    let app = app.attribute("disableStartUpErrorPage", "true");
    eventually("the page has gone", PATIENCE, || frontend.get("/").body.is_empty().then_some(()));
    let _app = app.attribute("disableStartUpErrorPage", "false");
    eventually("the page is back", PATIENCE, || (!frontend.get("/").body.is_empty()).then_some(()));
}

#[test]
fn strangers_learn_nothing_of_a_start_that_failed() {
    let app = App::misbehaving("print:the database is not there;exit:42");
    let (frontend, response) = failed(&app);
    assert_page(&response, "502.5");
    let told = problem(&ask(&frontend, "/", JSON), "502.5");
    assert_eq!(told["subStatus"], 5);
    assert_eq!(told["details"], Value::Null);
    let program = crate::support::backend::program().display().to_string();
    for text in [response.text(), told.to_string()] {
        for secret in ["database", "42", "127.0.0.1", &program, &app.root().display().to_string()] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn developers_learn_everything_of_a_start_that_failed() {
    // More than is kept of the beginning, so that the end is another.
    let much = "x".repeat(40_000);
    let app = App::misbehaving(&format!("print:FIRST <b>;print:{much};print:LAST </pre>;exit:42"));
    let (frontend, response) = failed(&app.variable("ASPNETCORE_DETAILEDERRORS", "true"));
    assert_page(&response, "502.5");
    let told = problem(&ask(&frontend, "/", JSON), "502.5");
    let details = told["details"].as_str().expect("they are there");
    let program = crate::support::backend::program().display().to_string();
    for (part, in_page) in [("FIRST <b>", "FIRST &lt;b&gt;"), ("LAST </pre>", "LAST &lt;/pre&gt;")] {
        assert!(details.contains(part), "{details}");
        assert!(response.text().contains(in_page), "{}", response.text());
    }
    for part in ["command line: ", &program, "working directory: ", "port: ", "elapsed: "] {
        assert!(details.contains(part) && response.text().contains(part), "{part}: {details}");
    }
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("exit code 42")), "{told}");
    assert!(response.text().contains("exit code 42"));
}

#[test]
fn no_page_holds_the_pairing_token_whoever_asks() {
    let token = "c0ffee00-0000-4000-8000-00000000beef";
    let app = App::empty().attribute("processPath", "/bin/sh");
    let app = app.attribute("arguments", &format!("-c \"echo $0 $ASPNETCORE_TOKEN; exit 3\" {token}"));
    let app = app.variable("ASPNETCORE_TOKEN", token).variable("ASPNETCORE_ENVIRONMENT", "Development");
    let (frontend, page) = failed(&app);
    let told = problem(&ask(&frontend, "/", JSON), "502.5").to_string();
    for text in [page.text(), told] {
        assert!(!text.contains("c0ffee"), "{text}");
        assert_eq!(
            text.matches("[pairing token]").count(),
            3,
            "the argument, and twice what was printed: {text}"
        );
    }
}

#[test]
fn an_answer_that_breaks_off_is_explained_as_the_client_prefers() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    for target in ["/close", "/malformed"] {
        for accept in ["Accept: */*", "Accept: text/html, application/json;q=0.9", "X-No-Accept: 1"] {
            assert_page(&ask(&frontend, target, accept), "502.3");
        }
        for accept in [JSON, "Accept: text/html;q=0.1, application/problem+json"] {
            let told = problem(&ask(&frontend, target, accept), "502.3");
            assert_eq!((&told["subStatus"], &told["details"]), (&Value::from(3), &Value::Null));
        }
    }
    let seen = ask(&frontend, "/record", "Accept: text/html;q=0.1, application/json").text();
    assert!(seen.contains("text/html;q=0.1, application/json"), "the application is asked as ever: {seen}");
    frontend.assert_sound();
}

#[test]
fn what_went_wrong_with_an_answer_is_told_as_the_newest_file_says() {
    let app = App::misbehaving("");
    let frontend = Frontend::serve(&app);
    let has_details = |frontend: &Frontend| {
        let page = frontend.get("/close");
        assert_page(&page, "502.3");
        let told = problem(&ask(frontend, "/close", JSON), "502.3")["details"].is_string();
        (page.text().contains("<h2>Details</h2>") == told).then_some(told)
    };
    assert_eq!(has_details(&frontend), Some(false));
    let app = app.variable("ASPNETCORE_ENVIRONMENT", "Development");
    eventually("details are told", PATIENCE, || has_details(&frontend).filter(|told| *told));
    let _app = app.variable("ASPNETCORE_ENVIRONMENT", "Production");
    eventually("no details are told", PATIENCE, || has_details(&frontend).filter(|told| !told));
}

#[test]
fn an_applications_own_errors_pass_untouched() {
    let own = "/answer?HTTP/1.1%20502%20Mine%0d%0aContent-Type:%20text/plain%0d%0aContent-Length:%203%0d%0aConnection:%20close%0d%0a%0d%0aown";
    let app = App::misbehaving("").variable("ASPNETCORE_ENVIRONMENT", "Development");
    let frontend = Frontend::serve(&app);
    for accept in [JSON, "Accept: text/html"] {
        let response = ask(&frontend, own, accept);
        assert_eq!((response.status(), response.text().as_str()), (502, "own"));
        assert_eq!(response.header("content-type"), Some("text/plain"));
        assert_eq!(response.header("proxy-status"), None);
    }
}

#[test]
fn silence_is_504_with_a_page() {
    let frontend = Frontend::serve(&App::misbehaving("").attribute("requestTimeout", "00:00:01"));
    assert_page(&frontend.get("/hang"), "504");
    problem(&ask(&frontend, "/hang", JSON), "504");
}

#[test]
fn what_is_too_large_is_told_with_its_number() {
    let app = App::misbehaving("").body_limit(3);
    let text = fs::read_to_string(app.path("web.config")).expect("it was written");
    app.write("web.config", text.replace("maxAllowed", "maxUrl=\"9\" maxQueryString=\"9\" maxAllowed"));
    let frontend = Frontend::serve(&app);
    let long = format!("X-Long: {}", "x".repeat(33_000));
    for (code, lines) in [
        ("404.14", get("/0123456789", &[])),
        ("404.15", get("/?0123456789", &[])),
        ("413", request("POST", "/body", &[], "1234")),
        ("431", get("/", &[&long])),
    ] {
        assert_page(&frontend.connect().exchange(&lines), code);
        let asked = lines.replacen("\r\n", &format!("\r\n{JSON}\r\n"), 1);
        problem(&frontend.connect().exchange(asked), code);
    }
}

#[test]
fn a_head_is_asked_for_without_its_page() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    let head = client.exchange("HEAD /close HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status(), head.body.len()), (502, 0));
    assert_eq!(head.header("content-type"), Some("text/html; charset=utf-8"));
    let next = client.exchange(get("/record", &[]));
    assert_eq!(next.status(), 200, "nothing of a page lies in between");
}

#[test]
fn the_administrators_link_is_on_every_page_and_harmless() {
    let serve = |link: &str| Start::run(&App::misbehaving("")).variable(LINK, link).serve();
    let frontend = serve("https://help.test/?a=1&b=\"><script>");
    let expected = "<a href=\"https://help.test/?a=1&amp;b=&quot;&gt;&lt;script&gt;\"";
    let page = frontend.get("/close");
    assert_page(&page, "502.3");
    assert!(page.text().contains(expected), "{}", page.text());
    let told = problem(&ask(&frontend, "/close", JSON), "502.3");
    assert_eq!(told["link"], "https://help.test/?a=1&b=\"><script>");

    let scripted = serve("javascript:alert(1)").get("/close").text();
    assert!(scripted.contains("javascript:alert(1)") && !scripted.contains("<a "), "{scripted}");
    assert!(!serve("").get("/close").text().contains("More information"));

    let failing =
        Start::run(&App::empty().attribute("processPath", BOGUS)).variable(LINK, "http://help.test/");
    let frontend = failing.serve();
    let page = frontend.get("/").text();
    assert!(page.contains("<a href=\"http://help.test/\""), "{page}");
    assert_eq!(problem(&ask(&frontend, "/", JSON), "502.5")["link"], "http://help.test/");
}

#[test]
fn a_site_that_is_offline_shows_its_own_file_to_programs_too() {
    let app = App::misbehaving("");
    app.take_offline("<h1>Back soon</h1>");
    let frontend = Frontend::serve(&app);
    assert_eq!(ask(&frontend, "/", JSON).text(), "<h1>Back soon</h1>");
}
