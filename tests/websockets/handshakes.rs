//! Which requests become WebSockets, and what is agreed on.

use crate::support::{
    app::App,
    client::{Client, Head, get, request},
    frontend::Frontend,
    site::Seen,
    websocket::WebSocket,
};

/// What a client sends besides, to be upgraded; the key is the one of RFC 6455 1.3.
const OFFER: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// An offer with more in it, and the head of the answer.
fn offer(client: &mut Client, target: &str, more: &[&str]) -> Head {
    client.send(get(target, &[&OFFER, more].concat()));
    client.head()
}

/// A frame of a client, masked by zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short one");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// A site that serves no WebSockets.
fn without_web_sockets(app: App) -> App {
    app.section("<webSocket enabled=\"false\" />")
}

#[test]
fn V25_web_socket_handshake_is_answered_with_connection_upgrade() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let head = offer(&mut frontend.connect(), "/ws", &["Sec-WebSocket-Protocol: chat, other"]);
    assert_eq!(head.status, 101, "{head:?}");
    assert!(head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")), "{head:?}");
    assert!(head.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")), "{head:?}");
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.header("sec-websocket-protocol"), Some("chat"));
}

#[test]
fn W2_attempt_to_compress_is_agreed_on_by_both_ends_and_works() {
    // "Hello" as RFC 7692 7.2.3 has it: by itself, and again by what is remembered of the first.
    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
    const COMPRESSED_TEXT: u8 = 0xc1;
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    // The application is to compress each message by itself; ours refer to the ones before.
    let offered = "permessage-deflate; server_no_context_takeover";
    let extension = format!("Sec-WebSocket-Extensions: {offered}");
    let head = offer(&mut client, "/ws?deflate=1", &[&extension]);
    assert_eq!((head.status, head.header("sec-websocket-extensions")), (101, Some(offered)));
    for sent in [HELLO, AGAIN, AGAIN] {
        client.send(frame(COMPRESSED_TEXT, sent));
        let answer = client.exactly(2).unwrap();
        assert_eq!(answer[0], COMPRESSED_TEXT, "{answer:x?}");
        let came = client.exactly(usize::from(answer[1])).unwrap();
        assert_eq!(came, HELLO, "{came:x?} for {sent:x?}");
    }
    // An application that does not compress has not to say so.
    let head = offer(&mut frontend.connect(), "/ws", &[&extension]);
    assert_eq!((head.status, head.header("sec-websocket-extensions")), (101, None));
}

#[test]
fn W2_attempt_to_compress_is_seen_by_the_application() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    let offered = "permessage-deflate; client_max_window_bits=12; server_no_context_takeover";
    let mut client = frontend.connect();
    let head = offer(&mut client, "/offer", &[&format!("Sec-WebSocket-Extensions: {offered}")]);
    assert_eq!(head.status, 101, "{head:?}");
    let agreed = head.header("sec-websocket-extensions").expect("an answer to the offer");
    assert!(
        agreed.starts_with("permessage-deflate") && agreed.contains("client_max_window_bits=12"),
        "{agreed}"
    );
}

#[tokio::test]
async fn W2_without_an_attempt_to_compress_the_application_sees_none() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(WebSocket::open(frontend.address(), "/offer").await.text().await, "None");
}

#[tokio::test]
async fn W3_on_started_is_called_and_the_connection_upgraded() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/life-cycle").await;
    assert_eq!(socket.text().await, "OnStarting");
    assert_eq!(socket.text().await, "Upgraded");
    assert_eq!(socket.closed().await.map(|frame| u16::from(frame.code)), Some(1000));
}

#[tokio::test]
async fn W3_read_before_the_upgrade_ends_at_once() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/read-first").await;
    assert_eq!(socket.text().await, "read 0");
    assert_eq!(socket.closed().await.map(|frame| u16::from(frame.code)), Some(1000));
}

#[test]
fn W4_request_with_a_body_is_not_upgradable() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    for lines in [&[][..], &OFFER] {
        let response = frontend.connect().exchange(request("POST", "/insist", lines, "Hello World"));
        assert_eq!((response.status(), response.text().as_str()), (200, "refused"), "{lines:?}");
    }
}

#[test]
fn W4_request_of_http_1_0_is_not_upgradable_and_an_upgrade_errs() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    for lines in [&[][..], &OFFER] {
        let request = get("/insist", lines).replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n");
        let response = frontend.connect().exchange(request);
        assert_eq!((response.status(), response.text().as_str()), (200, "refused"), "{lines:?}");
    }
    // The same offer with HTTP/1.1 is taken.
    let response = frontend.connect().exchange(get("/insist", &OFFER));
    assert_eq!((response.status(), response.text().as_str()), (200, "upgradable"));
}

#[test]
fn W5_upgrade_feature_detection_mirrors_the_switch() {
    let Some(on) = App::site() else { return };
    let Some(off) = App::site().map(without_web_sockets) else { return };
    for (app, expected) in [(on, true), (off, false)] {
        let frontend = Frontend::serve(&app);
        let seen = Seen::of(&mut frontend.connect(), "/request/x", &[]);
        assert_eq!(seen.0["upgrade_feature"], expected, "{seen:?}");
        let told = frontend.get("/env").json()["ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED"].clone();
        assert_eq!(told, expected.to_string());
    }
}

#[test]
fn V26_web_socket_error_handling_with_the_switch_off_http_goes_on() {
    let Some(app) = App::site().map(without_web_sockets) else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for _ in 0..3 {
        let refused = client.exchange(get("/ws", &OFFER));
        assert_eq!((refused.status(), refused.head.all("connection")), (426, vec![]), "{refused:?}");
        let ordinary = client.exchange(get("/HelloWorld", &OFFER));
        assert_eq!((ordinary.status(), ordinary.text().as_str()), (200, "Hello World"));
        assert_eq!((ordinary.header("connection"), ordinary.header("upgrade")), (None, None));
    }
}
