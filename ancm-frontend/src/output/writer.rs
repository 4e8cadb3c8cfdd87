//! Writes pieces to a file on a thread of its own, from a queue that drops what a slow disk cannot take.
//!
//! Each log file has its own thread: a file system that hangs must hold up neither the pump nor another file.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use tokio_util::task::task_tracker::TaskTrackerToken;

/// Bytes that may wait for the disk.
const ROOM: usize = 4 * 1024 * 1024;
/// What a piece costs besides its bytes, so that the smallest ones are bounded as well.
const OVERHEAD: usize = 64;

/// The end of the queue where pieces go in; the thread ends when it is dropped.
pub(super) struct Writer {
    queue: mpsc::Sender<Piece>,
    shared: Arc<Shared>,
}

struct Piece {
    bytes: Vec<u8>,
    /// Whether something was dropped just before.
    after_gap: bool,
}

struct Shared {
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

/// A file, and what is known of its last line.
struct Target<W> {
    file: W,
    mid_line: bool,
    torn: bool,
}

// === impl Writer ===

impl Writer {
    /// Starts the thread, which makes the file; `alive` is dropped when the thread has ended.
    pub(super) fn start(
        path: Arc<Path>,
        lost_in_all: Arc<AtomicU64>,
        alive: TaskTrackerToken,
    ) -> io::Result<Self> {
        let (queue, pieces) = mpsc::channel();
        let shared = Arc::new(Shared {
            path,
            waiting: AtomicUsize::new(0),
            gap: AtomicBool::new(false),
            losing: Mutex::new(None),
            lost_in_all,
        });
        let writer = Self { queue, shared: Arc::clone(&shared) };
        thread::Builder::new().name("ancm-log-file".into()).spawn(move || {
            let _alive = alive;
            match create(&shared.path) {
                Ok(file) => write(Target::new(file), &pieces, &shared),
                Err(error) => not_created(&shared.path, &error),
            }
        })?;
        Ok(writer)
    }

    /// Queues a piece, or drops it and counts its lines; never waits.
    pub(super) fn offer(&self, bytes: &[u8]) {
        let cost = bytes.len() + OVERHEAD;
        if self.shared.waiting.load(Relaxed) + cost > ROOM {
            self.shared.gap.store(true, Relaxed);
            self.shared.lose(bytes, &"the disk is too slow");
            return;
        }
        self.shared.waiting.fetch_add(cost, Relaxed);
        let after_gap = self.shared.gap.swap(false, Relaxed);
        // The file could not be made, which has been said: then the output goes nowhere.
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

/// Says that a file could not be made.
pub(super) fn not_created(path: &Path, reason: &dyn fmt::Display) {
    // ANCM: event 1004 (aspnetcore_msg.mc); the application runs all the same.
    tracing::warn!(
        target: "server",
        event_id = 1004,
        path = %path.display(),
        %reason,
        "cannot create the stdout log file, so the application runs without it; make its folder writable, or \
         change stdoutLogFile in web.config",
    );
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // ANCM: serverprocess.cpp truncates. The name holds the second and our pid, so the only file that can be there
    // is the one of a start within the same second: the log of the crash that made this start necessary.
    OpenOptions::new().append(true).create(true).open(path)
}

fn write<W: Write>(mut target: Target<W>, pieces: &mpsc::Receiver<Piece>, shared: &Shared) {
    for piece in pieces {
        let written = target.write(&piece);
        let cost = piece.bytes.len() + OVERHEAD;
        let caught_up = shared.waiting.fetch_sub(cost, Relaxed) == cost;
        match written {
            Err((rest, error)) => shared.lose(&piece.bytes[rest..], &error),
            Ok(()) if caught_up => shared.report(),
            Ok(()) => {}
        }
    }
    shared.report();
}

// === impl Shared ===

impl Shared {
    fn lose(&self, bytes: &[u8], reason: &dyn fmt::Display) {
        let lines = bytes.split(|byte| *byte == b'\n').skip(1).count() as u64;
        self.lost_in_all.fetch_add(lines, Relaxed);
        let before = {
            let mut losing = self.losing.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *losing;
            *losing = Some(before.unwrap_or(0) + lines);
            before
        };
        if before.is_none() {
            tracing::warn!(
                target: "server",
                path = %self.path.display(),
                %reason,
                "lines of the stdout log file are being dropped",
            );
        }
    }

    /// Losing has ended: tells how many lines were lost, if any were.
    fn report(&self) {
        let lost = self.losing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(lines) = lost {
            tracing::warn!(
                target: "server",
                path = %self.path.display(),
                lines,
                "lines of the stdout log file were dropped",
            );
        }
    }
}

// === impl Target ===

impl<W: Write> Target<W> {
    fn new(file: W) -> Self {
        Self { file, mid_line: false, torn: false }
    }

    /// Writes a piece; after a gap it begins on a line of its own. The error tells how much was written.
    fn write(&mut self, piece: &Piece) -> Result<(), (usize, io::Error)> {
        if (piece.after_gap || self.torn) && self.mid_line {
            self.write_all(b"\n").map_err(|(_, error)| (0, error))?;
        }
        self.torn = true;
        self.write_all(&piece.bytes)?;
        self.torn = false;
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    written += count;
                    self.mid_line = bytes[written - 1] != b'\n';
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then fails.
    struct Room(Vec<u8>, usize);

    impl Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1 - self.0.len());
            self.0.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn piece(text: &str, after_gap: bool) -> Piece {
        Piece { bytes: text.into(), after_gap }
    }

    #[test]
    fn begins_a_new_line_after_what_the_disk_did_not_take() {
        let mut target = Target::new(Room(Vec::new(), 8));
        let (written, error) = target.write(&piece("one\ntwo\nthree\n", false)).unwrap_err();
        assert_eq!((written, error.kind()), (8, io::ErrorKind::StorageFull));
        assert!(target.write(&piece("four\n", false)).is_err());
        target.file.1 = 10;
        assert!(target.write(&piece("five\n", false)).is_err());
        target.file.1 = 100;
        target.write(&piece("six\n", false)).unwrap();
        assert_eq!(String::from_utf8(target.file.0).unwrap(), "one\ntwo\nfi\nsix\n");
    }

    #[test]
    fn begins_a_new_line_after_a_gap_only_in_the_middle_of_one() {
        let mut target = Target::new(Room(Vec::new(), 100));
        for (text, after_gap) in [("a\n", true), ("b\nc", true), ("d", false), ("e", true)] {
            target.write(&piece(text, after_gap)).unwrap();
        }
        assert_eq!(String::from_utf8(target.file.0).unwrap(), "a\nb\ncd\ne");
    }
}
