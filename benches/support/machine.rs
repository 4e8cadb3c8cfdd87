//! Where and when something was measured.

use std::{
    fmt, fs, thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// What is worth knowing about the place and the time.
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) kernel: String,
    /// Of the programs that were measured.
    pub(crate) versions: Vec<String>,
    /// The day, in UTC.
    pub(crate) date: String,
}

// === impl Machine ===

impl Machine {
    pub(crate) fn look(versions: Vec<String>) -> Self {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            let value = line.split_once([':', '=']).map_or("unknown", |(_, value)| value);
            value.trim().trim_matches('"').to_owned()
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(0, std::num::NonZero::get),
            system: field("/etc/os-release", "PRETTY_NAME"),
            kernel: kernel.trim().to_owned(),
            versions,
            date: today(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, system, kernel, versions, date } = self;
        write!(f, "{processor}, {cores} cores, {system}, Linux {kernel}")?;
        for version in versions {
            write!(f, ", {version}")?;
        }
        write!(f, ", {date}.")
    }
}

/// The day as `2026-01-31`.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut days = seconds / 86_400;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, days + 1)
}
