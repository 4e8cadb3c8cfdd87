//! Header lines that may come again, all of them or with other values in some: a length, a cookie, the id of a trace.
//!
//! Where a client sends the same names in the same order, only what differs is looked at: a line that is equal to one
//! that has passed the guard has passed it, too. Another value is taken if nothing else depends on it.

use std::cell::OnceCell;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, CONNECTION, COOKIE, EXPECT, PROXY_AUTHORIZATION, TE},
};

use super::{HeaderLines, trimmed};
use crate::{
    http1::{names::Names, repeats::same},
    server::head_guard::Passed,
};

const LINE_END: &[u8] = b"\r\n";

/// Lines that have passed the guard, and what was made of them.
pub(super) struct Sample {
    pub(super) lines: HeaderLines,
    pub(super) passed: Passed,
    /// Found when it is first asked for.
    rows: OnceCell<Box<[Row]>>,
}

/// A line of its text.
struct Row {
    /// How long its name is, with the colon.
    name: usize,
    /// Where the next line begins.
    end: usize,
    /// Its name, if no other line has it, and [`Said`](super::Said) does not depend on it.
    free: Option<HeaderName>,
    /// It is read each time, and not compared: the requests of a connection may come from many users, by a proxy, and
    /// how long it takes could answer the guesses of one at what another has.
    is_secret: bool,
}

// === impl Sample ===

impl Sample {
    pub(super) fn new(lines: HeaderLines, passed: Passed) -> Self {
        Self { lines, passed, rows: OnceCell::new() }
    }

    /// The lines that the bytes begin with, if they are those of the given text, which is this sample's, but for some
    /// values: how long they are, and what the guard finds.
    pub(super) fn with_other_values(
        &self,
        text: &[u8],
        bytes: &[u8],
    ) -> Option<(usize, Passed, HeaderLines)> {
        let rows =
            self.rows.get_or_init(|| Names::with(|names| rows(text, &self.lines.headers, names).collect()));
        let (mut passed, mut changed) = (self.passed, None);
        let (mut begin, mut at) = (0, 0);
        for row in rows {
            let known = &text[begin..row.end];
            begin = row.end;
            let rest = &bytes[at..];
            if !row.is_secret && rest.get(..known.len()).is_some_and(|line| same(line, known)) {
                at += known.len();
                continue;
            }
            let name = row.free.as_ref()?;
            if !rest.starts_with(&known[..row.name]) {
                return None;
            }
            let (with_other, line) = passed.with_other(rest)?;
            let value = HeaderValue::from_bytes(&rest[trimmed(rest, &line.value)]).ok()?;
            let lines: &mut HeaderLines = changed.get_or_insert_with(|| self.lines.clone());
            *lines.headers.get_mut(name)? = value;
            passed = with_other;
            at += line.value.end + LINE_END.len();
        }
        if !bytes[at..].starts_with(LINE_END) {
            return None;
        }
        Some((at + LINE_END.len(), passed, changed?))
    }
}

impl Clone for Sample {
    fn clone(&self) -> Self {
        Self::new(self.lines.clone(), self.passed)
    }
}

fn rows(text: &[u8], headers: &HeaderMap, names: &mut Names) -> impl Iterator<Item = Row> {
    let mut end = 0;
    text.split_inclusive(|&byte| byte == b'\n').map_while(move |line| {
        // The last, empty line has none.
        let colon = line.iter().position(|&byte| byte == b':')?;
        end += line.len();
        let name = names.name(&line[..colon]).ok();
        Some(Row {
            name: colon + 1,
            end,
            is_secret: name.as_ref().is_some_and(is_secret),
            free: name.filter(|name| is_free(name) && headers.get_all(name).iter().nth(1).is_none()),
        })
    })
}

fn is_free(name: &HeaderName) -> bool {
    ![CONNECTION, TE, EXPECT].contains(name)
}

fn is_secret(name: &HeaderName) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name)
}
