//! The last answer of a connection, and what the client learns of its end.

use futures_util::StreamExt;
use http_body_util::StreamBody;
use tokio::sync::mpsc;

use super::{upgrade::switch, *};

const KEEP: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// The client's end of a connection that is served, and what is written to go out with the end of the stream.
fn watched<F, R>(answer: F) -> (DuplexStream, Arc<Mutex<String>>)
where
    F: FnMut(Request<ClientBody>) -> R + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let (client, stream) = tokio::io::duplex(1000);
    let stream = Pipe::new(stream);
    let end = Arc::clone(&stream.end);
    let address = "192.0.2.1:1".parse().unwrap();
    tokio::spawn(connection(stream, address, answer, CancellationToken::new()));
    (client, end)
}

#[tokio::test]
async fn the_last_answer_goes_out_with_the_end_of_the_stream() {
    let (mut client, end) = watched(|_| async { text("text") });
    client.write_all(KEEP.as_bytes()).await.unwrap();
    read_until(&mut client, "text").await;
    assert_eq!(*end.lock().unwrap(), "");
    client.write_all(CLOSE.as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(*end.lock().unwrap(), answer);
}

#[tokio::test]
async fn an_answer_that_a_tunnel_follows_goes_out_at_once() {
    let (mut client, end) = watched(switch);
    client.write_all(upgrade::REQUEST.as_bytes()).await.unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(*end.lock().unwrap(), "");
}

#[tokio::test]
async fn an_answer_that_may_go_on_goes_out_as_it_comes() {
    let (go_on, mut pieces) = mpsc::unbounded_channel::<&'static str>();
    let pieces = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
    let pieces = pieces.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
    let mut body = Some(TestBody::new(StreamBody::new(pieces)));
    let (mut client, end) = watched(move |_| std::future::ready(Ok(Response::new(body.take().unwrap()))));
    client.write_all(CLOSE.as_bytes()).await.unwrap();
    for piece in ["a piece", "another"] {
        go_on.send(piece).unwrap();
        read_until(&mut client, piece).await;
        assert_eq!(*end.lock().unwrap(), "");
    }
    drop(go_on);
    assert_eq!(rest(&mut client).await, "\r\n0\r\n\r\n");
}

#[tokio::test]
async fn what_came_of_an_answer_that_breaks_off_goes_out_at_once() {
    let (mut client, end) = watched(|_| async {
        let mut answer = text("text")?;
        answer.headers_mut().insert(http::header::CONTENT_LENGTH, http::HeaderValue::from_static("10"));
        Ok(answer)
    });
    client.write_all(CLOSE.as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.contains("content-length: 10\r\n") && answer.ends_with("\r\n\r\ntext"), "{answer}");
    assert_eq!(*end.lock().unwrap(), "");
}

/// More of the client than the runtime knows of, when the connection ends behind the answer.
#[tokio::test]
async fn bytes_that_nobody_has_read_do_not_take_the_end_of_the_answer_with_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, address) = listener.accept().await.unwrap();
    let mut further = client.try_clone().unwrap();
    let answer = move |_| {
        io::Write::write_all(&mut further, CLOSE.as_bytes()).unwrap();
        std::future::ready(text("text"))
    };
    io::Write::write_all(&mut &client, CLOSE.as_bytes()).unwrap();
    connection(stream, address, answer, CancellationToken::new()).await;
    let mut bytes = [0; 1000];
    let count = io::Read::read(&mut &client, &mut bytes).unwrap();
    assert!(bytes[..count].ends_with(b"text"), "{:?}", String::from_utf8_lossy(&bytes[..count]));
}
