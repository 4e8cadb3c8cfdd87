//! A path as it was written, read as the .NET host reads it: decoded, without dots, and in any case.
//!
//! Whoever chooses an application by its path and the application that takes its path base off must agree on every
//! path, so both read it by these functions.
//!
//! # Example
//!
//! ```
//! use ancm_tower::written_path::{next_char, without_dots};
//!
//! assert_eq!(next_char("%41pp"), Some(('A', "pp")));
//! assert_eq!(next_char("%2Fapp"), Some(('%', "2Fapp")), "an escaped slash stays escaped");
//! assert_eq!(without_dots("/a/%2e%2E/app"), "/app");
//! ```

use std::borrow::Cow;

/// The path with its `.` and `..` segments resolved (RFC 3986 5.2.4), escaped ones too.
// ANCM: http.sys and Kestrel resolve them before anybody compares the path.
pub fn without_dots(path: &str) -> Cow<'_, str> {
    let is_dotted = |segment: &str| is_dots(segment, 1) || is_dots(segment, 2);
    if !path.starts_with('/') || !path.split('/').any(is_dotted) {
        return Cow::Borrowed(path);
    }
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if !is_dotted(segment) {
            kept.push(segment);
            continue;
        }
        if is_dots(segment, 2) {
            kept.pop();
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    Cow::Owned(format!("/{}", kept.join("/")))
}

/// Whether a segment is this many dots.
fn is_dots(mut segment: &str, count: usize) -> bool {
    for _ in 0..count {
        match next_char(segment) {
            Some(('.', behind)) => segment = behind,
            _ => return false,
        }
    }
    segment.is_empty()
}

/// The first character of a path, decoded, and what is behind it.
pub fn next_char(path: &str) -> Option<(char, &str)> {
    if let Some((character, length)) = escaped_char(path.as_bytes()) {
        return Some((character, path.get(length..)?));
    }
    let mut characters = path.chars();
    Some((characters.next()?, characters.as_str()))
}

/// A character at the front that is written as escapes, and how many bytes they take.
fn escaped_char(path: &[u8]) -> Option<(char, usize)> {
    let length = match octet(path)? {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut utf8 = [0; 4];
    for (at, byte) in utf8.iter_mut().take(length).enumerate() {
        *byte = octet(path.get(3 * at..)?)?;
    }
    let character = std::str::from_utf8(&utf8[..length]).ok()?.chars().next()?;
    // ANCM: an escaped slash stays escaped in Kestrel's path, so that it never ends a segment.
    (character != '/').then_some((character, 3 * length))
}

/// The byte that `%XX` at the front stands for.
fn octet(path: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = path else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Whether .NET takes two characters for the same when case does not matter.
// ANCM: .NET's ordinal comparison; no letter outside ASCII equals one inside it (`ı` is no `I`).
pub fn is_same_letter(one: char, other: char) -> bool {
    if one.is_ascii() || other.is_ascii() {
        return one.eq_ignore_ascii_case(&other);
    }
    one == other || one.to_uppercase().eq(other.to_uppercase())
}
