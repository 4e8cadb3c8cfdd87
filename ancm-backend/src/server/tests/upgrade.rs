//! Connections that stop being HTTP.

use axum::{
    extract::{State, WebSocketUpgrade},
    response::IntoResponse,
    routing::any,
};
use hyper_util::rt::TokioIo;

use super::*;

/// Upgrades, then says everything back until `stop` is requested or the client leaves.
async fn upgrade(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let shutdown = request.extensions().get::<Shutdown>().unwrap().clone();
    let polite = request.uri().path() == "/polite";
    if request.extensions().get::<hyper::upgrade::OnUpgrade>().is_none() {
        return Ok(Response::new(Full::from("cannot be upgraded")));
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
        select! {
            _ = tokio::io::copy(&mut from, &mut to) => {}
            () = shutdown.requested(), if polite => {
                to.write_all(b"bye").await.unwrap();
                to.shutdown().await.unwrap();
            }
        }
    });
    let response = Response::builder().status(101).header("connection", "upgrade").header("upgrade", "echo");
    Ok(response.body(Full::default()).unwrap())
}

async fn start_upgrade(settings: Settings, path: &str) -> (Running, Raw, String) {
    let running = Running::start(settings, service_fn(upgrade)).await;
    let mut client = running.connect().await;
    client
        .send(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
             MS-ASPNETCORE-TOKEN: TestToken\r\n\r\n"
        ))
        .await;
    let head = client.head().await;
    (running, client, head)
}

#[tokio::test]
async fn upgrades_a_connection_end_to_end() {
    let (server, mut client, head) = start_upgrade(paired(), "/polite").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.send("ping").await;
    assert_eq!(client.body(4).await, "ping");

    // It holds the exit, until the application is told and ends it.
    server.shutdown.request();
    assert_eq!(client.rest().await, "bye");
    server.ended().await;
}

#[tokio::test]
async fn an_upgraded_connection_goes_on_until_the_limit() {
    let settings = Settings { shutdown_limit: Duration::from_millis(300), ..alone() };
    let (server, mut client, _) = start_upgrade(settings, "/").await;
    let start = tokio::time::Instant::now();
    server.shutdown.request();
    client.send("ping").await;
    assert_eq!(client.body(4).await, "ping");
    server.ended().await;
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn shows_a_request_that_cannot_be_upgraded_where_the_frontend_forbids_it() {
    let mut settings = paired();
    let Mode::Paired(pairing) = &mut settings.mode else { panic!("paired") };
    pairing.upgrades = false;
    let (_server, mut client, head) = start_upgrade(settings, "/").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(client.body(18).await, "cannot be upgraded");
}

#[tokio::test]
async fn serves_a_router_with_state_and_websockets() {
    async fn socket(State(greeting): State<&'static str>, upgrade: WebSocketUpgrade) -> impl IntoResponse {
        upgrade.on_upgrade(async move |mut socket| {
            let _ = socket.send(greeting.into()).await;
            while let Some(Ok(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
        })
    }
    let server = Running::start(alone(), Router::new().route("/ws", any(socket)).with_state("welcome")).await;
    let mut client = server.connect().await;
    client
        .send(
            "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // RFC 6455 5.2: a whole text message of that many bytes; ours is masked with zeros.
    assert_eq!(client.bytes(9).await, b"\x81\x07welcome");
    client.0.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
    assert_eq!(client.bytes(4).await, b"\x81\x02hi");
}
