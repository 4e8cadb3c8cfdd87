//! A client that leaves: whatever is under way for it is dropped soon. One that has only said all gets its answer.

use std::time::Duration;

use http_body_util::StreamBody;

use super::*;

/// Serves requests that never end; the first is told when it has begun, the second when it was dropped.
async fn never_answers() -> (Served, Arc<Notify>, Arc<Notify>) {
    let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, freed) = (Arc::clone(&begun), Arc::clone(&dropped));
    let served = serve(move |request| {
        let guard = OnDrop(Arc::clone(&freed));
        told.notify_one();
        async move {
            let _both = (request, guard);
            std::future::pending().await
        }
    })
    .await;
    (served, begun, dropped)
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_ends_its_request() {
    let (mut served, begun, dropped) = never_answers().await;
    served.client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    begun.notified().await;
    drop(served.client);
    dropped.notified().await;
    served.connection.await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_leaves_behind_bytes_that_nobody_reads_ends_its_request() {
    let (mut served, begun, dropped) = never_answers().await;
    served.client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n").await.unwrap();
    served.client.write_all(&vec![b'x'; 50_000]).await.unwrap();
    begun.notified().await;
    drop(served.client);
    dropped.notified().await;
    served.connection.await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_leaves_behind_requests_sent_ahead_ends_its_request() {
    let (mut served, begun, dropped) = never_answers().await;
    served.client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    begun.notified().await;
    served.client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    drop(served.client);
    dropped.notified().await;
    served.connection.await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_ends_its_request() {
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
    let mut served = serve(move |request| {
        let ended = ended.clone();
        async move {
            // Either it sees the break, or it is dropped; both drop the sender.
            let result = request.into_body().collect().await.is_err();
            ended.send(result).unwrap();
            text("text")
        }
    })
    .await;
    served.client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody").await.unwrap();
    drop(served.client);
    assert_ne!(end.recv().await, Some(false), "half a body must not pass for a whole one");
    served.connection.await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_leaves_when_nobody_wants_its_body_any_more_ends_its_request() {
    let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, freed) = (Arc::clone(&begun), Arc::clone(&dropped));
    let mut served = serve(move |request: Request<ClientBody>| {
        let (told, guard) = (Arc::clone(&told), OnDrop(Arc::clone(&freed)));
        async move {
            let _guard = guard;
            let mut body = request.into_body();
            body.frame().await.unwrap().unwrap();
            // It waits for more, and gives up.
            assert!(futures_util::poll!(body.frame()).is_pending());
            drop(body);
            told.notify_one();
            std::future::pending().await
        }
    })
    .await;
    served.client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody").await.unwrap();
    begun.notified().await;
    drop(served.client);
    dropped.notified().await;
    served.connection.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_it_is_answered_is_missed_even_if_nobody_reads_its_body_on() {
    let read = Arc::new(Notify::new());
    let told = Arc::clone(&read);
    let (mut client, stream) = tokio::io::duplex(4096);
    let stream = Pipe::new(stream);
    let has_left = Arc::clone(&stream.has_left);
    let answer = move |request: Request<ClientBody>| {
        let told = Arc::clone(&told);
        tokio::spawn(async move {
            let mut body = request.into_body();
            body.frame().await.unwrap().unwrap();
            told.notify_one();
            // It has nowhere to go with it.
            std::future::pending::<()>().await;
        });
        async { Ok(Response::new(TestBody::new(StreamBody::new(futures_util::stream::pending())))) }
    };
    let address = "192.0.2.1:1".parse().unwrap();
    let connection = tokio::spawn(connection(stream, address, answer, CancellationToken::new()));
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    client.write_all(b"body").await.unwrap();
    read.notified().await;
    has_left.store(true, Ordering::Relaxed);
    let start = tokio::time::Instant::now();
    connection.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// What a client gets that asks for three pieces and then ends its side; each piece takes this long.
async fn pieces_behind_an_end(every: u64) -> String {
    let (mut client, connection) = serve_pipe(10_000, move |_| async move {
        let pieces = futures_util::stream::unfold(0, move |n| async move {
            tokio::time::sleep(Duration::from_millis(every)).await;
            (n < 3).then(|| (Ok(Frame::data(Bytes::from("piece "))), n + 1))
        });
        Ok(Response::new(TestBody::new(StreamBody::new(pieces))))
    });
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let answer = rest(&mut client).await;
    connection.await.unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_ends_its_side_gets_an_answer_that_keeps_coming() {
    let answer = pieces_behind_an_end(300).await;
    assert_eq!(answer.matches("piece ").count(), 3, "{answer}");
    assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_ended_its_side_is_not_waited_for_in_silence() {
    let answer = pieces_behind_an_end(500).await;
    assert!(!answer.contains("piece ") && !answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_were_sent_ahead_of_the_end_are_answered() {
    let (mut client, connection) = serve_pipe(10_000, |_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        text("answer")
    });
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(request.repeat(5).as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await.matches("answer").count(), 5);
    connection.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_that_has_ended_its_side_loses_nothing() {
    // The answer is longer than what the pipe takes at once, and nothing of it can be asked for again.
    let (mut client, connection) = serve_pipe(100, |_| async { text("x".repeat(1000)) });
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    while let Ok(byte) = client.read_u8().await {
        answer.push(byte.into());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(answer.ends_with(&"x".repeat(1000)), "{answer}");
    connection.await.unwrap();
}
