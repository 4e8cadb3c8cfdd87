//! Where a process cannot be held on to: only our own direct children are known, because we reap them.

use std::io;

use tokio_util::sync::CancellationToken;

/// Cancelled by whoever reaps the process.
#[derive(Debug)]
pub(super) struct Identity {
    ended: CancellationToken,
}

// === impl Identity ===

impl Identity {
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        if pid == std::process::id() {
            return Ok(Self { ended: CancellationToken::new() });
        }
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a foreign process cannot be watched on this platform",
        ))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the other platform's can fail")]
    pub(super) fn of_child(_pid: u32, ended: CancellationToken) -> io::Result<Self> {
        Ok(Self { ended })
    }

    pub(super) fn is_alive(&self, _pid: u32) -> bool {
        !self.ended.is_cancelled()
    }

    pub(super) fn is_ending(&self, pid: u32) -> bool {
        !self.is_alive(pid)
    }

    pub(super) async fn exited(&self, _pid: u32) {
        self.ended.cancelled().await;
    }

    #[cfg(unix)]
    fn signal(&self, pid: u32, signal: rustix::process::Signal) -> io::Result<()> {
        if self.ended.is_cancelled() {
            return Ok(());
        }
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
        match rustix::process::kill_process(pid, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }

    #[cfg(unix)]
    pub(super) fn terminate(&self, pid: u32) -> io::Result<()> {
        self.signal(pid, rustix::process::Signal::TERM)
    }

    #[cfg(unix)]
    pub(super) fn kill(&self, pid: u32) -> io::Result<()> {
        self.signal(pid, rustix::process::Signal::KILL)
    }

    #[cfg(not(unix))]
    pub(super) fn terminate(&self, _pid: u32) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this platform has no signal that asks a process to end",
        ))
    }

    #[cfg(not(unix))]
    pub(super) fn kill(&self, _pid: u32) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a process is ended through its `Child` on this platform",
        ))
    }
}
