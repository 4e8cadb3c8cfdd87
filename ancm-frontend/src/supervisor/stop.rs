//! Ends a process, as gently as the limit allows.
//!
//! Each rung is taken only when the one before has not helped in its time:
//!
//! 1. No worker dispatches to it any more; the workers acknowledge that.
//! 2. The message of the ASP.NET Core integration. A backend that answers 202 finishes its requests and ends.
//! 3. `SIGTERM`, at once if the message was not understood, to the launched process and to the one that listens.
//! 4. A second before the limit, requests that are still half-sent are cut, since they alone may hold the backend
//!    up; and `SIGTERM` again.
//! 5. At the limit `SIGKILL`, to everything that the process has started.
//!
//! # Example
//!
//! ```text
//! undispatched ─► POST /iisintegration ─202─► wait ─────────────► abandon, SIGTERM ─► SIGKILL to the tree
//!                                      └404─► SIGTERM ─► wait ──┘  (limit − 1 s)       (limit)
//! ```

use std::net::SocketAddr;

use ancm_tower::{
    pairing_token::PairingToken,
    timers::{timeout, timeout_at},
};
use tokio::time::{Duration, Instant};

use super::{message, processes::Stop};
use crate::{events, output::Capture, process::ProcessHandle, spawn::Child};

/// How long before the limit half-sent requests are cut.
// Kestrel would wait for their rest for 30 s.
const LAST_RUNG: Duration = Duration::from_secs(1);
/// How long the rest of a dead process's output may take.
// ANCM: serverprocess.cpp waits as long for its reader.
pub(super) const OUTPUT_LIMIT: Duration = Duration::from_secs(2);
/// How long the kernel may take to end what was killed. A process that hangs in a system call can outlive this.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// The bit of `SIGTERM` in the masks of `/proc/…/status`.
const TERM_BIT: u64 = 1 << 14;

/// A process that was started and has listened.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) application: String,
    pub(super) child: Child,
    /// The process that listens: the launched one, or one that it has started.
    pub(super) owner: ProcessHandle,
    pub(super) address: SocketAddr,
    pub(super) token: PairingToken,
    pub(super) appl_path: String,
    pub(super) capture: Capture,
}

// === impl Running ===

impl Running {
    /// Ends the process, and ends itself when nothing of it is left.
    pub(super) async fn stop(self, how: Stop) {
        let crashed = !self.owner.is_alive();
        if !crashed && !self.ended_by_itself(&how).await {
            tracing::warn!(
                target: "server",
                event_id = events::KILLED,
                application = self.application,
                pid = self.owner.pid(),
                limit_s = how.limit.as_secs_f64(),
                "the process did not stop within shutdownTimeLimit and is killed",
            );
        }
        kill_tree(&self.child).await;
        self.log_exit(crashed);
        self.capture.close();
    }

    async fn ended_by_itself(&self, how: &Stop) -> bool {
        if how.limit.is_zero() {
            return false;
        }
        tokio::select! {
            biased;
            () = how.kill.cancelled() => false,
            ended = self.descend(how) => ended,
        }
    }

    /// Takes all rungs but the last; whether the process has ended.
    async fn descend(&self, how: &Stop) -> bool {
        let limit = Instant::now() + how.limit;
        let last_rung = limit.checked_sub(LAST_RUNG.min(how.limit / 2)).unwrap_or(limit);
        let asked = async {
            for snapshot in &how.undispatched {
                snapshot.wait().await;
            }
            if !self.ask().await {
                if !catches_sigterm(self.owner.pid()) {
                    // It would fall with its requests.
                    how.drained.wait().await;
                }
                self.terminate();
            }
            self.ended().await;
        };
        if timeout_at(last_rung, asked).await.is_ok() {
            return true;
        }
        how.abandon.cancel();
        self.terminate();
        timeout_at(limit, self.ended()).await.is_ok()
    }

    /// Whether the message was understood.
    async fn ask(&self) -> bool {
        let answer = message::send_shutdown(self.address, &self.appl_path, &self.token, &self.owner).await;
        match answer {
            Ok(status) => {
                tracing::info!(
                    target: "server",
                    event_id = events::SHUTDOWN_SENT,
                    application = self.application,
                    pid = self.owner.pid(),
                    status,
                    "shutdown message sent",
                );
                status == message::UNDERSTOOD
            }
            Err(error) => {
                tracing::info!(
                    target: "server",
                    event_id = events::SHUTDOWN_SENT,
                    application = self.application,
                    pid = self.owner.pid(),
                    error = %error,
                    "the shutdown message was not answered",
                );
                false
            }
        }
    }

    fn terminate(&self) {
        let mut targets = vec![&self.owner];
        if self.child.pid != self.owner.pid() {
            targets.push(&self.child.handle);
        }
        for target in targets {
            if let Err(error) = target.terminate() {
                tracing::warn!(target: "server", pid = target.pid(), error = %error, "SIGTERM could not be sent");
            }
        }
    }

    async fn ended(&self) {
        self.owner.exited().await;
        self.child.handle.exited().await;
    }

    fn log_exit(&self, crashed: bool) {
        let exit = *self.child.exit.borrow();
        let exit = exit.filter(|_| self.child.pid == self.owner.pid()).map(|exit| exit.to_string());
        let (application, pid, port) = (&self.application, self.owner.pid(), self.address.port());
        if crashed {
            tracing::warn!(
                target: "server", event_id = events::EXITED, application, pid, port, exit,
                "the process ended by itself"
            );
        } else {
            tracing::info!(
                target: "server", event_id = events::EXITED, application, pid, port, exit, "the process has ended"
            );
        }
    }
}

/// Kills a process and all that it has started.
pub(super) async fn kill_tree(child: &Child) {
    if timeout(KILL_LIMIT, child.kill_tree()).await.is_err() {
        tracing::error!(
            target: "server",
            pid = child.pid,
            left = ?child.processes().unwrap_or_default(),
            "killed processes are still there after {} s: they hang in the kernel",
            KILL_LIMIT.as_secs(),
        );
    }
}

/// Whether a process has made its own arrangements for `SIGTERM`; otherwise it ends in the middle of its requests.
fn catches_sigterm(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_none_or(|mask| mask & TERM_BIT != 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn knows_who_has_made_arrangements_for_sigterm() {
        use tokio::signal::unix::{SignalKind, signal};
        let us = std::process::id();
        let _arranged = signal(SignalKind::terminate()).unwrap();
        assert!(catches_sigterm(us));
        assert!(catches_sigterm(u32::MAX), "who cannot be asked is trusted to know what it does");
    }
}
