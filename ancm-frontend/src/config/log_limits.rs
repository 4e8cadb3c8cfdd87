//! How much is kept of what an application prints: the three handler settings of its log files.
//!
//! The original never removes a log file, nor ends one. The names are not attributes, so that IIS still takes the file.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::config::{Config, LogLimits};
//!
//! let mut config = Config::default();
//! assert_eq!(config.stdout_log_limits(), LogLimits::default());
//! config.handler_settings = vec![("stdoutLogMaxSize".into(), "1GB".into()), ("stdoutLogMaxAge".into(), "0".into())];
//! let limits = config.stdout_log_limits();
//! assert_eq!((limits.max_size, limits.max_age, limits.max_files), (Some(1 << 30), None, Some(10)));
//! ```

use std::time::Duration;

use super::Config;

/// The largest size of one file.
pub(super) const MAX_SIZE: &str = "stdoutLogMaxSize";
/// How long files are kept.
pub(super) const MAX_AGE: &str = "stdoutLogMaxAge";
/// How many of them.
pub(super) const MAX_FILES: &str = "stdoutLogMaxFiles";

/// How much is kept; where there is nothing, there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// When a file has so many bytes, the next line begins another one.
    pub max_size: Option<u64>,
    /// After so long another file is begun, and a file that nobody has written to for so long is removed.
    pub max_age: Option<Duration>,
    /// The oldest files above this number are removed; each slot counts for itself.
    pub max_files: Option<usize>,
}

// === impl LogLimits ===

/// 10 MB, 30 days, 10 files.
impl Default for LogLimits {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { max_size: Some(10 << 20), max_age: Some(30 * day), max_files: Some(10) }
    }
}

// === impl Config ===

impl Config {
    /// `stdoutLogMaxSize`, `stdoutLogMaxAge`, `stdoutLogMaxFiles`: how much of the output is kept.
    pub fn stdout_log_limits(&self) -> LogLimits {
        let default = LogLimits::default();
        // A value that is wrong is a fault, so there is none left here.
        LogLimits {
            max_size: self.handler_setting(MAX_SIZE).and_then(size).unwrap_or(default.max_size),
            max_age: self.handler_setting(MAX_AGE).and_then(age).unwrap_or(default.max_age),
            max_files: self.handler_setting(MAX_FILES).and_then(files).unwrap_or(default.max_files),
        }
    }
}

/// What values of this setting look like, if this is none.
pub(super) fn refused(name: &str, text: &str) -> Option<&'static str> {
    match name {
        MAX_SIZE if size(text).is_none() => Some("1KB or more, such as 500KB, 10MB, 2GB; 0 for no limit"),
        MAX_AGE if age(text).is_none() => Some("a time such as 12h, 30d or 30.00:00:00; 0 for no limit"),
        MAX_FILES if files(text).is_none() => Some("1 to 100000; 0 for no limit"),
        _ => None,
    }
}

/// A number of bytes, at least 1024; `Some(None)` is no limit.
#[expect(clippy::option_option, reason = "no value, and the value that there is no limit")]
fn size(text: &str) -> Option<Option<u64>> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" | "KIB" => 1 << 10,
        "MB" | "MIB" => 1 << 20,
        "GB" | "GIB" => 1 << 30,
        _ => return None,
    };
    match number.checked_mul(factor)? {
        0 => Some(None),
        1..=1023 => None,
        bytes => Some(Some(bytes)),
    }
}

/// A number with a unit, or `d.hh:mm:ss`; `Some(None)` is no limit.
#[expect(clippy::option_option, reason = "no value, and the value that there is no limit")]
fn age(text: &str) -> Option<Option<Duration>> {
    let seconds = if text.contains(':') {
        let most = Duration::from_secs(100 * 366 * 86_400);
        super::values::time_span(text, most).ok()?.0.as_secs()
    } else {
        let (number, unit) = number_and_unit(text)?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            // Nothing is nothing, whatever it is counted in.
            "" if number == 0 => 0,
            _ => return None,
        };
        number.checked_mul(factor).filter(|seconds| *seconds <= 100 * 366 * 86_400)?
    };
    Some((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// A number of files; `Some(None)` is no limit.
#[expect(clippy::option_option, reason = "no value, and the value that there is no limit")]
fn files(text: &str) -> Option<Option<usize>> {
    let (number, unit) = number_and_unit(text)?;
    let number = usize::try_from(number).ok().filter(|number| *number <= 100_000 && unit.is_empty())?;
    Some((number > 0).then_some(number))
}

/// `10` and `MB` of `10 MB`.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [("1024", 1024), ("1kb", 1024), (" 10 MB ", 10 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(size(text), Some(Some(bytes)), "{text}");
        }
        assert_eq!(size("0"), Some(None));
        for text in ["", "MB", "-1", "1.5MB", "1TB", "1000", "99999999999999999999", "18446744073709551615KB"]
        {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn ages_have_a_unit_or_are_time_spans() {
        for (text, seconds) in [
            ("30d", 2_592_000),
            ("12 h", 43_200),
            ("5m", 300),
            ("9s", 9),
            ("1.00:00:00", 86_400),
            ("00:01:00", 60),
        ] {
            assert_eq!(age(text), Some(Some(Duration::from_secs(seconds))), "{text}");
        }
        assert_eq!(age("0"), Some(None));
        assert_eq!(age("00:00:00"), Some(None));
        for text in ["", "30", "1w", "d", "-1d", "1:2", "99999999999999999d"] {
            assert_eq!(age(text), None, "{text}");
        }
    }

    #[test]
    fn files_are_counted() {
        assert_eq!(
            [files("0"), files("1"), files("100000")],
            [Some(None), Some(Some(1)), Some(Some(100_000))]
        );
        for text in ["", "-1", "100001", "3 files", "x"] {
            assert_eq!(files(text), None, "{text}");
        }
    }
}
