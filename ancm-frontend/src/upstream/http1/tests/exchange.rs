//! One exchange and what is left of it: is the connection fit for another one?

use std::future::poll_fn;

use super::*;
use crate::http1::{
    piece::Piece,
    pipe::offering,
    room::{ROOM, with_room},
};

fn poll_frame(
    body: &mut Http1Body,
    context: &mut Context<'_>,
) -> Poll<Option<Result<http_body::Frame<Piece>, BoxError>>> {
    Pin::new(body).poll_frame(context)
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
async fn an_idle_connection_that_was_closed_is_not_used() {
    let (address, task) = scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()).await;
    let client = Http1Client::<TestBody>::new();
    let connection = client.connect(address).await.unwrap();
    let response = client.exchange(connection, get()).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().into_memory(), "ok");
    let connection = body.reclaim().unwrap();
    // The backend closes after its answer; once the kernel has said so, the connection is unfit.
    connection.wire.stream.tcp().readable().await.unwrap();
    assert_eq!(Http1Client::<TestBody>::reuse(&connection), Reuse::Closed);
    drop(connection);
    task.await.unwrap();
}

#[tokio::test]
async fn gives_back_a_request_when_the_connection_broke_before_its_first_byte() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Http1Client::<TestBody>::new();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    // Reset, not just closed: then the kernel takes nothing more.
    let (backend, _) = listener.accept().await.unwrap();
    backend.set_zero_linger().unwrap();
    drop(backend);
    connection.wire.stream.tcp().readable().await.unwrap();
    let error = client.exchange(connection, get()).await.unwrap_err();
    let ExchangeError::NotSent(request) = error else { panic!("{error:?}") };
    assert_eq!(request.uri(), "/");
}

#[tokio::test]
async fn carries_one_exchange_after_another() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Small, large, without a body, large again, and small: none leaves anything behind for the next.
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let answers = [b"one".to_vec(), large.clone(), Vec::new(), large, b"last".to_vec()];
    let said = answers.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for body in said {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    let client = Http1Client::<TestBody>::new();
    let mut connection = client.connect(address).await.unwrap();
    for (number, expected) in answers.into_iter().enumerate() {
        assert_eq!(Http1Client::<TestBody>::reuse(&connection), Reuse::Ready);
        let mut body = client.exchange(connection, get()).await.unwrap().into_body();
        let (mut read, mut piped) = (Vec::new(), 0);
        // Only whoever reads the last of the two large ones would take it from a pipe.
        let offered = number == 3;
        while let Some(frame) = poll_fn(|context| offering(offered, || poll_frame(&mut body, context))).await
        {
            let mut piece = frame.unwrap().into_data().unwrap();
            piped += piece.piped_mut().map_or(0, |piped| piped.len());
            read.extend_from_slice(&piece.into_memory());
        }
        assert!(read == expected);
        let expected =
            if offered && cfg!(target_os = "linux") { read.len() - 128 * 1024..read.len() } else { 0..1 };
        assert!(expected.contains(&piped), "{piped} bytes came by a pipe");
        connection = body.reclaim().unwrap();
        assert!(connection.wire.read.capacity() <= 8 * 1024, "an idle connection holds little");
    }
}

#[tokio::test]
async fn an_answer_of_which_only_the_head_has_come_does_not_take_the_threads_room_from_others() {
    let client = Http1Client::<TestBody>::new();
    for head in ["101 Switching Protocols\r\nupgrade: x", "200 OK\r\ncontent-length: 1000000"] {
        let (address, _task) = scripted(format!("HTTP/1.1 {head}\r\n\r\n").into_bytes()).await;
        let connection = client.connect(address).await.unwrap();
        let mut response = client.exchange(connection, get()).await.unwrap();
        // They are dropped as soon as they have been sent.
        response.headers_mut().clear();
        with_room(|room| assert_eq!(room.capacity(), ROOM, "{head}"));
    }
}

#[tokio::test]
async fn gives_a_tunnel_what_came_right_behind_the_switch() {
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nfirst words";
    let (address, _task) = scripted(switch.to_vec()).await;
    let client = Http1Client::<TestBody>::new();
    let connection = client.connect(address).await.unwrap();
    let mut response = client.exchange(connection, get()).await.unwrap();
    let mut stream = Http1Client::<TestBody>::switch(&mut response).await.unwrap();
    let mut words = String::new();
    stream.read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "first words");
}

#[tokio::test]
async fn an_exchange_that_is_dropped_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Http1Client::<TestBody>::new();
    let connection = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let mut exchange = tokio_test::task::spawn(client.exchange(connection, get()));
    tokio_test::assert_pending!(exchange.poll());
    let (mut backend, _) = listener.accept().await.unwrap();
    backend.read_u8().await.unwrap();
    drop(exchange);
    let mut rest = Vec::new();
    // The end, or a reset.
    let _ = backend.read_to_end(&mut rest).await;
}
