//! Follows `METHOD target HTTP/1.1`, and the empty line that may stand before it.

use super::{Fault, Offence, Step, scan};

const VERSION: &[u8] = b"HTTP/1.";
const ORDINARY: &[u8] = b"HTTP/1.1\r\n";

/// A request line that is coming in.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    place: Place,
    old: bool,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The method has not begun; an empty line may come, once.
    Start { after_empty_line: bool },
    /// The end of an empty line.
    EmptyLineEnd,
    /// The method, or the blank after it.
    Method,
    /// The target, or the blank after it.
    Target { empty: bool },
    /// The version's character of this number.
    Version(usize),
    /// The version's last digit.
    Minor,
    /// CR.
    End,
    /// LF.
    LineFeed,
}

// === impl RequestLine ===

impl RequestLine {
    pub(super) fn new() -> Self {
        Self { place: Place::Start { after_empty_line: false }, old: false }
    }

    /// Whether nothing of a request has come yet.
    pub(super) fn has_not_begun(&self) -> bool {
        matches!(self.place, Place::Start { .. } | Place::EmptyLineEnd)
    }

    /// Whether it is HTTP/1.0.
    pub(super) fn is_old(&self) -> bool {
        self.old
    }

    pub(super) fn follow(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let fault = |fault| Err(Offence { at, fault });
            match self.place {
                Place::Start { after_empty_line } => match byte {
                    b'\r' if after_empty_line => return fault(Fault::EmptyLines),
                    b'\r' => self.place = Place::EmptyLineEnd,
                    b'\n' => return fault(Fault::BareLineFeed),
                    byte if scan::is_token(byte) => self.place = Place::Method,
                    _ => return fault(Fault::Method),
                },
                Place::EmptyLineEnd | Place::LineFeed if byte != b'\n' => {
                    return fault(Fault::BareCarriageReturn);
                }
                Place::EmptyLineEnd => self.place = Place::Start { after_empty_line: true },
                Place::LineFeed => return Ok(Some(at + 1)),
                Place::Method => {
                    at += scan::token(&bytes[at..]);
                    match bytes.get(at) {
                        Some(b' ') => self.place = Place::Target { empty: true },
                        Some(_) => return Err(Offence { at, fault: Fault::Method }),
                        None => return Ok(None),
                    }
                }
                Place::Target { empty } => {
                    let length = scan::visible(&bytes[at..], b'!');
                    let target = &bytes[at..at + length];
                    if let Some(hash) = target.iter().position(|&byte| byte == b'#') {
                        return Err(Offence { at: at + hash, fault: Fault::Fragment });
                    }
                    at += length;
                    self.place = Place::Target { empty: empty && length == 0 };
                    match bytes.get(at) {
                        Some(b' ') if !empty || length > 0 => self.place = Place::Version(0),
                        Some(_) => return Err(Offence { at, fault: Fault::Target }),
                        None => return Ok(None),
                    }
                }
                // Nearly every line ends here.
                Place::Version(0) if bytes[at..].starts_with(ORDINARY) => {
                    return Ok(Some(at + ORDINARY.len()));
                }
                Place::Version(number) if byte == VERSION[number] => {
                    let next = number + 1;
                    self.place = if next == VERSION.len() { Place::Minor } else { Place::Version(next) };
                }
                Place::Minor if matches!(byte, b'0' | b'1') => {
                    self.old = byte == b'0';
                    self.place = Place::End;
                }
                Place::End if byte == b'\r' => self.place = Place::LineFeed,
                Place::End if byte == b'\n' => return fault(Fault::BareLineFeed),
                Place::Version(_) | Place::Minor | Place::End => return fault(Fault::Version),
            }
            at += 1;
        }
        Ok(None)
    }
}
