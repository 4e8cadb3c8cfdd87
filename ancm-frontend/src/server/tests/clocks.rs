//! How long a client may do nothing. The clock is paused: it jumps to the next timer when everybody waits.

use std::time::Duration;

use http_body_util::StreamBody;
use tokio::time::Instant;

use super::*;

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";

/// Seconds until the connection ends by itself.
async fn lifetime(connection: JoinHandle<()>) -> u64 {
    let start = Instant::now();
    connection.await.unwrap();
    start.elapsed().as_secs()
}

/// Never gives anything, and tells when it is dropped.
fn endless(dropped: &Arc<Notify>) -> TestBody {
    let guard = OnDrop(Arc::clone(dropped));
    TestBody::new(StreamBody::new(futures_util::stream::poll_fn(move |_| {
        let _ = &guard;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    })))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_for_nothing_is_let_go_after_two_minutes() {
    let (_client, connection) = serve_pipe(4096, |_| async { text("text") });
    assert_eq!(lifetime(connection).await, 120);
}

#[tokio::test(start_paused = true)]
async fn the_two_minutes_begin_anew_with_each_answer() {
    let (mut client, connection) = serve_pipe(4096, |_| async { text("text") });
    tokio::time::sleep(Duration::from_secs(100)).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut client, "text").await;
    assert_eq!(lifetime(connection).await, 120);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_within_15_seconds_gets_408() {
    let (mut client, connection) = serve_pipe(4096, |_| async { text("text") });
    client.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_secs(4)).await;
            if client.write_all(b"s").await.is_err() {
                break rest(&mut client).await;
            }
        }
    };
    let (lifetime, answer) = tokio::join!(lifetime(connection), trickle);
    assert_eq!(lifetime, 15);
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_its_body_is_given_up_and_the_request_dropped() {
    let (mut client, connection) = serve_pipe(4096, echo);
    client.write_all(POST).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    client.write_all(b"1").await.unwrap();
    assert_eq!(lifetime(connection).await, 120);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_given_up_and_the_answer_dropped() {
    let dropped = Arc::new(Notify::new());
    let body = Arc::clone(&dropped);
    let (mut client, connection) = serve_pipe(4096, move |_| {
        let body = endless(&body);
        async { Ok(Response::new(body)) }
    });
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(lifetime(connection).await, 120);
    dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_but_goes_on_gets_all() {
    let (mut client, connection) = serve_pipe(10, |_| async { text("x".repeat(300)) });
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let start = Instant::now();
    let mut answer = String::new();
    while let Ok(byte) = client.read_u8().await {
        answer.push(byte.into());
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert!(answer.ends_with(&"x".repeat(300)), "{answer}");
    assert!(start.elapsed() > 10 * Limits::default().idle);
    connection.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_an_answer_may_wait_for_hours() {
    let (mut client, connection) = serve_pipe(4096, |_| async {
        tokio::time::sleep(Duration::from_secs(10_000)).await;
        text("text")
    });
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut client, "text").await;
    connection.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_on_after_its_answer_is_endured_for_5_seconds() {
    let (mut client, connection) = serve_pipe(1 << 20, |_| async { text("no, thanks") });
    client.write_all(POST).await.unwrap();
    assert_eq!(lifetime(connection).await, 5);
    assert!(rest(&mut client).await.ends_with("no, thanks"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_take_even_the_end_is_given_up() {
    for request in ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "garbage\r\n\r\n", "GET"] {
        let (mut client, stream) = tokio::io::duplex(4096);
        let address = "192.0.2.1:1".parse().unwrap();
        let stream = Pipe { is_stuck: true, ..Pipe::new(stream) };
        let served = connection(stream, address, |_| async { text("text") }, CancellationToken::new());
        client.write_all(request.as_bytes()).await.unwrap();
        let late = if request == "GET" { 15 } else { 0 };
        assert_eq!(lifetime(tokio::spawn(served)).await, 120 + late, "{request:?}");
    }
}
