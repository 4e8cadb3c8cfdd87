//! Requests that are refused before the application sees anything of them.

use std::time::Duration;

use crate::support::{app::App, client::get, frontend::Frontend};

/// What is expected of a refusal.
#[derive(Clone, Copy, Debug)]
struct Expected {
    statuses: &'static [u16],
    /// Where the next request would begin is unknown, so there must not be one.
    closes: bool,
}

/// Sends each of these; all must be refused. Tells all that were not.
fn all_are_refused<T: AsRef<[u8]>>(frontend: &Frontend, expected: Expected, requests: &[T]) {
    let faults: Vec<_> = requests
        .iter()
        .filter_map(|bytes| {
            let fault = fault(frontend, expected, bytes.as_ref()).err()?;
            Some(format!("{:?}: {fault}", String::from_utf8_lossy(bytes.as_ref())))
        })
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), requests.len(), faults.join("\n"));
    frontend.assert_sound();
}

/// There must be one answer, and after it the connection ends or goes on with the next request.
fn fault(frontend: &Frontend, expected: Expected, bytes: &[u8]) -> Result<(), String> {
    let mut client = frontend.connect();
    client.patience(Duration::from_secs(3));
    let answer = client.try_exchange(bytes).map_err(|error| format!("no answer: {error}"))?;
    if !expected.statuses.contains(&answer.status()) {
        return Err(format!("answered {}", answer.status()));
    }
    if answer.head.closes() {
        let rest = client.rest();
        return if rest.is_empty() {
            Ok(())
        } else {
            Err(format!("then {:?}", String::from_utf8_lossy(&rest)))
        };
    }
    if expected.closes {
        return Err("the connection is not closed".into());
    }
    let next = client.exchange(get("/record?next", &[])).text();
    if next.starts_with("GET /record?next HTTP/1.1\r\n") { Ok(()) } else { Err(format!("then {next}")) }
}

#[test]
fn refuses_what_is_no_request() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let bodies: [&[u8]; 19] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET / http/1.1\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G@T\x01 / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nName : value\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n: value\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    ];
    all_are_refused(&frontend, Expected { statuses: &[400, 505], closes: true }, &bodies);
}

#[test]
fn refuses_a_body_whose_length_is_in_doubt() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let lines = [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3, 3",
        "Content-Length: +3",
        "Content-Length: -1",
        "Content-Length: 0x3",
        "Content-Length: 3 3",
        "Content-Length: 99999999999999999999999",
        "Content-Length:",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \"chunked\"",
    ];
    let requests = lines.map(|lines| {
        format!("POST /record HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    });
    all_are_refused(&frontend, Expected { statuses: &[400, 413, 501], closes: true }, &requests);
}

#[test]
fn refuses_broken_chunks_and_says_nothing_of_them_to_the_application() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for chunks in ["x\r\n", "-1\r\n", "5\nhello\n0\n\n", "11111111111111111\r\n", "3\r\nabcdef\r\n0\r\n\r\n"]
    {
        let mut client = frontend.connect();
        client
            .send(format!("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
        // The request is broken off; an answer is a courtesy, success would be a lie.
        let answer = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer} for {chunks:?}");
    }
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    frontend.assert_sound();
}

#[test]
fn refuses_a_request_without_one_host() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let requests = [
        "GET /record HTTP/1.1\r\n\r\n",
        "GET /record HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /record HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ];
    all_are_refused(&frontend, Expected { statuses: &[400], closes: false }, &requests);
}

#[test]
fn a_host_that_is_none_is_refused_by_us_or_by_the_application() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for host in ["a b", "a/b", "a@b", "a, b", "a:x"] {
        let response =
            frontend.connect().exchange(format!("GET /request/x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(response.status(), 400, "{host:?}: {response:?}");
    }
}

#[test]
fn an_http_2_preface_is_no_request() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0");
    let answer = String::from_utf8_lossy(&client.rest()).into_owned();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505"),
        "{answer}"
    );
}

#[test]
fn refuses_to_be_a_tunnel_to_anywhere() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    for request in [
        "CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n",
        "GET example.test:443 HTTP/1.1\r\nHost: example.test\r\n\r\n",
    ] {
        let head = frontend.connect().exchange(request).head;
        assert!(matches!(head.status, 400 | 405), "{head:?} for {request:?}");
    }
}

#[test]
fn takes_a_target_up_to_the_limit_of_the_application() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    // GET, blank, target, blank, HTTP/1.1, line end: 8,192 bytes.
    let target = format!("/request/{}", "a".repeat(8192 - 4 - 9 - 11));
    assert_eq!(frontend.get(&target).status(), 200);
    let response = frontend.get(&format!("{target}a"));
    assert_eq!((response.status(), response.header("x-site-pid")), (414, None));
    assert_eq!(frontend.get(&format!("/{}", "a".repeat(60_000))).status(), 414);
}

#[test]
fn takes_as_many_header_lines_as_the_application_does() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let lines = |n: usize| (0..n).map(|i| format!("X-{i}: v")).collect::<Vec<_>>();
    let ask = |n| {
        let lines = lines(n);
        frontend.connect().exchange(get("/request/x", &lines.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    // 100 lines, less Host, less what is added on the way.
    assert_eq!(ask(94).status(), 200);
    let response = ask(100);
    assert_eq!((response.status(), response.header("x-site-pid")), (431, None));
    // However many there are, the answer is the same: none is refused by the application.
    for n in 95..=99 {
        let response = ask(n);
        assert!(response.status() == 200 || response.header("x-site-pid").is_none(), "{n}: {response:?}");
    }
}

#[test]
fn takes_as_many_header_bytes_as_the_application_does() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let line = format!("X-Long: {}", "v".repeat(32_000));
    assert_eq!(frontend.connect().exchange(get("/request/x", &[&line])).status(), 200);
    let line = format!("X-Long: {}", "v".repeat(33_000));
    let response = frontend.connect().exchange(get("/request/x", &[&line]));
    assert_eq!((response.status(), response.header("x-site-pid")), (431, None));
}

#[test]
fn a_head_that_never_ends_is_refused() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    client.send("GET /record HTTP/1.1\r\nHost: a\r\n");
    let mut stream = client.stream().try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        // Ends when the server closes, or never.
        while stream.write_all(b"X-More: and more and more\r\n").is_ok() {}
    });
    let head = client.try_head();
    // The refusal may be overtaken by the reset that its unread bytes cause.
    if let Ok(head) = head {
        assert_eq!(head.status, 431);
    }
    drop(client);
    writer.join().unwrap();
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn half_a_request_is_waited_for_but_not_for_ever() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    client.send("GET /record HTTP/1.1\r\nHost: exam");
    // Its 15 seconds run while the connection says nothing more.
    let answer = String::from_utf8_lossy(&client.rest()).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn half_a_request_and_an_end_is_no_request() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for half in [
        "GET",
        "GET / HTTP/1.1\r\nHost",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
    ] {
        let mut client = frontend.connect();
        client.send(half);
        client.finish_sending();
        let answer = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer} for {half:?}");
    }
    crate::support::site::in_flight(&mut frontend.connect(), 0);
}

#[test]
fn a_body_that_is_declared_too_long_is_refused_at_once() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.body_limit(1000));
    let mut client = frontend.connect();
    // Not one byte of the body is sent.
    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.header("x-site-pid")), (413, None));
    let mut client = frontend.connect();
    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
    assert_eq!(client.head().status, 413, "and not 100");
    let body = "x".repeat(1000);
    let accepted =
        frontend.connect().exchange(crate::support::client::request("POST", "/upload", &[], &body));
    assert_eq!(accepted.json()["length"], 1000);
}

#[test]
fn a_body_that_becomes_too_long_is_refused_in_the_middle() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.body_limit(1000));
    let mut client = frontend.connect();
    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("3e8\r\n{}\r\n", "x".repeat(1000)));
    client.send("1\r\ny\r\n");
    assert_eq!(client.head().status, 413);
    let mut client = frontend.connect();
    client.send(format!(
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{}\r\n0\r\n\r\n",
        "x".repeat(1000)
    ));
    assert_eq!(client.response().json()["length"], 1000);
}

#[test]
fn Z2_declared_body_of_30_million_and_1_bytes_is_413_unread() {
    let Some(app) = App::kestrel("site") else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    // Not one byte of the body is sent.
    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 30000001\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.header("x-site-pid")), (413, None));
    assert_eq!(head.header("proxy-status"), Some("ancm; error=http_request_denied"));
    let mut client = frontend.connect();
    client.send("POST /request/x HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n");
    assert_eq!(client.response().json()["content_length"], 30_000_000, "one byte less reaches it");
}
