//! HTTP/1.1 on the wire, as far as both sides of the proxy need it: `chunked` reads bodies, `outgoing` writes messages,
//! `room` is where they are read, `spare` passes
//! maps on, `turn` keeps large ones from holding up the others.

pub(crate) mod chunked;
pub(crate) mod outgoing;
pub(crate) mod piece;
pub(crate) mod pipe;
pub(crate) mod room;
pub(crate) mod spare;
pub(crate) mod turn;

use bytes::BytesMut;
use tokio::io::ReadBuf;

/// Hands out what has been read ahead of a stream that is read on from now; false if there is nothing.
pub(crate) fn hand_out(ahead: &mut BytesMut, buffer: &mut ReadBuf<'_>) -> bool {
    if ahead.is_empty() {
        return false;
    }
    let length = ahead.len().min(buffer.remaining());
    buffer.put_slice(&ahead.split_to(length));
    if ahead.is_empty() {
        // The stream may live long.
        *ahead = BytesMut::new();
    }
    true
}
