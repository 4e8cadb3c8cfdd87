//! The server over real sockets.

use std::{io, sync::Arc};

use ancm_tower::pairing_token::PairingToken;
use axum::{Extension, Router, routing::get};
use http_body_util::Full;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tower::service_fn;

use super::*;
use crate::{Client, PathBase, settings::Pairing};

mod drain;
mod upgrade;

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
    async fn start<S, B>(settings: Settings, app: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
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
async fn an_application_that_errs_answers_500_and_the_connection_stays() {
    let app =
        service_fn(async |_: Request<Incoming>| Err::<Response<Full<Bytes>>, _>(io::Error::other("no")));
    let server = Running::start(alone(), app).await;
    let mut client = server.connect().await;
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

#[tokio::test]
async fn tells_an_application_who_connects_without_a_frontend_too() {
    async fn client(Extension(client): Extension<Client>, Extension(base): Extension<PathBase>) -> String {
        format!("{}{base}", client.forwarded_for().to_str().unwrap())
    }
    let server = Running::start(alone(), Router::new().route("/", get(client))).await;
    let mut client = server.connect().await;
    let address = client.0.get_ref().local_addr().unwrap().to_string();
    client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.body(address.len()).await, address);
}
