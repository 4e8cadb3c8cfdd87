//! Platforms without guards. None can be made, so that nothing below is ever run.

use std::{convert::Infallible, io, path::PathBuf};

use tokio::sync::watch;

use crate::{
    process::ProcessHandle,
    spawn::{Exit, Launch},
};

/// The means to start backends under guards; there are none on this platform.
#[derive(Clone, Debug)]
pub struct Guard {
    never: Infallible,
}

#[derive(Clone, Debug)]
pub(crate) struct Leash {
    never: Infallible,
}

// === impl Guard ===

impl Guard {
    /// Guards need Linux.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn start(_program: Option<PathBuf>) -> io::Result<Self> {
        let _ = &super::ASKED;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "guard processes need Linux; start processes directly",
        ))
    }

    pub(crate) async fn launch(
        &self,
        _launch: Launch,
    ) -> io::Result<(ProcessHandle, watch::Receiver<Option<Exit>>, Leash)> {
        match self.never {}
    }
}

// === impl Leash ===

impl Leash {
    pub(crate) fn guard_pid(&self) -> u32 {
        match self.never {}
    }

    pub(crate) async fn kill(&self) {
        match self.never {}
    }
}
