//! Pipes between sockets.

use std::{
    cell::{Cell, RefCell},
    fs, io,
    os::fd::{AsFd, OwnedFd},
    sync::LazyLock,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use rustix::{
    io::Errno,
    pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice},
};
use tokio::{io::Interest, net::TcpStream};

use super::Moved;
use crate::http1::recipient::poll_write_by;

/// Moved at once at the most, and what a pipe has room for.
const MOST: usize = 256 * 1024;
/// A pipe with less room is not worth its calls: the user has too many already.
const SMALLEST: usize = 64 * 1024;
/// How many pipes a thread has at the most; a slow client keeps one, and each costs two file descriptors.
const PIPES: usize = 32;
/// How many of them it keeps for the next.
const KEPT: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<Pipe>> = RefCell::default();
    static PIPES_LEFT: Cell<usize> = const { Cell::new(PIPES) };
    /// The kernel, or who watches over us, does not do this at all.
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the process outlives a write to a socket that is gone: unlike others, those from a pipe raise a signal.
// Rust ignores it in every program of its own; a host in another language may not.
static IS_SIGNAL_HARMLESS: LazyLock<bool> =
    LazyLock::new(|| fs::read_to_string("/proc/self/status").is_ok_and(|status| handles_sigpipe(&status)));

/// Bytes that lie in a pipe.
#[derive(Debug)]
pub(crate) struct Piped {
    /// Gone once it is empty and may serve another.
    pipe: Option<Pipe>,
    left: usize,
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

/// Takes what has come at a socket, so much of it at the most, into a pipe.
pub(crate) fn poll_take(stream: &TcpStream, context: &mut Context<'_>, most: u64) -> Poll<io::Result<Moved>> {
    ready!(stream.poll_read_ready(context))?;
    let Some(pipe) = Pipe::take() else { return Poll::Ready(Ok(Moved::Unable)) };
    let most = usize::try_from(most).unwrap_or(MOST).min(MOST);
    loop {
        match stream.try_io(Interest::READABLE, || shift(stream, &pipe.write, most)) {
            Ok(0) => {
                pipe.keep();
                return Poll::Ready(Ok(Moved::End));
            }
            Ok(left) => return Poll::Ready(Ok(Moved::Piped(Piped { pipe: Some(pipe), left }))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if is_unable(&error) => {
                refuse();
                return Poll::Ready(Ok(Moved::Unable));
            }
            Err(error) => {
                pipe.keep();
                return Poll::Ready(Err(error));
            }
        }
        if stream.poll_read_ready(context)?.is_pending() {
            pipe.keep();
            return Poll::Pending;
        }
    }
}

fn shift(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    Ok(rustix::io::retry_on_intr(|| splice(&from, None, &to, None, most, flags))?)
}

/// From now on this thread has no pipe.
pub(super) fn refuse() {
    REFUSED.set(true);
    SPARE.take();
}

/// Whether the status of a process says that it ignores SIGPIPE or catches it.
pub(super) fn handles_sigpipe(status: &str) -> bool {
    const SIGPIPE: u64 = 1 << (13 - 1);
    status.lines().any(|line| {
        let mask = line.strip_prefix("SigIgn:").or_else(|| line.strip_prefix("SigCgt:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask & SIGPIPE != 0)
    })
}

/// Whether that is what the error says.
fn is_unable(error: &io::Error) -> bool {
    let unable = [Errno::INVAL, Errno::NOSYS, Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|error| unable.contains(&error))
}

// === impl Piped ===

impl Piped {
    /// How many bytes they are.
    pub(crate) fn len(&self) -> usize {
        self.left
    }

    /// Moves some of them to a socket; `None` if that cannot be done.
    pub(crate) fn poll_move(
        &mut self,
        stream: &TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<usize>>> {
        let Some(pipe) = &self.pipe else { return Poll::Ready(Ok(None)) };
        match ready!(poll_write_by(stream, context, || shift(&pipe.read, stream, self.left))) {
            Ok(count) => {
                self.left -= count.min(self.left);
                if self.left == 0
                    && let Some(pipe) = self.pipe.take()
                {
                    pipe.keep();
                }
                Poll::Ready(Ok(Some(count)))
            }
            Err(error) if is_unable(&error) => Poll::Ready(Ok(None)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Reads all of them. They are there, so that none should be missing; whoever has promised them has to look.
    pub(crate) fn read(&self) -> Bytes {
        let mut bytes = BytesMut::zeroed(self.left);
        let mut count = 0;
        while let (Some(pipe), true) = (&self.pipe, count < self.left) {
            match rustix::io::retry_on_intr(|| rustix::io::read(&pipe.read, &mut bytes[count..])) {
                Ok(0) | Err(_) => break,
                Ok(more) => count += more,
            }
        }
        bytes.truncate(count);
        bytes.freeze()
    }
}

// === impl Pipe ===

impl Pipe {
    /// One that is empty.
    fn take() -> Option<Self> {
        if REFUSED.get() || !*IS_SIGNAL_HARMLESS {
            return None;
        }
        if let Some(pipe) = SPARE.with_borrow_mut(Vec::pop) {
            return Some(pipe);
        }
        let left = PIPES_LEFT.get().checked_sub(1)?;
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        let size = fcntl_setpipe_size(&write, MOST).or_else(|_| fcntl_getpipe_size(&write)).ok()?;
        (size >= SMALLEST).then(|| {
            PIPES_LEFT.set(left);
            Self { read, write }
        })
    }

    /// Keeps it for the next; it is empty.
    fn keep(self) {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < KEPT {
                spare.push(self);
            }
        });
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        PIPES_LEFT.set(PIPES_LEFT.get() + 1);
    }
}
