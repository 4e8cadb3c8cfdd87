use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWrite};

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
    assert!(message.text.len() < 70_000, "{}", message.text.len());
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

#[tokio::test]
async fn large_and_small_pieces_stay_in_their_order_whatever_is_taken_at_once() {
    let text = |length: usize| (b'a'..=b'z').cycle().take(length).map(char::from).collect::<String>();
    let pieces: Vec<String> = [1, 5000, 10, 3000, 9000, 2048, 2049, 70_000, 7].map(text).into();
    for room in [1, 100, 4096, 1 << 20] {
        let (mut near, mut far) = tokio::io::duplex(room);
        let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Length(91_115));
        let writing = async {
            for piece in &pieces {
                while !message.has_room() {
                    std::future::poll_fn(|context| message.poll_write(context, &mut near)).await.unwrap();
                }
                message.data(Bytes::from(piece.clone())).unwrap();
            }
            message.end(None).unwrap();
            std::future::poll_fn(|context| message.poll_write(context, &mut near)).await.unwrap();
            drop(near);
        };
        let mut read = String::new();
        let ((), count) = tokio::join!(writing, far.read_to_string(&mut read));
        count.unwrap();
        assert!(read == format!("HEAD\r\n{}", pieces.concat()), "with room for {room}");
    }
}

#[test]
fn pieces_that_are_there_together_go_out_together() {
    let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Chunked);
    let mut taken = 0;
    while message.has_room() {
        message.data(Bytes::from(vec![b'x'; 5000])).unwrap();
        taken += 1;
    }
    assert_eq!(taken, 14);
    let mut stream = Counting::default();
    let mut task = tokio_test::task::spawn(());
    assert!(task.enter(|context, _| message.poll_write(context, &mut stream)).is_ready());
    assert_eq!((stream.calls, stream.bytes), (1, "HEAD\r\n".len() + 14 * (5000 + "1388\r\n\r\n".len())));
}

#[test]
fn small_pieces_that_have_to_wait_do_not_hold_up_what_they_were_read_into() {
    let large = Bytes::from(vec![b'x'; 100 * 1024]);
    let mut message = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Chunked);
    message.data(large.slice(..5000)).unwrap();
    let (mut near, _far) = tokio::io::duplex(10);
    let mut task = tokio_test::task::spawn(());
    assert!(task.enter(|context, _| message.poll_write(context, &mut near)).is_pending());
    assert!(large.is_unique());
}

/// Takes everything, and counts the calls.
#[derive(Default)]
struct Counting {
    calls: usize,
    bytes: usize,
}

impl Recipient for Counting {}

impl AsyncWrite for Counting {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = slices.iter().map(|slice| slice.len()).sum();
        self.calls += 1;
        self.bytes += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
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
