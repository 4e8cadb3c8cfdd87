//! Holds on to a process by a descriptor of it (`pidfd`, Linux 5.3), or by its start time where there is none.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use ancm_tower::timers::sleep;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal},
};
use tokio::io::{Interest, unix::AsyncFd};
use tokio_util::sync::CancellationToken;

use super::tree::Stat;

/// How often a process without a descriptor is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What tells this process from a later one with its number.
#[derive(Debug)]
pub(super) enum Identity {
    /// The kernel holds on to it.
    Descriptor(OwnedFd),
    /// Kernels before 5.3, and sandboxes that refuse the call: number and start time together.
    StartTime(u64),
}

// === impl Identity ===

impl Identity {
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        match pidfd_open(raw(pid)?, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Self::Descriptor(descriptor)),
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
                let stat = Stat::read(pid)?;
                Ok(Self::StartTime(stat.start_time))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The kernel tells when it ends, so that `_ended` is not needed.
    pub(super) fn of_child(pid: u32, _ended: CancellationToken) -> io::Result<Self> {
        Self::open(pid)
    }

    pub(super) fn is_alive(&self, pid: u32) -> bool {
        match self {
            Self::Descriptor(descriptor) => !has_ended(descriptor),
            Self::StartTime(start) => {
                Stat::read(pid).is_ok_and(|stat| stat.start_time == *start && !stat.has_ended())
            }
        }
    }

    pub(super) fn is_ending(&self, pid: u32) -> bool {
        // A number that is somebody else's by now says nothing, but then the process has ended.
        !self.is_alive(pid) || Stat::read(pid).is_ok_and(|stat| stat.is_ending())
    }

    pub(super) async fn exited(&self, pid: u32) {
        if let Self::Descriptor(descriptor) = self {
            // A descriptor of its own for each waiter, since one can be registered only once.
            #[expect(
                deprecated,
                reason = "an owned descriptor keeps what the newer, unsafe constructor asks for"
            )]
            let registered = descriptor
                .try_clone()
                .and_then(|descriptor| AsyncFd::with_interest(descriptor, Interest::READABLE));
            if let Ok(registered) = registered
                && registered.readable().await.is_ok()
            {
                return;
            }
        }
        while self.is_alive(pid) {
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn terminate(&self, pid: u32) -> io::Result<()> {
        self.signal(pid, Signal::TERM)
    }

    pub(super) fn kill(&self, pid: u32) -> io::Result<()> {
        self.signal(pid, Signal::KILL)
    }

    fn signal(&self, pid: u32, signal: Signal) -> io::Result<()> {
        let sent = match self {
            Self::Descriptor(descriptor) => pidfd_send_signal(descriptor, signal),
            Self::StartTime(_) if !self.is_alive(pid) => Ok(()),
            Self::StartTime(_) => kill_process(raw(pid)?, signal),
        };
        match sent {
            Err(Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }
}

impl From<OwnedFd> for Identity {
    fn from(descriptor: OwnedFd) -> Self {
        Self::Descriptor(descriptor)
    }
}

/// The descriptor of a process becomes readable when the process ends.
fn has_ended(descriptor: &OwnedFd) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        match poll(&mut polled, Some(&at_once)) {
            Err(Errno::INTR) => {}
            Ok(ready) => return ready > 0,
            // Cannot be: the descriptor is ours. A connection that fails says more than a wrong "it is dead".
            Err(_) => return false,
        }
    }
}

fn raw(pid: u32) -> io::Result<Pid> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the number of a process"))
}
