//! One exchange and what is left of it: is the connection fit for another one?

use super::*;

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
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
    let connection = body.reclaim().unwrap();
    // The backend closes after its answer; once the kernel has said so, the connection is unfit.
    connection.wire.stream.tcp().readable().await.unwrap();
    assert_eq!(Http1Client::<TestBody>::reuse(&connection), Reuse::Closed);
    drop(connection);
    task.await.unwrap();
}
