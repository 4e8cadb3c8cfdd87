//! What nobody may learn, and what nobody may do.

use std::net::{Ipv4Addr, SocketAddr};

use crate::support::{
    app::App,
    client::{Client, get, request},
    frontend::Frontend,
    log::Line,
    process::kill,
    site::Seen,
};

/// The token and the backend's own address.
fn secrets(frontend: &Frontend) -> (String, SocketAddr) {
    let environment = frontend.get("/env").json();
    let token = environment["ASPNETCORE_TOKEN"].as_str().unwrap().to_owned();
    (token, SocketAddr::from((Ipv4Addr::LOCALHOST, frontend.started(1).port)))
}

#[test]
fn a_stranger_at_the_application_s_port_is_refused() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let (token, backend) = secrets(&frontend);
    let upper = format!("MS-ASPNETCORE-TOKEN: {}", token.to_uppercase());
    let right = format!("MS-ASPNETCORE-TOKEN: {token}");
    for lines in
        [&[][..], &["MS-ASPNETCORE-TOKEN: "], &["MS-ASPNETCORE-TOKEN: guess"], &[&upper], &[&right, &right]]
    {
        let response = Client::connect(backend).exchange(get("/HelloWorld", lines));
        assert_eq!((response.status(), response.body.len()), (400, 0));
        let stop = [lines, &["MS-ASPNETCORE-EVENT: shutdown"]].concat();
        assert_eq!(
            Client::connect(backend).exchange(request("POST", "/iisintegration", &stop, "")).status(),
            400
        );
    }
    assert_eq!(
        Client::connect(backend).exchange(get("/HelloWorld", &[&right])).status(),
        200,
        "it was the token"
    );
}

#[test]
fn no_answer_of_ours_holds_the_token() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("requestTimeout", "00:00:03").body_limit(1000);
    let frontend = Frontend::serve(&app);
    let (token, _) = secrets(&frontend);
    let long = format!("/{}", "a".repeat(9000));
    let lines: Vec<_> = (0..120).map(|i| format!("X-{i}: v")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let requests = [
        get("/hang", &[]),
        get("/reset?after=0", &[]),
        get(&long, &[]),
        get("/", &lines),
        get("/", &["Host: other"]),
        request("CONNECT", "a:1", &[], ""),
        request("POST", "/upload", &["Content-Length: 5000"], ""),
        request("TRACE", "/HelloWorld", &[], ""),
        request("OPTIONS", "*", &[], ""),
    ];
    for request in requests {
        let mut client = frontend.connect();
        client.send(&request);
        let head = client.head();
        assert!(
            head.status >= 400 || request.starts_with("TRACE") || request.starts_with("OPTIONS"),
            "{head:?}"
        );
        let text = format!("{head:?}");
        assert!(!text.contains(&token) && !text.to_lowercase().contains("ms-aspnetcore"), "{text}");
    }
}

#[test]
fn every_process_has_a_token_of_its_own() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let (first, _) = secrets(&frontend);
    kill(frontend.started(1).pid);
    frontend.started(2);
    let (second, _) = secrets(&frontend);
    assert_ne!(first, second);
}

#[test]
fn the_application_listens_for_this_machine_only() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let port = frontend.started(1).port;
    let needle = format!(":{port:04X} ");
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().filter(|line| line.contains(" 0A ")) {
            let local = line.split_whitespace().nth(1).unwrap_or_default();
            if format!("{local} ").ends_with(&needle) {
                assert_eq!(local, format!("0100007F:{port:04X}"), "{table}");
            }
        }
    }
}

#[test]
fn what_one_client_sent_never_reaches_the_request_of_another() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    // Cut in the middle of their bodies: what follows on a connection would be taken for the rest.
    for i in 0..20 {
        let mut client = frontend.connect();
        let rest = "0".repeat(10 + i);
        client.send(format!("POST /record HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{rest}"));
        if i % 2 == 0 {
            assert_eq!(client.head().status, 200, "the answer comes before the body is there");
        }
        client.reset();
    }
    for i in 0..20 {
        let target = format!("/record?{i}");
        let text = frontend.get(&target).text();
        assert!(text.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{text}");
        assert!(!text.contains("0000"), "{text}");
    }
}

#[test]
fn a_request_hidden_in_a_body_stays_a_body() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let text = frontend.connect().exchange(request("POST", "/body", &[], hidden)).text();
    assert!(text.ends_with(hidden), "{text}");
    assert!(text.starts_with("POST /body "), "{text}");
    assert_eq!(
        text.matches("Content-Length:").count() + text.matches("content-length:").count(),
        1,
        "{text}"
    );
}

#[test]
fn headers_that_look_like_a_length_elsewhere_change_nothing() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let lines = ["X-Content-Length: 5", "Content_Length: 7", "Connection: Content-Length"];
    let seen = Seen::of(&mut client, "/request/x", &lines);
    assert_eq!(seen.0["content_length"], serde_json::Value::Null, "{seen:?}");
}

#[test]
fn the_access_line_is_written_when_it_is_asked_for() {
    let Some(app) = App::site() else { return };
    let frontend =
        crate::support::frontend::Start::run(&app).variable("RUST_LOG", "info,access=info").serve();
    assert_eq!(frontend.get("/HelloWorld?secret=1").status(), 200);
    let line = frontend
        .log
        .first("an access line", |line: &Line| line.field("target").is_some_and(|target| target == "access"));
    assert_eq!(line.number("status"), 200);
    assert_eq!(line.field("path").unwrap(), "/HelloWorld");
    assert_eq!(line.field("method").unwrap(), "GET");
}
