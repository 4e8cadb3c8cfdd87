//! Stands between us and each backend, so that nothing of a backend's tree outlives us.

use std::{io, path::PathBuf};

use tokio::sync::watch;

use crate::{
    process::ProcessHandle,
    spawn::{Exit, Launch},
};

/// The means to start guards.
#[derive(Clone, Debug)]
pub struct Guard {}

/// Holds the guard of one tree; the last clone that is dropped kills the tree.
#[derive(Clone, Debug)]
pub(crate) struct Leash {}

/// Is the guard, if this process was started as one; then it never returns. Call it first in `main`.
pub fn run_if_asked() {}

// === impl Guard ===

impl Guard {
    /// Makes sure that guards can be started.
    ///
    /// `program` is the executable to start as a guard: one that calls [`run_if_asked`] first in its `main`, such as
    /// `ancm`. `None` is the running program itself, which must have called it.
    ///
    /// # Errors
    ///
    /// The program cannot be started, is no guard, or guards are not supported on this platform.
    pub fn start(program: Option<PathBuf>) -> io::Result<Self> {
        let _ = program;
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) async fn launch(
        &self,
        launch: Launch,
    ) -> io::Result<(ProcessHandle, watch::Receiver<Option<Exit>>, Leash)> {
        let _ = launch;
        Err(io::ErrorKind::Unsupported.into())
    }
}

// === impl Leash ===

impl Leash {
    pub(crate) fn guard_pid(&self) -> u32 {
        0
    }

    pub(crate) async fn kill(&self) {}
}
