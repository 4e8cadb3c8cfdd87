//! The output thread: takes what the backends print, masks it, and passes it on.
//!
//! The output of a backend is a log file, the evidence of a failed start, and lines in our own log. It must never
//! hold up the backend itself: a pipe that nobody reads stops whoever writes to it. So one thread does nothing but
//! read all the pipes, and whatever can be slow has a thread of its own behind a bounded queue ([`LogFile`]), where
//! lines are dropped and counted when it is full.
//!
//! # Example
//!
//! ```
//! use std::io::Write;
//!
//! use ancm_frontend::output::{Output, Sink};
//!
//! # tokio_test::block_on(async {
//! let output = Output::start()?;
//! let pipes = output.pipes(Sink { tokens: vec!["secret".into()], ..Sink::default() })?;
//! // `pipes.stdout` and `pipes.stderr` become the streams of a process, and are dropped here.
//! std::fs::File::from(pipes.stdout).write_all(b"the secret is out\n")?;
//! drop(pipes.stderr);
//! pipes.capture.started(4242);
//! pipes.capture.ended().await;
//! assert_eq!(pipes.capture.text(), "the [pairing token] is out\n");
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

pub mod capture;
pub(crate) mod file;
mod lines;
pub mod log_file;
pub mod mask;
mod series;
mod stream;
mod target;
mod writer;

use std::{
    fmt, io,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use time::OffsetDateTime;
use tokio::{net::unix::pipe, runtime, sync::watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub use self::{
    capture::Capture,
    log_file::{LogFile, LogFileSettings},
};
use self::{
    capture::{Kept, Phase},
    lines::Origin,
    mask::Masker,
    series::{InUse, Series},
    stream::Stream,
};
pub(crate) use self::{
    target::Place,
    writer::{Log, Writer},
};
use crate::lease::lease;

/// The handle of the output thread.
///
/// The thread ends when all handles are dropped and all streams have ended.
#[derive(Clone, Debug)]
pub struct Output {
    shared: Arc<Shared>,
}

/// Where the output of one process goes, besides the log.
#[derive(Default)]
pub struct Sink {
    /// The application's name, added to each line in the log; may be empty.
    pub application: String,
    /// What must not be seen: the pairing token.
    pub tokens: Vec<String>,
    /// What must not be seen either: other secrets that are known; [`mask`] says what is recognised besides.
    pub secrets: Vec<String>,
    /// The log file of this start, if it has one.
    pub log_file: Option<LogFile>,
}

/// The streams for one process, and what comes of them.
#[derive(Debug)]
pub struct Pipes {
    /// Its stdout. Like all our descriptors it is closed on exec, unless made descriptor 1.
    pub stdout: OwnedFd,
    /// Its stderr.
    pub stderr: OwnedFd,
    /// What it printed; reading begins with [`Capture::started`].
    pub capture: Capture,
}

#[derive(Debug)]
struct Shared {
    runtime: runtime::Handle,
    /// The pumps and the threads of log files.
    tasks: TaskTracker,
    lost: Arc<AtomicU64>,
    in_use: InUse,
    _last: DropGuard,
}

// === impl Output ===

impl Output {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (tasks, last) = (TaskTracker::new(), CancellationToken::new());
        let (started, start) = mpsc::sync_channel(1);
        let end = (tasks.clone(), last.clone());
        thread::Builder::new().name("ancm-output".into()).spawn(move || {
            let (tasks, last) = end;
            let runtime = match runtime::Builder::new_current_thread().enable_io().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(runtime.handle().clone())));
            runtime.block_on(async {
                last.cancelled().await;
                tasks.close();
                tasks.wait().await;
            });
        })?;
        let runtime = start.recv().map_err(io::Error::other)??;
        let shared = Shared {
            runtime,
            tasks,
            lost: Arc::default(),
            in_use: InUse::default(),
            _last: last.drop_guard(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes the streams for one process; any thread may call it.
    ///
    /// The caller drops its two ends when the process has been started, and calls [`Capture::started`].
    ///
    /// # Errors
    ///
    /// When no pipe can be made: there are too many open files.
    pub fn pipes(&self, sink: Sink) -> io::Result<Pipes> {
        let masker = Masker::new(&sink.tokens, &sink.secrets);
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (phase, phases) = watch::channel(Phase::default());
        let (lease, ended) = lease();
        let application: Arc<str> = sink.application.into();
        let pipe = |name: &'static str| {
            let (reader, writer) = self.pipe()?;
            let origin = Origin { application: Arc::clone(&application), stream: name, pid: None };
            let stream = Stream::new(masker.clone(), Arc::clone(&kept), sink.log_file.clone(), origin);
            Ok::<_, io::Error>((stream::pump(reader, stream, phases.clone(), lease.clone()), writer))
        };
        let (out, stdout) = pipe("stdout")?;
        let (err, stderr) = pipe("stderr")?;
        self.shared.tasks.spawn_on(out, &self.shared.runtime);
        self.shared.tasks.spawn_on(err, &self.shared.runtime);
        Ok(Pipes { stdout, stderr, capture: Capture::new(kept, phase, ended) })
    }

    /// A pipe whose reading end belongs to the output thread.
    fn pipe(&self) -> io::Result<(pipe::Receiver, OwnedFd)> {
        let (reader, writer) = io::pipe()?;
        let _runtime = self.shared.runtime.enter();
        Ok((pipe::Receiver::from_owned_fd(reader.into())?, writer.into()))
    }

    /// Makes the log file of a process start, in the background: this neither waits nor fails.
    ///
    /// If the file cannot be made or written, a warning with `event_id` 1004 says so, once, and what is written to it
    /// is discarded until it can be.
    pub fn log_file(&self, settings: LogFileSettings) -> LogFile {
        let pid = std::process::id();
        let path = match settings.path(OffsetDateTime::now_utc(), pid, 1) {
            Ok(path) => path,
            Err(reason) => {
                writer::not_created(settings.name.as_ref(), &reason);
                return LogFile::new(settings.name.into(), None);
            }
        };
        let series = Series::new(settings, path.clone(), pid, Arc::clone(&self.shared.in_use));
        let writer = self.writer(&path, series).map_err(|error| writer::not_created(&path, &error));
        LogFile::new(path, writer.ok())
    }

    fn writer(&self, path: &Path, place: impl Place + Send + 'static) -> io::Result<Writer> {
        let (lost, alive) = (Arc::clone(&self.shared.lost), self.shared.tasks.token());
        Writer::start(Log::Stdout, path.into(), place, lost, alive)
    }

    /// Lines that log files did not get because of a slow or full disk, since the start.
    pub fn dropped_lines(&self) -> u64 {
        self.shared.lost.load(Relaxed)
    }

    /// Waits until all streams have ended and all log files are written; limit it in time, as a disk can hang.
    pub async fn finish(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

// === impl Sink ===

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("application", &self.application)
            .field("log_file", &self.log_file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod events;
#[cfg(test)]
mod tests;
