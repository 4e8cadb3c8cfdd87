//! How an answer's head and framing leave, whatever the service said of them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use http::{HeaderValue, StatusCode, header};
use http_body_util::{Empty, StreamBody};

use super::*;
use crate::http1::turn::TURN;
use ancm_tower::BoxError;

/// A body whose length nobody knows before its end.
fn frames<const N: usize>(frames: [Frame<Bytes>; N]) -> TestBody {
    TestBody::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok))))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a service answers")]
fn with(status: u16, headers: &[(header::HeaderName, &'static str)], body: TestBody) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().append(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// What comes back for this request, until the connection is closed.
async fn answer_to(request: &str, mut answer: impl FnMut() -> Answer + Send + 'static) -> String {
    let mut served = serve(move |_| std::future::ready(answer())).await;
    let answer = exchange(&mut served.client, request).await;
    served.connection.await.unwrap();
    answer
}

/// A body of some pieces that breaks off behind them: at once, or when it is asked once more.
struct Breaking {
    pieces: Vec<Bytes>,
    later: bool,
}

impl From<Bytes> for Breaking {
    fn from(piece: Bytes) -> Self {
        Self { pieces: vec![piece], later: false }
    }
}

impl Body for Breaking {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(piece) = self.pieces.pop() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if std::mem::take(&mut self.later) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err("gone".into())))
    }
}

#[tokio::test]
async fn what_came_before_an_answer_broke_off_reaches_a_slow_client_too() {
    for (length, later) in [(20_000, false), (20_000, true), (3, false), (3, true), (200_000, false)] {
        let (mut client, stream) = tokio::io::duplex(10);
        let answer = move |_| {
            let pieces = vec![Bytes::from(vec![b'x'; length])];
            std::future::ready(Ok(Response::new(Breaking { pieces, later })))
        };
        let about = Client::new("192.0.2.1:1".parse().unwrap(), Scheme::Http);
        let (limits, drain) = (Limits::default(), CancellationToken::new());
        let connection = Connection::new(Pipe::new(stream), about, service_fn(answer), limits, drain);
        tokio::spawn(connection);
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert!(
            read.ends_with(&format!("\r\n\r\n{length:X}\r\n{}\r\n", "x".repeat(length))),
            "{length}, {later}"
        );
    }
}

/// Whether a pipe's content would do, as a body sees it that is asked for a piece.
async fn is_pipe_offered(serve: impl AsyncFnOnce(Arc<AtomicUsize>)) -> bool {
    let seen = Arc::new(AtomicUsize::new(2));
    serve(Arc::clone(&seen)).await;
    match seen.load(Relaxed) {
        2 => panic!("nobody asked"),
        offered => offered == 1,
    }
}

/// Answers with a body that notes it.
fn noting(seen: Arc<AtomicUsize>) -> impl FnMut(Request<ClientBody>) -> std::future::Ready<Answer> + Send {
    move |_| {
        let seen = Arc::clone(&seen);
        let note = futures_util::stream::poll_fn(move |_| {
            seen.store(usize::from(crate::http1::pipe::is_offered()), Relaxed);
            Poll::Ready(None)
        });
        std::future::ready(Ok(Response::new(TestBody::new(StreamBody::new(note)))))
    }
}

#[tokio::test]
async fn a_body_may_come_by_a_pipe_if_the_client_is_at_a_socket_and_only_then() {
    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let socket = is_pipe_offered(async |seen| {
        let mut served = serve(noting(seen)).await;
        exchange(&mut served.client, REQUEST).await;
    });
    assert!(socket.await);
    let other = is_pipe_offered(async |seen| {
        let (mut client, _connection) = serve_pipe(1024, noting(seen));
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
    });
    assert!(!other.await);
}

#[tokio::test]
async fn a_304_says_how_long_the_body_would_be_and_a_204_never() {
    for (status, lengths, said) in [
        (304, &["12"][..], true),
        (304, &[], false),
        (304, &["12", "12"], false),
        (304, &["x"], false),
        (304, &["99999999999999999999"], false),
        (204, &["12"], false),
    ] {
        for method in ["GET", "HEAD"] {
            if method == "HEAD" && lengths.len() > 1 {
                continue;
            }
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let lengths: Vec<_> = lengths.iter().map(|length| (header::CONTENT_LENGTH, *length)).collect();
            let answer =
                answer_to(&request, move || with(status, &lengths, TestBody::new(Empty::new()))).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            if method == "GET" {
                assert_eq!(answer.contains("content-length"), said, "{answer}");
            }
            assert!(!answer.contains("transfer-encoding") && answer.ends_with("\r\n\r\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_connection_goes_on_behind_a_304_with_a_length() {
    let length = [(header::CONTENT_LENGTH, "12")];
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = answer_to(request, move || with(304, &length, TestBody::new(Empty::new()))).await;
    assert_eq!(answers.matches("HTTP/1.1 304 Not Modified\r\n").count(), 2, "{answers}");
    assert_eq!(answers.matches("content-length: 12\r\n").count(), 2, "{answers}");
}

#[tokio::test]
async fn a_status_that_nobody_knows_has_no_reason() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = answer_to(request, || with(599, &[], TestBody::new(Empty::new()))).await;
    assert!(answer.starts_with("HTTP/1.1 599 \r\n"), "{answer}");
}

#[tokio::test]
async fn http_1_0_is_promised_to_keep_only_what_is_kept() {
    let request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let answer = answer_to(request, || {
        with(200, &[], frames(["all ", "of it"].map(|piece| Frame::data(piece.into()))))
    })
    .await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\nconnection: close\r\n"), "{answer}");
    assert!(!answer.contains("keep-alive") && answer.ends_with("\r\n\r\nall of it"), "{answer}");

    // Its end is known: another request may follow, and this one ends the connection.
    let both = format!("{request}GET / HTTP/1.0\r\n\r\n");
    let answers = answer_to(&both, || text("known")).await;
    assert_eq!(answers.matches("connection: keep-alive\r\n").count(), 1, "{answers}");
    assert_eq!(answers.matches("known").count(), 2, "{answers}");
}

#[tokio::test]
async fn http_1_0_is_told_plainly_that_a_connection_ends() {
    let request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let answer = answer_to(request, || with(200, &[(header::CONNECTION, "close")], "text".into())).await;
    assert!(answer.contains("connection: close\r\n") && !answer.contains("keep-alive"), "{answer}");
}

#[tokio::test]
async fn an_answer_to_a_broken_body_says_that_it_is_the_last() {
    let mut served = serve(|request: Request<ClientBody>| async {
        let whole = request.into_body().collect().await.is_ok();
        with(if whole { 200 } else { 400 }, &[], "text".into())
    })
    .await;
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    served.client.write_all(format!("{chunked}0\r\n\r\n").as_bytes()).await.unwrap();
    let answer = read_until(&mut served.client, "text").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("connection"), "{answer}");
    let answer = exchange(&mut served.client, &format!("{chunked}5\r\nab\r\nc\r\nx\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn declared_trailers_pass_both_ways() {
    let trailers = |value| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", value);
        Frame::trailers(trailers)
    };
    let mut served = serve(move |request: Request<ClientBody>| async move {
        let body = request.into_body().collect().await.unwrap();
        let sum = body.trailers().unwrap()["x-sum"].clone();
        let body = frames([Frame::data(body.to_bytes()), trailers(sum)]);
        with(200, &[(header::TRAILER, "x-sum")], body)
    })
    .await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Sum\r\n\
                   Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 9\r\n\r\n";
    served.client.write_all(request.as_bytes()).await.unwrap();
    let answer = read_until(&mut served.client, "0\r\nx-sum: 9\r\n\r\n").await;
    assert!(answer.contains("trailer: x-sum\r\n") && answer.contains("2\r\nhi\r\n"), "{answer}");
    // Whoever has not said that it reads them gets none.
    let request = request.replace("TE: trailers\r\nConnection: TE\r\n", "");
    served.client.write_all(request.as_bytes()).await.unwrap();
    let answer = read_until(&mut served.client, "0\r\n\r\n").await;
    assert!(answer.contains("2\r\nhi\r\n") && !answer.contains("x-sum: 9"), "{answer}");
}

#[tokio::test]
async fn a_large_answer_lets_others_have_their_turn() {
    const PIECES: usize = 16;
    let piece = Bytes::from(vec![b'x'; usize::try_from(TURN / 4).unwrap()]);
    let taken = Arc::new(AtomicUsize::new(0));
    let (mut client, _) = serve_pipe(4 << 20, {
        let taken = Arc::clone(&taken);
        move |_| {
            let (taken, piece) = (Arc::clone(&taken), piece.clone());
            let pieces = futures_util::stream::iter((0..PIECES).map(move |_| {
                taken.fetch_add(1, Relaxed);
                Ok(Frame::data(piece.clone()))
            }));
            std::future::ready(Ok(Response::new(TestBody::new(StreamBody::new(pieces)))))
        }
    });
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&PIECES) {
        seen.push(taken.load(Relaxed));
        tokio::task::yield_now().await;
    }
    seen.dedup();
    assert_eq!(seen, [0, 4, 8, 12, 16]);
}
