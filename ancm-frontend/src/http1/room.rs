//! Where a thread reads: one large buffer for all of its connections.
//!
//! It stays in the processor's cache, so that a body costs less to move through it than through a buffer of each
//! connection's own; and a connection that waits holds nothing. What has been read is handed out as a slice of it, and
//! it is used again from its start when all slices are gone, as a rule before the next read. Only what a recipient
//! does not take at once stays behind, and then the thread has a new one.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Read at once at the most: a piece of 64 KiB and the head before it. A slow recipient may keep as much from others.
pub(crate) const ROOM: usize = 72 * 1024;
/// What is left behind slices that are still held is used up to this.
const LEAST: usize = 16 * 1024;
/// Read at once behind what is incomplete.
const APPENDED: usize = 8 * 1024;

thread_local! {
    static SHARED: Cell<BytesMut> = Cell::default();
}

/// Calls this with the thread's room, which is empty; what is left in it is forgotten.
pub(crate) fn with_room<R>(read: impl FnOnce(&mut BytesMut) -> R) -> R {
    let mut room = SHARED.take();
    room.clear();
    if !room.try_reclaim(ROOM) && room.capacity() < LEAST {
        room = BytesMut::with_capacity(ROOM);
    }
    let result = read(&mut room);
    SHARED.set(room);
    result
}

/// Reads once, behind what is there already; 0 is the end. What was empty becomes a slice of the thread's room.
pub(crate) fn poll_fill<R: AsyncRead + Unpin>(
    stream: &mut R,
    context: &mut Context<'_>,
    read: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    if !read.is_empty() {
        // Rare: the end of a head, or of the line before a chunk.
        read.reserve(APPENDED);
        return poll_read_buf(stream, context, &mut read.limit(APPENDED));
    }
    let_go(read);
    with_room(|room| {
        let count = ready!(poll_read_buf(stream, context, room))?;
        *read = room.split();
        Poll::Ready(Ok(count))
    })
}

/// Lets go of the room when nothing is left of what has been read: even an empty slice keeps it from being used again.
pub(crate) fn let_go(read: &mut BytesMut) {
    if read.is_empty() {
        *read = BytesMut::new();
    }
}

/// Takes so many bytes from the front of what has been read.
pub(crate) fn take(read: &mut BytesMut, length: usize) -> Bytes {
    let taken = if length == read.len() { std::mem::take(read) } else { read.split_to(length) };
    taken.freeze()
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, ptr};

    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn fill(stream: &mut (impl AsyncRead + Unpin), read: &mut BytesMut) -> usize {
        poll_fn(|context| poll_fill(stream, context, read)).await.unwrap()
    }

    #[tokio::test]
    async fn all_connections_of_a_thread_read_into_the_same_place() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let mut places = Vec::new();
        for text in [b"first", b"other"] {
            near.write_all(text).await.unwrap();
            let mut read = BytesMut::new();
            assert_eq!(fill(&mut far, &mut read).await, 5);
            places.push(read.as_ptr());
            assert_eq!(take(&mut read, 5), &text[..]);
        }
        assert!(ptr::eq(places[0], places[1]));
    }

    #[tokio::test]
    async fn what_is_still_held_is_not_written_over() {
        let (mut near, mut far) = tokio::io::duplex(2 * ROOM);
        let mut held = Vec::new();
        for byte in 0..20 {
            let text = vec![byte; ROOM / 4];
            near.write_all(&text).await.unwrap();
            let mut read = BytesMut::new();
            while read.len() < text.len() {
                fill(&mut far, &mut read).await;
            }
            held.push((read, text));
        }
        for (read, text) in held {
            assert!(read == text);
        }
    }

    #[tokio::test]
    async fn what_is_incomplete_is_read_on_behind_it() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let mut read = BytesMut::new();
        for text in ["1", "f\r\n", "x"] {
            near.write_all(text.as_bytes()).await.unwrap();
            fill(&mut far, &mut read).await;
        }
        assert_eq!(read, "1f\r\nx");
        drop(near);
        assert_eq!(fill(&mut far, &mut read).await, 0);
        assert_eq!((take(&mut read, 2), take(&mut read, 3)), (Bytes::from("1f"), Bytes::from("\r\nx")));
        assert_eq!(read.capacity(), 0);
    }
}
