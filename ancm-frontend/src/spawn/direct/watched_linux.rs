//! A child that is killed when nobody watches it any more: the kernel tells when it has ended.
//!
//! tokio has children too, but then each turn of every runtime takes a lock that all of them share, to reap those whose
//! owners are gone.

use std::{
    io,
    process::{Child, Command, ExitStatus},
    thread,
};

use super::kill_group;
use crate::process::ProcessHandle;

#[derive(Debug)]
pub(super) struct Watched {
    /// `None` once it is reaped.
    child: Option<Child>,
    pid: u32,
}

// === impl Watched ===

impl Watched {
    pub(super) fn spawn(mut command: Command) -> io::Result<Self> {
        let child = command.spawn()?;
        Ok(Self { pid: child.id(), child: Some(child) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Reaps it when it has ended; `handle` is its own.
    pub(super) async fn wait(&mut self, handle: &ProcessHandle) -> io::Result<ExitStatus> {
        handle.exited().await;
        let mut child = self.child.take().ok_or(io::ErrorKind::NotFound)?;
        // At once: it has ended.
        child.wait()
    }

    /// Kills it, with its group.
    pub(super) fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            kill_group(self.pid);
            let _ = child.kill();
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut child) = self.child.take() {
            // The kernel may need a while to end it.
            let _ = thread::Builder::new().spawn(move || child.wait());
        }
    }
}
