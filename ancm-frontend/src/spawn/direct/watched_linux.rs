//! A child that is killed when nobody watches it any more: the kernel tells when it has ended.
//!
//! tokio has children too, but then each turn of every runtime takes a lock that all of them share, to reap those whose
//! owners are gone.

use std::{
    io,
    process::{Child, Command, ExitStatus},
    thread,
    time::Duration,
};

use ancm_tower::timers::sleep;

use super::kill_group;
use crate::process::ProcessHandle;

/// How often one that has ended is looked at if it cannot be reaped yet.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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
        loop {
            handle.exited().await;
            let child = self.child.as_mut().ok_or(io::ErrorKind::NotFound)?;
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(status);
            }
            // Who traces it reaps it first; and without a descriptor it may only look as if it had ended.
            sleep(LOOK_EVERY).await;
        }
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
            if let Err(error) = thread::Builder::new().spawn(move || child.wait()) {
                tracing::warn!(target: "server", pid = self.pid, %error, "a process was killed, but not reaped");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn what_is_reaped_is_not_killed_any_more() {
        #[expect(clippy::disallowed_methods, reason = "a child of the test's own")]
        let mut watched = Watched::spawn(Command::new("true")).unwrap();
        let handle = ProcessHandle::of_child(watched.pid(), CancellationToken::new()).unwrap();
        assert!(watched.wait(&handle).await.unwrap().success());
        // The number of its group may be another's by now.
        assert!(watched.child.is_none());
        assert!(watched.wait(&handle).await.is_err());
    }
}
