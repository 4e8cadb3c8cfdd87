//! What reaches the application, in its environment and in its requests, and what comes back.

use std::fs;

use crate::support::{
    app::App,
    client::{Framing, get, request},
    frontend::{Frontend, Start},
};

const HOSTING_STARTUP: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
const INTEGRATION: &str = "Microsoft.AspNetCore.Server.IISIntegration";

/// A variable in the environment of the application, which web.config and the frontend's own environment give to it.
fn variable(name: &str, in_file: Option<(&str, &str)>, inherited: Option<(&str, &str)>) -> Option<String> {
    let app = App::site()?;
    let app = match in_file {
        Some((name, value)) => app.variable(name, value),
        None => app,
    };
    let start = Start::run(&app);
    let frontend = match inherited {
        Some((name, value)) => start.variable(name, value).serve(),
        None => start.serve(),
    };
    Some(frontend.get("/env").json()[name].as_str().unwrap_or("(none)").to_owned())
}

#[test]
fn V10_environment_variables_of_file_and_frontend_are_passed() {
    let rows = [
        ("ANCMTestFoo", Some(("ANCMTestFoo", "foo")), None, "foo"),
        ("ANCMTestBar", None, Some(("ANCMTestBar", "bar")), "bar"),
        (
            "ANCMTestBar",
            Some(("ancmTESTbar", "from the file")),
            Some(("ANCMTestBar", "bar")),
            "from the file",
        ),
    ];
    for (name, in_file, inherited, expected) in rows {
        let Some(found) = variable(name, in_file, inherited) else { return };
        assert_eq!(found, expected, "{name}, {in_file:?}, {inherited:?}");
    }
}

#[test]
fn V10_environment_variables_name_the_integration() {
    let other = "Microsoft.AspNetCore.Server.Kestrel";
    let both = format!("{other};{INTEGRATION}");
    let rows = [
        (None, None, INTEGRATION),
        (None, Some((HOSTING_STARTUP, other)), both.as_str()),
        (Some((HOSTING_STARTUP, other)), Some((HOSTING_STARTUP, INTEGRATION)), other),
    ];
    for (in_file, inherited, expected) in rows {
        let Some(found) = variable(HOSTING_STARTUP, in_file, inherited) else { return };
        assert_eq!(found, expected, "{in_file:?}, {inherited:?}");
    }
}

#[test]
fn V10_environment_variables_of_the_pairing_are_there() {
    let Some(app) = App::site() else { return };
    let app = app.variable("ASPNETCORE_IIS_HTTPAUTH", "windows;basic;");
    let frontend = Frontend::serve(&app);
    let environment = frontend.get("/env").json();
    let names = [
        "ASPNETCORE_PORT",
        "ASPNETCORE_APPL_PATH",
        "ASPNETCORE_IIS_HTTPAUTH",
        "ASPNETCORE_TOKEN",
        HOSTING_STARTUP,
    ];
    for name in names {
        assert!(environment[name].as_str().is_some_and(|value| !value.is_empty()), "{name}: {environment}");
    }
    assert_eq!(environment["ASPNETCORE_IIS_HTTPAUTH"], "anonymous;");
    assert_eq!(environment["ASPNETCORE_APPL_PATH"], "/");
    assert_eq!(environment["ASPNETCORE_PORT"], frontend.started(1).port.to_string());
}

#[test]
fn V13_post_method_forms_are_echoed() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let form = "Content-Type: application/x-www-form-urlencoded";
    for data in ["a".to_owned(), "testing1234567890%20".repeat(30)] {
        let body = format!("FormData={data}");
        let response = client.exchange(request("POST", "/echo", &[form], &body));
        assert_eq!((response.status(), response.text()), (200, body));
        assert_eq!(response.header("content-type"), Some("application/x-www-form-urlencoded"));
    }
}

#[test]
fn V19_forward_windows_auth_token_never_comes_from_the_client() {
    for forward in ["true", "false"] {
        let app = App::misbehaving("").attribute("forwardWindowsAuthToken", forward);
        let frontend = Frontend::serve(&app);
        let head = frontend.connect().exchange(get("/record", &["MS-ASPNETCORE-WINAUTHTOKEN: 1a2b"])).text();
        assert!(head.starts_with("GET /record HTTP/1.1\r\n"), "{head}");
        assert!(!head.to_ascii_uppercase().contains("WINAUTHTOKEN"), "{forward}: {head}");
    }
}

#[test]
fn V21_compression_of_the_application_passes_with_what_belongs_to_it() {
    let Some(app) = App::kestrel("classic") else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let page = client.exchange(get("/", &["Accept-Encoding: gzip"]));
    assert_eq!((page.status(), page.head.all("content-encoding")), (200, vec!["gzip"]));
    assert_eq!(&page.body[..3], [0x1f, 0x8b, 8], "a gzip stream");
    assert_eq!(page.head.all("vary").join(","), "Accept-Encoding");
    let plain = client.exchange(get("/", &[]));
    assert_eq!((plain.status(), plain.header("content-encoding")), (200, None));
    assert!(plain.text().contains("</html>"), "{}", plain.text());
}

#[test]
fn V21_caching_is_left_to_the_client() {
    let Some(app) = App::site() else { return };
    app.write("wwwroot/page.txt", "first");
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let first = client.exchange(get("/page.txt", &[]));
    assert_eq!((first.status(), first.text().as_str()), (200, "first"));
    let tag = format!("If-None-Match: {}", first.header("etag").expect("a tag"));
    let unchanged = client.exchange(get("/page.txt", &[&tag]));
    assert_eq!((unchanged.status(), unchanged.body.len()), (304, 0));
    assert_eq!(unchanged.header("etag"), first.header("etag"));
    // Nobody in between remembers the first answer.
    app.write("page.tmp", "the second");
    fs::rename(app.path("page.tmp"), app.path("wwwroot/page.txt")).unwrap();
    let second = client.exchange(get("/page.txt", &[&tag]));
    assert_eq!((second.status(), second.text().as_str()), (200, "the second"));
}

#[test]
fn V29_check_chunked_answers_of_unknown_length_are_chunked() {
    let Some(app) = App::site() else { return };
    let until_close = "/answer?HTTP/1.1%20200%20OK%0d%0aConnection:%20close%0d%0a%0d%0aHello%20World";
    for (frontend, target) in
        [(Frontend::serve(&app), "/HelloWorld"), (Frontend::serve(&App::misbehaving("")), until_close)]
    {
        let mut client = frontend.connect();
        for _ in 0..2 {
            let response = client.exchange(get(target, &[]));
            assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
            assert_eq!(response.head.framing(false), Framing::Chunked);
            assert_eq!((response.header("content-length"), response.header("connection")), (None, None));
        }
    }
}
