//! The finer points of HTTP: trailers, reasons, odd framing, old clients, clients that end their side, huge bodies.

use std::{fs, io::Read, thread, time::Duration};

use crate::support::{
    app::App,
    backend::flood,
    client::{Client, get, request},
    frontend::Frontend,
};

/// More than 32 bits can say.
const HUGE: u64 = (1 << 32) + 1;

/// All that comes back on a connection of its own, which the request must end.
fn bytes(frontend: &Frontend, request: &str) -> String {
    String::from_utf8_lossy(&frontend.connect().send(request).rest()).into_owned()
}

/// Has the backend answer exactly this, and then close.
fn given(answer: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b':' | b';' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    format!("/answer?{}", answer.bytes().map(encode).collect::<String>())
}

#[test]
fn trailers_of_a_request_reach_the_application() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let lines = "Connection: close, TE\r\nTE: trailers, deflate\r\nTrailer: X-Sum";
    let head = format!("POST /chunked HTTP/1.1\r\nHost: a\r\n{lines}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let seen = bytes(&frontend, &format!("{head}2\r\nhi\r\n0\r\nX-Sum: 9\r\nMS-ASPNETCORE-X: no\r\n\r\n"));
    assert!(seen.contains("\r\nte: trailers\r\n") && seen.contains("\r\ntrailer: X-Sum\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 9\r\n\r\n"), "{seen}");
}

#[test]
fn declared_trailers_of_an_answer_reach_a_client_that_reads_them() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2\r\nhi\r\n0\r\nX-Sum: 9\r\nX-Undeclared: 1\r\nContent-Length: 3\r\n\r\n";
    let seen = bytes(&frontend, &get(&given(answer), &["TE: trailers", "Connection: TE, close"]));
    assert!(seen.contains("trailer: X-Sum\r\n"), "{seen}");
    assert!(seen.ends_with("2\r\nhi\r\n0\r\nx-sum: 9\r\n\r\n"), "{seen}");
    let seen = bytes(&frontend, &get(&given(answer), &["Connection: close"]));
    assert!(seen.ends_with("2\r\nhi\r\n0\r\n\r\n"), "{seen}");
}

#[test]
fn a_target_that_no_url_can_have_is_400_and_any_other_goes_on_as_it_is() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let target = |target: &[u8]| {
        let mut client = frontend.connect();
        client.send([b"GET ", target, b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat());
        client.response()
    };
    for refused in [
        &b"/record<"[..],
        b"/record>",
        b"/record`",
        b"/record?\"",
        b"/record?<",
        b"/record#x",
        b"/record\xff",
    ] {
        assert_eq!(target(refused).status(), 400, "{}", String::from_utf8_lossy(refused));
    }
    for carried in ["/record?a|b^c{d}[e]\\f'g", "/record?%", "/record?%zz%00%2F", "/record?\u{e9}"] {
        let seen = target(carried.as_bytes()).text();
        assert!(seen.starts_with(&format!("GET {carried} HTTP/1.1\r\n")), "{carried}: {seen}");
    }
}

#[test]
fn a_reason_phrase_is_passed_as_it_is() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    for line in ["200 OK", "200 Fine", "404 Gone fishing", "404 ", "999 ", "599 Own", "400 Wei\u{df} nicht"] {
        let answer = given(&format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        let seen = bytes(&frontend, &get(&answer, &["Connection: close"]));
        assert_eq!(seen.lines().next(), Some(&*format!("HTTP/1.1 {line}")), "{seen}");
    }
}

#[test]
fn a_304_and_a_head_keep_the_length_of_what_they_leave_out() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    let unchanged = given("HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\nConnection: close\r\n\r\n");
    let known = given("HTTP/1.1 200 OK\r\nContent-Length: 4294967297\r\nConnection: close\r\n\r\n");
    // On one connection: nothing may be left over, nothing may be missing.
    for (method, target, status, length) in [
        ("GET", &unchanged, 304, "12"),
        ("HEAD", &unchanged, 304, "12"),
        ("HEAD", &known, 200, "4294967297"),
        ("GET", &unchanged, 304, "12"),
    ] {
        let answer = client.exchange(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((answer.status(), answer.header("content-length")), (status, Some(length)), "{method}");
        assert_eq!((answer.header("transfer-encoding"), answer.body.len()), (None, 0), "{method}");
    }
    let odd = given("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    let answer = client.exchange(format!("HEAD {odd} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(answer.status(), 502, "which length, the client would have to guess");
}

#[test]
fn what_an_answer_says_of_its_own_connection_stays_there() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let answer = given(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\n\
         Proxy-Connection: close\r\nX-Kept: 2\r\nContent-Length: 0\r\n\r\n",
    );
    let mut client = frontend.connect();
    let head = client.exchange(get(&answer, &[])).head;
    for name in ["connection", "x-hop", "keep-alive", "proxy-connection"] {
        assert_eq!(head.header(name), None, "{head:?}");
    }
    assert_eq!(head.header("x-kept"), Some("2"));
    assert_eq!(client.exchange(get("/record", &[])).status(), 200);
}

#[test]
fn expect_is_answered_here_and_not_passed_on() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    client.send("POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.head().status, 100);
    let seen = client.send("hello").response().text();
    assert!(!seen.to_ascii_lowercase().contains("expect") && seen.ends_with("hello"), "{seen}");
    // Nobody waits where there is no body, nor does a client of HTTP/1.0 know what 100 is.
    let none = request("POST", "/body", &["Expect: 100-continue"], "");
    assert_eq!(client.send(none).head().status, 200);
    let old = "POST /body HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
    assert!(bytes(&frontend, old).starts_with("HTTP/1.0 200 OK\r\n"));
}

#[test]
fn a_client_of_http_1_0_is_promised_to_keep_only_what_is_kept() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    // Its length is not known before its end, which only the end of the connection can tell.
    let seen = bytes(&frontend, "GET /HelloWorld HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(seen.starts_with("HTTP/1.0 200 OK\r\n") && seen.ends_with("\r\n\r\nHello World"), "{seen}");
    assert!(seen.contains("connection: close\r\n") && !seen.contains("keep-alive"), "{seen}");
    assert!(!seen.contains("transfer-encoding"), "{seen}");
}

#[test]
fn a_client_of_http_1_0_needs_no_host() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let seen = bytes(&frontend, "GET /record HTTP/1.0\r\n\r\n");
    assert!(seen.contains("\r\n\r\nGET /record HTTP/1.1\r\n") && seen.contains("\r\nhost: \r\n"), "{seen}");
}

#[test]
fn the_answer_to_a_broken_body_is_the_last() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let chunked = "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdefg\r\n";
    let seen = bytes(&frontend, chunked);
    assert!(seen.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{seen}");
    assert!(seen.contains("connection: close\r\n"), "{seen}");
}

#[test]
fn a_client_that_ends_its_side_gets_its_answer_while_it_keeps_coming() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    // So that what follows does not have to wait for the application's start.
    assert_eq!(frontend.get("/sse?n=1&ms=1").status(), 200);
    let ended = |text: &str| {
        let mut client = frontend.connect();
        client.send(text).finish_sending();
        client
    };
    assert_eq!(ended(&get("/HelloWorld", &[])).response().text(), "Hello World");
    assert_eq!(ended(&request("POST", "/echo", &[], "hello")).response().text(), "hello");
    let large = ended(&get("/bytes/20000000", &[])).response();
    assert_eq!(large.body.len(), 20_000_000);
    // More than the patience with a silent application, but never silent for so long.
    let events = ended(&get("/sse?n=10&ms=80", &[])).response();
    assert_eq!(events.text().matches("data:").count(), 10, "{}", events.text());
    // Sent ahead, and answered while nobody reads what has been sent.
    let mut client = ended(&get("/slow?head=300", &[]).repeat(3));
    for _ in 0..3 {
        assert_eq!(client.response().status(), 200);
    }
}

/// Resident memory of a process at its peak, in KiB.
fn peak_memory(frontend: &Frontend) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", frontend.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn an_answer_of_more_than_4_gib_is_carried_and_held_nowhere() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    assert_eq!(frontend.get("/record").status(), 200);
    let before = peak_memory(&frontend);
    let mut client = frontend.connect();
    let head = client.send(get(&format!("/flood?{HUGE}"), &["Connection: close"])).head();
    assert_eq!(head.header("content-length"), Some(&*HUGE.to_string()));
    assert_eq!(count(&client), HUGE);
    let grown = peak_memory(&frontend) - before;
    assert!(grown < 10_000, "grown by {grown} KiB");
}

/// Reads to the end.
fn count(client: &Client) -> u64 {
    let mut piece = vec![0; 1 << 20];
    let mut count = client.buffered() as u64;
    loop {
        match client.stream().read(&mut piece).expect("the answer is whole") {
            0 => return count,
            n => count += n as u64,
        }
    }
}

#[test]
fn a_body_of_as_much_as_web_config_can_allow_is_carried_and_held_nowhere() {
    let frontend = Frontend::serve(&App::misbehaving("").body_limit(u64::from(u32::MAX)));
    assert_eq!(frontend.get("/record").status(), 200);
    let before = peak_memory(&frontend);
    let mut client = frontend.connect();
    // The answer comes when all has been sent, and the machine may have more to do.
    client.patience(Duration::from_secs(300));
    let length = u64::from(u32::MAX);
    client.send(format!("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    let mut stream = client.stream().try_clone().unwrap();
    let upload = thread::spawn(move || flood(&mut stream, length));
    assert_eq!(client.response().text(), length.to_string());
    upload.join().unwrap().unwrap();
    let grown = peak_memory(&frontend) - before;
    assert!(grown < 10_000, "grown by {grown} KiB");
    // More than that is refused before any of them.
    client.send(format!("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {HUGE}\r\n\r\n"));
    assert_eq!(client.head().status, 413);
}
