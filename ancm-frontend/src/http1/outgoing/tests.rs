use bytes::Bytes;
use tokio::io::AsyncReadExt;

use super::*;

impl Recipient for tokio::io::DuplexStream {}

impl Recipient for tokio::io::Sink {}

impl Recipient for tokio_test::io::Mock {}

/// Writes a message of these pieces into a pipe with so much room, and reads it back.
async fn wire(framing: Framing, room: usize, pieces: &[&'static [u8]]) -> String {
    let (mut near, mut far) = tokio::io::duplex(room);
    let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), framing);
    let mut pieces = pieces.iter();
    let writing = async {
        loop {
            if message.has_room() {
                match pieces.next() {
                    Some(piece) => message.data(Bytes::from_static(piece)).unwrap(),
                    None => message.end(None).unwrap(),
                }
            }
            std::future::poll_fn(|context| message.poll_write(context, &mut near)).await.unwrap();
            if message.has_ended() {
                break;
            }
        }
        drop(near);
    };
    let mut read = String::new();
    tokio::join!(writing, async { far.read_to_string(&mut read).await.unwrap() });
    read
}

#[tokio::test]
async fn frames_a_body_whatever_room_there_is() {
    for room in [1, 2, 3, 7, 1024] {
        assert_eq!(wire(Framing::Length(5), room, &[b"abc", b"de"]).await, "HEAD\r\nabcde");
        assert_eq!(wire(Framing::Close, room, &[b"abc", b"", b"de"]).await, "HEAD\r\nabcde");
        let chunks = "HEAD\r\n3\r\nabc\r\nB\r\nhello world\r\n0\r\n\r\n";
        assert_eq!(wire(Framing::Chunked, room, &[b"abc", b"hello world"]).await, chunks);
    }
}

#[tokio::test]
async fn holds_little_for_a_reader_that_takes_nothing() {
    let (mut near, _far) = tokio::io::duplex(10);
    let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Chunked);
    for _ in 0..1000 {
        if message.has_room() {
            message.data(Bytes::from_static(&[b'x'; 1000])).unwrap();
        }
        let written = std::future::poll_fn(|context| Poll::Ready(message.poll_write(context, &mut near)));
        assert!(written.await.is_pending());
    }
    assert!(message.before.len() < 50_000, "{}", message.before.len());
}

#[test]
fn small_pieces_go_out_with_the_head_and_with_the_end() {
    let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Chunked);
    message.data(Bytes::from_static(b"abc")).unwrap();
    message.data(Bytes::from_static(b"de")).unwrap();
    message.end(None).unwrap();
    let whole = b"HEAD\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let mut once = tokio_test::io::Builder::new().write(whole).build();
    let mut task = tokio_test::task::spawn(());
    assert!(task.enter(|context, _| message.poll_write(context, &mut once)).is_ready());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_lies_in_a_pipe_goes_out_in_its_place_whatever_it_is_written_to() {
    use crate::http1::pipe::tests::{connection, piped};

    async fn write(to: &mut impl Recipient) {
        let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Chunked);
        for text in ["hello world", "again"] {
            message.data(piped(text.as_bytes()).await).unwrap();
            std::future::poll_fn(|context| message.poll_write(context, to)).await.unwrap();
            message.data(Bytes::from_static(b"memory")).unwrap();
            std::future::poll_fn(|context| message.poll_write(context, to)).await.unwrap();
        }
        message.end(None).unwrap();
        std::future::poll_fn(|context| message.poll_write(context, to)).await.unwrap();
    }

    let (mut near, mut far) = connection().await;
    let (mut pipe, mut end) = tokio::io::duplex(1024);
    write(&mut near).await;
    write(&mut pipe).await;
    drop((near, pipe));
    let expected = "HEAD\r\nB\r\nhello world\r\n6\r\nmemory\r\n5\r\nagain\r\n6\r\nmemory\r\n0\r\n\r\n";
    let (mut read, mut other) = (String::new(), String::new());
    far.read_to_string(&mut read).await.unwrap();
    end.read_to_string(&mut other).await.unwrap();
    assert_eq!((read.as_str(), other.as_str()), (expected, expected));
}

#[test]
fn refuses_a_body_that_is_not_as_long_as_was_said() {
    let mut message = Outgoing::new(Vec::new(), Framing::Length(2));
    assert!(message.data(Bytes::from_static(b"abc")).unwrap_err().contains("longer"));
    assert!(message.end(None).unwrap_err().contains("shorter"));
}

#[test]
fn writes_numbers() {
    for (value, text) in [(0, "0"), (9, "9"), (10, "10"), (u64::MAX, "18446744073709551615")] {
        let mut out = Vec::new();
        number(&mut out, value);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}
