//! `%NAME%` in values, and paths written for Windows.
//!
//! IIS expands variables with the environment of its worker process; we do it with our own. A name that is not set
//! stays as it is written, percent signs and all. Windows does not tell `%home%` from `%HOME%`, so where the exact
//! name is missing any spelling of it will do.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::config::variables::{Environment, expand};
//!
//! let environment = Environment::new([("HOME", "/home/site")]);
//! let value = expand(r"\\?\%home%\LogFiles\%nobody%", &|name| environment.get(name));
//! assert_eq!(value, r"\\?\/home/site\LogFiles\%nobody%");
//! ```

use std::collections::BTreeMap;

/// Environment variables, found by their exact name or else by any spelling of it.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

// === impl Environment ===

impl Environment {
    /// Of these pairs.
    pub fn new<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// Of this process; variables that are not Unicode are left out.
    pub fn of_process() -> Self {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { variables: std::env::vars_os().filter_map(unicode).collect() }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        let any_spelling =
            || self.variables.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        self.variables.get(name).or_else(any_spelling).cloned()
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("names", &self.variables.keys()).finish()
    }
}

/// Replaces each `%NAME%` that the environment has.
///
/// Once only: what a value brings in is not looked at again.
pub fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        out.push_str(&rest[..start]);
        let name = &rest[start + 1..];
        let Some(end) = name.find('%') else {
            rest = &rest[start..];
            break;
        };
        if let Some(value) = (end > 0).then(|| environment(&name[..end])).flatten() {
            out.push_str(&value);
            rest = &name[end + 1..];
        } else {
            // The second percent sign may begin the next name, as in `50%_%HOME%`.
            out.push_str(&rest[start..=start + end]);
            rest = &name[end..];
        }
    }
    out.push_str(rest);
    out
}

/// The first `%NAME%` that is left after expansion, without its percent signs.
pub(super) fn unexpanded(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('%')?;
    let (name, _) = rest.split_once('%')?;
    let plausible = |c: char| c.is_alphanumeric() || matches!(c, '_' | '(' | ')' | '.' | '-');
    (!name.is_empty() && name.chars().all(plausible)).then_some(name)
}

/// A path as this system writes it: without the `\\?\` of Windows, and on Unix with slashes.
pub fn native_path(text: &str) -> String {
    let text = text.strip_prefix(r"\\?\").unwrap_or(text);
    if cfg!(windows) { text.to_owned() } else { text.replace('\\', "/") }
}

/// Whether a path begins with a drive letter or names a share, which only Windows has.
pub(crate) fn is_windows_absolute(text: &str) -> bool {
    let text = text.strip_prefix(r"\\?\").unwrap_or(text);
    let mut characters = text.chars();
    let drive = characters.next().is_some_and(|c| c.is_ascii_alphabetic()) && characters.next() == Some(':');
    drive && matches!(characters.next(), None | Some('\\' | '/')) || text.starts_with(r"\\")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expanded(text: &str) -> String {
        let environment =
            Environment::new([("HOME", "/h"), ("Path", "p"), ("PATH", "P"), ("SELF", "%HOME%")]);
        expand(text, &|name| environment.get(name))
    }

    #[test]
    fn replaces_every_variable_that_is_set() {
        assert_eq!(expanded("%HOME%/a/%HOME%"), "/h/a//h");
    }

    #[test]
    fn leaves_what_is_not_a_variable_as_it_is_written() {
        for text in ["%NOBODY%", "%", "%%", "100%", "a%b", "%NO%%BODY%", ""] {
            assert_eq!(expanded(text), text);
        }
    }

    #[test]
    fn a_percent_sign_that_ends_no_name_may_begin_one() {
        assert_eq!(expanded("50%_%HOME%"), "50%_/h");
    }

    #[test]
    fn prefers_the_exact_name_to_another_spelling() {
        assert_eq!([expanded("%Path%"), expanded("%PATH%"), expanded("%home%")], ["p", "P", "/h"]);
    }

    #[test]
    fn does_not_expand_what_a_value_brought_in() {
        assert_eq!(expanded("%SELF%"), "%HOME%");
    }

    #[test]
    fn names_the_variable_that_is_not_set() {
        assert_eq!(unexpanded("%LAUNCHER_PATH%"), Some("LAUNCHER_PATH"));
        assert_eq!(unexpanded("50% of 60%"), None);
    }

    #[cfg(unix)]
    #[test]
    fn turns_windows_paths() {
        assert_eq!(native_path(r".\logs\stdout"), "./logs/stdout");
        assert_eq!(native_path(r"\\?\/home/x\LogFiles"), "/home/x/LogFiles");
    }

    #[test]
    fn knows_the_absolute_paths_of_windows() {
        for path in [r"C:\a", "d:/a", r"\\server\share", r"\\?\C:\a"] {
            assert!(is_windows_absolute(path), "{path}");
        }
        for path in [r".\a", "a", "/a", "c", "http://a", r"\\?\/home/x"] {
            assert!(!is_windows_absolute(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn text_without_variables_never_changes(text in "[a-z%/]{0,20}") {
            prop_assert_eq!(expand(&text, &|_| None), text);
        }
    }
}
