//! The client against scripted backends, and beside hyper's: what one reads the other must read, too.

use std::convert::Infallible;

use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use super::*;
use crate::upstream::{HyperClient, Reclaim};

type TestBody = BoxBody<Bytes, Infallible>;

/// What became of an exchange, as far as a proxy would pass it on.
#[derive(Debug, PartialEq)]
enum Outcome {
    Answer { status: u16, headers: Vec<(String, String)>, body: Option<String>, reusable: bool },
    NotSent,
    Failed,
}

fn get() -> Request<TestBody> {
    Request::builder().uri("/").header("host", "h").body(Full::default().boxed()).unwrap()
}

fn post(body: &'static str) -> Request<TestBody> {
    Request::post("/").header("host", "h").body(Full::from(body).boxed()).unwrap()
}

/// A backend that reads one head, says this, and closes; what it was sent.
async fn scripted(answer: Vec<u8>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            if stream.read_buf(&mut request).await.unwrap() == 0 {
                break;
            }
        }
        stream.write_all(&answer).await.ok();
        stream.shutdown().await.ok();
        stream.read_to_end(&mut request).await.ok();
        String::from_utf8_lossy(&request).into_owned()
    });
    (address, task)
}

async fn outcome<C: Client<TestBody>>(client: C, address: SocketAddr, request: Request<TestBody>) -> Outcome {
    let connection = client.connect(address).await.unwrap();
    let response = match client.exchange(connection, request).await {
        Ok(response) => response,
        Err(ExchangeError::NotSent(_)) => return Outcome::NotSent,
        Err(ExchangeError::Failed(_)) => return Outcome::Failed,
    };
    let (parts, body) = response.into_parts();
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    headers.sort();
    let mut body = Box::pin(body);
    let mut text = Some(String::new());
    while let Some(frame) = body.frame().await {
        let (Ok(frame), Some(text)) = (frame, &mut text) else {
            text = None;
            break;
        };
        if let Some(data) = frame.data_ref() {
            text.push_str(&String::from_utf8_lossy(data));
        }
    }
    let reusable = text.is_some() && body.reclaim().is_some();
    Outcome::Answer { status: parts.status.as_u16(), headers, body: text, reusable }
}

async fn both(answer: &str) -> (Outcome, Outcome) {
    let (address, _task) = scripted(answer.as_bytes().to_vec()).await;
    let ours = outcome(Http1Client::new(), address, get()).await;
    let (address, _task) = scripted(answer.as_bytes().to_vec()).await;
    let hypers = outcome(HyperClient::new(), address, get()).await;
    (ours, hypers)
}

fn without_reuse(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Answer { status, headers, body, .. } => {
            Outcome::Answer { status, headers, body, reusable: false }
        }
        other => other,
    }
}

#[tokio::test]
async fn reads_what_hyper_reads_and_refuses_what_hyper_refuses() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: ä\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname : blank\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y",
        "",
    ] {
        let (ours, hypers) = both(answer).await;
        assert_eq!(without_reuse(ours), without_reuse(hypers), "{answer:?}");
    }
}

#[tokio::test]
async fn is_stricter_than_hyper_where_an_answer_could_be_read_in_two_ways() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
    ] {
        let (address, _task) = scripted(answer.into()).await;
        assert_eq!(outcome(Http1Client::new(), address, get()).await, Outcome::Failed, "{answer:?}");
    }
}

#[tokio::test]
async fn keeps_no_connection_that_says_more_than_it_was_asked() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n";
    let (address, _task) = scripted(answer.into()).await;
    let Outcome::Answer { reusable, .. } = outcome(Http1Client::new(), address, get()).await else {
        panic!("no answer");
    };
    assert!(!reusable);
}

#[tokio::test]
async fn sends_head_and_body_and_gives_the_connection_back() {
    let (address, task) = scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()).await;
    let answered = outcome(Http1Client::new(), address, post("the body")).await;
    assert!(matches!(answered, Outcome::Answer { reusable: true, .. }), "{answered:?}");
    let sent = task.await.unwrap();
    assert!(sent.ends_with("content-length: 8\r\n\r\nthe body"), "{sent:?}");
}

#[tokio::test]
async fn sends_chunks_and_trailers_as_they_come() {
    let (pieces, mut stream) = mpsc::unbounded_channel::<http_body::Frame<Bytes>>();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |context| {
        stream.poll_recv(context).map(|frame| frame.map(Ok::<_, Infallible>))
    }));
    let (address, task) = scripted(Vec::new()).await;
    let client = Http1Client::new();
    let connection = client.connect(address).await.unwrap();
    let request = Request::post("/").body(body).unwrap();
    let exchange = tokio::spawn(client.exchange(connection, request));
    pieces.send(http_body::Frame::data("hello".into())).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "9".parse().unwrap());
    pieces.send(http_body::Frame::trailers(trailers)).unwrap();
    drop(pieces);
    exchange.await.unwrap().unwrap_err();
    let sent = task.await.unwrap();
    assert!(sent.ends_with("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 9\r\n\r\n"), "{sent:?}");
}

#[tokio::test]
async fn reads_an_answer_while_the_request_is_still_being_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Echoes piece by piece, in chunks.
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        tokio::io::copy(&mut stream.split().0, &mut tokio::io::sink()).await.ok();
    });
    let (pieces, mut stream) = mpsc::unbounded_channel::<Bytes>();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |context| {
        stream
            .poll_recv(context)
            .map(|piece| piece.map(|piece| Ok::<_, Infallible>(http_body::Frame::data(piece))))
    }));
    let client = Http1Client::new();
    let connection = client.connect(address).await.unwrap();
    let response = client.exchange(connection, Request::post("/").body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    assert!(!pieces.is_closed());
    pieces.send("more".into()).unwrap();
    tokio_test::assert_pending!(tokio_test::task::spawn(body.frame()).poll());
    drop(pieces);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_not_used() {
    let (address, task) = scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()).await;
    let client = Http1Client::<TestBody>::new();
    let connection = client.connect(address).await.unwrap();
    let response = client.exchange(connection, get()).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
    let connection = body.reclaim().unwrap();
    // The backend closes after its answer; once the kernel has said so, the connection is unfit.
    connection.wire.stream.readable().await.unwrap();
    assert_eq!(Http1Client::<TestBody>::reuse(&connection), Reuse::Closed);
    drop(connection);
    task.await.unwrap();
}
