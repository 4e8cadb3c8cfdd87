//! `debugLevel` and `debugFile`: what is written to the debug log of an application, and where that is.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::config::DebugSettings;
//!
//! let mut unknown = Vec::new();
//! let settings = DebugSettings::parse("FILE, trace, loud", "", &mut |word| unknown.push(word.to_owned()));
//! assert_eq!(settings.level(), Some(tracing::Level::TRACE));
//! assert_eq!(settings.file.as_deref(), Some(r".\aspnetcore-debug.log"));
//! assert_eq!(unknown, ["loud"]);
//! ```

use tracing::Level;

use super::{Config, variables::expand};

/// Says what is written.
pub(super) const LEVEL: &str = "debugLevel";
/// Says where to.
pub(super) const FILE: &str = "debugFile";

/// What a file is called that has no name.
// ANCM: debugutil.cpp.
const DEFAULT_FILE: &str = r".\aspnetcore-debug.log";

/// The words of `debugLevel`.
pub(super) const WORDS: &[&str] = &["error", "warning", "info", "trace", "console", "file", "eventlog"];

/// What one source of settings says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugSettings {
    level: Option<Level>,
    /// Whether it goes to standard output.
    pub console: bool,
    /// Whether it goes to our own log.
    pub event_log: bool,
    /// The file that it goes to: relative to the site root, with either kind of slash.
    pub file: Option<String>,
    /// Whether that name is the one that holds when none is given.
    default_file: bool,
}

// === impl DebugSettings ===

impl DebugSettings {
    /// Understands the words of `debugLevel` and the name of `debugFile`; either may be empty.
    // ANCM: debugutil.cpp compares without trimming, so that a blank after a comma makes it deaf, and does not know `warn`.
    pub fn parse(words: &str, file: &str, unknown: &mut dyn FnMut(&str)) -> Self {
        let mut settings = Self::default();
        let mut to_file = false;
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().as_str() {
                "error" => settings.raise(Level::ERROR),
                "warning" | "warn" => settings.raise(Level::WARN),
                "info" => settings.raise(Level::INFO),
                "trace" => settings.raise(Level::TRACE),
                "console" => settings.console = true,
                "eventlog" => settings.event_log = true,
                "file" => to_file = true,
                _ => unknown(word),
            }
        }
        if settings.level.is_none() && (to_file || settings.console || settings.event_log) {
            settings.level = Some(Level::INFO);
        }
        settings.default_file = to_file && file.is_empty();
        settings.file = match file {
            "" => to_file.then(|| DEFAULT_FILE.to_owned()),
            name => Some(name.to_owned()),
        };
        settings
    }

    /// What is written: this level and those above it. Nothing without one.
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// Whether nothing is written and no file is made.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// These and those of `other`, which names the file if it has a name.
    // ANCM: the flags of all sources are joined, none takes one back.
    pub fn and(&self, other: &Self) -> Self {
        let named = |settings: &Self| settings.file.clone().filter(|_| !settings.default_file);
        let file =
            named(other).or_else(|| named(self)).or_else(|| other.file.clone()).or_else(|| self.file.clone());
        Self {
            level: self.level.max(other.level),
            console: self.console || other.console,
            event_log: self.event_log || other.event_log,
            default_file: file.is_some() && named(self).is_none() && named(other).is_none(),
            file,
        }
    }

    fn raise(&mut self, level: Level) {
        self.level = self.level.max(Some(level));
    }
}

// === impl Config ===

impl Config {
    /// `debugLevel` and `debugFile`; `%NAME%` is replaced in the latter.
    pub fn debug_settings(&self, environment: &dyn Fn(&str) -> Option<String>) -> DebugSettings {
        let setting = |name| self.handler_setting(name).unwrap_or_default();
        DebugSettings::parse(setting(LEVEL), &expand(setting(FILE), environment), &mut |_| {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str, file: &str) -> DebugSettings {
        DebugSettings::parse(words, file, &mut |word| panic!("unknown: {word}"))
    }

    #[test]
    fn of_several_levels_the_one_that_says_most_wins() {
        for (words, level) in [
            ("", None),
            ("error", Some(Level::ERROR)),
            ("Warn", Some(Level::WARN)),
            ("info,warning", Some(Level::INFO)),
            ("TRACE, error", Some(Level::TRACE)),
            ("file", Some(Level::INFO)),
            ("console,error", Some(Level::ERROR)),
        ] {
            assert_eq!(parsed(words, "").level(), level, "{words}");
        }
    }

    #[test]
    fn a_file_is_made_when_it_has_a_name_or_is_asked_for() {
        assert_eq!(parsed("info", "").file, None);
        assert_eq!(parsed("file", "").file.as_deref(), Some(DEFAULT_FILE));
        assert_eq!(parsed("", "x.log").file.as_deref(), Some("x.log"));
        assert_eq!(parsed("", "x.log").level(), None, "it stays empty");
        assert!(parsed("", "").is_off());
    }

    #[test]
    fn sources_are_joined_and_the_nearer_names_the_file() {
        let joined = parsed("error,console", "").and(&parsed("info", ""));
        assert_eq!((joined.level(), joined.console, joined.file), (Some(Level::INFO), true, None));
        for (far, near, file) in [
            (("", "a"), ("", "b"), "b"),
            (("", "a"), ("", ""), "a"),
            (("", "a"), ("file", ""), "a"),
            (("file", ""), ("", "b"), "b"),
            (("file", ""), ("trace", ""), DEFAULT_FILE),
        ] {
            assert_eq!(
                parsed(far.0, far.1).and(&parsed(near.0, near.1)).file.as_deref(),
                Some(file),
                "{far:?}"
            );
        }
    }
}
