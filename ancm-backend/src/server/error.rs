//! Why a server could not run.

use std::{error::Error, fmt, io, net::SocketAddr};

use crate::settings::SettingsError;

/// Why a server could not run.
///
/// Its `Debug` is the message for people, because that is what `main` prints when it returns an error.
#[non_exhaustive]
pub enum ServeError {
    /// The environment says what cannot be done.
    Settings(SettingsError),
    /// An address cannot be had.
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system's stop signals cannot be had.
    Signals(io::Error),
}

// === impl ServeError ===

impl From<SettingsError> for ServeError {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: ")?;
                match source.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("another process has that port already"),
                    io::ErrorKind::AddrNotAvailable => f.write_str("this machine has no such address"),
                    io::ErrorKind::PermissionDenied => f.write_str("this user may not use that port"),
                    _ => source.fmt(f),
                }
            }
            Self::Signals(error) => write!(f, "cannot take over the stop signals of this process: {error}"),
        }
    }
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Listen { source, .. } => Some(source),
            // The message has them already.
            Self::Settings(_) | Self::Signals(_) => None,
        }
    }
}
