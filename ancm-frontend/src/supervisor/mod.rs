//! Keeps an application's processes running.
//!
//! # Theory of operation
//!
//! An application's processes have *slots*, as many as `processesPerApplication` says. All slots that are filled from
//! one configuration are a *generation*. A [`Supervisor`] starts every slot at the same time, says so to the workers
//! as soon as the first is ready, restarts what crashes, and replaces one generation by the next without a gap:
//! the old one serves until every slot of the new one is ready or has failed, and then stops.
//!
//! What is to be done is decided in `state`, which knows numbers and times only; `task` is the one loop that carries
//! it out; `child` is the one place that starts a process, `ready` waits until it listens, `stop` ends it. A *start*
//! is two attempts, each with its own port and its own `startupTimeLimit`, and one pairing token for both.
//!
//! ```text
//!  stop, recycle,            ┌───────────┐  start, stop   ┌───────────┐
//!  set_offline, wake ──────► │   task    │ ─────────────► │   child   │ ── guard ──► backend processes
//!                            │  (state)  │ ◄───────────── │ ready stop│ ◄── exit ───
//!                            └─────┬─────┘ ready, ended   └───────────┘
//!                                  ▼ watch<Snapshot>
//!                               workers
//! ```
//!
//! - **Nobody guesses.** A process is stopped only when no worker dispatches to it any more, which the workers
//!   acknowledge by letting go of the older [snapshots](snapshot::Snapshot).
//! - **After a crash** the process is started again at once. More than `rapidFailsPerMinute` crashes within a minute,
//!   and nothing is started before that minute is over.
//! - **After a failed start** requests see why, and the start is repeated: after 1 s, then after twice as long each
//!   time, up to 30 s; earlier if a request [wakes](Supervisor::wake) us, at most once a second.
//! - **With a fixed port** two generations cannot stand side by side: the old one is stopped first, while requests
//!   are held.
//! - **Stopping** is a ladder: no more dispatch, the message of the ASP.NET Core integration, `SIGTERM`, and at the
//!   limit `SIGKILL` to everything that the process has started. All slots descend it at the same time.
//!
//! # Example
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//!
//! use ancm_frontend::{
//!     config,
//!     output::Output,
//!     spawn::Spawner,
//!     supervisor::{Settings, Supervisor, snapshot::Availability},
//! };
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = config::load("/srv/site".as_ref())?.config;
//! let supervisor = Supervisor::start(Settings::new(Arc::new(config), Spawner::Direct, Output::start()?));
//!
//! let mut snapshots = supervisor.snapshots();
//! let ready = |snapshot: &_| matches!(snapshot, &Availability::Ready(_));
//! snapshots.wait_for(|snapshot| ready(&snapshot.availability)).await?;
//!
//! supervisor.stop(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```

mod child;
mod environment;
mod failure;
mod message;
mod processes;
mod ready;
pub mod snapshot;
mod state;
mod stop;
mod task;

use std::{
    ffi::OsString,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::{
    child::Children,
    environment::Sources,
    snapshot::Snapshot,
    task::{Command, Ends, Hindrance, Task},
};
use crate::{
    config::{Config, ConfigErrors},
    output::Output,
    spawn::Spawner,
};

/// What a supervisor needs.
pub struct Settings {
    /// What to run.
    pub config: Arc<Config>,
    /// Who starts the processes.
    pub spawner: Spawner,
    /// Where their output goes.
    pub output: Output,
    /// The application's name in the log.
    pub application: String,
    /// The application's path base as it is decoded: `/`, or `/app`.
    pub appl_path: String,
    /// Where the site is served with TLS, if it is.
    pub https_port: Option<u16>,
    /// Whether upgrades are passed on to the application.
    pub websockets: bool,
    /// The environment that processes inherit, apart from what is the frontend's own.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether `app_offline.htm` is there: then nothing is started before it has gone.
    pub offline: bool,
    /// Why the configuration cannot be used, if so: then nothing is started before there is [another](Supervisor::recycle).
    pub misconfigured: Option<ConfigErrors>,
}

/// A running supervisor, to be shared by cloning. When the last clone is dropped, it stops the application within
/// the configuration's `shutdownTimeLimit`.
#[derive(Clone, Debug)]
pub struct Supervisor {
    commands: mpsc::UnboundedSender<Command>,
    wake: Arc<Notify>,
    snapshots: watch::Receiver<Snapshot>,
    stopping: Arc<AtomicBool>,
    ended: CancellationToken,
}

// === impl Settings ===

impl Settings {
    /// For an application at `/` that gets upgrades, inherits our environment and is online.
    pub fn new(config: Arc<Config>, spawner: Spawner, output: Output) -> Self {
        Self {
            config,
            spawner,
            output,
            application: String::new(),
            appl_path: "/".into(),
            https_port: None,
            websockets: true,
            environment: std::env::vars_os().collect(),
            offline: false,
            misconfigured: None,
        }
    }
}

impl fmt::Debug for Settings {
    /// Without the environment, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("application", &self.application)
            .field("config", &self.config)
            .field("spawner", &self.spawner)
            .field("appl_path", &self.appl_path)
            .field("https_port", &self.https_port)
            .field("websockets", &self.websockets)
            .field("offline", &self.offline)
            .field("misconfigured", &self.misconfigured)
            .finish_non_exhaustive()
    }
}

// === impl Supervisor ===

impl Supervisor {
    /// Starts the application, on the tokio runtime from within which it is called; I/O and time must be enabled.
    pub fn start(settings: Settings) -> Self {
        let Settings { config, spawner, output, application, appl_path, https_port, websockets, .. } =
            settings;
        let sources = Sources { inherited: settings.environment, appl_path, https_port, websockets };
        let children = Children::new(spawner, output, application, sources);
        let hindrance = Hindrance::new(settings.offline, settings.misconfigured, &children);
        Self::with(children, config, hindrance)
    }

    fn with<P: processes::Processes>(processes: P, config: Arc<Config>, hindrance: Hindrance) -> Self {
        let (commands, commanded) = mpsc::unbounded_channel();
        let (first, dispatching) = task::first_snapshot();
        let (publish, snapshots) = watch::channel(first);
        let wake = Arc::new(Notify::new());
        let ended = CancellationToken::new();
        let ends = Ends {
            commands: commanded,
            wake: Arc::clone(&wake),
            snapshots: publish,
            ended: ended.clone().drop_guard(),
        };
        tokio::spawn(Task::run(processes, config, hindrance, dispatching, ends));
        Self { commands, wake, snapshots, stopping: Arc::default(), ended }
    }

    /// What the workers are to do with requests, now and whenever that changes.
    pub fn snapshots(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.clone()
    }

    /// Tells that a request is waiting: if the last start failed, it is repeated now, at most once a second.
    ///
    /// Cheap, from any thread, and without effect in any other state.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Takes the application offline, or back online; ends when the workers have been told, that is when a
    /// [`Snapshot`] that holds requests has been published.
    ///
    /// To take it offline, show the page first; the processes are then being stopped. To bring it back, await
    /// this first: the processes are being started, and requests that miss the page are held.
    pub async fn set_offline(&self, offline: bool) {
        let (told, tell) = oneshot::channel();
        // Once everything has ended, there is nobody to tell and nothing to wait for.
        if self.commands.send(Command::Offline(offline, told)).is_ok() {
            let _ = tell.await;
        }
    }

    /// Shows that the configuration cannot be used, unless one that can be has been known already.
    pub fn misconfigured(&self, errors: ConfigErrors) {
        let _ = self.commands.send(Command::Misconfigured(errors));
    }

    /// Starts a new generation from this configuration and then stops the old one.
    pub fn recycle(&self, config: Arc<Config>) {
        let _ = self.commands.send(Command::Recycle(config));
    }

    /// Stops the application for good; ends when nothing of it is left.
    ///
    /// After `limit` what is left is killed; at once if this is called for the second time, while the first call is
    /// under way.
    pub async fn stop(&self, limit: Duration) {
        let again = self.stopping.swap(true, Ordering::Relaxed);
        let _ = self.commands.send(if again { Command::Kill } else { Command::Stop(limit) });
        self.ended().await;
    }

    /// Ends when the application has been stopped for good.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

#[cfg(test)]
mod tests;
