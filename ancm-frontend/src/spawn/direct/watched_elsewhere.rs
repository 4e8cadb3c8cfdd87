//! A child that is killed when nobody watches it any more.

use std::{
    io,
    process::{Command, ExitStatus},
};

use tokio::process::Child;

use super::kill_group;
use crate::process::ProcessHandle;

#[derive(Debug)]
pub(super) struct Watched {
    child: Child,
    pid: u32,
}

// === impl Watched ===

impl Watched {
    pub(super) fn spawn(command: Command) -> io::Result<Self> {
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("the process has no number"))?;
        Ok(Self { child, pid })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Reaps it when it has ended.
    pub(super) async fn wait(&mut self, _handle: &ProcessHandle) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Kills it, with its group.
    pub(super) fn kill(&mut self) {
        // Once it is reaped the number may be somebody else's.
        if self.child.id().is_some() {
            kill_group(self.pid);
        }
        let _ = self.child.start_kill();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.kill();
    }
}
