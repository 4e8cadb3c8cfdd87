//! The header lines of requests: read once, and recalled when they come again, be it with some other values.

use std::{cell::RefCell, ops::Range};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, EXPECT, TE},
};

use ancm_tower::refusal::Refusal;

use self::known::Known;
use super::{
    head_guard::{HeadReader, Line, Passed},
    request::has,
};
use crate::http1::{names::Names, repeats::Repeats, spare};

mod known;

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

thread_local! {
    static KNOWN: RefCell<Repeats<Known>> = RefCell::new(Repeats::new());
}

// === impl HeaderLines ===

impl HeaderLines {
    /// Those that the bytes begin with, if a client of this thread has sent them before, but for some values: how long
    /// they are, and what the guard finds. Looks only at one place, where this client's last are, or those of whoever
    /// was last.
    pub(super) fn recall(place: Option<usize>, bytes: &[u8]) -> Option<(usize, Passed, Self)> {
        KNOWN.with_borrow_mut(|repeats| {
            let place = place.unwrap_or(repeats.last());
            let (length, passed, lines) = repeats.compare(place, |text, known| known.recall(text, bytes))?;
            Some((length, passed, Self { place: Some(place), ..lines }))
        })
    }

    /// Reads those of a head that has passed the guard; before it, this client has sent those at this place.
    pub(super) fn read(head: &Bytes, reader: &HeadReader, before: Option<usize>) -> Result<Self, Refusal> {
        if reader.lines().len() > MOST_LINES {
            return Err(Refusal::HeadTooLarge { what: "lines", limit: MOST_LINES });
        }
        let text = head.slice(reader.fields_at()..);
        let make = |text: &Bytes| Self::of(text, reader.lines());
        match reader.passed() {
            Some(passed) => KNOWN.with_borrow_mut(|repeats| {
                let make = |text: &Bytes| Ok(Known::new(text, reader.lines(), make(text)?, passed));
                let known = repeats.read(&text, reader.lines().len(), before, make)?;
                Ok(Self { place: Some(repeats.last()), ..known.into_lines() })
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
mod tests;
