//! Writes pieces to a file on a thread of its own, from a queue that drops what a slow disk cannot take.
//!
//! Each log file has its own thread: a file system that hangs must hold up neither the pump nor another file. What
//! cannot be written is dropped and counted; one event tells when that begins, another when it has ended.

use std::{
    fmt, io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::target::{Failure, Piece, Place, Target};
use crate::events;

/// Bytes that may wait for the disk.
const ROOM: usize = 4 * 1024 * 1024;
/// What a piece costs besides its bytes, so that the smallest ones are bounded as well.
const OVERHEAD: usize = 64;
/// How often old files are looked for while nothing is written.
const TIDY_EVERY: Duration = Duration::from_secs(60 * 60);

/// The end of the queue where pieces go in; the thread ends when it is dropped.
pub(crate) struct Writer {
    queue: mpsc::Sender<Piece>,
    shared: Arc<Shared>,
}

/// Which log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// What an application prints.
    Stdout,
    /// What we do for an application.
    Debug,
}

struct Shared {
    log: Log,
    path: Arc<Path>,
    /// What waits, by the measure of [`ROOM`].
    waiting: AtomicUsize,
    /// Whether something was dropped since the last piece was queued.
    gap: AtomicBool,
    /// While lines are being lost: how many so far.
    losing: Mutex<Option<u64>>,
    /// Lines lost, of all files together.
    lost_in_all: Arc<AtomicU64>,
}

// === impl Writer ===

impl Writer {
    /// Starts the thread, which makes the file; `alive` is dropped when the thread has ended.
    pub(crate) fn start<P: Place + Send + 'static>(
        log: Log,
        path: Arc<Path>,
        place: P,
        lost_in_all: Arc<AtomicU64>,
        alive: impl Send + 'static,
    ) -> io::Result<Self> {
        let (queue, pieces) = mpsc::channel();
        let shared = Arc::new(Shared {
            log,
            path,
            waiting: AtomicUsize::new(0),
            gap: AtomicBool::new(false),
            losing: Mutex::new(None),
            lost_in_all,
        });
        let writer = Self { queue, shared: Arc::clone(&shared) };
        thread::Builder::new().name("ancm-log-file".into()).spawn(move || {
            let _alive = alive;
            write(Target::new(place), &pieces, &shared);
        })?;
        Ok(writer)
    }

    /// Where the first file is.
    pub(crate) fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Queues a piece, or drops it and counts its lines; never waits.
    pub(crate) fn offer(&self, bytes: &[u8]) {
        let cost = bytes.len() + OVERHEAD;
        if self.shared.waiting.load(Relaxed) + cost > ROOM {
            self.shared.gap.store(true, Relaxed);
            self.shared.lose(bytes, None);
            return;
        }
        self.shared.waiting.fetch_add(cost, Relaxed);
        let after_gap = self.shared.gap.swap(false, Relaxed);
        // Only a thread that has panicked does not take it.
        if self.queue.send(Piece { bytes: bytes.to_vec(), after_gap }).is_err() {
            self.shared.waiting.fetch_sub(cost, Relaxed);
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

/// Says that a stdout log file could not be made.
pub(super) fn not_created(path: &Path, reason: &dyn fmt::Display) {
    // ANCM: event 1004 (aspnetcore_msg.mc); the application runs all the same.
    tracing::warn!(
        target: "server",
        event_id = events::LOG_FILE_FAILED,
        path = %path.display(),
        %reason,
        "cannot create the stdout log file, so the application runs without it; make its folder writable, or \
         change stdoutLogFile in web.config",
    );
}

fn write<P: Place>(mut target: Target<P>, pieces: &mpsc::Receiver<Piece>, shared: &Shared) {
    if let Err(failure) = target.open() {
        shared.lose(&[], Some(&failure));
    }
    loop {
        let piece = match pieces.recv_timeout(TIDY_EVERY) {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Timeout) => {
                target.tidy();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let written = target.write(&piece);
        let cost = piece.bytes.len() + OVERHEAD;
        let caught_up = shared.waiting.fetch_sub(cost, Relaxed) == cost;
        match written {
            Err((rest, failure)) => shared.lose(&piece.bytes[rest..], Some(&failure)),
            Ok(()) if caught_up => shared.report(true),
            Ok(()) => {}
        }
    }
    shared.report(false);
}

// === impl Shared ===

impl Shared {
    /// Counts the lines of these bytes; says why if they are the first, `None` being a disk that is too slow.
    fn lose(&self, bytes: &[u8], why: Option<&Failure>) {
        let lines = bytes.split(|byte| *byte == b'\n').skip(1).count() as u64;
        self.lost_in_all.fetch_add(lines, Relaxed);
        let before = {
            let mut losing = self.losing.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *losing;
            *losing = Some(before.unwrap_or(0) + lines);
            before
        };
        if before.is_some() {
            return;
        }
        let path = self.path.display();
        let reason = match why {
            Some(Failure::Open(error) | Failure::Write(error)) => error.to_string(),
            None => "the disk is too slow".to_owned(),
        };
        match (self.log, why) {
            (Log::Stdout, Some(Failure::Open(error))) => not_created(&self.path, error),
            (Log::Stdout, _) => tracing::warn!(
                target: "server", event_id = events::LOG_FILE_FAILED, %path, reason,
                "lines of the stdout log file are being dropped; the application runs on",
            ),
            // Said by whoever is logging: that must not log.
            (Log::Debug, None) => {}
            (Log::Debug, Some(_)) => tracing::warn!(
                target: "server", %path, reason,
                "the debug log cannot be written, so its lines are being dropped",
            ),
        }
    }

    /// Losing has ended, well or not: tells how many lines were lost, if any were.
    fn report(&self, well: bool) {
        let lost = self.losing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(lines) = lost else { return };
        let path = self.path.display();
        let what = match self.log {
            Log::Stdout => "stdout log file",
            Log::Debug => "debug log",
        };
        if well {
            tracing::info!(target: "server", %path, "the {what} is written again");
        }
        if lines > 0 {
            tracing::warn!(target: "server", %path, lines, "lines of the {what} were dropped");
        }
    }
}
