//! The file that `stdoutLogFile` names: where it lies and what it is called.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::output::{LogFileSettings, Output, Sink};
//!
//! let site = tempfile::tempdir()?;
//! let output = Output::start()?;
//! let log_file = output.log_file(LogFileSettings {
//!     site_root: site.path().to_owned(),
//!     name: r".\logs\stdout".into(),
//!     slot: None,
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

/// What is known of a log file before it is made.
#[derive(Clone, Debug)]
pub struct LogFileSettings {
    /// The folder that a relative name starts from.
    pub site_root: PathBuf,
    /// `stdoutLogFile`, its variables replaced: the beginning of the path, with either kind of slash.
    pub name: String,
    /// The process's place, if an application has more than one.
    pub slot: Option<usize>,
}

/// The log file of one process start; both attempts of a start write to the same.
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
    pub(super) fn path(&self, at: OffsetDateTime, pid: u32) -> Result<PathBuf, &'static str> {
        // `\\?\` only lifts a limit of Windows; it stands before absolute paths such as `\\?\%home%\LogFiles\stdout`.
        let name = self.name.strip_prefix(r"\\?\").unwrap_or(&self.name).replace('\\', "/");
        if cfg!(not(windows)) && is_windows_path(&name) {
            return Err(
                "it is a path of Windows; write one relative to the site root, such as .\\logs\\stdout",
            );
        }
        let mut name = format!(
            "{name}_{}{:02}{:02}{:02}{:02}{:02}_{pid}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
        );
        if let Some(slot) = self.slot {
            name.push_str(&format!("_{slot}"));
        }
        name.push_str(".log");
        // Collecting takes the `.` out of the middle.
        Ok(self.site_root.join(name).components().collect())
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

    /// Where it is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        if let Some(writer) = &self.writer {
            writer.offer(bytes);
        }
    }
}
