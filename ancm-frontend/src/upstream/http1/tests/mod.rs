//! The client against scripted backends.

mod differential;
mod exchange;
mod sending;

use std::convert::Infallible;

use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
};

use super::*;
use crate::upstream::{HyperClient, Reclaim};

type TestBody = BoxBody<Bytes, Infallible>;

/// What became of an exchange, as far as a proxy would pass it on.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Answer { status: u16, headers: Vec<(String, String)>, body: Option<Vec<u8>>, reusable: bool },
    NotSent,
    Broken,
    Failed,
}

fn get() -> Request<TestBody> {
    Request::builder().uri("/").header("host", "h").body(Full::default().boxed()).unwrap()
}

fn post(body: &'static str) -> Request<TestBody> {
    Request::post("/").header("host", "h").body(Full::from(body).boxed()).unwrap()
}

/// A backend that reads one head, says this, and closes; what it was sent.
async fn scripted(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    in_pieces(answer, usize::MAX).await
}

/// The same, but it says so many bytes at a time.
async fn in_pieces(answer: Vec<u8>, piece: usize) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            // What is broken off is reset.
            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                break;
            }
        }
        for piece in answer.chunks(piece) {
            stream.write_all(piece).await.ok();
            tokio::task::yield_now().await;
        }
        stream.shutdown().await.ok();
        stream.read_to_end(&mut request).await.ok();
        String::from_utf8_lossy(&request).into_owned()
    });
    (address, task)
}

async fn outcome<C: Client<TestBody>>(client: C, address: SocketAddr, request: Request<TestBody>) -> Outcome {
    let connection = client.connect(address).await.unwrap();
    let response = match client.exchange(connection, request).await {
        Ok(response) => response,
        Err(ExchangeError::NotSent(_)) => return Outcome::NotSent,
        Err(ExchangeError::Broken(_)) => return Outcome::Broken,
        Err(ExchangeError::Failed(_)) => return Outcome::Failed,
    };
    let (parts, body) = response.into_parts();
    let mut headers = lines(&parts.headers);
    let mut body = Box::pin(body);
    let mut bytes = Some(Vec::new());
    while let Some(frame) = body.frame().await {
        let (Ok(frame), Some(bytes)) = (frame, &mut bytes) else {
            bytes = None;
            break;
        };
        match frame.into_data() {
            Ok(data) => bytes.extend_from_slice(&data.into().into_memory()),
            Err(frame) => headers.extend(frame.trailers_ref().map(lines).into_iter().flatten()),
        }
    }
    let reusable = bytes.is_some() && body.reclaim().is_some();
    Outcome::Answer { status: parts.status.as_u16(), headers, body: bytes, reusable }
}

/// In their order, so far as it means anything.
fn lines(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut lines: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines
}
