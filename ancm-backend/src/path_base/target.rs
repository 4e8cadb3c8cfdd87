//! The path of a request target, compared as the .NET host compares it: decoded, and in any case.

use ancm_tower::written_path::{is_same_letter, next_char};

/// What follows `base` in `path`: nothing, or text that begins with `/`; `None` if the path is not below it.
///
/// The path may hold escapes; the base is taken literally.
pub(crate) fn after_base<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    let mut rest = path;
    for expected in base.chars() {
        let (found, behind) = next_char(rest)?;
        if !is_same_letter(found, expected) {
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

#[cfg(test)]
mod tests {
    use ancm_tower::written_path::without_dots;

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
            assert_eq!(without_dots(path), resolved, "{path}");
        }
    }
}
