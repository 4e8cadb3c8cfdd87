//! The end of a frontend, as its clients see it.

use std::time::Duration;

use tokio::{sync::oneshot, time::Instant};

use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn closes_a_connection_between_two_requests_at_once() {
    let mut served = serve(|_| async { text("text") }).await;
    served.client.write_all(GET).await.unwrap();
    read_until(&mut served.client, "text").await;
    served.drain.cancel();
    let start = Instant::now();
    assert_eq!(rest(&mut served.client).await, "");
    served.connection.await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(200));
}

#[tokio::test]
async fn lets_the_request_that_is_under_way_finish_and_says_that_it_was_the_last() {
    let finish = Arc::new(Notify::new());
    let (tell, told) = oneshot::channel();
    let (mut tell, wait) = (Some(tell), Arc::clone(&finish));
    let mut served = serve(move |_| {
        let (tell, wait) = (tell.take(), Arc::clone(&wait));
        async move {
            tell.unwrap().send(()).unwrap();
            wait.notified().await;
            text("text")
        }
    })
    .await;
    served.client.write_all(GET).await.unwrap();
    told.await.unwrap();
    served.drain.cancel();
    tokio::task::yield_now().await;
    assert!(!served.connection.is_finished());
    finish.notify_one();
    let answer = rest(&mut served.client).await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("text"), "{answer}");
    served.connection.await.unwrap();
}

#[tokio::test]
async fn serves_a_request_that_came_on_a_new_connection_together_with_the_drain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(GET).await.unwrap();
    let (stream, address) = listener.accept().await.unwrap();
    let drain = CancellationToken::new();
    drain.cancel();
    let connection = tokio::spawn(connection(stream, address, |_| async { text("text") }, drain));
    assert!(rest(&mut client).await.ends_with("text"));
    connection.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waits_a_moment_for_the_first_request_of_a_new_connection() {
    let (client, stream) = tokio::io::duplex(4096);
    let drain = CancellationToken::new();
    drain.cancel();
    let address = "192.0.2.1:1".parse().unwrap();
    let silent = connection(Pipe::new(stream), address, |_| async { text("text") }, drain.clone());
    let start = Instant::now();
    silent.await;
    assert_eq!(start.elapsed().as_millis(), 250);
    drop(client);

    let (mut client, stream) = tokio::io::duplex(4096);
    let late = tokio::spawn(connection(Pipe::new(stream), address, |_| async { text("text") }, drain));
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.write_all(GET).await.unwrap();
    assert!(rest(&mut client).await.ends_with("text"));
    late.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn serves_a_request_of_which_only_the_kernel_knows() {
    let (mut client, stream) = tokio::io::duplex(4096);
    let stream = Pipe { has_sent: true, ..Pipe::new(stream) };
    let (address, drain) = ("192.0.2.1:1".parse().unwrap(), CancellationToken::new());
    let connection = tokio::spawn(connection(stream, address, |_| async { text("text") }, drain.clone()));
    client.write_all(GET).await.unwrap();
    read_until(&mut client, "text").await;
    drain.cancel();
    tokio::task::yield_now().await;
    client.write_all(GET).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("text"), "{answer}");
    connection.await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_knows_what_has_been_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert!(!stream.has_sent() && !stream.has_left());
    io::Write::write_all(&mut &client, GET).unwrap();
    assert!(stream.has_sent() && !stream.has_left());
    drop(client);
    assert!(stream.has_left());
}
