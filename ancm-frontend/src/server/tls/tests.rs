use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    thread::JoinHandle,
    time::Duration,
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, HandshakeKind, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
        version::{TLS12, TLS13},
    },
};
use tokio_util::task::TaskTracker;
use tower::{service_fn, util::ServiceFn};

use super::*;
use crate::{
    lease::lease,
    server::{ClientBody, MakeWorkerService, TimerThread, Worker, listen},
    tls::{
        ClientCertificates, Source, TlsSettings,
        tests::{Made, Pair},
    },
};

type Answer = Ready<Result<Response<Full<Bytes>>, Infallible>>;

/// Answers with what the server knows of the client: `https 308201…` for a certificate, `https none`.
#[derive(Clone)]
struct Tell;

/// One worker with one socket.
struct Server {
    address: SocketAddr,
    reload: Arc<Notify>,
    drain: CancellationToken,
    finish: CancellationToken,
    thread: Option<JoinHandle<()>>,
    pair: Pair,
}

/// How a client connects.
struct Caller {
    roots: RootCertStore,
    shows: Option<Made>,
}

// === impl Tell ===

impl MakeWorkerService for Tell {
    type Service = ServiceFn<fn(Request<ClientBody>) -> Answer>;

    fn needs_timers(&self) -> bool {
        false
    }

    fn make(self, _: &TaskTracker) -> impl Fn(&Client) -> Self::Service + 'static {
        |_: &Client| service_fn(tell as fn(Request<ClientBody>) -> Answer)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a service takes its requests by value")]
fn tell(request: Request<ClientBody>) -> Answer {
    let scheme = request.extensions().get::<Client>().unwrap().scheme();
    let certificate = request.extensions().get::<ClientCertificate>();
    let certificate = certificate.map_or("none".to_owned(), |shown| format!("{:02x?}", &shown.der()[..]));
    ready(Ok(Response::new(Full::from(format!("{} {certificate}", scheme.as_str())))))
}

/// What is told of a client that has shown this.
fn told(made: &Made) -> String {
    format!("https {:02x?}", &made.der()[..])
}

// === impl Server ===

impl Server {
    fn new() -> Self {
        Self::with(Limits::default(), |_, settings| settings)
    }

    /// Must be called within a runtime, which follows the files.
    fn with(limits: Limits, change: impl FnOnce(&Pair, TlsSettings) -> TlsSettings) -> Self {
        let pair = Pair::new("localhost");
        let (source, certificates) = Source::open(change(&pair, pair.settings())).unwrap();
        let reload = Arc::new(Notify::new());
        tokio::spawn(source.follow(Arc::clone(&reload)));
        let mut listeners = listen("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let socket = Socket { listener: listeners.sockets.remove(0), tls: Some(certificates) };
        let (drain, finish) = (CancellationToken::new(), CancellationToken::new());
        let worker = Worker {
            number: 0,
            sockets: vec![socket],
            limits,
            drain: drain.clone(),
            finish: finish.clone(),
            timers: TimerThread::start().unwrap(),
            connections: lease().0,
        };
        let thread = Some(worker.spawn(Tell).unwrap());
        Self { address: listeners.address, reload, drain, finish, thread, pair }
    }

    /// Asks clients for certificates.
    fn asking(clients: ClientCertificates, authority: Option<&Made>) -> Self {
        Self::with(Limits::default(), |pair, settings| {
            let settings = settings.client_certificates(clients);
            match authority {
                Some(made) => settings.client_ca(pair.write("ca.pem", made.pem())),
                None => settings,
            }
        })
    }

    fn caller(&self) -> Caller {
        let mut caller = Caller { roots: RootCertStore::empty(), shows: None };
        caller.trust(self.pair.made());
        caller
    }

    /// A client that shows this certificate.
    fn caller_with(&self, made: Made) -> Caller {
        Caller { shows: Some(made), ..self.caller() }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.drain.cancel();
        self.finish.cancel();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

// === impl Caller ===

impl Caller {
    fn trust(&mut self, made: &Made) {
        self.roots.add(made.der().clone()).unwrap();
    }

    fn config(&self) -> ClientConfig {
        self.config_with(&[&TLS12, &TLS13])
    }

    fn config_with(
        &self,
        versions: &[&'static tokio_rustls::rustls::SupportedProtocolVersion],
    ) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots.clone());
        match &self.shows {
            None => builder.with_no_client_auth(),
            Some(made) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.key_der()));
                builder.with_client_auth_cert(vec![made.der().clone()], key).unwrap()
            }
        }
    }

    /// The answer to one request on a connection of its own.
    async fn ask(&self, server: &Server) -> Result<String, BoxError> {
        ask(&mut connect(server, self.config()).await?.0).await
    }
}

type Sender = SendRequest<Empty<Bytes>>;

/// A connection, the server's certificate on it, and how the handshake went.
async fn connect(
    server: &Server,
    config: ClientConfig,
) -> Result<(Sender, CertificateDer<'static>, HandshakeKind), BoxError> {
    over(server.tcp().await, config).await
}

async fn over(
    tcp: TcpStream,
    config: ClientConfig,
) -> Result<(Sender, CertificateDer<'static>, HandshakeKind), BoxError> {
    let name = ServerName::try_from("localhost")?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let session = stream.get_ref().1;
    let certificate = session.peer_certificates().unwrap()[0].clone();
    let kind = session.handshake_kind().unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok((sender, certificate, kind))
}

async fn ask(sender: &mut Sender) -> Result<String, BoxError> {
    sender.ready().await?;
    let request = Request::builder().header("host", "localhost").body(Empty::new())?;
    let response = sender.send_request(request).await?;
    assert_eq!(response.status(), StatusCode::OK);
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?)
}

#[tokio::test]
async fn requests_come_through_tls_of_either_version() {
    let server = Server::new();
    for version in [&TLS12, &TLS13] {
        let config = server.caller().config_with(&[version]);
        let (mut sender, ..) = connect(&server, config).await.unwrap();
        assert_eq!(ask(&mut sender).await.unwrap(), "https none");
        assert_eq!(ask(&mut sender).await.unwrap(), "https none");
    }
}

#[tokio::test]
async fn speaks_http_1_1_and_nothing_else_inside() {
    let server = Server::new();
    let mut config = server.caller().config();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config.clone()));
    let stream = connector.connect(name, server.tcp().await).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert!(connect(&server, config).await.is_err());
}

#[tokio::test]
async fn a_client_that_is_not_asked_shows_nothing() {
    let server = Server::new();
    assert_eq!(server.caller_with(Made::new("c")).ask(&server).await.unwrap(), "https none");
}

#[tokio::test]
async fn any_certificate_goes_with_each_request_also_after_a_resumption() {
    let server = Server::asking(ClientCertificates::Request, None);
    let caller = server.caller_with(Made::new("c"));
    let expected = told(caller.shows.as_ref().unwrap());
    let config = caller.config();
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let (mut sender, _, seen) = connect(&server, config.clone()).await.unwrap();
        assert_eq!(seen, kind);
        assert_eq!(ask(&mut sender).await.unwrap(), expected);
        assert_eq!(ask(&mut sender).await.unwrap(), expected);
    }
    assert_eq!(server.caller().ask(&server).await.unwrap(), "https none");
}

#[tokio::test]
async fn a_required_certificate_must_be_shown() {
    let server = Server::asking(ClientCertificates::Require, None);
    assert!(server.caller().ask(&server).await.is_err());
    assert!(server.caller_with(Made::new("c")).ask(&server).await.is_ok());
}

#[tokio::test]
async fn with_authorities_only_their_certificates_are_taken() {
    let (authority, stranger) = (Made::authority("ca"), Made::authority("other"));
    for clients in [ClientCertificates::Request, ClientCertificates::Require] {
        let server = Server::asking(clients, Some(&authority));
        let good = server.caller_with(authority.issue("c"));
        assert_eq!(good.ask(&server).await.unwrap(), told(good.shows.as_ref().unwrap()));
        for bad in [stranger.issue("c"), Made::new("c")] {
            assert!(server.caller_with(bad).ask(&server).await.is_err());
        }
        let none = server.caller().ask(&server).await;
        assert_eq!(none.is_ok(), clients == ClientCertificates::Request);
    }
}

#[tokio::test]
async fn plain_http_gets_an_answer_that_says_so() {
    let server = Server::new();
    let mut stream = server.tcp().await;
    let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{}", "x".repeat(9000));
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    assert!(body.contains("https://"), "{body}");
}

#[tokio::test]
async fn bytes_that_are_neither_are_closed() {
    let server = Server::new();
    for bytes in [&b"\0\0\0\0\0\0"[..], b"\x16\x03\x01\x00\x04abcd", b"\x80\x2e\x01\x00\x02"] {
        let mut stream = server.tcp().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        // An alert may come before the end.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.len() <= 7, "{rest:?}");
    }
    assert!(server.caller().ask(&server).await.is_ok());
}

#[tokio::test]
async fn a_handshake_that_does_not_come_to_its_end_is_closed() {
    let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(limits, |_, settings| settings);
    for begun in [&b""[..], b"\x16\x03\x01\x02"] {
        let mut stream = server.tcp().await;
        stream.write_all(begun).await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_client_that_connected_before_the_drain_is_served_once_more() {
    let server = Server::new();
    let tcp = server.tcp().await;
    server.drain.cancel();
    let (mut sender, ..) = over(tcp, server.caller().config()).await.unwrap();
    assert_eq!(ask(&mut sender).await.unwrap(), "https none");
    assert!(ask(&mut sender).await.is_err());
}

#[tokio::test]
async fn a_client_that_has_not_begun_its_handshake_does_not_hold_up_the_drain() {
    let server = Server::new();
    let mut silent = server.tcp().await;
    let mut begun = server.tcp().await;
    begun.write_all(b"\x16\x03").await.unwrap();
    server.drain.cancel();
    let (silent, begun) = tokio::join!(
        timeout(Duration::from_secs(10), silent.read_u8()),
        timeout(Duration::from_secs(10), begun.read_u8()),
    );
    assert!(silent.unwrap().is_err() && begun.unwrap().is_err());
}

#[tokio::test]
async fn no_request_fails_while_the_certificate_is_replaced() {
    let server = Server::new();
    let mut caller = server.caller();
    let (mut kept, ..) = connect(&server, caller.config()).await.unwrap();
    let mut replaced = 0;
    for _ in 0..5 {
        let next = Made::new("localhost");
        caller.trust(&next);
        let config = caller.config();
        server.pair.replace(&next);
        server.reload.notify_one();
        loop {
            let (mut sender, certificate, _) = connect(&server, config.clone()).await.unwrap();
            assert_eq!(ask(&mut sender).await.unwrap(), "https none");
            assert_eq!(ask(&mut kept).await.unwrap(), "https none");
            if certificate == *next.der() {
                replaced += 1;
                break;
            }
        }
    }
    assert_eq!(replaced, 5);
}

#[tokio::test]
async fn a_client_that_has_said_all_is_told_the_end() {
    let server = Server::new();
    let caller = server.caller();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(caller.config()));
    let mut stream = connector.connect(name, server.tcp().await).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // An end that nobody has announced would be an error.
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("https none"), "{answer}");
}
