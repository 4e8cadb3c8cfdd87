use std::future::poll_fn;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Both ends of a connection.
pub(crate) async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

async fn take(stream: &TcpStream, most: u64) -> Moved {
    poll_fn(|context| poll_take(stream, context, most)).await.unwrap()
}

/// These bytes, in a pipe.
pub(crate) async fn piped(text: &[u8]) -> Piped {
    let (mut near, far) = connection().await;
    near.write_all(text).await.unwrap();
    match take(&far, text.len() as u64).await {
        Moved::Piped(piped) if piped.len() == text.len() => piped,
        moved => panic!("{moved:?}"),
    }
}

#[tokio::test]
async fn bytes_go_from_socket_to_socket_whatever_the_recipient_takes_at_once() {
    let text: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 251) as u8).collect();
    let ((mut origin, source), (target, mut recipient)) = (connection().await, connection().await);
    let moving = async {
        loop {
            let Moved::Piped(mut piped) = take(&source, u64::MAX).await else { break };
            while piped.len() > 0 {
                assert_ne!(poll_fn(|context| piped.poll_move(&target, context)).await.unwrap(), Some(0));
            }
        }
        drop(target);
    };
    let sending = async {
        origin.write_all(&text).await.unwrap();
        drop(origin);
    };
    let mut read = Vec::new();
    let ((), (), count) = tokio::join!(sending, moving, recipient.read_to_end(&mut read));
    assert_eq!(count.unwrap(), text.len());
    assert!(read == text, "it is not what was sent");
}

#[tokio::test]
async fn takes_no_more_than_it_is_asked_for_and_sees_the_end() {
    let (mut near, far) = connection().await;
    near.write_all(b"hello world").await.unwrap();
    let Moved::Piped(piped) = take(&far, 5).await else { panic!("nothing taken") };
    assert_eq!(piped.read(), "hello");
    drop(near);
    let Moved::Piped(piped) = take(&far, 100).await else { panic!("nothing taken") };
    assert_eq!(piped.read(), " world");
    assert!(matches!(take(&far, 100).await, Moved::End));
}

#[tokio::test]
async fn what_has_been_moved_is_not_read_again() {
    let (target, mut recipient) = connection().await;
    let mut piped = piped(b"hello").await;
    assert_eq!(poll_fn(|context| piped.poll_move(&target, context)).await.unwrap(), Some(5));
    assert_eq!((piped.len(), piped.read().len()), (0, 0));
    let mut read = [0; 5];
    recipient.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
}

#[tokio::test]
async fn slow_recipients_do_not_take_all_file_descriptors() {
    let mut held = Vec::new();
    loop {
        let (mut near, far) = connection().await;
        near.write_all(b"x").await.unwrap();
        match take(&far, 1).await {
            Moved::Piped(piped) => held.push(piped),
            moved => break assert!(matches!(moved, Moved::Unable)),
        }
        assert!(held.len() < 1000, "no end of them");
    }
    held.pop();
    let _again = piped(b"x").await;
}

#[test]
fn what_is_offered_is_offered_within_the_call_only() {
    assert!(!is_offered());
    offering(true, || {
        assert!(is_offered());
        offering(false, || assert!(!is_offered()));
        assert!(is_offered());
    });
    assert!(!is_offered());
}

#[test]
fn a_pipe_is_used_only_where_the_signal_of_a_broken_one_is_harmless() {
    use super::system::handles_sigpipe;
    let status = |ignored: &str, caught: &str| {
        format!("Name:\tx\nSigBlk:\tffff\nSigIgn:\t{ignored}\nSigCgt:\t{caught}\n")
    };
    assert!(handles_sigpipe(&status("0000000000001000", "0000000000000000")));
    assert!(handles_sigpipe(&status("0000000000000000", "0000000000001000")));
    assert!(!handles_sigpipe(&status("0000000000000800", "0000000000002000")));
    assert!(!handles_sigpipe("Name: x"));
}

#[tokio::test]
async fn a_thread_whose_pipes_were_refused_asks_for_none_again() {
    let (mut near, far) = connection().await;
    near.write_all(b"hello").await.unwrap();
    // It leaves an empty pipe for the next.
    let mut piped = piped(b"x").await;
    assert_eq!(poll_fn(|context| piped.poll_move(&near, context)).await.unwrap(), Some(1));
    super::system::refuse();
    assert!(matches!(take(&far, 5).await, Moved::Unable));
}
