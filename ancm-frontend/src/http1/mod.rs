//! HTTP/1.1 on the wire, as far as both sides of the proxy need it: `chunked` reads bodies, `outgoing` writes messages
//! to a `recipient`, `room` is where they are read, `names` knows their headers and `repeats` whole heads, `spare`
//! passes maps on, `turn` keeps large ones from holding up the others.

pub(crate) mod chunked;
pub(crate) mod names;
pub(crate) mod outgoing;
pub(crate) mod piece;
pub(crate) mod pipe;
pub(crate) mod recipient;
pub(crate) mod repeats;
pub(crate) mod room;
pub(crate) mod spare;
pub(crate) mod turn;

use bytes::BytesMut;
use tokio::io::ReadBuf;

use self::room::let_go;

/// The number that is said, if it is nothing but digits, and not too large.
pub(crate) fn digits(text: &[u8]) -> Option<u64> {
    let append = |number: u64, &byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, append) }
}

/// Hands out what has been read ahead of a stream that is read on from now; false if there is nothing.
pub(crate) fn hand_out(ahead: &mut BytesMut, buffer: &mut ReadBuf<'_>) -> bool {
    if ahead.is_empty() {
        return false;
    }
    let length = ahead.len().min(buffer.remaining());
    buffer.put_slice(&ahead.split_to(length));
    // The stream may live long.
    let_go(ahead);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_nothing_but_digits() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("00000000000000000000000001", Some(1)),
            ("18446744073709551616", None),
            ("", None),
            ("+1", None),
            ("1 ", None),
            ("1,1", None),
            ("\u{663}", None),
        ] {
            assert_eq!(digits(text.as_bytes()), number, "{text:?}");
        }
    }
}
