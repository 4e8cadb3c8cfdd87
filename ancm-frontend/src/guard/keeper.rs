//! The guard process itself: starts one backend, reports its end, and kills what it leaves behind.

use std::{
    fs,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{SocketType, sockopt::socket_type},
    process::{Pid, PidfdFlags, WaitOptions, getpid, pidfd_open, set_child_subreaper, setsid, wait},
};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::{
    ending::{Ending, Next},
    raw,
    wire::{self, Report},
};
use crate::spawn::Launch;

/// What somebody may send to all processes at once (a terminal, a service manager) and what is not meant for us: we
/// end when the frontend does. Handlers that do nothing, since what is ignored would be ignored by the backend too.
const NOT_FOR_US: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2];

/// A guard with its backend.
struct Keeper<'a> {
    frontend: BorrowedFd<'a>,
    /// Something can be read from it after each `SIGCHLD`.
    deaths: UnixStream,
    backend: Option<Pid>,
}

/// Is the guard, if standard input is the socket of one; does not return then.
pub(super) fn run_on_stdin() {
    let stdin = io::stdin();
    if socket_type(stdin.as_fd()) != Ok(SocketType::SEQPACKET) {
        return;
    }
    let code = match serve(stdin.as_fd()) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("ancm-guard: {error}");
            1
        }
    };
    std::process::exit(code);
}

fn serve(frontend: BorrowedFd<'_>) -> io::Result<()> {
    raw::keep_all_files_to_ourselves()?;
    // Not of the frontend's group, where a terminal's Ctrl-C would reach us. Fails if we are a leader already.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    let _ = fs::write("/proc/self/comm", "ancm-guard");
    for signal in NOT_FOR_US {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let (deaths, death) = UnixStream::pair()?;
    deaths.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGCHLD, death)?;

    wire::send(frontend, &Report::Ready.encode(), &[])?;
    let Some(order) = wire::receive(frontend)? else { return Ok(()) };
    let mut keeper = Keeper { frontend, deaths, backend: None };
    match wire::order(order).and_then(start) {
        Ok(backend) => keeper.started(backend),
        Err(error) => _ = keeper.report(&Report::refused(&error)),
    }
    keeper.keep();
    Ok(())
}

/// Starts the backend. Returns when it has become the wanted program, or could not.
fn start(launch: Launch) -> io::Result<Pid> {
    let mut command = launch.into_command();
    raw::tie_to_us(&mut command);
    let child = command.spawn()?;
    Ok(Pid::from_child(&child))
}

// === impl Keeper ===

impl Keeper<'_> {
    fn started(&mut self, backend: Pid) {
        self.backend = Some(backend);
        let report = Report::Started { pid: backend.as_raw_pid().cast_unsigned() };
        // Opened here because nobody but us can say when the number is free again: it is not before we reap it.
        let descriptor = pidfd_open(backend, PidfdFlags::empty()).ok();
        let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
        let _ = wire::send(self.frontend, &report.encode(), &descriptors);
    }

    /// False if the frontend cannot be told any more; that it is gone is seen at the socket, too.
    fn report(&self, report: &Report) -> bool {
        wire::send(self.frontend, &report.encode(), &[]).is_ok()
    }

    /// Stays until there is nothing left to guard.
    fn keep(&mut self) {
        while self.reap() {
            if !self.frontend_wants_us() {
                return self.end();
            }
        }
    }

    /// Takes notice of everybody who has ended; false if there is nobody else.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.backend => {
                    self.backend = None;
                    self.report(&Report::Exited { status: status.as_raw() });
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Waits until somebody has ended (true) or the frontend has closed its end (false).
    fn frontend_wants_us(&mut self) -> bool {
        let mut polled = [
            PollFd::from_borrowed_fd(self.frontend, PollFlags::IN),
            PollFd::from_borrowed_fd(self.deaths.as_fd(), PollFlags::IN),
        ];
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
        let frontend_spoke = !polled[0].revents().is_empty();
        // Emptied before the dead are counted, so that the next death is seen again.
        while self.deaths.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        // There is no second order; whatever it may be is dropped.
        !frontend_spoke || matches!(wire::receive(self.frontend), Ok(Some(_)))
    }

    /// Kills everybody, and ends when nobody is left.
    fn end(&mut self) {
        let mut ending = Ending::of_all_below(std::process::id());
        while self.reap() {
            match ending.round() {
                Next::Pause(pause) => pause_for(pause),
                Next::GiveUp(pids) => {
                    let report = Report::Left { pids };
                    if !self.report(&report) {
                        eprintln!("ancm-guard: the frontend is gone, and some may not be killed: {report:?}");
                    }
                    return;
                }
            }
        }
    }
}

fn pause_for(pause: Duration) {
    if let Ok(pause) = Timespec::try_from(pause) {
        let _ = poll(&mut [], Some(&pause));
    }
}

// === impl Report ===

impl Report {
    fn refused(error: &io::Error) -> Self {
        Self::Refused { errno: error.raw_os_error().unwrap_or(0), text: error.to_string() }
    }
}
