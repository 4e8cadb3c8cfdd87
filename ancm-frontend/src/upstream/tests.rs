//! The innermost service over real sockets, by either client.

use std::convert::Infallible;

use ancm_tower::startup_error::{Admission, Gate};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use tower::ServiceExt;

use super::*;
use crate::{dispatch::tests as dispatch, supervisor::snapshot::Backend};

type TestBody = BoxBody<Bytes, BoxError>;
type Ours = Http1Client<SentBody<TestBody>>;
type Hypers = HyperClient<SentBody<TestBody>>;

/// A process to be sent to.
struct Process {
    listener: TcpListener,
    table: crate::dispatch::Table,
}

// === impl Process ===

impl Process {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, table: dispatch::table(vec![Backend { address, ..dispatch::backend(0) }]) }
    }

    fn ticket(&self) -> Ticket {
        match self.table.admit() {
            Admission::Admitted(ticket) => ticket,
            other => panic!("not admitted: {other:?}"),
        }
    }

    /// Answers so many requests, each with this, on one connection; what they were.
    fn answers(&self, count: usize, answer: &'static str) -> impl Future<Output = String> {
        let listener = &self.listener;
        async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut requests = Vec::new();
            for number in 1..=count {
                while requests.windows(4).filter(|bytes| bytes == b"\r\n\r\n").count() < number {
                    assert_ne!(stream.read_buf(&mut requests).await.unwrap(), 0, "it has left");
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            String::from_utf8(requests).unwrap()
        }
    }
}

fn request(ticket: Ticket, body: TestBody) -> Request<TestBody> {
    let mut request = Request::builder().uri("/").header("host", "h").body(body).unwrap();
    request.extensions_mut().insert(ticket);
    request
}

fn empty() -> TestBody {
    Full::default().map_err(|never: Infallible| match never {}).boxed()
}

/// Pieces, or the end of all.
fn channel() -> (mpsc::UnboundedSender<Result<&'static str, BoxError>>, TestBody) {
    let (pieces, mut stream) = mpsc::unbounded_channel::<Result<&'static str, BoxError>>();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |context| {
        let frame =
            |piece: Result<&'static str, BoxError>| piece.map(|text| http_body::Frame::data(text.into()));
        stream.poll_recv(context).map(|piece| piece.map(frame))
    }));
    (pieces, BodyExt::boxed(body))
}

async fn text<B: Body<Error: std::fmt::Debug>>(response: Response<B>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Sends one request by this client, and waits for its answer's head.
async fn send<C>(client: &Upstream<C>, request: Request<TestBody>) -> Response<UpstreamBody<C::Body>>
where
    C: Client<SentBody<TestBody>>,
{
    client.clone().oneshot(request).await.unwrap()
}

fn upstream<C>(client: C) -> Upstream<C> {
    Upstream::new(client, TaskTracker::new())
}

async fn keeps_a_connection<C: Client<SentBody<TestBody>>>(client: C) {
    let (process, upstream) = (Process::start().await, upstream(client));
    let requests = async {
        for _ in 0..3 {
            assert_eq!(text(send(&upstream, request(process.ticket(), empty())).await).await, "ok");
            // hyper's client gives its connection back a moment later.
            tokio::task::yield_now().await;
        }
    };
    let (seen, ()) = tokio::join!(process.answers(3, OK), requests);
    assert_eq!(seen.matches("GET / HTTP/1.1\r\n").count(), 3);
    assert_eq!(process.ticket().backend().in_flight(), 1);
}

#[tokio::test]
async fn keeps_a_connection_for_the_next_request() {
    keeps_a_connection(Ours::new()).await;
    keeps_a_connection(Hypers::new()).await;
}

async fn makes_a_new_one<C: Client<SentBody<TestBody>>>(client: C, answer: &'static str) {
    let (process, upstream) = (Process::start().await, upstream(client));
    for _ in 0..2 {
        let send = async {
            let _ = send(&upstream, request(process.ticket(), empty())).await.into_body().collect().await;
            tokio::task::yield_now().await;
        };
        tokio::join!(process.answers(1, answer), send);
    }
}

#[tokio::test]
async fn keeps_no_connection_that_the_process_closes_or_says_too_much_on() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok",
    ] {
        makes_a_new_one(Ours::new(), answer).await;
    }
    makes_a_new_one(Hypers::new(), "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
}

async fn drops_an_early_one<C: Client<SentBody<TestBody>>>(client: C) {
    let (process, upstream) = (Process::start().await, upstream(client));
    let (pieces, body) = channel();
    pieces.send(Ok("some")).unwrap();
    let ticket = process.ticket();
    let (_, response) = tokio::join!(process.answers(1, OK), send(&upstream, request(ticket, body)));
    assert_eq!(text(response).await, "ok");
    pieces.closed().await;
    let pool = process.ticket();
    assert!(pool.backend().attachment::<Pool<C::Connection>>().unwrap().is_empty());
}

#[tokio::test]
async fn keeps_no_connection_whose_answer_came_before_the_whole_request() {
    drops_an_early_one(Ours::new()).await;
    drops_an_early_one(Hypers::new()).await;
}

fn taken_back<B>(response: &Response<B>) -> Option<Request<TestBody>> {
    response.extensions().get::<ReturnedRequest<TestBody>>().and_then(ReturnedRequest::take)
}

async fn gives_back<C: Client<SentBody<TestBody>>>(client: C) {
    let (process, upstream) = (Process::start().await, upstream(client));
    let mut refused = request(process.ticket(), empty());
    refused.headers_mut().insert("connection", "upgrade".parse().unwrap());
    refused.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    refused.extensions_mut().insert(OnUpgrade::new().1);
    let Process { listener, table: _table } = process;
    drop(listener);
    let response = send(&upstream, refused).await;
    let mut again = taken_back(&response).expect("it was sent to nobody");
    assert!(again.extensions().get::<OnUpgrade>().is_some(), "it can be upgraded when it is sent again");
    assert!(again.extensions().get::<Ticket>().is_none());
    assert!(hop::prepare_request(&mut again));
}

#[tokio::test]
async fn gives_back_whole_what_was_not_sent() {
    gives_back(Ours::new()).await;
    gives_back(Hypers::new()).await;
}

#[cfg(unix)]
async fn spares_a_stranger<C: Client<SentBody<TestBody>>>(client: C) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, process) = (listener.local_addr().unwrap(), dispatch::ended().await);
    let table = dispatch::table(vec![Backend { address, process, ..dispatch::backend(0) }]);
    let Admission::Admitted(ticket) = table.admit() else { panic!("not admitted") };
    let response = send(&upstream(client), request(ticket, empty())).await;
    assert!(taken_back(&response).is_some());
    let (mut stranger, _) = listener.accept().await.unwrap();
    assert_eq!(stranger.read(&mut [0]).await.unwrap_or(0), 0, "it must not learn the token");
}

#[cfg(unix)]
#[tokio::test]
async fn sends_nothing_to_whoever_has_the_port_of_a_process_that_has_ended() {
    spares_a_stranger(Ours::new()).await;
    spares_a_stranger(Hypers::new()).await;
}

async fn sends_a_body<C: Client<SentBody<TestBody>>>(client: C) {
    let (process, upstream) = (Process::start().await, upstream(client));
    let (pieces, body) = channel();
    pieces.send(Ok("piece")).unwrap();
    drop(pieces);
    let backend = async {
        let (mut stream, _) = process.listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n0\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
        }
        stream.write_all(OK.as_bytes()).await.unwrap();
        String::from_utf8(seen).unwrap()
    };
    // Of all methods, GET is the one that is least expected to have a body.
    let (seen, response) = tokio::join!(backend, send(&upstream, request(process.ticket(), body)));
    assert_eq!(text(response).await, "ok");
    assert_eq!(seen.matches("transfer-encoding: chunked\r\n").count(), 1, "{seen}");
    assert!(seen.ends_with("\r\n\r\n5\r\npiece\r\n0\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn sends_the_body_of_any_method() {
    sends_a_body(Ours::new()).await;
    sends_a_body(Hypers::new()).await;
}

async fn blames_the_client<C: Client<SentBody<TestBody>>>(client: C) {
    let (process, upstream) = (Process::start().await, upstream(client));
    let (pieces, body) = channel();
    pieces.send(Ok("half")).unwrap();
    pieces.send(Err("it has left".into())).unwrap();
    let response = send(&upstream, request(process.ticket(), body)).await;
    assert_eq!(response.status(), 400);
    assert!(taken_back(&response).is_none());
    assert_eq!(process.ticket().backend().in_flight(), 1);
}

#[tokio::test]
async fn half_a_request_is_the_clients_fault() {
    blames_the_client(Ours::new()).await;
    blames_the_client(Hypers::new()).await;
}

#[tokio::test]
async fn an_upload_that_waits_for_its_client_is_cut_when_the_process_is_to_stop() {
    let (process, upstream) = (Process::start().await, upstream(Ours::new()));
    let (_pieces, body) = channel();
    let ticket = process.ticket();
    let abandon = ticket.backend().backend().abandon.clone();
    let stop = async {
        let (mut stream, _) = process.listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        abandon.cancel();
        stream
    };
    let (response, _stream) = tokio::join!(send(&upstream, request(ticket, body)), stop);
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn an_upgrade_with_a_body_is_an_ordinary_request() {
    let (process, upstream) = (Process::start().await, upstream(Ours::new()));
    let body = Full::from("body").map_err(|never: Infallible| match never {}).boxed();
    let mut request = request(process.ticket(), body);
    request.headers_mut().insert("connection", "upgrade".parse().unwrap());
    request.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    let (seen, response) = tokio::join!(process.answers(1, OK), send(&upstream, request));
    assert_eq!(text(response).await, "ok");
    assert!(!seen.contains("pgrade"), "{seen}");
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_502() {
    let (process, upstream) = (Process::start().await, upstream(Ours::new()));
    let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let request = request(process.ticket(), empty());
    let (_, response) = tokio::join!(process.answers(1, switch), send(&upstream, request));
    assert_eq!(response.status(), 502);
}
