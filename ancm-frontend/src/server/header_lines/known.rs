//! Header lines that may come again, all of them or with other values in some: a length, a cookie, the id of a trace.
//!
//! Where clients send the same names in the same order, only what differs from last time is looked at: a line that is
//! equal to a known one has passed the guard with it. Another value is taken if nothing else depends on it.

use std::rc::Rc;

use http::{
    HeaderName, HeaderValue,
    header::{AUTHORIZATION, CONNECTION, COOKIE, EXPECT, PROXY_AUTHORIZATION, TE},
};

use super::{HeaderLines, trimmed};
use crate::{
    http1::repeats::same,
    server::head_guard::{Line, Passed},
};

/// Lines that have passed the guard, and what was made of them.
#[derive(Clone)]
pub(super) struct Known {
    lines: HeaderLines,
    passed: Passed,
    marks: Rc<[Mark]>,
}

/// A line of them.
#[derive(Debug)]
struct Mark {
    /// The name's length, colon included.
    name: usize,
    /// Where the next line begins.
    end: usize,
    /// Its name, if it is the only one of it, and [`Said`](super::Said) does not depend on it.
    free: Option<HeaderName>,
    /// It is never compared with what another client sends: how long that takes would answer guesses.
    is_secret: bool,
}

// === impl Known ===

impl Known {
    pub(super) fn new(text: &[u8], lines: &[Line], read: HeaderLines, passed: Passed) -> Self {
        let marks = lines.iter().map(|line| {
            let name = HeaderName::from_bytes(&text[line.name.clone()]).ok();
            Mark {
                name: line.name.len() + 1,
                end: line.value.end + b"\r\n".len(),
                is_secret: name.as_ref().is_some_and(is_secret),
                free: name.filter(|name| is_free(name) && read.headers.get_all(name).iter().count() == 1),
            }
        });
        Self { marks: marks.collect(), lines: read, passed }
    }

    pub(super) fn into_lines(self) -> HeaderLines {
        self.lines
    }

    /// The lines that the bytes begin with, if they are these, whose text is given, but for some values: how long they
    /// are, and what the guard finds.
    pub(super) fn recall(&self, text: &[u8], bytes: &[u8]) -> Option<(usize, Passed, HeaderLines)> {
        if bytes.get(..text.len()).is_some_and(|bytes| same(bytes, text)) {
            return Some((text.len(), self.passed, self.lines.clone()));
        }
        let (mut passed, mut revised) = (self.passed, None);
        let (mut begin, mut at) = (0, 0);
        for mark in &*self.marks {
            let known = &text[begin..mark.end];
            begin = mark.end;
            let rest = &bytes[at..];
            if !mark.is_secret && rest.get(..known.len()).is_some_and(|line| same(line, known)) {
                at += known.len();
                continue;
            }
            let name = mark.free.as_ref()?;
            if !rest.starts_with(&known[..mark.name]) {
                return None;
            }
            let (with_other, line) = passed.with_other(rest)?;
            let value = HeaderValue::from_bytes(&rest[trimmed(rest, &line.value)]).ok()?;
            let revised = revised.get_or_insert_with(|| self.lines.clone());
            *revised.headers.get_mut(name)? = value;
            passed = with_other;
            at += line.value.end + b"\r\n".len();
        }
        let length = at + b"\r\n".len();
        let is_end = bytes.get(at..length) == Some(b"\r\n");
        revised.filter(|_| is_end).map(|lines| (length, passed, lines))
    }
}

fn is_free(name: &HeaderName) -> bool {
    ![CONNECTION, TE, EXPECT].contains(name)
}

fn is_secret(name: &HeaderName) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name)
}
