//! The guard in a connection: what a service sees, and what the client gets.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::UPGRADE};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::Notify,
};

use crate::server::{
    ClientBody, OnUpgrade,
    tests::{TestBody, serve_pipe},
};

/// A served connection: the client's end, and the requests that the service has seen.
pub(super) struct Served {
    pub(super) client: DuplexStream,
    seen: Arc<Mutex<Vec<String>>>,
    /// What the service waits for, when the target is `/wait`.
    go: Arc<Notify>,
}

const GOOD: &str = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
const BAD: &str = "GET /bad HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n";
const UPGRADE_TO_ECHO: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
const UPGRADE_TO_NOTHING: &str = "GET /no HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: no\r\n\r\n";

// === impl Served ===

impl Served {
    pub(super) fn start() -> Self {
        Self::start_with(64 * 1024)
    }

    /// With so much room between client and server.
    fn start_with(room: usize) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let go = Arc::new(Notify::new());
        let (requests, wait) = (Arc::clone(&seen), Arc::clone(&go));
        let (client, _) =
            serve_pipe(room, move |request| answer(request, Arc::clone(&requests), Arc::clone(&wait)));
        Self { client, seen, go }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The status of each answer until the server closes.
    pub(super) async fn statuses(&mut self) -> Vec<u16> {
        let mut answers = String::new();
        self.client.read_to_string(&mut answers).await.unwrap();
        let lines = answers.split("HTTP/1.").skip(1);
        lines.map(|line| line[2..5].parse().unwrap()).collect()
    }

    async fn read_until(&mut self, end: &str) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(end.as_bytes()) {
            answer.push(self.client.read_u8().await.unwrap());
        }
        String::from_utf8(answer).unwrap()
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Reads the request whole, or answers 400 if its body breaks off; switches to an echo if it is asked to.
async fn answer(
    mut request: Request<ClientBody>,
    seen: Arc<Mutex<Vec<String>>>,
    wait: Arc<Notify>,
) -> Result<Response<TestBody>, Infallible> {
    let line = format!("{} {}", request.method(), request.uri());
    if request.uri() == "/wait" {
        wait.notified().await;
    }
    let upgrade = OnUpgrade::take(&mut request);
    let echo = request.headers().get(UPGRADE).is_some_and(|protocol| protocol == "echo");
    let mut response = Response::new(TestBody::from(Bytes::from("answer")));
    match request.into_body().collect().await {
        Ok(body) => seen.lock().unwrap().push(format!("{line} {}", body.to_bytes().len())),
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    if echo {
        *response.body_mut() = TestBody::from(Bytes::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(UPGRADE, "echo".parse().unwrap());
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(upgrade.unwrap().await.unwrap());
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        });
    }
    Ok(response)
}

#[tokio::test]
async fn serves_what_is_complete_before_it_refuses() {
    let mut served = Served::start();
    served.send(format!("{GOOD}{GOOD}{BAD}{GOOD}")).await;
    assert_eq!(served.statuses().await, [200, 200, 400]);
    assert_eq!(served.seen(), ["GET /good 0", "GET /good 0"]);
}

#[tokio::test]
async fn refuses_wherever_the_head_is_cut() {
    let stream = format!("{GOOD}{BAD}{GOOD}");
    for cut in 1..stream.len() {
        let mut served = Served::start();
        served.send(&stream[..cut]).await;
        tokio::task::yield_now().await;
        // The server may have closed already.
        let _ = served.client.write_all(&stream.as_bytes()[cut..]).await;
        assert_eq!(served.statuses().await, [200, 400], "cut at {cut}");
        assert_eq!(served.seen(), ["GET /good 0"]);
    }
}

#[tokio::test]
async fn refuses_a_head_that_comes_byte_by_byte() {
    let mut served = Served::start_with(1);
    let (mut reader, mut writer) = tokio::io::split(served.client);
    let writing = tokio::spawn(async move {
        for byte in format!("{GOOD}{BAD}").bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        writer
    });
    let mut answers = String::new();
    reader.read_to_string(&mut answers).await.unwrap();
    assert!(answers.contains("HTTP/1.1 400 Bad Request\r\n"), "{answers}");
    assert!(answers.contains("connection: close\r\n"), "{answers}");
    served.client = reader.unsplit(writing.await.unwrap());
    assert_eq!(served.seen(), ["GET /good 0"]);
}

#[tokio::test]
async fn a_refusal_waits_for_the_answer_under_way() {
    let mut served = Served::start();
    served.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::task::yield_now().await;
    served.send(BAD).await;
    tokio::task::yield_now().await;
    served.go.notify_one();
    assert_eq!(served.statuses().await, [200, 400]);
    assert_eq!(served.seen(), ["GET /wait 0"]);
}

#[tokio::test]
async fn a_fault_among_chunks_breaks_the_body_off() {
    for chunks in ["3\r\nabc\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nHost: b\r\n\r\n"] {
        let mut served = Served::start();
        let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        served.send(format!("{GOOD}{post}{chunks}{GOOD}")).await;
        assert_eq!(served.statuses().await, [200, 400], "{chunks:?}");
        assert_eq!(served.seen(), ["GET /good 0"], "{chunks:?}");
    }
}

#[tokio::test]
async fn a_fault_behind_a_head_that_came_alone_breaks_its_body_off() {
    let mut served = Served::start();
    served.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    tokio::task::yield_now().await;
    served.send("\n").await;
    assert_eq!(served.statuses().await, [400]);
    assert!(served.seen().is_empty());
}

#[tokio::test]
async fn bodies_are_not_taken_for_requests() {
    let mut served = Served::start();
    let post = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{BAD}", BAD.len());
    let size = format!("{:x}", BAD.len());
    let chunked = format!(
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n{BAD}\r\n0\r\n\r\n"
    );
    served.send(format!("{post}{chunked}{BAD}")).await;
    assert_eq!(served.statuses().await, [200, 200, 400]);
    assert_eq!(served.seen(), [format!("POST / {}", BAD.len()), format!("PUT / {}", BAD.len())]);
}

#[tokio::test]
async fn a_tunnel_carries_anything_even_what_came_before_the_answer() {
    let mut served = Served::start();
    served.send(format!("{UPGRADE_TO_ECHO}{BAD}")).await;
    let answer = served.read_until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(served.read_until("folded\r\n\r\n").await, BAD);
    served.send("\0\0end").await;
    assert_eq!(served.read_until("end").await, "\0\0end");
}

#[tokio::test]
async fn a_request_goes_on_behind_an_upgrade_that_is_declined() {
    let mut served = Served::start();
    // In one piece; and then while the answer is being read.
    served.send(format!("{UPGRADE_TO_NOTHING}{GOOD}{UPGRADE_TO_NOTHING}")).await;
    for _ in 0..3 {
        served.read_until("answer").await;
    }
    served.send(GOOD).await;
    served.read_until("answer").await;
    served.send(BAD).await;
    assert_eq!(served.statuses().await, [400]);
    assert_eq!(served.seen(), ["GET /no 0", "GET /good 0", "GET /no 0", "GET /good 0"]);
}

#[tokio::test]
async fn many_upgrades_in_one_piece_are_answered_one_by_one() {
    let mut served = Served::start();
    served.send(UPGRADE_TO_NOTHING.repeat(200)).await;
    served.send(BAD).await;
    let statuses = served.statuses().await;
    assert_eq!((statuses.len(), statuses.last()), (201, Some(&400)));
    assert_eq!(served.seen().len(), 200);
}
