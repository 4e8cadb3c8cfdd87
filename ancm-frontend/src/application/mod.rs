//! One application: its supervisor, and the files that it obeys.
//!
//! When `app_offline.htm` appears, the page is shown first and the processes are stopped then; when it goes, they are
//! started first, and the page is cleared as soon as requests can be held. When `web.config` changes, a new generation
//! of processes is started from it and replaces the old one; a file with faults changes nothing and says so.

use std::{fs, path::Path, sync::Arc, time::Duration};

use ancm_tower::{
    app_offline::Page, by_path::ByPath, error_page::Explanations, response_headers::HeaderChanges,
    startup_error::HoldSettings,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::{self, Config, variables::Environment},
    debug_log::{DebugLog, DebugLogs},
    events, offline,
    output::Output,
    spawn::Spawner,
    stack::from_config,
    supervisor::{Settings, Supervisor, snapshot::Snapshot},
};

/// How often `web.config` is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where it tells what it does, and what its processes print.
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
    supervisor: Supervisor,
    page: watch::Receiver<Option<Page>>,
    settings: Followed,
    watcher: JoinHandle<()>,
    /// Ends after the processes.
    _debug_log: Option<Arc<DebugLog>>,
}

/// What the outer stack obeys of the newest configuration.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What becomes of the headers of answers.
    pub headers: watch::Receiver<ByPath<HeaderChanges>>,
    /// What becomes of requests that come before a process is ready.
    pub hold: watch::Receiver<HoldSettings>,
    /// How much error pages say.
    pub explanations: watch::Receiver<Explanations>,
}

/// The other ends of [`Followed`].
struct Publisher {
    headers: watch::Sender<ByPath<HeaderChanges>>,
    hold: watch::Sender<HoldSettings>,
    explanations: watch::Sender<Explanations>,
    environment: Environment,
}

// === impl Application ===

impl Application {
    /// Starts its processes, unless it is offline; they are told the port where the site is served with TLS.
    pub fn start(config: &Arc<Config>, spawner: Spawner, logs: Logs, https_port: Option<u16>) -> Self {
        let file = offline::watch(&config.site_root);
        let mut settings = Settings::new(Arc::clone(config), spawner, logs.output);
        let debug_log = logs.debug.map(|logs| Arc::new(logs.open(&settings.application, config)));
        settings.https_port = https_port;
        settings.offline = file.borrow().is_some();
        let supervisor = Supervisor::start(settings);
        let page = offline::follow(file, supervisor.clone());
        let (publisher, settings) = Publisher::new(config);
        let watcher = tokio::spawn(obey_web_config(
            Arc::clone(config),
            supervisor.clone(),
            publisher,
            debug_log.clone(),
        ));
        Self { supervisor, page, settings, watcher, _debug_log: debug_log }
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

    /// Stops its processes within `limit`, and obeys no file any more.
    pub async fn stop(&mut self, limit: Duration) {
        self.watcher.abort();
        self.supervisor.stop(limit).await;
    }
}

// === impl Publisher ===

impl Publisher {
    fn new(config: &Config) -> (Self, Followed) {
        let publisher = Self {
            headers: watch::Sender::default(),
            hold: watch::Sender::default(),
            explanations: watch::Sender::default(),
            environment: Environment::of_process(),
        };
        publisher.publish(config);
        let followed = Followed {
            headers: publisher.headers.subscribe(),
            hold: publisher.hold.subscribe(),
            explanations: publisher.explanations.subscribe(),
        };
        (publisher, followed)
    }

    fn publish(&self, config: &Config) {
        let explanations = from_config::explanations(config, &|name| self.environment.get(name));
        self.headers.send_replace(from_config::response_headers(config));
        self.hold.send_replace(from_config::hold_settings(config));
        self.explanations.send_replace(explanations);
    }
}

async fn obey_web_config(
    mut config: Arc<Config>,
    supervisor: Supervisor,
    publisher: Publisher,
    debug_log: Option<Arc<DebugLog>>,
) {
    let site_root = config.site_root.clone();
    let mut seen = state(&site_root);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = state(&site_root);
        if now == seen {
            continue;
        }
        seen = now;
        match config::reload(&config) {
            // ANCM: globalmodule.cpp; `disallowRotationOnConfigChange` is how a blue/green deployment forbids this.
            Ok(_) if config.ignores_changes() => {
                tracing::info!(target: "server", "web.config has changed, which `disallowRotationOnConfigChange` ignores");
            }
            Ok(loaded) => {
                tracing::info!(target: "server", file = %loaded.file.display(), "web.config has changed; starting anew from it");
                config = Arc::new(loaded.config);
                publisher.publish(&config);
                if let Some(log) = &debug_log {
                    log.follow(&config);
                }
                supervisor.recycle(Arc::clone(&config));
            }
            Err(errors) => {
                tracing::error!(target: "server", event_id = events::MISCONFIGURED, %errors, "web.config has changed and cannot be used; what runs goes on as before");
            }
        }
    }
}

/// What changes when the file is written, replaced or touched.
#[derive(PartialEq)]
struct State {
    modified: Option<std::time::SystemTime>,
    length: Option<u64>,
}

/// The state of all files that may be the folder's `web.config`, whichever their case is.
fn state(site_root: &Path) -> Vec<State> {
    let Ok(entries) = fs::read_dir(site_root) else { return Vec::new() };
    let wanted = ancm_tower::contract::WEB_CONFIG_FILE;
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.eq_ignore_ascii_case(wanted)))
        .map(|entry| {
            // Of the file itself, should it be a link.
            let metadata = fs::metadata(entry.path()).ok();
            State {
                modified: metadata.as_ref().and_then(|metadata| metadata.modified().ok()),
                length: metadata.as_ref().map(fs::Metadata::len),
            }
        })
        .collect()
}
