//! The path of a request target, compared as the .NET host compares it: decoded, and in any case.

use std::borrow::Cow;

/// What follows `base` in `path`: nothing, or text that begins with `/`; `None` if the path is not below it.
///
/// The path may hold escapes; the base is taken literally.
pub(crate) fn after_base<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    let mut rest = path;
    for expected in base.chars() {
        let (found, behind) = next_char(rest)?;
        if !same_letter(found, expected) {
            return None;
        }
        rest = behind;
    }
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether the whole path says `text`.
pub(crate) fn says(path: &str, text: &str) -> bool {
    after_base(path, text) == Some("")
}

/// The path with its `.` and `..` segments resolved (RFC 3986 5.2.4), escaped ones too.
// ANCM: Kestrel resolves them before anybody compares the path.
pub(crate) fn without_dot_segments(path: &str) -> Cow<'_, str> {
    let is_dotted = |segment| says(segment, ".") || says(segment, "..");
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
        if says(segment, "..") {
            kept.pop();
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    Cow::Owned(format!("/{}", kept.join("/")))
}

/// The first character of a path, decoded, and what is behind it.
fn next_char(path: &str) -> Option<(char, &str)> {
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

// ANCM: .NET's ordinal comparison; no letter outside ASCII equals one inside it (`ı` is no `I`).
fn same_letter(one: char, other: char) -> bool {
    if one.is_ascii() || other.is_ascii() {
        return one.eq_ignore_ascii_case(&other);
    }
    one == other || one.to_uppercase().eq(other.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_on_a_segment_boundary_only() {
        for (path, rest) in [
            ("/app", Some("")),
            ("/app/", Some("/")),
            ("/app/x", Some("/x")),
            ("/app//x", Some("//x")),
            ("/apple", None),
            ("/app%2Fx", None),
            ("//app", None),
            ("/ap", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(after_base(path, "/app"), rest, "{path}");
        }
    }

    #[test]
    fn ignores_case_outside_ascii_too() {
        assert_eq!(after_base("/APP/x", "/app"), Some("/x"));
        assert_eq!(after_base("/%C3%84%C3%96/x", "/äö"), Some("/x"));
        assert_eq!(after_base("/ı", "/I"), None);
        // The Kelvin sign is no K.
        assert_eq!(after_base("/%E2%84%AA", "/k"), None);
    }

    #[test]
    fn decodes_the_path_but_not_the_base() {
        assert_eq!(after_base("/%61pp/x", "/app"), Some("/x"));
        assert_eq!(after_base("/a%20b/x", "/a b"), Some("/x"));
        assert_eq!(after_base("/a%20b", "/a%20b"), None);
        assert_eq!(after_base("/a%2520b", "/a%20b"), Some(""));
    }

    #[test]
    fn keeps_what_is_no_escape() {
        assert_eq!(after_base("/a%zz/x", "/a%zz"), Some("/x"));
        assert_eq!(after_base("/a%", "/a%"), Some(""));
        assert_eq!(after_base("/%C3", "/%C3"), Some(""));
        assert_eq!(after_base("/%C3%28", "/ä"), None);
        assert_eq!(after_base("/a%2fb", "/a%2Fb"), Some(""));
    }

    #[test]
    fn resolves_dot_segments() {
        for (path, resolved) in [
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b", "/b"),
            ("/a/%2E%2e/b", "/b"),
            ("/a/.%2e", "/"),
            ("/a/b/.", "/a/b/"),
            ("/a//../b", "/a/b"),
            ("/a/...", "/a/..."),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(without_dot_segments(path), resolved, "{path}");
        }
    }
}
