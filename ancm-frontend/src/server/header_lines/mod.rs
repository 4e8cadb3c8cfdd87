//! The header lines of requests: read once, and recalled when they come again, be it with some other values.

use std::{cell::RefCell, ops::Range};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, EXPECT, TE},
};

use ancm_tower::refusal::Refusal;

use self::sample::Sample;
use super::{
    head_guard::{HeadReader, Line, Passed},
    request::has,
};
use crate::http1::{
    names::Names,
    repeats::{Repeats, Spot},
    spare,
};

mod sample;

/// More lines than any backend takes, so that those which are too many for it are refused with a reason.
const MOST_LINES: usize = 1000;
/// How many headers the layers add.
const ADDED: usize = 4;
/// How often the lines of a connection are remembered though the next are not like them.
const PATIENCE: u8 = 2;

/// Header lines that have been read.
#[derive(Debug)]
pub(super) struct HeaderLines {
    pub(super) headers: HeaderMap,
    pub(super) said: Said,
    pub(super) habit: Habit,
}

/// What a connection's last header lines tell of the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habit {
    /// Where they are remembered.
    spot: Option<Spot>,
    /// How many they are.
    lines: usize,
    /// How often in a row they were remembered in vain.
    in_vain: u8,
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
    static KNOWN: RefCell<Repeats<Sample>> = RefCell::new(Repeats::new());
}

// === impl HeaderLines ===

impl HeaderLines {
    /// Those that the bytes begin with, if they have come before: how long they are, and what the guard finds.
    ///
    /// Looks only where this connection's last are, or those of whoever was last. Where its own are, some values may
    /// differ; those of others are recalled as they are or not at all, so that nobody can guess at single lines.
    pub(super) fn recall(habit: Habit, bytes: &[u8]) -> Option<(usize, Passed, Self)> {
        KNOWN.with_borrow_mut(|repeats| {
            let exact = repeats.recall(habit.spot.unwrap_or(repeats.last()), bytes);
            let (length, passed, lines) = match exact {
                Some((length, sample)) => (length, sample.passed, sample.lines),
                None if habit.is_hopeless() => return None,
                None => repeats.like(habit.spot?, |text, sample| sample.with_other_values(text, bytes))?,
            };
            let habit = Habit { spot: Some(repeats.last()), lines: lines.headers.len(), in_vain: 0 };
            Some((length, passed, Self { habit, ..lines }))
        })
    }

    /// Reads those of a head that has passed the guard.
    pub(super) fn read(head: &Bytes, reader: &HeadReader, habit: Habit) -> Result<Self, Refusal> {
        let count = reader.lines().len();
        if count > MOST_LINES {
            return Err(Refusal::HeadTooLarge { what: "lines", limit: MOST_LINES });
        }
        let text = head.slice(reader.fields_at()..);
        let make = |text: &Bytes| Self::of(text, reader.lines());
        let Some(passed) = reader.passed() else { return make(&text) };
        // As many as before: the next may be like these.
        let at_once = habit.lines == count && !habit.is_hopeless();
        let make = |text: &Bytes| Ok(Sample::new(make(text)?, passed));
        let (sample, spot) = KNOWN.with_borrow_mut(|repeats| repeats.read(&text, count, at_once, make))?;
        let habit = Habit { spot, lines: count, in_vain: habit.in_vain + u8::from(at_once) };
        Ok(Self { habit, ..sample.lines })
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
            Ok(Self { headers, said, habit: Habit::default() })
        })
    }
}

impl Clone for HeaderLines {
    fn clone(&self) -> Self {
        Self { headers: spare::copy_headers(&self.headers, ADDED), ..*self }
    }
}

// === impl Habit ===

impl Habit {
    fn is_hopeless(self) -> bool {
        self.in_vain >= PATIENCE
    }
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

/// Without the blanks around it.
fn trimmed(text: &[u8], value: &Range<usize>) -> Range<usize> {
    // Of all that counts as blank here, the guard has let pass no more than SP and HTAB.
    let trimmed = text[value.clone()].trim_ascii_start();
    let start = value.end - trimmed.len();
    start..start + trimmed.trim_ascii_end().len()
}

#[cfg(test)]
mod tests;
