//! Follows one head as it comes, and remembers where its lines are.

use std::ops::Range;

use super::{
    Fault, Offence,
    fields::{Fields, Framing, Kind, Marks},
    request_line::RequestLine,
};

/// A head that is coming in.
#[derive(Debug)]
pub(in crate::server) struct HeadReader {
    state: State,
    /// How much of it has come.
    length: usize,
    /// Where its header lines begin.
    fields_at: usize,
    lines: Vec<Line>,
}

/// Where a header line's parts are, counted from the beginning of the first.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Line {
    pub(in crate::server) name: Range<usize>,
    /// With the blanks around it.
    pub(in crate::server) value: Range<usize>,
}

/// What header lines that have passed say to the guard.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Passed(Fields);

#[derive(Debug)]
enum State {
    Line(RequestLine),
    Fields(Fields),
}

struct At<'a> {
    base: usize,
    lines: &'a mut Vec<Line>,
}

// === impl HeadReader ===

impl HeadReader {
    /// Before the first byte; `lines` is room to be used.
    pub(in crate::server) fn new() -> Self {
        Self { state: State::Line(RequestLine::new()), length: 0, fields_at: 0, lines: Vec::new() }
    }

    /// Takes room for lines, or gives it away.
    pub(in crate::server) fn lines_mut(&mut self) -> &mut Vec<Line> {
        &mut self.lines
    }

    /// The lines of the head so far.
    pub(in crate::server) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Begins anew.
    pub(in crate::server) fn reset(&mut self) {
        self.state = State::Line(RequestLine::new());
        self.length = 0;
        self.fields_at = 0;
        self.lines.clear();
    }

    /// Takes the bytes that follow those of the last call; how long the head is, once it is complete.
    ///
    /// Whoever knows the header lines of a request of HTTP/1.1, which such bytes begin with, may tell how long they
    /// are and what was found when they passed. They are not looked at again, and not among the lines.
    pub(in crate::server) fn follow(
        &mut self,
        bytes: &[u8],
        recall: impl FnOnce(&[u8]) -> Option<(usize, Passed)>,
    ) -> Result<Option<usize>, Fault> {
        let start = self.length;
        let mut at = 0;
        if let State::Line(line) = &mut self.state {
            match line.follow(bytes) {
                Ok(Some(length)) => {
                    at = length;
                    self.fields_at = start + at;
                    let kind = if line.is_old() { Kind::OldRequest } else { Kind::Request };
                    self.state = State::Fields(Fields::new(kind));
                    if kind == Kind::Request
                        && let Some((length, Passed(fields))) = recall(&bytes[at..])
                    {
                        self.state = State::Fields(fields);
                        self.length = self.fields_at + length;
                        return Ok(Some(self.length));
                    }
                }
                Ok(None) => at = bytes.len(),
                Err(Offence { fault, .. }) => return Err(fault),
            }
        }
        if let State::Fields(fields) = &mut self.state {
            let mut marks = At { base: start + at - self.fields_at, lines: &mut self.lines };
            match fields.follow(&bytes[at..], &mut marks) {
                Ok(Some(length)) => {
                    self.length = start + at + length;
                    return Ok(Some(self.length));
                }
                Ok(None) => {}
                Err(Offence { fault, .. }) => return Err(fault),
            }
        }
        self.length = start + bytes.len();
        Ok(None)
    }

    /// Whether a request has begun, empty lines aside.
    pub(in crate::server) fn has_begun(&self) -> bool {
        !matches!(&self.state, State::Line(line) if line.has_not_begun())
    }

    /// How much of the head has come.
    pub(in crate::server) fn length(&self) -> usize {
        self.length
    }

    /// Where its header lines begin.
    pub(in crate::server) fn fields_at(&self) -> usize {
        self.fields_at
    }

    /// What its header lines say, if they are complete, and of a request of HTTP/1.1.
    pub(in crate::server) fn passed(&self) -> Option<Passed> {
        match &self.state {
            State::Fields(fields) if !fields.is_old() => Some(Passed(*fields)),
            _ => None,
        }
    }

    /// Whether the request is of HTTP/1.0.
    pub(in crate::server) fn is_old(&self) -> bool {
        match &self.state {
            State::Line(line) => line.is_old(),
            State::Fields(fields) => fields.is_old(),
        }
    }

    /// How the body ends.
    pub(in crate::server) fn framing(&self) -> Framing {
        match &self.state {
            State::Line(_) => Framing::Unsaid,
            State::Fields(fields) => fields.framing(),
        }
    }

    /// Whether the answer may switch protocols.
    pub(in crate::server) fn may_switch(&self) -> bool {
        matches!(&self.state, State::Fields(fields) if fields.may_switch())
    }
}

// === impl At ===

impl Marks for At<'_> {
    fn name(&mut self, at: usize) {
        let start = self.base + at;
        self.lines.push(Line { name: start..start, value: start..start });
    }

    fn colon(&mut self, at: usize) {
        let colon = self.base + at;
        if let Some(line) = self.lines.last_mut() {
            line.name.end = colon;
            line.value = colon + 1..colon + 1;
        }
    }

    fn end(&mut self, at: usize) {
        if let Some(line) = self.lines.last_mut() {
            line.value.end = self.base + at;
        }
    }

    fn line(&mut self, name: usize, colon: usize, end: usize) {
        let [name, colon, end] = [name, colon, end].map(|at| self.base + at);
        self.lines.push(Line { name: name..colon, value: colon + 1..end });
    }
}
