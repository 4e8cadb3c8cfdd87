//! How a process ended.

use std::{fmt, process::ExitStatus};

/// How a process ended: a code that it chose, or a signal that ended it.
///
/// # Example
///
/// ```
/// use ancm_frontend::spawn::Exit;
///
/// let exit = Exit { code: Some(134), signal: None, core_dumped: false };
/// assert!(!exit.is_success());
/// assert_eq!(exit.to_string(), "exit code 134");
/// assert_eq!(Exit::KILLED.to_string(), "killed by signal 9 (SIGKILL)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// Whether it left a core dump.
    pub core_dumped: bool,
}

// === impl Exit ===

impl Exit {
    /// Ended by `SIGKILL`; also what is reported of a process that was lost together with its guard.
    pub const KILLED: Self = Self { code: None, signal: Some(9), core_dumped: false };

    /// Whether it ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

impl From<ExitStatus> for Exit {
    #[cfg(unix)]
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self { code: status.code(), signal: status.signal(), core_dumped: status.core_dumped() }
    }

    #[cfg(not(unix))]
    fn from(status: ExitStatus) -> Self {
        Self { code: status.code(), signal: None, core_dumped: false }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}")?,
            (None, Some(signal)) => {
                write!(f, "killed by signal {signal}")?;
                if let Some(name) = name(signal) {
                    write!(f, " ({name})")?;
                }
            }
            (None, None) => f.write_str("ended in an unknown way")?,
        }
        if self.core_dumped { f.write_str(", core dumped") } else { Ok(()) }
    }
}

/// The signals that end a process in practice; their numbers are the same on all platforms except `SIGBUS` and
/// `SIGSYS`, which are left out.
fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}
