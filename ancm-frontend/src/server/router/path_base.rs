//! Splits the path of a request behind a path base, by the rules of IIS.
//!
//! Case does not matter, and neither does how the base is written: escaped, with backslashes or `%2F` for slashes, with
//! slashes repeated. What follows the base stays as it was sent.
// ANCM: http.sys chooses the application by a path in which `\` and `%2F` are slashes and repeated slashes are one;
// IISHttpContext.cs repeats that when it splits the path. Dots are resolved first.

use ancm_tower::written_path::{is_same_letter, next_char};

/// A path behind a path base.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Behind<'p> {
    /// The base as the client wrote its letters, with plain slashes.
    base: String,
    /// Nothing, or what begins with a slash of some kind.
    rest: &'p str,
    /// Whether the application itself would not recognize the base as it was written.
    is_odd: bool,
}

// === impl Behind ===

impl Behind<'_> {
    /// The path with the base written so that the application recognizes it; nothing, if it does so anyway.
    // ANCM: url_utility.cpp sends the path as http.sys has understood it.
    pub(super) fn rewritten(&self) -> Option<String> {
        let behind = strip_slash(self.rest).map_or("", |(behind, _)| behind);
        let slash = if self.rest.is_empty() { "" } else { "/" };
        self.is_odd.then(|| format!("{}{slash}{behind}", self.base))
    }
}

/// Whether a path can be compared as it stands.
pub(super) fn is_plain(path: &str) -> bool {
    let mut behind_slash = false;
    for byte in path.bytes() {
        match byte {
            b'%' | b'\\' | 0x80.. => return false,
            b'/' | b'.' if behind_slash => return false,
            byte => behind_slash = byte == b'/',
        }
    }
    true
}

/// Whether a plain path is the base or lies below it.
pub(super) fn is_below(path: &str, base: &str) -> bool {
    let base = base.trim_end_matches('/');
    base.is_empty()
        || path.get(..base.len()).is_some_and(|start| start.eq_ignore_ascii_case(base))
            && matches!(path.as_bytes().get(base.len()), None | Some(b'/'))
}

/// What follows the base in a path without dots, if it lies below it.
pub(super) fn split<'p>(path: &'p str, base: &str) -> Option<Behind<'p>> {
    let base = base.trim_end_matches('/');
    let mut found = Behind { base: String::with_capacity(base.len()), rest: path, is_odd: false };
    for expected in base.chars() {
        // Repeated ones count as one, within the base only.
        while expected != '/'
            && found.base.ends_with('/')
            && let Some((behind, _)) = strip_slash(found.rest)
        {
            (found.rest, found.is_odd) = (behind, true);
        }
        if expected == '/' {
            let (behind, plain) = strip_slash(found.rest)?;
            found.base.push('/');
            (found.rest, found.is_odd) = (behind, found.is_odd || !plain);
        } else {
            let (character, behind) = next_char(found.rest)?;
            if !is_same_letter(character, expected) {
                return None;
            }
            found.base.push_str(&found.rest[..found.rest.len() - behind.len()]);
            found.rest = behind;
        }
    }
    // The application takes the base off only where a plain slash or nothing follows.
    if !base.is_empty() && !found.rest.is_empty() {
        found.is_odd |= !strip_slash(found.rest)?.1;
    }
    Some(found)
}

/// What follows a slash of any kind, and whether it is a plain one.
fn strip_slash(path: &str) -> Option<(&str, bool)> {
    if let Some(behind) = path.strip_prefix('/') {
        return Some((behind, true));
    }
    let encoded = path.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f"));
    if encoded {
        return Some((&path[3..], false));
    }
    match next_char(path)? {
        ('\\', behind) => Some((behind, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ancm_tower::written_path::without_dots;
    use proptest::prelude::*;

    use super::*;

    /// What the application is sent for a path, if it is below the base.
    fn sent(base: &str, path: &str) -> Option<String> {
        let path = without_dots(path);
        let behind = split(&path, base)?;
        Some(behind.rewritten().unwrap_or_else(|| path.clone().into_owned()))
    }

    #[test]
    fn a_path_base_is_whole_segments_in_any_case() {
        for path in ["/app", "/app/", "/APP/page", "/app//x", "/aPP/./x"] {
            assert!(sent("/app", path).is_some(), "{path}");
        }
        for path in ["/", "/apple", "/ap", "*", "", "/äpp", "/app1", "/app%31", "/x/app", "/app;x"] {
            assert_eq!(sent("/app", path), None, "{path}");
        }
    }

    #[test]
    fn what_the_application_recognizes_itself_stays_as_it_was_written() {
        for path in ["/app", "/App/", "/%61pp/x%2Fy//z", "/app//x", r"/app/a\b"] {
            assert_eq!(sent("/app", path).as_deref(), Some(path));
        }
        assert_eq!(sent("/größe", "/GR%C3%96%C3%9Fe/x").as_deref(), Some("/GR%C3%96%C3%9Fe/x"));
        assert_eq!(sent("/a b", "/a%20b").as_deref(), Some("/a%20b"));
    }

    #[test]
    fn slashes_of_any_kind_separate_in_the_base_and_behind_it_and_nowhere_else() {
        for (path, expected) in [
            ("//base//call/x", "/base/call/x"),
            (r"/base\call\x", "/base/call/x"),
            ("/Base%2Fcall%2fx%2Fy", "/Base/call/x%2Fy"),
            ("%2Fbase/call", "/base/call"),
            ("/base%5Ccall", "/base/call"),
            (r"/base/\%2F/call//x", "/base/call//x"),
            ("/base/call%2F", "/base/call/"),
            (r"/base/call\", "/base/call/"),
        ] {
            assert_eq!(sent("/base/call", path).as_deref(), Some(expected), "{path}");
        }
        for path in ["/base/callx", "/base%2", "/base%252Fcall", "/base", "/basecall"] {
            assert_eq!(sent("/base/call", path), None, "{path}");
        }
    }

    #[test]
    fn dots_are_resolved_before_anybody_looks() {
        assert_eq!(without_dots("/a/../app/%2e/x/."), "/app/x/");
        assert_eq!(without_dots("/app/%2E%2e/../b/.."), "/");
        for path in ["/.well-known/x", "/a..b/...", "*", "", "/a%2F../b"] {
            assert!(matches!(without_dots(path), Cow::Borrowed(_)), "{path}");
        }
    }

    #[test]
    fn the_root_takes_everything_as_it_is() {
        for path in ["/", "//x", "*", "", r"\x", "/%2F"] {
            assert!(is_below(path, "/"));
            assert_eq!(split(path, "/").unwrap().rewritten(), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn plain_paths_are_compared_alike_in_both_ways(path in "/[aAbB./]{0,8}") {
            prop_assume!(is_plain(&path));
            let behind = split(&path, "/ab/a");
            prop_assert_eq!(is_below(&path, "/ab/a"), behind.is_some());
            prop_assert!(behind.is_none_or(|behind| behind.rewritten().is_none()));
        }

        #[test]
        fn a_rewritten_path_is_below_the_base_for_everybody(path in r"(/|\\|%2F|%5c|a|%61|B|b){0,12}") {
            if let Some(rewritten) = split(&path, "/a/b").and_then(|behind| behind.rewritten()) {
                let again = split(&rewritten, "/a/b").unwrap();
                prop_assert_eq!(again.rewritten(), None);
            }
        }
    }
}
