//! What the frontend holds of a guard that has started its backend.

use std::{
    io::{self, ErrorKind},
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::Arc,
};

use rustix::net::{Shutdown, shutdown};
use tokio::{io::Interest, net::UnixStream, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, warn};

use super::{
    ending::kill_session,
    holder::Process,
    wire::{self, Packet, Report},
};
use crate::{process::ProcessHandle, spawn::Exit};

/// Holds the guard of one tree. When the last clone is dropped, the guard kills the tree.
#[derive(Clone, Debug)]
pub(crate) struct Leash {
    line: Arc<Line>,
    guard: u32,
    gone: CancellationToken,
}

/// Our end of the socket. Dropping it ends what we say to the guard, though we still listen.
#[derive(Debug)]
struct Line {
    stream: Arc<UnixStream>,
}

/// Listens to a guard for as long as there is something to hear.
struct Listening {
    stream: Arc<UnixStream>,
    process: Process,
    backend: ProcessHandle,
    exit: watch::Sender<Option<Exit>>,
    _gone: DropGuard,
}

/// Waits for the guard's next packet; `None` when there is none to come.
pub(super) async fn receive(stream: &UnixStream) -> io::Result<Option<Packet>> {
    loop {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || wire::receive(stream)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

// === impl Leash ===

impl Leash {
    /// Takes over from the start, and listens to the guard from now on.
    pub(super) fn new(
        stream: Arc<UnixStream>,
        process: Process,
        backend: ProcessHandle,
    ) -> (Self, watch::Receiver<Option<Exit>>) {
        let (exit, exited) = watch::channel(None);
        let gone = CancellationToken::new();
        let leash = Self {
            line: Arc::new(Line { stream: Arc::clone(&stream) }),
            guard: process.id(),
            gone: gone.clone(),
        };
        tokio::spawn(Listening { stream, process, backend, exit, _gone: gone.drop_guard() }.run());
        (leash, exited)
    }

    pub(crate) fn guard_pid(&self) -> u32 {
        self.guard
    }

    /// Kills the tree; ends when nothing of it is left.
    pub(crate) async fn kill(&self) {
        self.line.close();
        self.gone.cancelled().await;
    }
}

// === impl Line ===

impl Line {
    /// The guard takes our silence for the order to kill; what it reports still reaches us.
    fn close(&self) {
        let _ = shutdown(&self.stream, Shutdown::Write);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.close();
    }
}

// === impl Listening ===

impl Listening {
    async fn run(self) {
        let mut is_over = false;
        // An error is the end as well: the other end is closed in a hurry.
        while let Ok(Some(packet)) = receive(&self.stream).await {
            match Report::decode(&packet.bytes) {
                Some(Report::Exited { status }) => {
                    is_over = true;
                    self.exit.send_replace(Some(ExitStatus::from_raw(status).into()));
                }
                Some(Report::Left { pids }) => {
                    is_over = true;
                    warn!(target: "server", ?pids, "these processes of another user may not be killed and stay");
                }
                _ => {}
            }
        }
        if !is_over {
            self.lost().await;
        }
    }

    /// The guard is gone before its backend was. The kernel kills the backend then, unless it changed its user.
    async fn lost(&self) {
        let pid = self.backend.pid();
        error!(target: "server", pid, guard = self.process.id(), "the guard of a backend was killed, and the backend with it");
        let killed = self.backend.kill();
        let _ = kill_session(pid);
        if killed.is_ok() {
            self.backend.exited().await;
        }
        self.exit.send_replace(Some(Exit::KILLED));
    }
}

impl Drop for Listening {
    /// Without a listener (its runtime has ended), nobody would learn of the backend's end.
    fn drop(&mut self) {
        let _ = shutdown(&self.stream, Shutdown::Both);
    }
}
