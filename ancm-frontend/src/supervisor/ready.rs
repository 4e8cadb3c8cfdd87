//! Waits until a process that was just started listens on its port.
//!
//! The kernel is asked every 5 ms who listens there, and whether that process belongs to the tree of the one that
//! was launched. Nobody connects: a connection says nothing about who answers it, and a loop of connections to a
//! free port can end by meeting itself.
//!
//! # Example
//!
//! ```text
//! launched: sh run.sh ── starts ──► dotnet Site.dll   listens on 127.0.0.1:21396: ready, owned by dotnet
//! somebody else                                       listens on 127.0.0.1:21396: failed, "taken by pid …"
//! nobody                                              within startupTimeLimit:    failed, never listened
//! ```

use std::{fmt, io, net::SocketAddr, time::Duration};

use ancm_tower::timers::{interval, sleep_until};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    process::{
        ProcessHandle,
        listeners::{self, Listener, Owner},
    },
    spawn::{Child, Exit},
};

/// How often the kernel is asked.
// ANCM: serverprocess.cpp looks every 250 ms.
const EVERY: Duration = Duration::from_millis(5);
/// How many looks in a row must see a stranger: the table of processes is read while they come and go.
const STRANGER_LOOKS: u32 = 4;
/// How often the tree is looked for once its launcher has ended; that means to read the table of all processes.
const ORPHANS_EVERY: Duration = Duration::from_millis(100);

/// What is being waited for.
pub(super) struct Wait<'a> {
    pub(super) child: &'a Child,
    pub(super) port: u16,
    pub(super) limit: Duration,
    /// Ends the wait without a result.
    pub(super) cancel: &'a CancellationToken,
}

/// Why nobody listens.
#[derive(Debug)]
pub(super) enum NotReady {
    /// It is not wanted any more.
    Cancelled,
    /// The launched process has ended, and nothing is left that could listen.
    Exited(Exit),
    /// Somebody else listens on the port.
    Taken {
        address: SocketAddr,
        /// Who, if that can be seen.
        by: Option<Named>,
    },
    /// Time is up. Who listens elsewhere instead, and who runs at all.
    TimedOut { elsewhere: Vec<(Named, SocketAddr)>, tree: Vec<Named> },
    /// The kernel does not tell who listens.
    Unknown(io::Error),
}

/// A process as people know it: by its number and the name of its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pid: u32,
    name: Option<String>,
}

/// One look at the port.
enum Look {
    Nobody,
    Ours(ProcessHandle),
    Stranger(Listener),
}

// === impl Wait ===

impl Wait<'_> {
    /// The process that listens: the launched one, or one that it has started.
    pub(super) async fn run(self) -> Result<ProcessHandle, NotReady> {
        let deadline = Instant::now() + self.limit;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut strangers = 0;
        let mut orphans_due: Option<Instant> = None;
        loop {
            let exit = *self.child.exit.borrow();
            match self.look().map_err(NotReady::Unknown)? {
                Look::Ours(owner) => return Ok(owner),
                Look::Stranger(listener) => {
                    strangers += 1;
                    if strangers >= STRANGER_LOOKS {
                        return Err(taken(&listener));
                    }
                }
                Look::Nobody => strangers = 0,
            }
            if let Some(exit) = exit {
                let now = Instant::now();
                if orphans_due.is_none_or(|due| due <= now) {
                    // A launcher may leave its work to a process that it has started.
                    if !exit.is_success() || self.tree().is_empty() {
                        return Err(NotReady::Exited(exit));
                    }
                    orphans_due = Some(now + ORPHANS_EVERY);
                }
            }
            // With a limit of zero there is one look. ANCM: serverprocess.cpp.
            if Instant::now() >= deadline {
                return Err(self.timed_out());
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(NotReady::Cancelled),
                () = sleep_until(deadline) => return Err(self.timed_out()),
                _ = self.child.wait(), if orphans_due.is_none() => {}
                _ = ticks.tick() => {}
            }
        }
    }

    fn look(&self) -> io::Result<Look> {
        let found = listeners::listening(self.port)?;
        let mut stranger = None;
        for listener in found.into_iter().filter(Listener::is_reachable_at_loopback) {
            match listeners::owner(&listener, &self.tree()) {
                Owner::Ours(owner) if owner.is_alive() => return Ok(Look::Ours(owner)),
                Owner::Ours(_) => {}
                Owner::Stranger => stranger = Some(listener),
                Owner::Unknown(unreadable) => match same_user(&listener, &unreadable) {
                    Some(owner) => return Ok(Look::Ours(owner)),
                    None => stranger = Some(listener),
                },
            }
        }
        Ok(stranger.map_or(Look::Nobody, Look::Stranger))
    }

    fn tree(&self) -> Vec<u32> {
        self.child.processes().unwrap_or_else(|_| vec![self.child.pid])
    }

    fn timed_out(&self) -> NotReady {
        let tree = self.tree();
        let elsewhere = listeners::listening_elsewhere(&tree).unwrap_or_default();
        NotReady::TimedOut {
            elsewhere: elsewhere.into_iter().map(|(pid, address)| (Named::of(pid), address)).collect(),
            tree: tree.into_iter().map(Named::of).collect(),
        }
    }
}

// === impl Named ===

impl Named {
    /// Looks the name up, as long as the process lives.
    pub(super) fn of(pid: u32) -> Self {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
        Self { pid, name: name.map(|name| name.trim_end().escape_debug().to_string()) }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

fn taken(listener: &Listener) -> NotReady {
    let everybody = crate::process::tree::table().unwrap_or_default();
    let everybody: Vec<u32> = everybody.iter().map(|stat| stat.pid).collect();
    let by = match listeners::owner(listener, &everybody) {
        Owner::Ours(owner) => Some(Named::of(owner.pid())),
        _ => None,
    };
    NotReady::Taken { address: listener.address, by }
}

/// Of the processes whose files we may not see, the one that runs as the user who listens.
fn same_user(listener: &Listener, unreadable: &[u32]) -> Option<ProcessHandle> {
    let owner = unreadable.iter().filter(|pid| effective_user(**pid) == Some(listener.uid));
    let owner = owner.filter_map(|pid| ProcessHandle::open(*pid).ok()).next_back()?;
    tracing::warn!(
        target: "server",
        pid = owner.pid(),
        address = %listener.address,
        uid = listener.uid,
        "the open files of this process cannot be read: \
         it is taken for the listener because it runs as the user who listens",
    );
    Some(owner)
}

/// The user in whose name a process acts, as its status file tells everybody.
fn effective_user(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn listener(uid: u32) -> Listener {
        Listener { address: ([127, 0, 0, 1], 1).into(), v6_only: None, inode: 1, uid }
    }

    #[test]
    fn takes_an_unreadable_process_for_the_listener_only_if_it_is_the_same_user() {
        let us = std::process::id();
        let user = std::fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(same_user(&listener(user), &[us]).unwrap().pid(), us);
        assert!(same_user(&listener(user + 1), &[us]).is_none());
        assert!(same_user(&listener(user), &[]).is_none());
        assert!(same_user(&listener(user), &[u32::MAX]).is_none(), "there is no such process");
    }
}
