//! Requests with a body: framed, in their own time, while the answer comes, and given up.

use std::time::Duration;

use http_body::Frame;

use super::*;

type Pieces = mpsc::UnboundedSender<Frame<Bytes>>;

/// A body of what is sent into the channel; it ends with the channel.
fn channel() -> (Pieces, TestBody) {
    let (pieces, mut stream) = mpsc::unbounded_channel();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |context| {
        stream.poll_recv(context).map(|frame| frame.map(Ok::<_, Infallible>))
    }));
    (pieces, BodyExt::boxed(body))
}

fn data(text: impl Into<Bytes>) -> Frame<Bytes> {
    Frame::data(text.into())
}

fn begin(address: SocketAddr, body: TestBody) -> JoinHandle<Outcome> {
    let request = Request::post("/").body(body).unwrap();
    tokio::spawn(outcome(Http1Client::new(), address, request))
}

/// Accepts, reads a head, and leaves the rest to the caller.
async fn accept(listener: &TcpListener) -> tokio::net::TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream
}

#[tokio::test]
async fn sends_chunks_and_trailers_as_they_come() {
    let (pieces, body) = channel();
    let (address, task) = scripted(Vec::new()).await;
    let exchange = begin(address, body);
    pieces.send(data("hello")).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "9".parse().unwrap());
    pieces.send(Frame::trailers(trailers)).unwrap();
    drop(pieces);
    assert_eq!(exchange.await.unwrap(), Outcome::Failed);
    let sent = task.await.unwrap();
    assert!(sent.ends_with("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 9\r\n\r\n"), "{sent:?}");
}

#[tokio::test]
async fn a_body_that_lies_about_its_length_is_cut_before_it_could_be_another_request() {
    struct Liar(&'static str, u64);
    impl http_body::Body for Liar {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let text = std::mem::take(&mut self.0);
            Poll::Ready((!text.is_empty()).then(|| Ok(data(text))))
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.1)
        }
    }
    for (text, length) in [("too long", 3), ("short", 9), ("", 1), ("some", 0)] {
        let (address, task) = scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
        let exchange = begin(address, Liar(text, length).boxed());
        assert_eq!(exchange.await.unwrap(), Outcome::Broken, "{text}");
        let sent = task.await.unwrap();
        let body = sent.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(body.len() as u64 <= length, "{sent:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_aborts_the_request() {
    let body = StreamBody::new(futures_util::stream::iter([Ok(data("half")), Err("gone")]));
    let (address, task) = scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let client = Http1Client::new();
    let connection = client.connect(address).await.unwrap();
    let error = client.exchange(connection, Request::post("/").body(body).unwrap()).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Broken(_)), "{error:?}");
    assert!(!task.await.unwrap().ends_with("0\r\n\r\n"), "the backend must not take it for whole");
}

#[tokio::test]
async fn reads_an_answer_while_the_request_is_still_being_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (pieces, body) = channel();
    let client = Http1Client::new();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let exchange = tokio::spawn(client.exchange(connection, Request::post("/").body(body).unwrap()));
    let mut backend = accept(&listener).await;
    backend.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut body = exchange.await.unwrap().unwrap().into_body();
    for text in ["one", "two", "end"] {
        pieces.send(data(text)).unwrap();
        let mut chunk = [0; 8];
        backend.read_exact(&mut chunk).await.unwrap();
        assert_eq!(chunk, format!("3\r\n{text}\r\n").as_bytes());
        backend.write_all(&chunk).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().into_memory(), text);
    }
    drop(pieces);
    let mut last = [0; 5];
    backend.read_exact(&mut last).await.unwrap();
    backend.write_all(&last).await.unwrap();
    assert!(body.frame().await.is_none());
    assert!(body.reclaim().is_none(), "an answer that came early leaves a connection that Kestrel resets");
}

#[tokio::test]
async fn goes_on_sending_while_nobody_reads_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (pieces, body) = channel();
    let client = Http1Client::new();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let exchange = tokio::spawn(client.exchange(connection, Request::post("/").body(body).unwrap()));
    let mut backend = accept(&listener).await;
    backend.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    let response = exchange.await.unwrap().unwrap();
    pieces.send(data("more")).unwrap();
    drop(pieces);
    let mut rest = [0; 14];
    backend.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"4\r\nmore\r\n0\r\n\r\n");
    // Not half-closed: the answer still comes.
    let mut more = Vec::new();
    let silent = tokio::time::timeout(Duration::from_millis(50), backend.read_buf(&mut more)).await;
    assert!(silent.is_err(), "the backend saw an end: {more:?}");
    backend.write_all(b"ok").await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
}

#[tokio::test]
async fn an_answer_that_is_dropped_ends_what_is_still_being_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (pieces, body) = channel();
    let client = Http1Client::new();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let exchange = tokio::spawn(client.exchange(connection, Request::post("/").body(body).unwrap()));
    let mut backend = accept(&listener).await;
    backend.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    drop(exchange.await.unwrap().unwrap());
    pieces.closed().await;
    assert_eq!(backend.read(&mut [0; 9]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn an_answer_breaks_off_when_the_request_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (breaks, mut broken) = mpsc::unbounded_channel::<&'static str>();
    let body = StreamBody::new(futures_util::stream::poll_fn(move |context| {
        broken.poll_recv(context).map(|error| error.map(Err::<Frame<Bytes>, _>))
    }));
    let client = Http1Client::new();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let exchange = tokio::spawn(client.exchange(connection, Request::post("/").body(body).unwrap()));
    let mut backend = accept(&listener).await;
    backend.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    let mut body = exchange.await.unwrap().unwrap().into_body();
    breaks.send("the client is gone").unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap_err().to_string(), "the client is gone");
}

#[tokio::test]
async fn a_body_is_taken_no_faster_than_the_backend_takes_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&taken);
    let body = StreamBody::new(futures_util::stream::poll_fn(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Poll::Ready(Some(Ok::<_, Infallible>(data(vec![b'x'; 1 << 20]))))
    }));
    let client = Http1Client::new();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let mut exchange =
        tokio_test::task::spawn(client.exchange(connection, Request::post("/").body(body).unwrap()));
    let _backend = accept_after(&mut exchange, &listener).await;
    // Until the kernel takes no more; nothing is read at the other end.
    let mut before = usize::MAX;
    while before != taken.load(std::sync::atomic::Ordering::Relaxed) {
        before = taken.load(std::sync::atomic::Ordering::Relaxed);
        for _ in 0..10 {
            tokio_test::assert_pending!(exchange.poll());
            tokio::task::yield_now().await;
        }
    }
    assert!(before < 64, "{before} MB were taken by nobody");
}

async fn accept_after<F: Future>(
    exchange: &mut tokio_test::task::Spawn<F>,
    listener: &TcpListener,
) -> tokio::net::TcpStream {
    let _ = exchange.poll();
    accept(listener).await
}

#[tokio::test]
async fn an_answer_to_half_a_request_is_passed_on_and_the_connection_dropped() {
    let (pieces, body) = channel();
    let (address, _task) = scripted(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno".to_vec()).await;
    let exchange = begin(address, body);
    let Outcome::Answer { status: 413, reusable: false, .. } = exchange.await.unwrap() else {
        panic!("the answer was lost");
    };
    pieces.closed().await;
}
