//! Messages, fragments, pings and close frames, both ways.

use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use crate::support::{app::App, frontend::Frontend, site, websocket::WebSocket};

#[tokio::test]
async fn W1_can_send_and_receive_a_thousand_messages_in_order() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    for i in 0..1000 {
        let text = format!("message {i} {}", "x".repeat(i % 300));
        socket.send(text.as_str()).await;
        assert_eq!(socket.text().await, text);
    }
}

#[tokio::test]
async fn V25_web_socket_carries_messages_of_every_size_and_kind() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    for size in [0, 1, 125, 126, 4096, 65_535] {
        let bytes = vec![7_u8; size];
        socket.send(bytes.clone()).await;
        assert_eq!(socket.next().await, Some(Ok(Message::binary(bytes))));
    }
    socket.send("text").await;
    assert_eq!(socket.text().await, "text");
}

/// A piece of a text message.
fn piece(text: &'static str, kind: Data, is_last: bool) -> Message {
    Message::Frame(Frame::message(text, OpCode::Data(kind), is_last))
}

#[tokio::test]
async fn V25_web_socket_carries_partial_frames_with_pings_between_them() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    for round in 0..5 {
        let ping = format!("ping {round}");
        socket.send(piece("one, ", Data::Text, false)).await;
        socket.send(Message::Ping(ping.clone().into())).await;
        socket.send(piece("", Data::Continue, false)).await;
        socket.send(piece("two, ", Data::Continue, false)).await;
        socket.send(piece("three", Data::Continue, true)).await;
        // One pong for each ping, with its words, and the message once its last piece has come.
        assert_eq!(socket.next().await, Some(Ok(Message::Pong(ping.into()))));
        assert_eq!(socket.text().await, "one, two, three");
    }
}

#[tokio::test]
async fn V25_web_socket_carries_the_close_of_the_client() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let close =
        |code, reason: &'static str| CloseFrame { code: CloseCode::from(code), reason: reason.into() };
    for frame in [close(1000, ""), close(1000, "ClosingFromClient"), close(1011, "oh"), close(4321, "enough")]
    {
        let mut socket = WebSocket::open(frontend.address(), "/ws").await;
        socket.send(Message::Close(Some(frame.clone()))).await;
        assert_eq!(socket.closed().await, Some(frame), "the application says the same");
        assert_eq!(socket.next().await, None, "then the connection ends");
    }
    site::in_flight(&mut frontend.connect(), 0);
}

#[tokio::test]
async fn V25_web_socket_carries_the_close_of_the_application_three_times() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let pid = frontend.started(1).pid.to_string();
    for (code, reason) in [(1000, "ClosingFromServer"), (1011, "ClosingFromServer"), (4000, "because")] {
        let mut socket = WebSocket::open(frontend.address(), "/ws").await;
        socket.send("pid").await;
        assert_eq!(socket.text().await, pid);
        socket.send(format!("close:{code}:{reason}")).await;
        let expected = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        assert_eq!(socket.closed().await, Some(expected));
        assert_eq!(socket.next().await, None, "then the connection ends");
    }
    assert_eq!(frontend.get("/HelloWorld").header("x-site-pid"), Some(pid.as_str()));
}
