//! Secrets that are known by what stands before them.

use super::Step;

/// Names of values, in lower case.
const NAMES: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"pwd",
    b"accountkey",
    b"sharedaccesskey",
    b"sharedaccesssignature",
    b"clientsecret",
    b"client_secret",
    b"apikey",
    b"api_key",
    b"api-key",
    b"access_token",
    b"refresh_token",
];
/// The header whose whole value is a secret.
const HEADER: &[u8] = b"authorization";
/// The scheme whose token is recognised without the header's name.
const BEARER: &[u8] = b"bearer";
/// Blanks that may stand between a name and its separator.
const MOST_BLANKS: usize = 8;
/// Shorter words after `Bearer` are words.
const SHORTEST_TOKEN: usize = 16;

/// What begins at one place.
pub(super) enum Found {
    Nothing,
    NotYetKnown,
    /// So many bytes of a name and its separator; its value follows.
    Name {
        length: usize,
        value: Value,
    },
    /// So many bytes to show, and the first of a token in the rest.
    Bearer {
        shown: usize,
        length: usize,
    },
}

/// A value that the stream is in the middle of.
#[derive(Debug)]
pub(super) struct Value {
    kind: Kind,
    /// The quotation mark that it stands in.
    quote: Option<u8>,
    masked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of a connection string, or of JSON.
    Setting,
    /// Of a header.
    Header,
    /// A token by itself.
    Bearer,
}

enum Matched {
    No,
    NotYetKnown,
    /// With so many bytes.
    Yes(usize),
}

/// Whether one of the names begins with this byte.
pub(super) fn may_begin(byte: u8) -> bool {
    matches!(byte.to_ascii_lowercase(), b'a' | b'b' | b'c' | b'p' | b'r' | b's')
}

/// What begins here.
pub(super) fn look(bytes: &[u8], ended: bool) -> Found {
    let mut unknown = false;
    let named = NAMES.iter().map(|name| (*name, Kind::Setting)).chain([(HEADER, Kind::Header)]);
    for (name, kind) in named {
        match named_value(bytes, name, kind) {
            Matched::Yes(length) => return Found::Name { length, value: Value::new(kind) },
            Matched::NotYetKnown => unknown = true,
            Matched::No => {}
        }
    }
    match bearer(bytes) {
        Matched::Yes(shown) => return Found::Bearer { shown, length: shown + SHORTEST_TOKEN },
        Matched::NotYetKnown => unknown = true,
        Matched::No => {}
    }
    if unknown && !ended { Found::NotYetKnown } else { Found::Nothing }
}

/// `name =`, or `name" :`; a header's colon needs no quotation mark.
fn named_value(bytes: &[u8], name: &[u8], kind: Kind) -> Matched {
    let mut at = match word(bytes, name) {
        Matched::Yes(length) => length,
        other => return other,
    };
    let quoted = bytes.get(at).is_some_and(|byte| matches!(byte, b'"' | b'\''));
    at += usize::from(quoted);
    let Some(at) = after_blanks(bytes, at) else { return Matched::No };
    match bytes.get(at) {
        None => Matched::NotYetKnown,
        Some(b'=') => Matched::Yes(at + 1),
        Some(b':') if quoted || kind == Kind::Header => Matched::Yes(at + 1),
        Some(_) => Matched::No,
    }
}

/// `bearer `, and enough characters of a token.
fn bearer(bytes: &[u8]) -> Matched {
    let after_word = match word(bytes, BEARER) {
        Matched::Yes(length) => length,
        other => return other,
    };
    let Some(at) = after_blanks(bytes, after_word) else { return Matched::No };
    if at == bytes.len() {
        return Matched::NotYetKnown;
    }
    let token = bytes[at..].iter().take(SHORTEST_TOKEN).take_while(|byte| is_of_token(**byte)).count();
    match token {
        _ if at == after_word => Matched::No,
        SHORTEST_TOKEN => Matched::Yes(at),
        _ if at + token == bytes.len() => Matched::NotYetKnown,
        _ => Matched::No,
    }
}

fn word(bytes: &[u8], word: &[u8]) -> Matched {
    let known = word.len().min(bytes.len());
    match bytes[..known].eq_ignore_ascii_case(&word[..known]) {
        false => Matched::No,
        true if known < word.len() => Matched::NotYetKnown,
        true => Matched::Yes(known),
    }
}

/// Where something else begins, unless that are too many blanks.
fn after_blanks(bytes: &[u8], at: usize) -> Option<usize> {
    let blanks = bytes[at..].iter().take_while(|byte| **byte == b' ').count();
    (blanks <= MOST_BLANKS).then_some(at + blanks)
}

/// RFC 6750, `b64token`.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

// === impl Value ===

impl Value {
    fn new(kind: Kind) -> Self {
        Self { kind, quote: None, masked: false }
    }

    /// One whose first bytes have been replaced.
    pub(super) fn of_bearer() -> Self {
        Self { kind: Kind::Bearer, quote: None, masked: true }
    }

    /// Whether its replacement has been written.
    pub(super) fn is_masked(&self) -> bool {
        self.masked
    }

    /// Its replacement has been written.
    pub(super) fn masked(&mut self) {
        self.masked = true;
    }

    /// What becomes of the next byte.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        if !self.masked {
            match byte {
                // A backslash stands before the quotation marks of JSON in JSON.
                b' ' | b'\t' | b'\\' if self.quote.is_none() => return Step::Show(1),
                b'"' | b'\'' if self.quote.is_none() => {
                    self.quote = Some(byte);
                    return Step::Show(1);
                }
                _ => {}
            }
        }
        if self.ends(byte) {
            return Step::Show(0);
        }
        if self.masked {
            return Step::Hide;
        }
        self.masked = true;
        Step::Mask { shown: 0, length: 1 }
    }

    fn ends(&self, byte: u8) -> bool {
        match (self.kind, self.quote) {
            (Kind::Bearer, _) => !is_of_token(byte),
            (_, Some(quote)) => byte == quote || matches!(byte, b'\r' | b'\n'),
            (Kind::Setting, None) => matches!(byte, b';' | b'"' | b'\'' | b'<' | b'\r' | b'\n'),
            (Kind::Header, None) => matches!(byte, b'"' | b'\'' | b'\r' | b'\n'),
        }
    }
}
