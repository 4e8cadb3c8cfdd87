//! The program `ancm`: its command line, its log, its exit codes.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::cli::{Exit, Failure};
//!
//! let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
//! let failure = Failure::new(Exit::of_io(&error), error);
//! assert_eq!(failure.exit() as u8, 77);
//! ```

pub mod applications;
pub mod arguments;
pub mod check;
pub mod demo;
mod demo_backend;
pub mod listen;
pub mod logging;
pub mod run;
mod signals;
pub mod tls;

use std::{error::Error, fmt, io, process::ExitCode};

use self::{arguments::Command, logging::Logs};

/// How the program ends; a supervisor such as systemd acts on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or stopped by a signal as asked.
    Success = 0,
    /// Failed; `ancm check` found something wrong.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// The application did not become ready (`EX_UNAVAILABLE`).
    NeverReady = 69,
    /// Something that is needed cannot be created (`EX_CANTCREAT`).
    CannotCreate = 73,
    /// Not permitted (`EX_NOPERM`).
    NotPermitted = 77,
    /// `web.config` or a certificate cannot be used (`EX_CONFIG`).
    Configuration = 78,
}

/// Why a command ended early, and with which code.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    event_id: Option<u32>,
    error: Box<dyn Error + Send + Sync>,
}

/// Does what was asked, and says on stderr why it could not.
pub fn execute(command: &Command, logs: &Logs) -> Exit {
    let result = match command {
        Command::Run(options) => run::run(options, logs),
        Command::Check(options) => explain(options),
        Command::Demo(options) => demo::demo(options, logs),
        Command::DemoBackend => demo_backend::run(),
    };
    result.unwrap_or_else(|failure| {
        let (exit_code, event_id) = (failure.exit as u8, failure.event_id);
        tracing::error!(target: "server", event_id, exit_code, "{failure}");
        failure.exit
    })
}

/// `ancm check`, to stdout.
fn explain(options: &arguments::Check) -> Result<Exit, Failure> {
    let placed = options.applications.placed().map_err(|twice| Failure::new(Exit::Usage, twice))?;
    let (ignored, out) = (&options.ignore.sections, &mut io::stdout().lock());
    let wrong = match placed.as_slice() {
        [only] if !options.applications.are_named() => check::check(&only.dir, ignored, options.json, out),
        all => check::check_all(all, ignored, options.json, out),
    };
    match wrong {
        Ok(false) => Ok(Exit::Success),
        Ok(true) => Ok(Exit::Failed),
        // Whoever read it has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Failed),
        Err(error) => Err(Failure::new(Exit::Failed, error)),
    }
}

/// An error and what caused it, unless the error says so itself.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !last.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        last = next;
        cause = error.source();
    }
    text
}

// === impl Exit ===

impl Exit {
    /// The code for something that could not be made, such as a listener.
    pub fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            _ => Self::CannotCreate,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

// === impl Failure ===

impl Failure {
    /// Ends the command with this code because of this error.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, event_id: None, error: error.into() }
    }

    /// Is logged with this number of [`events`](crate::events).
    pub fn event(mut self, id: u32) -> Self {
        self.event_id = Some(id);
        self
    }

    /// The code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&*self.error))
    }
}

// The causes are in the text.
impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen")]
    struct Outer(#[source] io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen: {0}")]
    struct Told(#[source] io::Error);

    #[test]
    fn tells_the_whole_chain_and_nothing_twice() {
        for error in [
            Failure::new(Exit::Failed, Outer(io::Error::other("taken"))),
            Failure::new(Exit::Failed, Told(io::Error::other("taken"))),
        ] {
            assert_eq!(error.to_string(), "cannot listen: taken");
        }
    }

    #[test]
    fn a_port_that_is_taken_and_one_that_is_forbidden_differ() {
        assert_eq!(Exit::of_io(&io::ErrorKind::AddrInUse.into()), Exit::CannotCreate);
        assert_eq!(Exit::of_io(&io::ErrorKind::PermissionDenied.into()), Exit::NotPermitted);
    }
}
