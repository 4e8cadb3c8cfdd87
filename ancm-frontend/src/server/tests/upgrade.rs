//! A connection that becomes a tunnel, or does not.

use http::{HeaderValue, StatusCode, header};

use super::*;

pub(super) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/// Switches protocols and sends everything back.
pub(super) async fn switch(mut request: Request<ClientBody>) -> Answer {
    let upgrade = OnUpgrade::take(&mut request).unwrap();
    tokio::spawn(async move {
        let stream = upgrade.await.unwrap();
        let (mut read, mut write) = tokio::io::split(stream);
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut response = text("").unwrap();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("echo"));
    Ok(response)
}

#[tokio::test]
async fn carries_any_bytes_once_the_protocol_has_been_switched() {
    let mut served = serve(switch).await;
    served.client.write_all(REQUEST.as_bytes()).await.unwrap();
    assert!(read_until(&mut served.client, "\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    served.client.write_all(b"\n\0any\nbytes\n").await.unwrap();
    assert_eq!(read_until(&mut served.client, "bytes\n").await, "\n\0any\nbytes\n");
    served.client.shutdown().await.unwrap();
    assert_eq!(rest(&mut served.client).await, "");
}

#[tokio::test]
async fn carries_the_bytes_that_came_before_the_switch() {
    let mut served = serve(switch).await;
    served.client.write_all(format!("{REQUEST}\nearly\n").as_bytes()).await.unwrap();
    read_until(&mut served.client, "\r\n\r\n").await;
    assert_eq!(read_until(&mut served.client, "early\n").await, "\nearly\n");
}

#[tokio::test]
async fn what_came_early_is_a_request_like_any_other_when_the_switch_is_declined() {
    let mut served = serve(|_| async { text("no") }).await;
    let next = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = exchange(&mut served.client, &format!("{REQUEST}{next}GET / HTTP/1.1\nHost: a\n\n")).await;
    let statuses: Vec<_> = answer.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answer}");
}

#[tokio::test]
async fn the_connection_goes_on_when_the_switch_is_declined() {
    let mut served = serve(|_| async { text("no") }).await;
    for _ in 0..2 {
        served.client.write_all(REQUEST.as_bytes()).await.unwrap();
        read_until(&mut served.client, "no").await;
    }
    let answer = exchange(&mut served.client, "GET / HTTP/1.1\nHost: a\n\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_request_with_a_body_cannot_switch() {
    // What of the bytes behind its head is body, and what tunnel, would be anybody's guess.
    let mut served = serve(|mut request: Request<ClientBody>| async move {
        let may = OnUpgrade::take(&mut request).is_some();
        text(if may { "it may" } else { "no" })
    })
    .await;
    for (length, answer) in [(1, "no"), (0, "it may")] {
        let body = format!("Content-Length: {length}\r\n\r\n{}", "x".repeat(length));
        served.client.write_all(REQUEST.replace("\r\n\r\n", "\r\n").as_bytes()).await.unwrap();
        served.client.write_all(body.as_bytes()).await.unwrap();
        assert!(read_until(&mut served.client, answer).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn nothing_follows_an_interim_answer_that_pretends_to_be_one() {
    for status in [100, 101, 103] {
        let mut served = serve(move |_| async move {
            let mut response = text("").unwrap();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok(response)
        })
        .await;
        let answer = exchange(&mut served.client, &"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2)).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
}
