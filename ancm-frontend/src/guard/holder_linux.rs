//! Starts guards, and backends under them.

use std::{
    ffi::OsString,
    io::{self, ErrorKind},
    os::{fd::AsFd, unix::net::UnixStream as StdStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::Ordering},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
};
use tokio::{net::UnixStream, sync::watch};

pub(crate) use super::leash::Leash;
use super::{
    leash::receive,
    wire::{self, Packet, Report},
};
use crate::{
    process::ProcessHandle,
    spawn::{Exit, Launch},
};

/// How long a program may take to prove that it is a guard.
const PROOF: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// The means to start backends under guards: knows which program is one.
#[derive(Clone, Debug)]
pub struct Guard {
    program: Arc<Program>,
}

#[derive(Debug)]
struct Program {
    file: PathBuf,
    arguments: Vec<OsString>,
}

/// A guard process, which is reaped when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Option<Child>,
}

// === impl Guard ===

impl Guard {
    /// Makes sure that guards can be started.
    ///
    /// `program` is the executable to start as a guard: one that calls [`run_if_asked`](super::run_if_asked) first in
    /// its `main`, such as `ancm`. `None` is the running program itself, which must have called it.
    ///
    /// # Errors
    ///
    /// The program cannot be started, does not prove to be a guard, or is of another version.
    pub fn start(program: Option<PathBuf>) -> io::Result<Self> {
        if program.is_none() && !super::ASKED.load(Ordering::Relaxed) {
            let message = "call `guard::run_if_asked()` first in `main`, or name the program of the guard";
            return Err(io::Error::new(ErrorKind::Unsupported, message));
        }
        // The link leads to the very file that we run, even if another version has taken its place meanwhile.
        let file = program.unwrap_or_else(|| "/proc/self/exe".into());
        Self::from_program(Program { file, arguments: vec![super::ARGUMENT.into()] })
    }

    fn from_program(program: Program) -> io::Result<Self> {
        program.prove().map_err(|why| {
            let message = format!("the guard {} cannot be used: {why}", program.file.display());
            io::Error::new(why.kind(), message)
        })?;
        Ok(Self { program: Arc::new(program) })
    }

    /// A guard for unit tests, whose program does not begin in our `main`: one test of it is the guard.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let test =
            ["guard::tests::is_a_guard_if_started_as_one", "--exact", "--nocapture", "--test-threads=1"];
        let program = Program {
            file: "/proc/self/exe".into(),
            arguments: test.into_iter().map(OsString::from).collect(),
        };
        Self::from_program(program).expect("the test to be a guard")
    }

    /// Starts a guard and, under it, a backend.
    pub(crate) async fn launch(
        &self,
        launch: Launch,
    ) -> io::Result<(ProcessHandle, watch::Receiver<Option<Exit>>, Leash)> {
        let (ours, process) = self.program.start()?;
        ours.set_nonblocking(true)?;
        let stream = Arc::new(UnixStream::from_std(ours)?);
        wire::send_order(&stream, &launch)?;
        // The guard has copies of its own; the readers of the pipes wait until the last copy is closed.
        drop(launch);

        let backend = started(&stream).await?;
        let (leash, exit) = Leash::new(stream, process, backend.clone());
        Ok((backend, exit, leash))
    }
}

/// Hears how the start went.
async fn started(stream: &UnixStream) -> io::Result<ProcessHandle> {
    loop {
        let Some(packet) = receive(stream).await? else {
            let message = "the guard ended before it had started the process";
            return Err(io::Error::new(ErrorKind::BrokenPipe, message));
        };
        match Report::decode(&packet.bytes) {
            Some(Report::Ready) => {}
            Some(Report::Started { pid }) => {
                let descriptor = packet.descriptors.into_iter().next();
                return descriptor.map_or_else(
                    || ProcessHandle::open(pid),
                    |descriptor| Ok(ProcessHandle::of_descriptor(pid, descriptor)),
                );
            }
            Some(Report::Refused { errno: 0, text }) => return Err(io::Error::other(text)),
            Some(Report::Refused { errno, .. }) => return Err(io::Error::from_raw_os_error(errno)),
            _ => return Err(io::Error::new(ErrorKind::InvalidData, "the guard is of another version")),
        }
    }
}

// === impl Program ===

impl Program {
    /// Starts a guard; what comes back is our end of its socket.
    fn start(&self) -> io::Result<(StdStream, Process)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        #[expect(clippy::disallowed_methods, reason = "the home of spawning")]
        let child =
            Command::new(&self.file).args(&self.arguments).stdin(theirs).stdout(Stdio::null()).spawn()?;
        Ok((ours.into(), Process { child: Some(child) }))
    }

    /// Starts one that has nothing to do, and sees that it says what a guard says.
    fn prove(&self) -> io::Result<()> {
        let (ours, process) = self.start()?;
        let heard = first_words(&ours);
        process.end();
        match heard?.and_then(|packet| Report::decode(&packet.bytes)) {
            Some(Report::Ready) => Ok(()),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "it is no guard, or one of another version")),
        }
    }
}

fn first_words(from: &StdStream) -> io::Result<Option<Packet>> {
    let mut polled = [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)];
    if rustix::io::retry_on_intr(|| poll(&mut polled, Some(&PROOF)))? == 0 {
        return Err(io::Error::new(ErrorKind::TimedOut, "it said nothing"));
    }
    wire::receive(from)
}

// === impl Process ===

impl Process {
    pub(super) fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    fn end(mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    /// A guard ends soon after its socket, but maybe not at once.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if matches!(child.try_wait(), Ok(None)) {
            let _ = std::thread::Builder::new().name("ancm-reaper".into()).spawn(move || child.wait());
        }
    }
}
