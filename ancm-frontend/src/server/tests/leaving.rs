//! A client that leaves: whatever is under way for it is dropped at once.

use super::*;

/// Serves requests that never end; the first is told when it has begun, the second when it was dropped.
async fn never_answers() -> (Served, Arc<Notify>, Arc<Notify>) {
    let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, drop) = (Arc::clone(&begun), Arc::clone(&dropped));
    let served = serve(move |request| {
        let guard = OnDrop(Arc::clone(&drop));
        begin.notify_one();
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
    served.client.write_all(&[b'x'; 50_000]).await.unwrap();
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
