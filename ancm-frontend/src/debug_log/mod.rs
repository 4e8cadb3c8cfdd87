//! The debug log of an application: what we do for it, in a file that its own `web.config` asks for.
//!
//! `debugLevel` and `debugFile` (handler settings), joined with the variables `ASPNETCORE_MODULE_DEBUG` and
//! `ASPNETCORE_MODULE_DEBUG_FILE` of the frontend, say what is written and where: to a file, to standard output
//! (`console`), or to the ordinary log (`eventlog`, each line with the `event_id` 1036). What is about one application
//! goes to its own debug log only; what is about none goes to all. What applications print is in none of them.
//!
//! The file is named by `debugFile`, else by the variable, else `aspnetcore-debug.log`, relative to the site root;
//! folders are made, lines are appended, and a file that holds something else is left alone. It has no limit: it is for finding a fault. It is written by a thread of its
//! own; when it cannot be, the ordinary log says so and everything else goes on.
//!
//! Where no debug log is asked for, this costs nothing: the filter of the layer says that it wants nothing.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::{config::Config, debug_log::DebugLogs};
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! let site = tempfile::tempdir()?;
//! let mut config = Config { site_root: site.path().to_owned(), ..Config::default() };
//! config.handler_settings = vec![("debugLevel".into(), "file,trace".into())];
//!
//! let logs = DebugLogs::new(&|_| None, |_level, _application, _text| {});
//! tracing::subscriber::with_default(tracing_subscriber::registry().with(logs.layer()), || {
//!     let log = logs.open("shop", &config);
//!     tracing::debug!(target: "server", application = "shop", port = 21396, "about to start");
//!     drop(log);
//! });
//! logs.finish();
//! let text = std::fs::read_to_string(site.path().join("aspnetcore-debug.log"))?;
//! // [2024-01-31T23:59:59.123Z, PID: 4242] [ancm] DEBUG about to start application=shop port=21396
//! assert!(text.ends_with("] [ancm] DEBUG about to start application=shop port=21396\n"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod layer;
mod line;
mod places;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use tracing::{Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, registry::LookupSpan};

use self::places::{OneFile, StandardOutput};
use crate::{
    config::{
        Config, DebugSettings,
        variables::{Environment, native_path},
    },
    output::{Log, Place, Writer},
};

/// Says what is written for all applications.
const VARIABLE: &str = "ASPNETCORE_MODULE_DEBUG";
/// Says where that goes to.
const FILE_VARIABLE: &str = "ASPNETCORE_MODULE_DEBUG_FILE";
/// How long the end of the program waits for a disk.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Those of all applications; to be shared by cloning.
#[derive(Clone)]
pub struct DebugLogs {
    shared: Arc<Shared>,
}

/// That of one application, until it is dropped.
#[derive(Debug)]
pub struct DebugLog {
    logs: DebugLogs,
    application: String,
    /// The settings in force, and what came of them.
    current: Mutex<(DebugSettings, Option<Arc<Sink>>)>,
}

/// Takes level, application and text of a line.
type EventLog = dyn Fn(Level, Option<&str>, &str) + Send + Sync;

struct Shared {
    /// What the variables say.
    settings: DebugSettings,
    environment: Environment,
    event_log: Box<EventLog>,
    /// What the layer lets through: the most that any sink wants, as a number.
    level: AtomicUsize,
    // A lock on the way of a request, but only while somebody looks for a fault.
    sinks: RwLock<Vec<Arc<Sink>>>,
    /// Held by each thread that writes, as long as it does.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

/// Where lines go.
#[derive(Debug)]
struct Sink {
    /// Whose; that of the variables belongs to nobody.
    application: Option<String>,
    level: Option<Level>,
    file: Option<Arc<Writer>>,
    console: Option<Arc<Writer>>,
    event_log: bool,
}

// === impl DebugLogs ===

impl DebugLogs {
    /// As the variables of this environment say; `event_log` takes level, application and text of each line that goes
    /// to the ordinary log.
    pub fn new(
        environment: &dyn Fn(&str) -> Option<String>,
        event_log: impl Fn(Level, Option<&str>, &str) + Send + Sync + 'static,
    ) -> Self {
        let variable = |name| environment(name).unwrap_or_default();
        let settings = DebugSettings::parse(&variable(VARIABLE), &variable(FILE_VARIABLE), &mut |_| {});
        let (alive, ended) = mpsc::channel();
        let shared = Shared {
            settings: settings.clone(),
            environment: Environment::of_process(),
            event_log: Box::new(event_log),
            level: AtomicUsize::new(0),
            sinks: RwLock::default(),
            alive: Mutex::new(Some(alive)),
            ended: Mutex::new(ended),
        };
        let logs = Self { shared: Arc::new(shared) };
        // A relative file lies in a site root, and there is none yet.
        let file =
            settings.file.as_deref().map(native_path).map(PathBuf::from).filter(|file| file.is_absolute());
        if file.is_some() || settings.console || settings.event_log {
            logs.add(logs.sink(None, &settings, file));
        }
        logs
    }

    /// What the variable holds besides words that are known; somebody should be told.
    pub fn unknown_words(environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let mut unknown = Vec::new();
        let words = environment(VARIABLE).unwrap_or_default();
        DebugSettings::parse(&words, "", &mut |word| {
            unknown.push(format!("{VARIABLE}: {word:?} is not known"));
        });
        unknown
    }

    /// What is to be added to a subscriber.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        layer::layer(self.clone())
    }

    /// Begins the debug log of an application, if its configuration or the variables ask for one.
    pub fn open(&self, application: &str, config: &Config) -> DebugLog {
        let log =
            DebugLog { logs: self.clone(), application: application.to_owned(), current: Mutex::default() };
        log.follow(config);
        log
    }

    /// Waits until all lines are written that were logged so far, for at most 1.5 seconds; nothing is written after.
    pub fn finish(&self) {
        self.shared.sinks.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.refresh();
        drop(self.shared.alive.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody ever sends: this ends when the last sender is gone.
        let _ = ended.recv_timeout(PATIENCE);
    }

    fn sink(&self, application: Option<String>, settings: &DebugSettings, file: Option<PathBuf>) -> Sink {
        let console = settings.console.then(|| {
            let name = PathBuf::from("standard output");
            self.writer(|sink| sink.console.as_ref(), name, |_| StandardOutput)
        });
        let file = file.map(|file| self.writer(|sink| sink.file.as_ref(), file, OneFile::new));
        Sink {
            application,
            level: settings.level(),
            file: file.flatten(),
            console: console.flatten(),
            event_log: settings.event_log,
        }
    }

    /// One that is there already, or a new one.
    fn writer<P: Place + Send + 'static>(
        &self,
        of: impl Fn(&Sink) -> Option<&Arc<Writer>>,
        path: PathBuf,
        place: impl FnOnce(PathBuf) -> P,
    ) -> Option<Arc<Writer>> {
        let known =
            self.sinks().iter().find_map(|sink| of(sink).filter(|writer| writer.path() == path).cloned());
        known.or_else(|| {
            let alive = self.shared.alive.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
            let lost = Arc::new(AtomicU64::new(0));
            let started = Writer::start(Log::Debug, path.as_path().into(), place(path), lost, alive);
            let said = |error: io::Error| {
                tracing::warn!(target: "server", %error, "there is no thread for the debug log");
            };
            Some(Arc::new(started.map_err(said).ok()?))
        })
    }

    fn add(&self, sink: Sink) -> Arc<Sink> {
        let sink = Arc::new(sink);
        self.shared.sinks.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&sink));
        self.refresh();
        sink
    }

    fn remove(&self, sink: &Arc<Sink>) {
        let mut sinks = self.shared.sinks.write().unwrap_or_else(PoisonError::into_inner);
        sinks.retain(|other| !Arc::ptr_eq(other, sink));
        drop(sinks);
        self.refresh();
    }

    fn sinks(&self) -> Vec<Arc<Sink>> {
        self.shared.sinks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets through what is wanted by now.
    fn refresh(&self) {
        let most = self.sinks().iter().filter_map(|sink| sink.level).max();
        self.shared.level.store(most.map_or(0, layer::to_number), Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    fn level(&self) -> LevelFilter {
        layer::from_number(self.shared.level.load(Relaxed))
    }

    /// Writes to every sink that wants it. Must not log: it is called while something is being logged.
    fn write(&self, level: Level, application: Option<&str>, text: &str) {
        let sinks = self.sinks();
        let wanted: Vec<_> = sinks.iter().filter(|sink| sink.wants(level, application, &sinks)).collect();
        let mut line = String::new();
        line::write(&mut line, level, text);
        let mut written: Vec<&Arc<Writer>> = Vec::new();
        for writer in wanted.iter().flat_map(|sink| sink.file.iter().chain(&sink.console)) {
            if !written.iter().any(|other| Arc::ptr_eq(other, writer)) {
                writer.offer(line.as_bytes());
                written.push(writer);
            }
        }
        if wanted.iter().any(|sink| sink.event_log) {
            (self.shared.event_log)(level, application, text);
        }
    }
}

impl fmt::Debug for DebugLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugLogs").field("sinks", &self.sinks()).finish_non_exhaustive()
    }
}

// === impl DebugLog ===

impl DebugLog {
    /// Goes on as a new configuration of the application says.
    // ANCM: debugutil.cpp reads the settings once for each worker process.
    pub fn follow(&self, config: &Config) {
        let shared = &self.logs.shared;
        let settings = shared.settings.and(&config.debug_settings(&|name| shared.environment.get(name)));
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if settings == current.0 {
            return;
        }
        let file = settings.file.as_deref().and_then(|file| in_site_root(&config.site_root, file));
        let before = current.1.take();
        if !settings.is_off() {
            let sink = self.logs.add(self.logs.sink(Some(self.application.clone()), &settings, file));
            self.tell(before.as_deref(), &sink, config);
            current.1 = Some(sink);
        }
        // Only now, so that a file that both have is not closed in between.
        if let Some(before) = before {
            self.logs.remove(&before);
        }
        current.0 = settings;
    }

    /// The last line in the old file, and the first in the new one.
    fn tell(&self, before: Option<&Sink>, now: &Sink, config: &Config) {
        let Some(file) = &now.file else { return self.introduce(now, config) };
        let sinks = self.logs.sinks();
        // ANCM: debugutil.cpp says in the file of the variable where it goes on.
        let of_nobody = sinks.iter().find(|sink| sink.application.is_none()).map(Arc::as_ref);
        let old = before.or(of_nobody).and_then(|sink| Some((sink, sink.file.as_ref()?)));
        if let Some((sink, old)) = old.filter(|(_, old)| !Arc::ptr_eq(old, file)) {
            let text = format!("the debug log goes on in {}", file.path().display());
            let level = sink.level.filter(|level| *level >= Level::INFO);
            level.inspect(|_| old.offer(line::line(Level::INFO, &text).as_bytes()));
        }
        if old.is_none_or(|(_, old)| !Arc::ptr_eq(old, file)) || before.is_none() {
            self.introduce(now, config);
        }
    }

    fn introduce(&self, sink: &Sink, config: &Config) {
        if sink.level.is_none_or(|level| level < Level::INFO) {
            return;
        }
        let program = std::env::current_exe().unwrap_or_default();
        let text = format!(
            "the debug log begins: {} {}, process {}, application {:?} in {}",
            program.display(),
            env!("CARGO_PKG_VERSION"),
            std::process::id(),
            self.application,
            config.site_root.display(),
        );
        let line = line::line(Level::INFO, &text);
        sink.file.iter().chain(&sink.console).for_each(|writer| writer.offer(line.as_bytes()));
        if sink.event_log {
            (self.logs.shared.event_log)(Level::INFO, Some(&self.application), &text);
        }
    }
}

impl Drop for DebugLog {
    fn drop(&mut self) {
        let current = self.current.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = current.1.take() {
            self.logs.remove(&sink);
        }
    }
}

// === impl Sink ===

impl Sink {
    fn wants(&self, level: Level, application: Option<&str>, all: &[Arc<Self>]) -> bool {
        let has_own = || all.iter().any(|sink| sink.application.as_deref() == application);
        let ours = match (application, self.application.as_deref()) {
            (None, _) => true,
            (Some(theirs), Some(ours)) => theirs == ours,
            (Some(_), None) => !has_own(),
        };
        ours && self.level.is_some_and(|most| level <= most)
    }
}

/// Where a file lies; None, which is said, if the name is one of another system.
fn in_site_root(site_root: &Path, file: &str) -> Option<PathBuf> {
    if cfg!(not(windows)) && crate::config::variables::is_windows_absolute(file) {
        tracing::warn!(
            target: "server", file,
            "there is no debug log: debugFile is a path of Windows; write one relative to the site root"
        );
        return None;
    }
    // Collecting takes the `.` out of the middle.
    Some(site_root.join(native_path(file)).components().collect())
}

#[cfg(test)]
mod tests;
