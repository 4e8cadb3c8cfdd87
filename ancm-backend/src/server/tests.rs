//! The server over real sockets.

use std::{io, process::Stdio, sync::Arc};

use axum::{
    Router,
    extract::{State, WebSocketUpgrade},
    response::IntoResponse,
    routing::{any, get},
};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tower::service_fn;

use super::*;
use crate::settings::Pairing;
use ancm_tower::pairing_token::PairingToken;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in this process.
struct Running {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<Result<(), ServeError>>,
}

/// A client that sees every byte.
struct Raw(BufReader<TcpStream>);

impl Running {
    async fn start(settings: Settings, app: Router) -> Self {
        let shutdown = Shutdown::new();
        let server = Server::new(settings).shutdown(shutdown.clone()).signals(false);
        let listening = server.listen().await.unwrap();
        let address = listening.addresses()[0];
        Self { address, shutdown, task: tokio::spawn(listening.serve(app)) }
    }

    async fn ended(self) {
        timeout(PATIENCE, self.task).await.expect("the server goes on").unwrap().unwrap();
    }

    async fn connect(&self) -> Raw {
        Raw::connect(self.address).await
    }
}

impl Raw {
    async fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The answer's head.
    async fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = timeout(PATIENCE, self.0.read_line(&mut head)).await.expect("no answer").unwrap();
            assert_ne!(read, 0, "closed after {head:?}");
        }
        head
    }

    async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.expect("no more bytes").unwrap();
        bytes
    }

    async fn body(&mut self, length: usize) -> String {
        String::from_utf8(self.bytes(length).await).unwrap()
    }

    /// What comes until the other end closes, or resets.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("still open");
        String::from_utf8(rest).unwrap()
    }
}

fn alone() -> Settings {
    Settings { mode: Mode::Alone(vec![Address::loopback(0)]), ..Settings::default() }
}

/// Paired, at a port that the system chooses.
fn paired() -> Settings {
    let pairing = Pairing::new(0, PairingToken::new("TestToken").unwrap());
    Settings { mode: Mode::Paired(pairing), ..Settings::default() }
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// An application that tells when `/slow` is asked, and answers when told.
fn slow() -> (Router, mpsc::UnboundedReceiver<()>, Arc<Notify>) {
    let (asked, was_asked) = mpsc::unbounded_channel();
    let answer = Arc::new(Notify::new());
    let may_answer = Arc::clone(&answer);
    let handler = async move || {
        let _ = asked.send(());
        may_answer.notified().await;
        "done"
    };
    (hello().route("/slow", get(handler)), was_asked, answer)
}

#[tokio::test]
async fn answers_several_requests_on_one_connection() {
    let server = Running::start(alone(), hello()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(client.body(5).await, "hello");
    }
    server.shutdown.request();
    server.ended().await;
}

#[tokio::test]
async fn listens_on_loopback_and_obeys_the_frontend_only() {
    let server = Running::start(paired(), hello()).await;
    assert_eq!(server.address.ip().to_string(), "127.0.0.1");
    let mut client = server.connect().await;
    for (token, status) in [("", "400"), ("MS-ASPNETCORE-TOKEN: no\r\n", "400")] {
        client.send(&format!("GET / HTTP/1.1\r\nHost: x\r\n{token}\r\n")).await;
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.contains("content-length: 0\r\n") && !head.contains("connection: close"), "{head}");
    }
    // Blanks around a value are not part of it.
    client.send("GET / HTTP/1.1\r\nHost: x\r\nMs-AspNetCore-Token: \t TestToken \t\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn says_which_address_is_taken() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = holder.local_addr().unwrap();
    let pairing = Pairing::new(taken.port(), PairingToken::new("TestToken").unwrap());
    let settings = Settings { mode: Mode::Paired(pairing), ..Settings::default() };
    let error = Server::new(settings).serve(hello()).await.unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        format!("cannot listen on {taken}: another process has that port already")
    );
}

#[tokio::test]
async fn drains_after_the_frontends_message() {
    let (app, mut was_asked, answer) = slow();
    let server = Running::start(paired(), app).await;
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: x\r\nMS-ASPNETCORE-TOKEN: TestToken\r\n\r\n").await;
    idle.head().await;
    idle.body(5).await;
    let mut unused = server.connect().await;
    let mut working = server.connect().await;
    working.send("GET /slow HTTP/1.1\r\nHost: x\r\nMS-ASPNETCORE-TOKEN: TestToken\r\n\r\n").await;
    was_asked.recv().await.unwrap();

    // As a frontend sends it: the host is empty, so that no list of allowed hosts refuses it.
    let mut message = server.connect().await;
    message
        .send(
            "POST /iisintegration HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\
             MS-ASPNETCORE-TOKEN: TestToken\r\nMS-ASPNETCORE-EVENT: shutdown\r\n\r\n",
        )
        .await;
    let head = message.head().await;
    assert!(head.starts_with("HTTP/1.1 202 Accepted\r\n"), "{head}");
    assert!(head.contains("content-length: 0\r\n") && !head.contains("connection: close"), "{head}");

    for closed in [&mut message, &mut idle, &mut unused] {
        assert_eq!(closed.rest().await, "");
    }
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("the listener stays open");
    assert!(!server.task.is_finished());

    answer.notify_one();
    let head = working.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("connection: close\r\n"), "{head}");
    assert_eq!(working.rest().await, "done");
    server.ended().await;
}

#[tokio::test]
async fn half_a_request_holds_the_exit_no_longer_than_the_limit() {
    let limit = Duration::from_millis(100);
    let server = Running::start(Settings { shutdown_limit: limit, ..alone() }, hello()).await;
    let mut half = server.connect().await;
    half.send("GET / HT").await;
    // Whoever came later has an answer, so the half is there too.
    let mut whole = server.connect().await;
    whole.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    whole.head().await;

    let start = tokio::time::Instant::now();
    server.shutdown.request();
    server.ended().await;
    assert!(start.elapsed() >= limit);
    assert_eq!(half.rest().await, "");
}

#[tokio::test]
async fn a_request_that_never_ends_is_let_go_at_the_limit() {
    let (app, mut was_asked, _answer) = slow();
    let settings = Settings { shutdown_limit: Duration::from_millis(100), ..alone() };
    let server = Running::start(settings, app).await;
    let mut working = server.connect().await;
    working.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    was_asked.recv().await.unwrap();
    server.shutdown.request();
    server.ended().await;
    assert_eq!(working.rest().await, "");
}

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
    let shutdown = Shutdown::new();
    let server = Server::new(settings).shutdown(shutdown.clone()).signals(false);
    let listening = server.listen().await.unwrap();
    let address = listening.addresses()[0];
    let running = Running { address, shutdown, task: tokio::spawn(listening.serve(service_fn(upgrade))) };
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

#[tokio::test]
async fn an_application_that_errs_answers_500_and_the_connection_stays() {
    let app =
        service_fn(async |_: Request<Incoming>| Err::<Response<Full<Bytes>>, _>(io::Error::other("no")));
    let server = Server::new(alone()).signals(false);
    let listening = server.listen().await.unwrap();
    let mut client = Raw::connect(listening.addresses()[0]).await;
    tokio::spawn(listening.serve(app));
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 500 ") && head.contains("content-length: 0\r\n"), "{head}");
    }
}

#[tokio::test]
async fn refuses_garbage_and_goes_on() {
    let server = Running::start(alone(), hello()).await;
    let mut garbage = server.connect().await;
    garbage.send("\u{1}\u{2}garbage\r\n\r\n").await;
    assert!(garbage.rest().await.starts_with("HTTP/1.1 400 "));
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
}

/// Set for the child of the test below.
const CHILD: &str = "ANCM_BACKEND_TEST_CHILD";

/// Not a test of its own: the process that the next test stops.
#[tokio::test]
async fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (app, mut was_asked, answer) = slow();
    let listening = Server::from_env().unwrap().listen().await.unwrap();
    println!("listening on {}", listening.addresses()[0]);
    let shutdown = listening.server.shutdown.clone();
    tokio::spawn(async move {
        was_asked.recv().await;
        println!("asked");
        shutdown.requested().await;
        answer.notify_one();
    });
    listening.serve(app).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a signal to this process would stop the other tests' servers")]
async fn finishes_a_request_on_sigterm_and_exits_with_0() {
    use tokio::process::Command;

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::tests::child", "--nocapture"])
        .env(CHILD, "1")
        .env("ASPNETCORE_URLS", "http://127.0.0.1:0")
        .env("ASPNETCORE_TOKEN", "")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("the child ended");
        // The test harness writes the beginning of the line.
        if let Some((_, address)) = line.split_once("listening on ") {
            break address.parse().unwrap();
        }
    };
    let mut client = Raw::connect(address).await;
    client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    while lines.next_line().await.unwrap().expect("the child ended") != "asked" {}

    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(client.rest().await, "done");
    assert!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
}
