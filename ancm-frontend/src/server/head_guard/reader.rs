//! Follows one head as it comes, and remembers where its lines are.

use std::ops::Range;

use super::{
    Fault, Offence,
    fields::{Fields, Framing, Kind, Marks, ordinary_line},
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

// === impl Passed ===

impl Passed {
    /// What the same lines say when the one that these bytes begin with stands in the place of one of its name; and
    /// where its parts are. Nothing if it is bad, not complete, or means more to the guard than a length.
    pub(in crate::server) fn with_other(self, bytes: &[u8]) -> Option<(Self, Line)> {
        let mut line = Line::default();
        if let Some((colon, end)) = ordinary_line(bytes) {
            line.line(0, colon, end);
            return Some((self, line));
        }
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let mut alone = Fields::new(Kind::Request);
        alone.follow(&bytes[..=end], &mut line).ok()?;
        Some((Self(self.0.with_length_of(alone)?), line))
    }
}

// === impl Line ===

impl Marks for Line {
    fn name(&mut self, at: usize) {
        self.name = at..at;
        self.value = at..at;
    }

    fn colon(&mut self, at: usize) {
        self.name.end = at;
        self.value = at + 1..at + 1;
    }

    fn end(&mut self, at: usize) {
        self.value.end = at;
    }

    fn line(&mut self, name: usize, colon: usize, end: usize) {
        self.name = name..colon;
        self.value = colon + 1..end;
    }
}

// === impl At ===

impl Marks for At<'_> {
    fn name(&mut self, at: usize) {
        let mut line = Line::default();
        line.name(self.base + at);
        self.lines.push(line);
    }

    fn colon(&mut self, at: usize) {
        if let Some(line) = self.lines.last_mut() {
            line.colon(self.base + at);
        }
    }

    fn end(&mut self, at: usize) {
        if let Some(line) = self.lines.last_mut() {
            line.end(self.base + at);
        }
    }

    fn line(&mut self, name: usize, colon: usize, end: usize) {
        let mut line = Line::default();
        line.line(self.base + name, self.base + colon, self.base + end);
        self.lines.push(line);
    }
}
