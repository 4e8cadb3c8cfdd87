//! A request's body that is read late, in part, by somebody else, or not at all.

use std::time::Duration;

use http_body_util::StreamBody;
use tokio::{sync::mpsc, time::Instant};

use super::*;
use crate::http1::room::{ROOM, with_room};

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const EXPECT: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

type Collected = Result<Bytes, BodyError>;

/// Answers at once, and has the body read whole by a task of its own.
fn answers_early(
    room: usize,
) -> (DuplexStream, JoinHandle<()>, mpsc::UnboundedReceiver<(Collected, Instant)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let (client, connection) = serve_pipe(room, move |request: Request<ClientBody>| {
        let tell = tell.clone();
        tokio::spawn(async move {
            let collected = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
            // Nobody listens to what becomes of a request that does not matter.
            let _ = tell.send((collected, Instant::now()));
        });
        async {
            // The other task begins first.
            tokio::task::yield_now().await;
            text("early")
        }
    });
    (client, connection, told)
}

#[tokio::test]
async fn a_body_that_has_been_read_does_not_take_the_threads_room_from_others() {
    let (asked, mut waits) = mpsc::unbounded_channel();
    let mut served = serve(move |request| {
        let asked = asked.clone();
        async move {
            asked.send(request.into_body().collect().await.unwrap().to_bytes().len()).unwrap();
            std::future::pending().await
        }
    })
    .await;
    let body = format!("1F40\r\n{}\r\n0\r\n\r\n", "x".repeat(8000));
    served.client.write_all(&[CHUNKED, body.as_bytes()].concat()).await.unwrap();
    assert_eq!(waits.recv().await, Some(8000));
    with_room(|room| assert_eq!(room.capacity(), ROOM));
    drop(served);
}

#[tokio::test]
async fn what_a_client_sends_ahead_does_not_take_the_threads_room_from_others() {
    let (asked, mut waits) = mpsc::unbounded_channel();
    let mut served = serve(move |_| {
        asked.send(()).unwrap();
        std::future::pending()
    })
    .await;
    served.client.write_all(&GET.repeat(1000)).await.unwrap();
    waits.recv().await.unwrap();
    // The connection's task has come to its end for now, on this thread.
    with_room(|room| assert_eq!(room.capacity(), ROOM));
    drop(served);
}

#[tokio::test(start_paused = true)]
async fn a_body_breaks_off_as_soon_as_its_answer_was_the_last() {
    for (head, rest) in [(POST, &b"56789"[..]), (CHUNKED, b"e\r\n0\r\n\r\n")] {
        let (mut client, connection, mut bodies) = answers_early(4096);
        client.write_all(head).await.unwrap();
        client.write_all(b"1\r\n2").await.unwrap();
        let start = Instant::now();
        read_until(&mut client, "early").await;
        let (body, end) = bodies.recv().await.unwrap();
        assert!(matches!(body, Err(BodyError::Over)), "{body:?}");
        assert_eq!(end, start, "nobody waits for what nobody reads");
        // It is thrown away, not taken for the body's end.
        client.write_all(rest).await.unwrap();
        assert_eq!(rest_of(client).await, "");
        connection.await.unwrap();
    }
}

/// What comes behind the end of what this client sends.
async fn rest_of(mut client: DuplexStream) -> String {
    client.shutdown().await.unwrap();
    rest(&mut client).await
}

#[tokio::test(start_paused = true)]
async fn a_body_breaks_off_when_its_connection_is_given_up() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (mut client, connection) = serve_pipe(4096, move |request: Request<ClientBody>| {
        let tell = tell.clone();
        tokio::spawn(async move { tell.send(request.into_body().collect().await.is_err()).unwrap() });
        std::future::pending()
    });
    client.write_all(POST).await.unwrap();
    connection.await.unwrap();
    assert_eq!(told.recv().await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_read_to_its_end_while_it_is_answered_lets_the_connection_go_on() {
    let done = Arc::new(Notify::new());
    let finish = Arc::clone(&done);
    let (mut client, connection) = serve_pipe(4096, move |request: Request<ClientBody>| {
        let (finish, wait) = (Arc::clone(&finish), Arc::clone(&finish));
        tokio::spawn(async move {
            if request.into_body().collect().await.is_ok() {
                finish.notify_one();
            }
        });
        let end = futures_util::stream::once(async move {
            wait.notified().await;
            Ok(Frame::data(Bytes::from("end")))
        });
        async { Ok(Response::new(TestBody::new(StreamBody::new(end)))) }
    });
    for head in [POST, EXPECT] {
        client.write_all(head).await.unwrap();
        let answer = read_until(&mut client, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        client.write_all(b"123456789").await.unwrap();
        read_until(&mut client, "end\r\n0\r\n\r\n").await;
        // Who was not asked for its body gets no further answer.
        if answer.contains("connection: close") {
            assert_eq!((head, rest(&mut client).await.as_str()), (EXPECT, ""));
        }
    }
    connection.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_not_read_in_time_is_over() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (mut client, _connection) = serve_pipe(4096, move |request: Request<ClientBody>| {
        tell.send(request.into_body()).unwrap();
        async { text("early") }
    });
    client.write_all(&[POST, b"123456789", GET].concat()).await.unwrap();
    for _ in 0..2 {
        read_until(&mut client, "early").await;
    }
    let body = told.recv().await.unwrap();
    assert!(matches!(body.collect().await, Err(BodyError::Over)));
    assert_eq!(told.recv().await.unwrap().collect().await.unwrap().to_bytes(), "");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_body_that_nobody_wants_says_whether_it_is_the_last() {
    let (mut client, connection) = serve_pipe(4096, |_| async { text("no, thanks") });
    client.write_all(&[POST, b"123456789"].concat()).await.unwrap();
    let answer = read_until(&mut client, "thanks").await;
    assert!(!answer.contains("connection"), "{answer}");
    client.write_all(&[POST, b"1234"].concat()).await.unwrap();
    let answer = read_until(&mut client, "thanks").await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(rest_of(client).await, "");
    connection.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_while_the_body_is_asked_for_does_not_cut_the_question() {
    for room in 1..30 {
        let (mut client, connection, mut bodies) = answers_early(room);
        client.write_all(EXPECT).await.unwrap();
        let mut answer = read_until(&mut client, "early").await;
        let was_asked = answer.starts_with("HTTP/1.1 100 Continue\r\n\r\n");
        answer = answer.replacen("HTTP/1.1 100 Continue\r\n\r\n", "", 1);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{room}: {answer}");
        assert!(was_asked != answer.contains("connection: close"), "{room}: {answer}");
        assert_eq!(rest_of(client).await, "");
        assert!(bodies.recv().await.unwrap().0.is_err());
        connection.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_half_asked_for_is_read_all_the_same() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (mut client, _connection) = serve_pipe(10, move |request: Request<ClientBody>| {
        let tell = tell.clone();
        tokio::spawn(async move { tell.send(request.into_body().collect().await.is_ok()).unwrap() });
        // The answer begins when the question has, and never ends.
        async {
            tokio::task::yield_now().await;
            Ok(Response::new(TestBody::new(StreamBody::new(futures_util::stream::pending()))))
        }
    });
    client.write_all(EXPECT).await.unwrap();
    for _ in 0..9 {
        tokio::task::yield_now().await;
    }
    read_until(&mut client, "chunked\r\n").await;
    read_until(&mut client, "\r\n\r\n").await;
    client.write_all(b"123456789").await.unwrap();
    assert_eq!(told.recv().await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_ahead_waits_with_the_client_and_not_with_us() {
    let (mut client, _connection) = serve_pipe(1000, |_| std::future::pending());
    let ahead = GET.repeat(100_000);
    let mut sent = 0;
    let sending = async {
        while sent < ahead.len() {
            sent += client.write(&ahead[sent..]).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), sending).await.unwrap_err();
    assert!(sent < 100_000, "{sent}");
}
