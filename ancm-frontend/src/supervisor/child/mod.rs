//! The one place that asks for a process: arguments, environment, output, and what comes of it.
//!
//! # Example
//!
//! ```text
//! begin: token, log file ─► attempt 1 ─► (attempt 2) ─► Running ─► ended, stop
//! ```

mod attempt;

use std::sync::{Arc, Mutex, PoisonError};

use ancm_tower::{pairing_token::PairingToken, startup_error::StartFailure};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::attempt::Attempt;
use super::{
    environment::{self, PortWish, Sources},
    failure::{Circumstances, Problem},
    processes::{Attempted, Processes, Stop},
    ready::NotReady,
    state::Policy,
    stop::Running,
};
use crate::{
    config::{Config, ConfigErrors},
    events,
    output::{LogFile, LogFileSettings, Output},
    spawn::Spawner,
};

/// Starts an application's real processes.
pub(super) struct Children {
    spawner: Spawner,
    output: Output,
    application: String,
    sources: Sources,
}

/// What both attempts of a start share.
#[derive(Clone)]
pub(super) struct Context {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<Config>,
    slot: usize,
    token: Result<PairingToken, String>,
    log_file: Option<LogFile>,
    report: Mutex<Report>,
}

/// What the attempts that have failed leave for the report.
#[derive(Default)]
struct Report {
    printed: String,
    /// Of the last one.
    command_line: Option<String>,
    port: Option<u16>,
}

// === impl Children ===

impl Children {
    pub(super) fn new(spawner: Spawner, output: Output, application: String, sources: Sources) -> Self {
        Self { spawner, output, application, sources }
    }
}

impl Processes for Children {
    type Context = Context;
    type Process = Running;

    fn policy(&self, config: &Config) -> Policy {
        let fixed_port = match environment::port(config) {
            PortWish::Fixed(port) => Some(port),
            PortWish::Any | PortWish::Invalid(_) => None,
        };
        Policy {
            processes: config.processes_per_application,
            fixed_port,
            shutdown_limit: config.shutdown_time_limit,
            rapid_fails: config.rapid_fails_per_minute,
            attempts: config.start_attempts(),
        }
    }

    fn begin(&self, config: &Arc<Config>, slot: usize) -> Context {
        let log_file = (config.stdout_log_enabled && config.takes_output()).then(|| {
            self.output.log_file(LogFileSettings {
                site_root: config.site_root.clone(),
                name: config.stdout_log_file.clone(),
                slot: (config.processes_per_application > 1).then_some(slot),
                limits: config.stdout_log_limits(),
            })
        });
        let (config, token) = (Arc::clone(config), token(config));
        Context { shared: Arc::new(Shared { config, slot, token, log_file, report: Mutex::default() }) }
    }

    async fn attempt(&self, context: Context, number: u8, cancel: CancellationToken) -> Attempted<Running> {
        let shared = &*context.shared;
        let config = &shared.config;
        let known = Circumstances {
            directory: config.site_root.clone(),
            limit: config.startup_time_limit,
            ..Circumstances::default()
        };
        let mut attempt =
            Attempt { children: self, shared, number, cancel, known, pid: None, began: Instant::now() };
        match attempt.run().await {
            Ok(running) => {
                attempt.log_started(&running);
                Attempted::Ready {
                    address: running.address,
                    token: running.token.clone(),
                    handle: running.owner.clone(),
                    process: running,
                }
            }
            Err(Problem::NotReady(NotReady::Cancelled)) => Attempted::Cancelled,
            Err(problem) => {
                let failure = problem.tell(&attempt.known, self.sources.shows_details(config));
                let failure = self.sources.add_link(failure);
                attempt.remember();
                attempt.log_failed(&failure, &problem);
                Attempted::Failed { failure, critical: problem.is_critical() }
            }
        }
    }

    async fn ended(&self, process: Running) {
        process.owner.exited().await;
    }

    async fn stop(&self, process: Running, how: Stop) {
        process.stop(how).await;
    }

    fn offline(&self, offline: bool) {
        let application = &self.application;
        if offline {
            tracing::info!(
                target: "server", event_id = events::OFFLINE, application,
                "app_offline.htm is there: the application is stopped"
            );
        } else {
            tracing::info!(target: "server", application, "app_offline.htm has gone: the application is started");
        }
    }

    fn recycled(&self, config: &Config) {
        tracing::info!(
            target: "server", event_id = events::RECYCLED, application = self.application,
            site_root = %config.site_root.display(), "the configuration is new: the application is recycled"
        );
    }

    fn misconfigured(&self, errors: &ConfigErrors) -> StartFailure {
        tracing::error!(
            target: "server", event_id = events::MISCONFIGURED, application = self.application, file = %errors.file().display(),
            "the application is not started, as its configuration cannot be used: {errors}"
        );
        let failure = StartFailure::misconfigured("The `web.config` of this application cannot be used.");
        let failure = self.sources.add_link(failure);
        // Whose details are they? There is no configuration that could say.
        let for_developers = self.sources.shows_details(&Config::default());
        if for_developers { failure.details(errors.render()) } else { failure }
    }

    fn give_up(&self, context: &Context, failure: &StartFailure) {
        let report = context.shared.report.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::error!(
            target: "server",
            event_id = events::START_FAILED,
            application = self.application,
            site_root = %context.shared.config.site_root.display(),
            command_line = report.command_line,
            port = report.port,
            slot = context.shared.slot,
            output = report.printed.as_str(),
            "the application could not be started: {}",
            failure.in_full(),
        );
    }

    fn rapid_fail(&self, config: &Config, until: Instant) -> StartFailure {
        let limit = config.rapid_fails_per_minute;
        let pause = until.saturating_duration_since(Instant::now()).as_secs_f64();
        tracing::warn!(
            target: "server",
            event_id = events::RAPID_FAIL,
            application = self.application,
            limit,
            "the application ended by itself too often within a minute; it is started again in {pause:.0} s",
        );
        let failure = StartFailure::new(format!(
            "The application ended by itself more than {limit} times within a minute (rapidFailsPerMinute); \
             it is started again when that minute is over."
        ));
        let cause = "The application crashes soon after it was started; its output says why.";
        self.sources.add_link(failure.cause(cause))
    }
}

fn token(config: &Config) -> Result<PairingToken, String> {
    match environment::token(config) {
        Some(text) => {
            PairingToken::new(text).map_err(|error| format!("ASPNETCORE_TOKEN in web.config: {error}"))
        }
        None => PairingToken::random().map_err(|error| error.to_string()),
    }
}
