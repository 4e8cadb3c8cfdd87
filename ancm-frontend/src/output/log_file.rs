//! The file that `stdoutLogFile` names: where it lies and what it is called.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::{config::LogLimits, output::{LogFileSettings, Output, Sink}};
//!
//! let site = tempfile::tempdir()?;
//! let output = Output::start()?;
//! let log_file = output.log_file(LogFileSettings {
//!     site_root: site.path().to_owned(),
//!     name: r".\logs\stdout".into(),
//!     slot: None,
//!     limits: LogLimits::default(),
//! });
//! // For example logs/stdout_20240131235959_4242.log.
//! assert!(log_file.path().starts_with(site.path().join("logs")));
//! let pipes = output.pipes(Sink { log_file: Some(log_file), ..Sink::default() })?;
//! # Ok::<(), std::io::Error>(())
//! ```

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use time::OffsetDateTime;

use super::writer::Writer;
use crate::config::LogLimits;

/// What is known of a log file before it is made.
#[derive(Clone, Debug)]
pub struct LogFileSettings {
    /// The folder that a relative name starts from.
    pub site_root: PathBuf,
    /// `stdoutLogFile`, its variables replaced: the beginning of the path, with either kind of slash.
    pub name: String,
    /// The process's place, if an application has more than one.
    pub slot: Option<usize>,
    /// How much is kept.
    pub limits: LogLimits,
}

/// The log file of one process start, and those that follow it when it is full; both attempts of a start write to
/// the same.
///
/// It is made and written by a thread of its own, never by the caller, and closed when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct LogFile {
    path: Arc<Path>,
    /// None if there is no file, which has been said.
    writer: Option<Arc<Writer>>,
}

// === impl LogFileSettings ===

impl LogFileSettings {
    // ANCM: serverprocess.cpp: the time of creation in UTC, the year unpadded, and the pid of the worker process
    // (here ours), not of the backend.
    pub(super) fn path(&self, at: OffsetDateTime, pid: u32, number: u32) -> Result<PathBuf, &'static str> {
        // `\\?\` only lifts a limit of Windows; it stands before absolute paths such as `\\?\%home%\LogFiles\stdout`.
        let name = self.name.strip_prefix(r"\\?\").unwrap_or(&self.name).replace('\\', "/");
        if cfg!(not(windows)) && is_windows_path(&name) {
            return Err(
                "it is a path of Windows; write one relative to the site root, such as .\\logs\\stdout",
            );
        }
        let slot = self.slot.map(|slot| format!("_{slot}")).unwrap_or_default();
        // Of several within one second.
        let number = if number > 1 { format!(".{number}") } else { String::new() };
        let name = format!(
            "{name}_{}{:02}{:02}{:02}{:02}{:02}_{pid}{slot}{number}.log",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
        );
        // Collecting takes the `.` out of the middle.
        Ok(self.site_root.join(name).components().collect())
    }

    /// What the names of all its files begin with.
    pub(super) fn file_prefix(&self) -> String {
        self.name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
    }
}

/// `C:/logs` or `//server/share`.
fn is_windows_path(name: &str) -> bool {
    name.starts_with("//")
        || matches!(name.as_bytes(), [letter, b':', b'/', ..] if letter.is_ascii_alphabetic())
}

// === impl LogFile ===

impl LogFile {
    pub(super) fn new(path: PathBuf, writer: Option<Writer>) -> Self {
        Self { path: path.into(), writer: writer.map(Arc::new) }
    }

    /// Where the first one is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        if let Some(writer) = &self.writer {
            writer.offer(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use time::{Date, Month};

    use super::*;

    fn settings(name: &str, slot: Option<usize>) -> LogFileSettings {
        let limits = LogLimits::default();
        LogFileSettings { site_root: "/site".into(), name: name.into(), slot, limits }
    }

    fn path(name: &str, slot: Option<usize>) -> Result<PathBuf, &'static str> {
        let at = Date::from_calendar_date(2024, Month::January, 31).unwrap().with_hms(7, 5, 9).unwrap();
        settings(name, slot).path(at.assume_utc(), 4242, 1)
    }

    #[test]
    fn writes_the_time_without_separators_and_the_pid() {
        assert_eq!(
            path("logs/stdout", None).unwrap(),
            Path::new("/site/logs/stdout_20240131070509_4242.log")
        );
    }

    #[test]
    fn adds_the_slot_when_there_are_several() {
        assert_eq!(path("out", Some(2)).unwrap(), Path::new("/site/out_20240131070509_4242_2.log"));
    }

    #[test]
    fn numbers_those_of_one_second() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let path = settings("out", Some(2)).path(at, 7, 3).unwrap();
        assert_eq!(path, Path::new("/site/out_19700101000000_7_2.3.log"));
        assert_eq!(settings(r".\logs\out", None).file_prefix(), "out");
        assert_eq!(settings("logs/", None).file_prefix(), "");
    }

    #[test]
    fn turns_backslashes_and_may_leave_the_site_root() {
        assert_eq!(path(r".\logs\out", None).unwrap(), Path::new("/site/logs/out_20240131070509_4242.log"));
        let outside = path(r"..\Log\stdout-web", None).unwrap();
        assert_eq!(outside, Path::new("/site/../Log/stdout-web_20240131070509_4242.log"));
    }

    #[test]
    fn understands_the_long_path_prefix_before_a_path_of_this_system() {
        let path = path(r"\\?\/home/app\LogFiles\stdout", None).unwrap();
        assert_eq!(path, Path::new("/home/app/LogFiles/stdout_20240131070509_4242.log"));
    }

    #[test]
    fn refuses_drives_and_shares() {
        assert!(path(r"C:\logs\stdout", None).is_err());
        assert!(path(r"\\?\D:\logs\stdout", None).is_err());
        assert!(path(r"\\server\share\stdout", None).is_err());
    }
}
