//! Processes of this machine: whether they live, and which belong to a test.

use std::{fs, os::fd::OwnedFd, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

/// A process that is watched, so that its end can be waited for and its number not be taken for another's.
#[derive(Debug)]
pub(crate) struct Watched {
    /// None if it had ended already.
    fd: Option<OwnedFd>,
    pub(crate) pid: i64,
}

// === impl Watched ===

impl Watched {
    pub(crate) fn new(pid: i64) -> Self {
        Self { fd: pidfd_open(to_pid(pid), PidfdFlags::empty()).ok(), pid }
    }

    /// Waits for its end; false if it lives on.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        let Some(fd) = &self.fd else { return true };
        let limit = Timespec::try_from(limit).expect("a short time");
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        loop {
            match poll(&mut fds, Some(&limit)) {
                Err(rustix::io::Errno::INTR) => {}
                ended => return ended.expect("a pidfd can be polled") > 0,
            }
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }
}

fn to_pid(pid: i64) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid")
}

pub(crate) fn signal(pid: i64, signal: Signal) {
    kill_process(to_pid(pid), signal).unwrap_or_else(|error| panic!("signal {signal:?} to {pid}: {error}"));
}

/// `kill -9`.
pub(crate) fn kill(pid: i64) {
    signal(pid, Signal::KILL);
}

/// The processes whose environment holds this text, but not us.
pub(crate) fn with_marker(marker: &str) -> Vec<i64> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("there is /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment.windows(marker.len()).any(|window| window == marker.as_bytes());
        if ours && pid != i64::from(std::process::id()) {
            found.push(pid);
        }
    }
    found
}

/// Those of them that were started to serve, as their environment tells.
pub(crate) fn backends(marker: &str) -> Vec<i64> {
    let is_told_its_port = |pid: &i64| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains("ASPNETCORE_PORT=")
    };
    with_marker(marker).into_iter().filter(is_told_its_port).collect()
}

/// `name (state)` and parent of each, for a message.
pub(crate) fn describe(pids: &[i64]) -> String {
    let status = |pid| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    pids.iter().map(|&number| status(number).chars().take(60).collect::<String>() + "\n").collect()
}
