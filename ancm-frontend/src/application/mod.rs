//! One application: its supervisor, and the files that it obeys.
//!
//! When `app_offline.htm` appears, the page is shown first and the processes are stopped then; when it goes, they are
//! started first, and the page is cleared as soon as requests can be held. When `web.config` changes, or one that it
//! inherits from, a new generation of processes is started from it and replaces the old one. A file with faults, or none
//! at all, changes nothing and says so; if there has never been one that can be used, requests are told 500.0 until there
//! is.

use std::{path::Path, sync::Arc, time::Duration};

use ancm_tower::{
    app_offline::Page, by_path::ByPath, error_page::Explanations, response_headers::HeaderChanges,
    startup_error::HoldSettings,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    binding::Binding,
    config::{self, Config, ConfigErrors, Note, Parent, Stamps, Transport, variables::Environment},
    debug_log::{DebugLog, DebugLogs},
    offline,
    output::Output,
    spawn::Spawner,
    stack::from_config,
    supervisor::{Settings, Supervisor, snapshot::Snapshot},
};

mod changes;

/// An application that is to be served: where, and from what.
#[derive(Clone, Debug)]
pub struct Hosted {
    binding: Binding,
    config: Arc<Config>,
    /// Why the configuration cannot be used.
    errors: Option<ConfigErrors>,
}

/// Where an application tells what it does, and what its processes print.
#[derive(Clone, Debug)]
pub struct Logs {
    /// The output thread.
    pub output: Output,
    /// The debug logs, if there are any.
    pub debug: Option<DebugLogs>,
}

/// An application that is being kept running; lives on the control thread.
#[derive(Debug)]
pub struct Application {
    binding: Binding,
    supervisor: Supervisor,
    page: watch::Receiver<Option<Page>>,
    settings: Followed,
    watcher: JoinHandle<()>,
    /// Ends after the processes.
    _debug_log: Option<Arc<DebugLog>>,
}

/// What the outer stack obeys of the newest configuration, and the configuration itself.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What becomes of the headers of answers.
    pub headers: watch::Receiver<ByPath<HeaderChanges>>,
    /// What becomes of requests that come before a process is ready.
    pub hold: watch::Receiver<HoldSettings>,
    /// How much error pages say.
    pub explanations: watch::Receiver<Explanations>,
    /// All of it.
    pub config: watch::Receiver<Arc<Config>>,
}

/// The other ends of [`Followed`], and the debug log, which follows as well.
struct Publisher {
    headers: watch::Sender<ByPath<HeaderChanges>>,
    hold: watch::Sender<HoldSettings>,
    explanations: watch::Sender<Explanations>,
    config: watch::Sender<Arc<Config>>,
    debug_log: Option<Arc<DebugLog>>,
}

// === impl Hosted ===

impl Hosted {
    /// An application whose configuration can be used.
    pub fn new(binding: Binding, mut config: Arc<Config>) -> Self {
        if config.path_base != binding.path_base() {
            binding.path_base().clone_into(&mut Arc::make_mut(&mut config).path_base);
        }
        if config.seen.is_none() {
            let seen = config.stamps();
            Arc::make_mut(&mut config).seen = Some(seen);
        }
        Self { binding, config, errors: None }
    }

    /// Reads the configuration of an application, and tells what is worth knowing about it.
    ///
    /// One that [cannot be used](Self::errors) is started as soon as its file is right. Folder, parents and ignored sections
    /// are those of [`config::load_inheriting`].
    pub fn load<S: AsRef<str>>(
        binding: Binding,
        site_root: &Path,
        parents: &[Parent],
        ignored: &[S],
    ) -> (Self, Vec<Note>) {
        // Before the file is read, so that the change that mends it is seen.
        let seen = Stamps::take(site_root, parents);
        match config::load_inheriting(site_root, parents, ignored) {
            Ok(loaded) => (Self::new(binding, Arc::new(loaded.config)), loaded.notes),
            Err(errors) => {
                let config = Config {
                    site_root: std::path::absolute(site_root).unwrap_or_else(|_| site_root.to_owned()),
                    parents: parents.to_vec(),
                    ignored_sections: ignored.iter().map(|section| section.as_ref().to_owned()).collect(),
                    seen: Some(seen),
                    ..Config::default()
                };
                (Self { errors: Some(errors), ..Self::new(binding, Arc::new(config)) }, Vec::new())
            }
        }
    }

    /// Why its configuration cannot be used, if so.
    pub fn errors(&self) -> Option<&ConfigErrors> {
        self.errors.as_ref()
    }

    /// The same, for clients that connect by this; what it demands of them and none could have is an error of it.
    pub(crate) fn served_over(self, transport: Transport) -> Self {
        let config = Config { transport, ..Config::clone(&self.config) };
        let errors = self.errors.or_else(|| config.clone().served_over(transport).err());
        Self { config: Arc::new(config), errors, ..self }
    }

    /// Where it is served.
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// What is known of its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

// === impl Application ===

impl Application {
    /// Starts its processes, unless it is offline; they are told the port where the site is served with TLS.
    ///
    /// The log calls it by this name, which may be empty.
    pub fn start(
        hosted: Hosted,
        name: String,
        spawner: Spawner,
        logs: Logs,
        https_port: Option<u16>,
    ) -> Self {
        let Hosted { binding, config, errors } = hosted;
        let file = offline::watch(&config.site_root);
        let mut settings = Settings::new(Arc::clone(&config), spawner, logs.output);
        let debug_log = logs.debug.map(|logs| Arc::new(logs.open(&name, &config)));
        settings.application.clone_from(&name);
        settings.appl_path.clone_from(&config.path_base);
        settings.https_port = https_port;
        settings.offline = file.borrow().is_some();
        settings.misconfigured = errors;
        let supervisor = Supervisor::start(settings);
        let page = offline::follow(file, supervisor.clone());
        let (publisher, settings) = Publisher::new(&config, debug_log.clone());
        let watcher = tokio::spawn(changes::obey(name, config, supervisor.clone(), publisher));
        Self { binding, supervisor, page, settings, watcher, _debug_log: debug_log }
    }

    /// Where it is served.
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The page to answer with while it is offline.
    pub fn page(&self) -> watch::Receiver<Option<Page>> {
        self.page.clone()
    }

    /// What the outer stack obeys, by the newest configuration.
    pub fn settings(&self) -> Followed {
        self.settings.clone()
    }

    /// What there is to dispatch to.
    pub fn snapshots(&self) -> watch::Receiver<Snapshot> {
        self.supervisor.snapshots()
    }

    /// Its supervisor.
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// How long its processes may take to stop, by the newest configuration.
    pub fn shutdown_limit(&self) -> Duration {
        self.settings.config.borrow().shutdown_time_limit
    }

    /// Stops its processes within their limit, and obeys no file any more.
    pub async fn stop(&self) {
        self.watcher.abort();
        self.supervisor.stop(self.shutdown_limit()).await;
    }
}

/// How much is told, by a configuration and by the environment of this process.
fn explanations(config: &Config) -> Explanations {
    let environment = Environment::of_process();
    from_config::explanations(config, &|name| environment.get(name))
}

// === impl Publisher ===

impl Publisher {
    fn new(config: &Arc<Config>, debug_log: Option<Arc<DebugLog>>) -> (Self, Followed) {
        let (headers, followed_headers) = watch::channel(from_config::response_headers(config));
        let (hold, followed_hold) = watch::channel(from_config::hold_settings(config));
        let (explanations, followed_explanations) = watch::channel(explanations(config));
        let (config, followed_config) = watch::channel(Arc::clone(config));
        let followed = Followed {
            headers: followed_headers,
            hold: followed_hold,
            explanations: followed_explanations,
            config: followed_config,
        };
        (Self { headers, hold, explanations, config, debug_log }, followed)
    }

    fn publish(&self, config: &Arc<Config>) {
        self.headers.send_replace(from_config::response_headers(config));
        self.hold.send_replace(from_config::hold_settings(config));
        self.explanations.send_replace(explanations(config));
        self.config.send_replace(Arc::clone(config));
        if let Some(log) = &self.debug_log {
            log.follow(config);
        }
    }
}
