//! The signals that end the program, and the one that has it read its certificate anew.

use std::io;

/// Waits for SIGTERM, SIGINT and SIGHUP; elsewhere than on Unix for Ctrl+C.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: Hangup,
}

/// SIGHUP, which means two things.
#[cfg(unix)]
#[derive(Debug)]
struct Hangup {
    /// None under nohup, which is to have no effect.
    signal: Option<tokio::signal::unix::Signal>,
    on_terminal: bool,
}

// === impl Signals ===

#[cfg(unix)]
impl Signals {
    /// From now on these signals do not end the process.
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: Hangup::new()?,
        })
    }

    /// The name of the next one that is to end the program; others call `reload`.
    pub(super) async fn stop(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                ends = self.hangup.next() => if ends { return "SIGHUP" } else { reload() },
            }
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Nothing to prepare.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The name of the next one.
    pub(super) async fn stop(&mut self, _: impl Fn()) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl+C"
    }
}

// === impl Hangup ===

#[cfg(unix)]
impl Hangup {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signal = if is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { signal, on_terminal: has_terminal() })
    }

    /// Whether the next one says that our terminal is gone, and not that somebody wants something of a service.
    async fn next(&mut self) -> bool {
        match &mut self.signal {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        };
        self.on_terminal && !has_terminal()
    }
}

/// Whether the process has a controlling terminal.
#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether whoever started us wants SIGHUP ignored; elsewhere than on Linux that cannot be asked.
#[cfg(unix)]
fn is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is number 1, the lowest bit.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
