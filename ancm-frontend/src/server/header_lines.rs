//! The header lines of requests: read once, and recalled when they come again.

use std::{cell::RefCell, ops::Range};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, EXPECT, TE},
};

use ancm_tower::refusal::Refusal;

use super::{
    head_guard::{HeadReader, Line, Passed},
    request::has,
};
use crate::http1::{names::Names, repeats::Repeats, spare};

/// More lines than any backend takes, so that those which are too many for it are refused with a reason.
const MOST_LINES: usize = 1000;
/// How many headers the layers add.
const ADDED: usize = 4;

/// Header lines that have been read.
#[derive(Debug)]
pub(super) struct HeaderLines {
    pub(super) headers: HeaderMap,
    pub(super) said: Said,
    /// Where to look when this client sends the next.
    pub(super) place: Option<usize>,
}

/// What the headers say of the connection, noted while they are read.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) trailers: bool,
    pub(super) expects: bool,
}

/// Lines that may come again, and that have passed the guard.
#[derive(Clone)]
struct Known {
    lines: HeaderLines,
    passed: Passed,
}

thread_local! {
    static KNOWN: RefCell<Repeats<Known>> = RefCell::new(Repeats::new());
}

// === impl HeaderLines ===

impl HeaderLines {
    /// Those that the bytes begin with, if a client of this thread has sent them before: how long they are, and what
    /// the guard found. Looks only at one place, where this client's last are, or those of whoever was last.
    pub(super) fn recall(place: Option<usize>, bytes: &[u8]) -> Option<(usize, Passed, Self)> {
        KNOWN.with_borrow_mut(|known| {
            let (length, Known { lines, passed }) = known.recall(place.unwrap_or(known.last()), bytes)?;
            Some((length, passed, Self { place: Some(known.last()), ..lines }))
        })
    }

    /// Reads those of a head that has passed the guard.
    pub(super) fn read(head: &Bytes, reader: &HeadReader) -> Result<Self, Refusal> {
        if reader.lines().len() > MOST_LINES {
            return Err(Refusal::HeadTooLarge { what: "lines", limit: MOST_LINES });
        }
        let text = head.slice(reader.fields_at()..);
        let make = |text: &Bytes| Self::of(text, reader.lines());
        match reader.passed() {
            Some(passed) => KNOWN.with_borrow_mut(|known| {
                let make = |text: &Bytes| Ok(Known { lines: make(text)?, passed });
                let lines = known.read(&text, reader.lines().len(), make)?.lines;
                Ok(Self { place: Some(known.last()), ..lines })
            }),
            None => make(&text),
        }
    }

    fn of(text: &Bytes, lines: &[Line]) -> Result<Self, Refusal> {
        const MALFORMED: Refusal = Refusal::BadRequest { reason: "a header is malformed" };
        let mut said = Said::default();
        let mut headers = spare::take_headers(lines.len() + ADDED);
        Names::with(|names| {
            for line in lines {
                let name = names.name(&text[line.name.clone()]).map_err(|_| MALFORMED)?;
                let value = text.slice(trimmed(text, &line.value));
                let value = HeaderValue::from_maybe_shared(value).map_err(|_| MALFORMED)?;
                said.note(&name, &value);
                headers.append(name, value);
            }
            Ok(Self { headers, said, place: None })
        })
    }
}

impl Clone for HeaderLines {
    fn clone(&self) -> Self {
        Self { headers: spare::copy_headers(&self.headers, ADDED), said: self.said, place: None }
    }
}

/// Without the blanks around it.
fn trimmed(text: &[u8], value: &Range<usize>) -> Range<usize> {
    // Of all that counts as blank here, the guard has let pass no more than SP and HTAB.
    let trimmed = text[value.clone()].trim_ascii_start();
    let start = value.end - trimmed.len();
    start..start + trimmed.trim_ascii_end().len()
}

// === impl Said ===

impl Said {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        if name == CONNECTION {
            self.close |= has(value, "close");
            self.keep_alive |= has(value, "keep-alive");
        } else if name == TE {
            self.trailers |= has(value, "trailers");
        } else if name == EXPECT {
            self.expects |= has(value, "100-continue");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server::head_guard::Fault;

    const LINE: &str = "GET / HTTP/1.1\r\n";

    /// What is found in a head that comes in pieces of so many bytes.
    #[derive(Debug, PartialEq)]
    struct Found {
        length: usize,
        guard: String,
        headers: HeaderMap,
        said: String,
    }

    /// Reads a head as nobody has before.
    fn read(head: &str) -> Result<Found, Fault> {
        let read = |head: &Bytes, reader: &HeadReader| {
            HeaderLines::of(&head.slice(reader.fields_at()..), reader.lines())
        };
        find(head, usize::MAX, |_| None, read).map(|(found, _)| found)
    }

    /// Reads a head that comes in pieces of so many bytes; its lines may be known, those of whoever was last at once.
    fn recall(head: &str, piece: usize) -> Result<(Found, Option<usize>), Fault> {
        find(head, piece, |bytes| HeaderLines::recall(None, bytes), HeaderLines::read)
    }

    fn find(
        head: &str,
        piece: usize,
        recall: impl Fn(&[u8]) -> Option<(usize, Passed, HeaderLines)>,
        read: impl Fn(&Bytes, &HeadReader) -> Result<HeaderLines, Refusal>,
    ) -> Result<(Found, Option<usize>), Fault> {
        let (mut reader, mut recalled, mut length) = (HeadReader::new(), None, None);
        for piece in head.as_bytes().chunks(piece) {
            length = reader.follow(piece, |bytes| {
                let (length, passed, lines) = recall(bytes)?;
                recalled = Some(lines);
                Some((length, passed))
            })?;
        }
        let length = length.expect("the head is whole");
        let head = Bytes::copy_from_slice(&head.as_bytes()[..length]);
        let HeaderLines { headers, said, place } = recalled.unwrap_or_else(|| read(&head, &reader).unwrap());
        let guard = format!("{:?} {} {}", reader.framing(), reader.may_switch(), reader.is_old());
        Ok((Found { length, guard, headers, said: format!("{said:?}") }, place))
    }

    #[test]
    fn lines_are_recalled_when_they_come_for_the_third_time() {
        let lines = "Host: a\r\nCookie: recalled\r\n\r\n";
        let known = || HeaderLines::recall(None, b"Host: a\r\nCookie: recalled\r\n\r\nGET");
        for _ in 0..2 {
            assert!(known().is_none());
            recall(&format!("{LINE}{lines}"), usize::MAX).unwrap();
        }
        let (length, _, recalled) = known().unwrap();
        assert_eq!(length, lines.len());
        assert_eq!(recalled.headers["cookie"], "recalled");
        assert!(HeaderLines::recall(None, &lines.as_bytes()[1..]).is_none());
    }

    #[test]
    fn lines_are_recalled_where_this_client_sent_its_last() {
        let [ours, theirs] = ["ours", "theirs"].map(|name| format!("Host: {name}\r\n\r\n"));
        let learn = |lines: &str| {
            let [_, (_, place)] = [0; 2].map(|_| recall(&format!("{LINE}{lines}"), usize::MAX).unwrap());
            place
        };
        let (place, _) = (learn(&ours), learn(&theirs));
        assert!(HeaderLines::recall(place, ours.as_bytes()).is_some());
        assert!(HeaderLines::recall(place, theirs.as_bytes()).is_none());
    }

    #[test]
    fn what_is_remembered_holds_no_more_than_the_lines() {
        let lines = "Host: a\r\nX: compact\r\n\r\n";
        let head = Bytes::from(format!("{LINE}{lines}{}", "x".repeat(10_000)));
        let mut reader = HeadReader::new();
        reader.follow(&head, |_| None).unwrap();
        for _ in 0..2 {
            HeaderLines::read(&head.slice(..LINE.len() + lines.len()), &reader).unwrap();
        }
        let (_, _, recalled) = HeaderLines::recall(None, lines.as_bytes()).unwrap();
        assert!(!head.as_ptr_range().contains(&recalled.headers["x"].as_bytes().as_ptr()));
    }

    #[test]
    fn the_same_lines_mean_something_else_in_an_old_request() {
        let lines = "Host: a\r\nUpgrade: x\r\n\r\n";
        let [new, old] = ["1", "0"].map(|minor| format!("GET / HTTP/1.{minor}\r\n{lines}"));
        for _ in 0..3 {
            for head in [&old, &new, &old] {
                let (found, _) = recall(head, usize::MAX).unwrap();
                assert_eq!(found.guard, format!("Unsaid {} {}", head == &new, head == &old));
            }
        }
    }

    #[test]
    fn refuses_more_lines_than_anybody_takes() {
        let mut reader = HeadReader::new();
        let head = format!("GET / HTTP/1.0\r\n{}\r\n", "x: y\r\n".repeat(MOST_LINES + 1));
        reader.follow(head.as_bytes(), |_| None).unwrap();
        assert_eq!(HeaderLines::read(&Bytes::from(head), &reader).unwrap_err().status(), 431);
    }

    proptest! {
        #[test]
        fn what_is_recalled_is_what_would_be_read(
            heads in proptest::collection::vec(
                (
                    proptest::sample::select(vec!["GET / HTTP/1.1", "POST /a HTTP/1.0", "\r\nPUT * HTTP/1.1"]),
                    proptest::collection::vec(
                        proptest::sample::select(vec![
                            "Host: a", "Host:b", "X: 1", "x:  2\t", "A: 1", "B: 2", "C: 3", "D: 4",
                            "Content-Length: 3", "Transfer-Encoding: chunked",
                            "Connection: close", "Connection: keep-alive, Upgrade", "Upgrade: y", "TE: trailers",
                            "Expect: 100-continue", "Bad Name: 1", " folded", "Content-Length: 4",
                        ]),
                        0..9,
                    ),
                    1..99_usize,
                ),
                1..40,
            ),
        ) {
            for (line, lines, piece) in heads {
                let head = [&[line], &lines[..], &["\r\n"]].concat().join("\r\n");
                let read = read(&head);
                for piece in [piece, usize::MAX] {
                    prop_assert_eq!(&recall(&head, piece).map(|(found, _)| found), &read);
                }
            }
        }
    }
}
