//! Facts about processes, asked of the kernel: who lives, who descends from whom, who listens where.
//!
//! A process number says little: it is given to somebody else as soon as its process has ended. What this module
//! hands out is a [`ProcessHandle`], which stays with the process that it was opened for.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::process::ProcessHandle;
//!
//! let this_very_program = ProcessHandle::open(std::process::id())?;
//! assert!(this_very_program.is_alive());
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg_attr(target_os = "linux", path = "identity_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "identity_elsewhere.rs")]
mod identity;
pub mod listeners;
pub mod port;
pub mod tree;

use std::{io, sync::Arc};

use tokio_util::sync::CancellationToken;

use self::identity::Identity;

/// A process that cannot be mistaken for another one that got its number.
#[derive(Clone, Debug)]
pub struct ProcessHandle {
    pid: u32,
    identity: Arc<Identity>,
}

// === impl ProcessHandle ===

impl ProcessHandle {
    /// Opens the process that has this number now.
    ///
    /// The number may have changed hands before this call. Who got it from a look at the process (its parent, its
    /// sockets) opens the handle first, looks then, and believes what was seen if the process
    /// [is still alive](Self::is_alive) afterwards.
    ///
    /// # Errors
    ///
    /// There is no such process, or this platform cannot tell.
    pub fn open(pid: u32) -> io::Result<Self> {
        Ok(Self { pid, identity: Arc::new(Identity::open(pid)?) })
    }

    /// The handle of a child of ours that nobody has reaped yet; `ended` is cancelled by who reaps it.
    pub(crate) fn of_child(pid: u32, ended: CancellationToken) -> io::Result<Self> {
        Ok(Self { pid, identity: Arc::new(Identity::of_child(pid, ended)?) })
    }

    /// The handle of the process that this descriptor was opened for.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_descriptor(pid: u32, descriptor: std::os::fd::OwnedFd) -> Self {
        Self { pid, identity: Arc::new(descriptor.into()) }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended yet. One system call, cheap enough for every new connection.
    pub fn is_alive(&self) -> bool {
        self.identity.is_alive(self.pid)
    }

    /// Whether it has ended, or is past all work because the kernel is taking it apart.
    ///
    /// A killed process with much memory lives on like that for some milliseconds. Dearer than [`Self::is_alive`].
    pub fn is_ending(&self) -> bool {
        self.identity.is_ending(self.pid)
    }

    /// Ends when the process has ended. Needs tokio's I/O and time drivers.
    pub async fn exited(&self) {
        self.identity.exited(self.pid).await;
    }

    /// Asks it to end (`SIGTERM`). Fine if it has ended already.
    ///
    /// # Errors
    ///
    /// It belongs to somebody else, or this platform has no way to ask.
    pub fn terminate(&self) -> io::Result<()> {
        self.identity.terminate(self.pid)
    }

    /// Ends it (`SIGKILL`), this one process only. Fine if it has ended already.
    ///
    /// # Errors
    ///
    /// It belongs to somebody else, or this platform has no way to do it.
    pub fn kill(&self) -> io::Result<()> {
        self.identity.kill(self.pid)
    }
}
