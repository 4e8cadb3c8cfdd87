//! Refuses what one reader of a connection would take for one request and another for something else.
//!
//! Where two readers in a row disagree about where a request ends, the second takes bytes of a body for a request
//! that the first has never seen (request smuggling). Most parsers repair in silence much of what leads there: they
//! take a bare LF for a line's end, read past a length that stands beside chunks, drop the second of two equal lengths.
//! Here whatever is not plainly one request is refused, in the same pass that finds the lines of the head.
//!
//! # How it works
//!
//! Small machines follow the parts of a message as they come from the socket, once and in order, and refuse at the
//! first bad byte: `request_line`, `fields` with their `values`, `chunks`. They keep a few words of state and no bytes;
//! how the bytes are cut into reads never changes the verdict.
//!
//! The connection uses two combinations of them. `reader` follows one head and remembers where its lines are, so that
//! a head is looked at once and taken apart without being searched again. `body_reader` follows a chunked body ahead of
//! the decoder. [`HeadGuard`] is all of them in a row, for whoever has a stream of requests to judge.
//!
//! What was complete before the bad byte is served, and its answers go out first. A bad head is answered with 400 and
//! the end; a body that turns out to be bad breaks off, and its end never comes.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::server::{Fault, HeadGuard, Verdict};
//!
//! let mut guard = HeadGuard::new();
//! assert_eq!(guard.inspect(b"GET / HTTP/1.1\r\nHo"), Verdict::Pass);
//! assert_eq!(guard.inspect(b"st: example.com\r\n\r\n"), Verdict::Pass);
//!
//! // The next request on the same connection.
//! let smuggling = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG";
//! let Verdict::Refuse { at, fault, .. } = guard.inspect(smuggling) else { panic!() };
//! assert_eq!(fault, Fault::LengthAndCoding);
//! assert!(smuggling[..at].ends_with(b"Transfer-Encoding"));
//! ```

mod body_reader;
mod chunks;
mod fault;
mod fields;
mod reader;
mod request_line;
mod scan;
mod values;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod served;
#[cfg(test)]
mod tests;

pub use self::fault::Fault;
pub(super) use self::{
    body_reader::ChunkedGuard,
    fields::Framing,
    reader::{HeadReader, Line, Passed},
};
use self::{
    chunks::Chunks,
    fields::{Fields, Kind},
    request_line::RequestLine,
};

/// Follows the requests of one connection.
#[derive(Clone, Debug)]
pub struct HeadGuard {
    state: State,
    /// The request under way asks for an upgrade.
    may_switch: bool,
}

/// What the guard says of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are requests, or parts of them.
    Pass,
    /// The bytes before `at` are; what the others are depends on the answer to the last request.
    Hold {
        /// The first byte that must wait.
        at: usize,
    },
    /// The bytes before `at` may go on; the byte there makes them something that is refused, and nothing follows.
    Refuse {
        /// The first bad byte.
        at: usize,
        /// What is bad.
        fault: Fault,
        /// Whether it belongs to the body of a request whose head was good.
        in_body: bool,
    },
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum State {
    Line(RequestLine),
    Fields(Fields),
    /// A body of which so much is still to come.
    Body(u64),
    Chunks(Chunks),
    Trailers(Fields),
    /// Nobody knows before the answer.
    Unknown,
    Refused(Fault, bool),
}

/// The byte at `at` is not what can stand there.
#[derive(Clone, Copy, Debug)]
struct Offence {
    at: usize,
    fault: Fault,
}

/// Where a part of a message ended, if it did.
type Step = Result<Option<usize>, Offence>;

// === impl HeadGuard ===

impl HeadGuard {
    /// For a connection of which nothing has been read yet.
    pub fn new() -> Self {
        Self { state: State::Line(RequestLine::new()), may_switch: false }
    }

    /// Looks at the bytes that follow those of the last call.
    pub fn inspect(&mut self, bytes: &[u8]) -> Verdict {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let step = match &mut self.state {
                State::Line(line) => line.follow(rest),
                State::Fields(fields) | State::Trailers(fields) => fields.follow(rest, &mut ()),
                State::Body(left) => Ok(body(left, rest)),
                State::Chunks(chunks) => chunks.follow(rest),
                State::Unknown if rest.is_empty() => return Verdict::Pass,
                State::Unknown => return Verdict::Hold { at },
                State::Refused(fault, in_body) => {
                    return Verdict::Refuse { at, fault: *fault, in_body: *in_body };
                }
            };
            match step {
                Ok(None) => return Verdict::Pass,
                Ok(Some(length)) => {
                    at += length;
                    self.state = self.next();
                }
                Err(offence) => {
                    let in_body = matches!(self.state, State::Chunks(_) | State::Trailers(_));
                    self.state = State::Refused(offence.fault, in_body);
                    at += offence.at;
                }
            }
        }
    }

    /// Whether what follows depends on the answer: after a request that asks for an upgrade.
    pub fn awaits_answer(&self) -> bool {
        matches!(self.state, State::Unknown)
    }

    /// The answer was no switch of protocols: a request follows.
    pub fn not_switched(&mut self) {
        if self.awaits_answer() {
            *self = Self::new();
        }
    }

    /// Whether the bytes so far end in the middle of a request.
    pub fn is_within_request(&self) -> bool {
        match &self.state {
            State::Line(line) => !line.has_not_begun(),
            state => !matches!(state, State::Unknown),
        }
    }

    /// What follows a part that has ended.
    fn next(&mut self) -> State {
        match &self.state {
            State::Line(line) => {
                State::Fields(Fields::new(if line.is_old() { Kind::OldRequest } else { Kind::Request }))
            }
            State::Fields(fields) => {
                self.may_switch = fields.may_switch();
                match fields.framing() {
                    Framing::Unsaid => State::Body(0),
                    Framing::Length(length) => State::Body(length),
                    Framing::Chunked => State::Chunks(Chunks::new()),
                }
            }
            State::Chunks(_) => State::Trailers(Fields::new(Kind::Trailers)),
            _ if self.may_switch => State::Unknown,
            _ => State::Line(RequestLine::new()),
        }
    }
}

impl Default for HeadGuard {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Offence ===

impl Offence {
    /// The same, counted from so many bytes before.
    fn behind(self, bytes: usize) -> Self {
        Self { at: bytes + self.at, ..self }
    }
}

/// Follows a body of known length; where it ended, if it did.
fn body(left: &mut u64, bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= length as u64;
    (*left == 0).then_some(length)
}
