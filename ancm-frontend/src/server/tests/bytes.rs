//! What goes over the wire: framing, refusals, several requests in a row.

use tokio::sync::oneshot;
use tower_service::Service;

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn what_is_no_request_gets_400_and_the_end() {
    for garbage in ["garbage\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET /\r\n\r\n"] {
        let mut served = serve(|_| async { text("never") }).await;
        let answer = exchange(&mut served.client, garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{garbage:?}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_gets_400_and_never_goes_on() {
    for head in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3, 3\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "X: y\n",
        "X: y\r\n folded\r\n",
        "X : y\r\n",
        "Host: b\r\n",
    ] {
        let mut served = serve(|_| async { text("never") }).await;
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n0\r\n\r\n");
        let answer = exchange(&mut served.client, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head:?}: {answer}");
        assert!(!answer.contains("never"), "{head:?}");
    }
}

#[tokio::test]
async fn a_refused_request_takes_nothing_from_the_one_before_it() {
    let mut served = serve(echo).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody{}",
        GET.replace("\r\n\r\n", "\n\n")
    );
    let answer = exchange(&mut served.client, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("bodyHTTP/1.1 400 Bad Request\r\n"), "{answer}");
}

#[tokio::test]
async fn a_refused_head_is_answered_even_when_it_came_in_pieces() {
    let mut served = serve(|_| async { text("never") }).await;
    for piece in ["GET / HT", "TP/1.1\r\nHost: a\r", "\nX: y\n"] {
        served.client.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(rest(&mut served.client).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn a_refusal_owes_nothing_to_the_request_before_it() {
    for before in ["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"] {
        for bad in ["garbage\r\n\r\n", "GET a|b HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let mut served = serve(|_| async { text("") }).await;
            served.client.write_all(before.as_bytes()).await.unwrap();
            read_until(&mut served.client, "\r\n\r\n").await;
            let answer = exchange(&mut served.client, bad).await;
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{before:?}: {answer}");
            assert!(answer.contains("content-length: 0\r\n"), "{before:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_target_may_have_any_bytes_or_is_refused() {
    for byte in 0x80..=0xff {
        let mut served = serve(|request| async move { text(request.uri().path().to_owned()) }).await;
        let request = [b"GET /", &[byte][..], b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat();
        served.client.write_all(&request).await.unwrap();
        assert!(rest(&mut served.client).await.starts_with("HTTP/1.1 400 "), "{byte:x}");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_gets_431() {
    let mut served = serve(|_| async { text("never") }).await;
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(200_000));
    let answer = exchange(&mut served.client, &endless).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let mut served = serve(|request| async move { text(request.uri().path().to_owned()) }).await;
    let first = GET.replace("GET /", "GET /first");
    let last = GET.replace("GET /", "GET /last").replace("Host", "Connection: close\r\nHost");
    let answer = exchange(&mut served.client, &format!("{first}{last}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert!(answer.find("/first").unwrap() < answer.find("/last").unwrap());
}

#[tokio::test]
async fn http_1_0_closes_unless_it_asks_to_be_kept() {
    let mut served = serve(|_| async { text("text") }).await;
    let answer = exchange(&mut served.client, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("text"), "{answer}");
    let mut served = serve(|_| async { text("text") }).await;
    served.client.write_all(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await.unwrap();
    let answer = read_until(&mut served.client, "text").await;
    assert!(answer.contains("connection: keep-alive"), "{answer}");
    assert!(exchange(&mut served.client, "GET / HTTP/1.0\r\n\r\n").await.ends_with("text"));
}

#[tokio::test]
async fn a_body_is_asked_for_when_it_is_read_and_not_before() {
    let mut served = serve(echo).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    served.client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut served.client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    served.client.write_all(b"body").await.unwrap();
    assert!(read_until(&mut served.client, "body").await.starts_with("HTTP/1.1 200 OK"));

    let mut served = serve(|_| async { text("no, thanks") }).await;
    served.client.write_all(head.as_bytes()).await.unwrap();
    assert!(read_until(&mut served.client, "thanks").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_client_that_is_still_sending_can_read_why_it_is_refused() {
    // Far more than the sockets hold: without somebody who reads on, the close would be a reset.
    let body = vec![b'x'; 16 << 20];
    for (head, status) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n", "HTTP/1.1 200 "),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", "HTTP/1.1 400 "),
        ("POST / HTTP/1.1\r\nHost: a\r\nX: ", "HTTP/1.1 431 "),
        ("\0", "HTTP/1.1 400 "),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 "),
    ] {
        let mut served = serve(|_| async { text("no, thanks") }).await;
        served.client.write_all(head.as_bytes()).await.unwrap();
        served.client.write_all(&body).await.unwrap();
        assert!(rest(&mut served.client).await.starts_with(status), "{head:?}");
    }
}

/// Ready once it has been told.
struct Late(oneshot::Receiver<()>);

impl Service<Request<ClientBody>> for Late {
    type Response = Response<TestBody>;
    type Error = Infallible;
    type Future = std::future::Ready<Answer>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Pin::new(&mut self.0).poll(context).map(|_| Ok(()))
    }

    fn call(&mut self, _: Request<ClientBody>) -> Self::Future {
        std::future::ready(text("text"))
    }
}

#[tokio::test]
async fn a_stack_that_is_not_ready_makes_the_request_wait() {
    let (ready, wait) = oneshot::channel();
    let (mut client, stream) = tokio::io::duplex(4096);
    let address = Client::new("192.0.2.1:1".parse().unwrap(), Scheme::Http);
    let drain = CancellationToken::new();
    let mut connection = tokio_test::task::spawn(Connection::new(
        Pipe::new(stream),
        address,
        Late(wait),
        Limits::default(),
        drain,
    ));
    client.write_all(GET.as_bytes()).await.unwrap();
    tokio_test::assert_pending!(connection.poll());
    ready.send(()).unwrap();
    assert!(connection.is_woken());
    tokio_test::assert_pending!(connection.poll());
    assert!(read_until(&mut client, "text").await.starts_with("HTTP/1.1 200 OK"));
}
