//! Follows header lines, or the trailers after a chunked body, to the empty line that ends them.

use super::{
    Fault, Offence, Step, scan,
    values::{Part, Value},
};

/// Header lines that are coming in, and what they have said so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    place: Place,
    kind: Kind,
    framing: Framing,
    host: bool,
    upgrade: bool,
}

/// What the lines belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request of HTTP/1.1.
    Request,
    /// A request of HTTP/1.0.
    OldRequest,
    /// A chunked body.
    Trailers,
}

/// Is told where a line's parts are, counted from the beginning of the piece that is being followed.
pub(super) trait Marks {
    /// A name begins here.
    fn name(&mut self, at: usize);
    /// The colon behind it.
    fn colon(&mut self, at: usize);
    /// The end of its value, blanks included.
    fn end(&mut self, at: usize);
    /// All three at once.
    fn line(&mut self, name: usize, colon: usize, end: usize);
}

/// Nobody wants to know.
impl Marks for () {
    fn name(&mut self, _: usize) {}
    fn colon(&mut self, _: usize) {}
    fn end(&mut self, _: usize) {}
    fn line(&mut self, _: usize, _: usize, _: usize) {}
}

/// How the body of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Framing {
    /// No header says so: there is none.
    Unsaid,
    Length(u64),
    Chunked,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Place {
    LineStart,
    /// A name, or the colon after it. If it may be one that we know: which, and how much of it has come.
    Name {
        known: Option<Known>,
        seen: usize,
    },
    Value(Value),
    LineFeed,
    /// The LF of the last, empty line.
    LastLineFeed,
}

const LINE_END: &[u8] = b"\r\n";

/// The headers that mean something to the guard. No two begin with the same letter.
#[derive(Clone, Copy, Debug)]
enum Known {
    Host,
    Length,
    Coding,
    Upgrade,
}

// === impl Framing ===

impl Framing {
    /// Whether there is a body at all.
    pub(in crate::server) fn has_body(self) -> bool {
        !matches!(self, Self::Unsaid | Self::Length(0))
    }
}

// === impl Known ===

impl Known {
    fn beginning_with(byte: u8) -> Option<Self> {
        match byte {
            b'H' | b'h' => Some(Self::Host),
            b'C' | b'c' => Some(Self::Length),
            b'T' | b't' => Some(Self::Coding),
            b'U' | b'u' => Some(Self::Upgrade),
            _ => None,
        }
    }

    fn text(self) -> &'static [u8] {
        match self {
            Self::Host => b"host",
            Self::Length => b"content-length",
            Self::Coding => b"transfer-encoding",
            Self::Upgrade => b"upgrade",
        }
    }

    /// Whether the name is one of these.
    fn is_among(name: &[u8]) -> bool {
        let known = name.first().and_then(|&byte| Self::beginning_with(byte));
        known.is_some_and(|known| known.text().eq_ignore_ascii_case(name))
    }

    /// Whether the name goes on like this one.
    fn continues(self, seen: usize, piece: &[u8]) -> bool {
        self.text().get(seen..seen + piece.len()).is_some_and(|text| text.eq_ignore_ascii_case(piece))
    }
}

// === impl Fields ===

impl Fields {
    pub(super) fn new(kind: Kind) -> Self {
        Self { place: Place::LineStart, kind, framing: Framing::Unsaid, host: false, upgrade: false }
    }

    pub(super) fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether they belong to a request of HTTP/1.0.
    pub(super) fn is_old(&self) -> bool {
        self.kind == Kind::OldRequest
    }

    /// Whether the answer may switch protocols; HTTP/1.0 knows no such thing.
    pub(super) fn may_switch(&self) -> bool {
        self.upgrade && self.kind == Kind::Request
    }

    /// The same with the length that one line alone has said; nothing if it has said anything else, or is not whole.
    pub(super) fn with_length_of(self, line: Self) -> Option<Self> {
        match line {
            Self {
                place: Place::LineStart,
                framing: Framing::Length(_),
                host: false,
                upgrade: false,
                ..
            } => Some(Self { framing: line.framing, ..self }),
            _ => None,
        }
    }

    pub(super) fn follow<M: Marks>(&mut self, bytes: &[u8], marks: &mut M) -> Step {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let refuse = |fault| Offence { at, fault };
            match &mut self.place {
                Place::LineStart => {
                    if let Some((colon, end)) = ordinary_line(&bytes[at..]) {
                        marks.line(at, at + colon, at + end);
                        at += end + LINE_END.len();
                        continue;
                    }
                    self.place = match byte {
                        b'\r' => Place::LastLineFeed,
                        b'\n' => return Err(refuse(Fault::BareLineFeed)),
                        b' ' | b'\t' => return Err(refuse(Fault::FoldedLine)),
                        b':' => return Err(refuse(Fault::EmptyName)),
                        _ => {
                            marks.name(at);
                            self.place = Place::Name { known: Known::beginning_with(byte), seen: 0 };
                            continue;
                        }
                    }
                }
                Place::Name { known, seen } => {
                    let length = scan::token(&bytes[at..]);
                    *known = known.filter(|known| known.continues(*seen, &bytes[at..at + length]));
                    *seen += length;
                    at += length;
                    let Some(&byte) = bytes.get(at) else { break };
                    let whole = known.filter(|known| known.text().len() == *seen);
                    let value = self.name_ends(byte, whole).map_err(|fault| Offence { at, fault })?;
                    marks.colon(at);
                    self.place = Place::Value(value);
                }
                Place::Value(value) => {
                    let length = scan::text(&bytes[at..]);
                    value.take(&bytes[at..at + length]).map_err(|offence| offence.behind(at))?;
                    at += length;
                    let Some(&byte) = bytes.get(at) else { break };
                    self.value_ends(byte).map_err(|fault| Offence { at, fault })?;
                    marks.end(at);
                }
                Place::LineFeed | Place::LastLineFeed if byte != b'\n' => {
                    return Err(refuse(Fault::BareCarriageReturn));
                }
                Place::LineFeed => self.place = Place::LineStart,
                Place::LastLineFeed if self.kind == Kind::Request && !self.host => {
                    return Err(refuse(Fault::HostMissing));
                }
                Place::LastLineFeed => return Ok(Some(at + 1)),
            }
            at += 1;
        }
        Ok(None)
    }

    /// A name is followed by `byte`: what may its value be?
    fn name_ends(&mut self, byte: u8, known: Option<Known>) -> Result<Value, Fault> {
        match byte {
            b':' => {}
            b' ' | b'\t' => return Err(Fault::BlankInName),
            b'\r' | b'\n' => return Err(Fault::NoColon),
            _ => return Err(Fault::Name),
        }
        match known {
            None => Ok(Value::Text),
            Some(_) if self.kind == Kind::Trailers => Err(Fault::Trailer),
            Some(Known::Host) if std::mem::replace(&mut self.host, true) => Err(Fault::HostRepeated),
            Some(Known::Host) => Ok(Value::HOST),
            Some(Known::Length) => match std::mem::replace(&mut self.framing, Framing::Length(0)) {
                Framing::Unsaid => Ok(Value::LENGTH),
                Framing::Length(_) => Err(Fault::LengthRepeated),
                Framing::Chunked => Err(Fault::LengthAndCoding),
            },
            Some(Known::Coding) if self.kind == Kind::OldRequest => Err(Fault::CodingInOldVersion),
            Some(Known::Coding) => match std::mem::replace(&mut self.framing, Framing::Chunked) {
                Framing::Unsaid => Ok(Value::CODING),
                Framing::Length(_) => Err(Fault::LengthAndCoding),
                Framing::Chunked => Err(Fault::CodingRepeated),
            },
            Some(Known::Upgrade) => {
                self.upgrade = true;
                Ok(Value::Text)
            }
        }
    }

    /// A value is followed by `byte`, which is no text.
    fn value_ends(&mut self, byte: u8) -> Result<(), Fault> {
        match byte {
            b'\r' => {}
            b'\n' => return Err(Fault::BareLineFeed),
            _ => return Err(Fault::ControlCharacter),
        }
        let Place::Value(value) = self.place else { return Ok(()) };
        value.end()?;
        if let Value::Length { digits: Part::Inside | Part::After, length } = value {
            self.framing = Framing::Length(length);
        }
        self.place = Place::LineFeed;
        Ok(())
    }
}

/// Where colon and end of a line are that is all there and means nothing to the guard, as nearly all do. For any other
/// there are the steps.
pub(super) fn ordinary_line(bytes: &[u8]) -> Option<(usize, usize)> {
    let (name, rest) = bytes.split_at(scan::token(bytes));
    let value = rest.strip_prefix(b":")?;
    if name.is_empty() || Known::is_among(name) {
        return None;
    }
    let (value, rest) = value.split_at(scan::text(value));
    rest.starts_with(LINE_END).then_some((name.len(), name.len() + 1 + value.len()))
}
