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
/// How often in a row the lines of a connection are compared in vain with those before.
const PATIENCE: u8 = 2;
/// How often in a row they are taken to be those before with other values. Then they are read and remembered anew,
/// since the other values may have come to stay.
const ALIKE: u8 = 64;

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
    /// Where they are remembered, or those that they were like.
    spot: Option<Spot>,
    /// How many they are.
    lines: usize,
    /// How often in a row they were compared in vain.
    in_vain: u8,
    /// How often in a row they had other values.
    alike: u8,
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
    /// differ; those of other connections are recalled as they are or not at all, so that nobody can guess at single
    /// lines of theirs.
    pub(super) fn recall(habit: &mut Habit, bytes: &[u8]) -> Option<(usize, Passed, Self)> {
        KNOWN.with_borrow_mut(|repeats| {
            let (length, passed, lines) = match repeats.recall(habit.spot.unwrap_or(repeats.last()), bytes) {
                Some((length, sample)) => {
                    (habit.in_vain, habit.alike) = (0, 0);
                    (length, sample.passed, sample.lines)
                }
                None => habit.compare(repeats, bytes)?,
            };
            let habit = Habit { spot: Some(repeats.last()), lines: lines.headers.len(), ..*habit };
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
        let habit = Habit { spot, lines: count, alike: 0, ..habit };
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
    /// The lines that the bytes begin with, if they are those before with some other values.
    fn compare(
        &mut self,
        repeats: &mut Repeats<Sample>,
        bytes: &[u8],
    ) -> Option<(usize, Passed, HeaderLines)> {
        let spot = self.spot.filter(|_| !self.is_hopeless() && self.alike < ALIKE)?;
        let mut is_compared = false;
        let found = repeats.like(spot, |text, sample| {
            is_compared = true;
            sample.with_other_values(text, bytes)
        });
        if found.is_some() {
            (self.in_vain, self.alike) = (0, self.alike + 1);
        } else if is_compared {
            self.in_vain += 1;
        }
        found
    }

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
