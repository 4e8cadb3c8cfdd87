//! Upgraded connections: WebSockets, and any other protocol.
#![expect(non_snake_case, reason = "a test carries the name of the row that it is about")]

mod frames;
mod handshakes;
mod stopping;

use std::io::Write;

use crate::support::{
    app::App,
    client::{Client, get},
    frontend::Frontend,
    site,
    websocket::WebSocket,
};

#[tokio::test]
async fn delivers_messages_one_by_one() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    socket.send("ticks:5:50").await;
    for i in 0..5 {
        let tick = socket.text().await;
        assert!(tick.starts_with(&format!("{i} ")), "{tick}");
    }
}

#[tokio::test]
async fn ends_when_the_client_vanishes() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    socket.send("hello").await;
    assert_eq!(socket.text().await, "hello");
    site::in_flight(&mut frontend.connect(), 1);
    socket.vanish();
    site::in_flight(&mut frontend.connect(), 0);
}

#[tokio::test]
async fn ends_when_the_application_cuts_it() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    socket.send("abort").await;
    let end = socket.next().await;
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
}

#[tokio::test]
async fn ends_when_the_process_is_killed() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    socket.send("pid").await;
    let pid: i64 = socket.text().await.parse().unwrap();
    assert_eq!(pid, frontend.started(1).pid);
    crate::support::process::kill(pid);
    let end = socket.next().await;
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
    assert_ne!(frontend.started(2).pid, pid);
}

/// Upgrades to a protocol of our own.
fn upgrade(frontend: &Frontend, lines: &[&str]) -> Client {
    let mut client = frontend.connect();
    let mut all = vec!["Connection: Upgrade", "Upgrade: shout/1"];
    all.extend(lines);
    client.send(get("/raw-upgrade", &all));
    let head = client.head();
    assert_eq!((head.status, head.header("upgrade")), (101, Some("shout/1")), "{head:?}");
    assert!(head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    client
}

#[test]
fn carries_any_protocol() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = upgrade(&frontend, &[]);
    for _ in 0..10 {
        client.send("hello\0\u{ff}");
        let shouted = client.exactly("hello\0\u{ff}".len()).unwrap();
        assert_eq!(&shouted[..6], b"HELLO\0");
    }
}

#[test]
fn carries_what_was_sent_right_behind_the_request() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client
        .send("GET /raw-upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout/1\r\n\r\nearly");
    assert_eq!(client.head().status, 101);
    assert_eq!(client.exactly(5).unwrap(), b"EARLY");
}

#[test]
fn carries_megabytes_through_an_upgraded_connection() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = upgrade(&frontend, &[]);
    let mut stream = client.stream().try_clone().unwrap();
    let writer = std::thread::spawn(move || stream.write_all(&vec![b'a'; 4_000_000]).unwrap());
    assert!(client.exactly(4_000_000).unwrap().iter().all(|&byte| byte == b'A'));
    writer.join().unwrap();
}

#[test]
fn an_upgraded_connection_ends_with_either_side() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = upgrade(&frontend, &[]);
    client.send("last words");
    assert_eq!(client.exactly(10).unwrap(), b"LAST WORDS");
    client.finish_sending();
    assert_eq!(client.rest(), b"");
    site::in_flight(&mut frontend.connect(), 0);

    let client = upgrade(&frontend, &[]);
    site::in_flight(&mut frontend.connect(), 1);
    client.reset();
    site::in_flight(&mut frontend.connect(), 0);
}

#[test]
fn an_upgraded_connection_has_no_timeout() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("requestTimeout", "00:00:02");
    let frontend = Frontend::serve(&app);
    let mut client = upgrade(&frontend, &[]);
    // Longer than the limit, which this request is refused by.
    assert_eq!(frontend.get("/hang").status(), 504);
    client.send("still there");
    assert_eq!(client.exactly(11).unwrap(), b"STILL THERE");
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let response = client.exchange(get("/HelloWorld", &["Connection: Upgrade", "Upgrade: websocket"]));
    assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
    assert_eq!(client.exchange(get("/ws", &[])).status(), 426);
    assert_eq!(client.exchange(get("/HelloWorld", &[])).status(), 200);
}

#[test]
fn upgrades_to_another_version_of_http_are_not_passed() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for protocol in ["h2c", "HTTP/2.0", "TLS/1.2"] {
        let upgrade = format!("Upgrade: {protocol}");
        let seen = site::Seen::of(&mut frontend.connect(), "/request/x", &["Connection: Upgrade", &upgrade]);
        assert!(seen.header("upgrade").is_empty(), "{seen:?}");
    }
}
