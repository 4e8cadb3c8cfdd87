//! The one place that asks for a process: arguments, environment, output, and what comes of it.
//!
//! # Example
//!
//! ```text
//! port ─► command ─► environment ─► pipes ─► spawn ─► ready?  yes: Running   no: kill the tree, say why
//! ```

use std::{
    ffi::OsString,
    sync::{Arc, Mutex, PoisonError},
};

use ancm_tower::{pairing_token::PairingToken, startup_error::StartFailure};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    environment::{self, PortWish, Sources},
    events,
    failure::{Circumstances, Problem},
    processes::{Attempted, Processes, Stop},
    ready::{NotReady, Wait},
    state::Policy,
    stop::{OUTPUT_LIMIT, Running},
};
use crate::{
    config::{
        Config,
        command::{self, Command},
    },
    output::{Capture, LogFile, LogFileSettings, Output, Pipes, Sink},
    process::port::{self, ReservedPort},
    spawn::{Launch, Spawner},
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
    /// What the attempts that have failed printed.
    printed: Mutex<String>,
}

/// A port, and the promise that no other start of ours gets it.
struct Port {
    number: u16,
    _reserved: Option<ReservedPort>,
}

/// One attempt under way, and what becomes known of it.
struct Attempt<'a> {
    children: &'a Children,
    shared: &'a Shared,
    number: u8,
    cancel: CancellationToken,
    known: Circumstances,
    pid: Option<u32>,
    began: Instant,
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
        }
    }

    fn begin(&self, config: &Arc<Config>, slot: usize) -> Context {
        let log_file = config.stdout_log_enabled.then(|| {
            self.output.log_file(LogFileSettings {
                site_root: config.site_root.clone(),
                name: config.stdout_log_file.clone(),
                slot: (config.processes_per_application > 1).then_some(slot),
            })
        });
        let (config, token) = (Arc::clone(config), token(config));
        Context { shared: Arc::new(Shared { config, slot, token, log_file, printed: Mutex::default() }) }
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
                let failure = problem.tell(&attempt.known, self.sources.is_development(config));
                attempt.log_failed(&failure, problem.causes());
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

    fn give_up(&self, context: &Context, failure: &StartFailure) {
        let printed = context.shared.printed.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::error!(
            target: "server",
            event_id = events::START_FAILED,
            application = self.application,
            site_root = %context.shared.config.site_root.display(),
            slot = context.shared.slot,
            output = printed.as_str(),
            "the application could not be started: {}",
            failure.summary(),
        );
    }

    fn rapid_fail(&self, config: &Config, until: Instant) -> StartFailure {
        let limit = config.rapid_fails_per_minute;
        let pause = until.saturating_duration_since(Instant::now()).as_secs_f64();
        tracing::error!(
            target: "server",
            event_id = events::RAPID_FAIL,
            application = self.application,
            limit,
            "the application ended by itself too often within a minute; it is started again in {pause:.0} s",
        );
        StartFailure::new(format!(
            "The application ended by itself more than {limit} times within a minute (rapidFailsPerMinute); \
             it is started again when that minute is over."
        ))
        .cause("The application crashes soon after it was started; its output says why.")
    }
}

// === impl Attempt ===

impl Attempt<'_> {
    async fn run(&mut self) -> Result<Running, Problem> {
        let Shared { config, token, .. } = self.shared;
        let token = token.as_ref().map_err(|why| Problem::Token(why.clone()))?;
        let port = self.port()?;
        self.known.port = Some(port.number);
        let environment = self.children.sources.build(config, port.number, token.expose());
        let Command { program, arguments, .. } = self.command()?;
        let pipes = self.pipes(token)?;
        let launch = Launch {
            program: program.clone(),
            arguments: arguments.into_iter().map(OsString::from).collect(),
            environment,
            directory: config.site_root.clone(),
            stdout: pipes.stdout,
            stderr: pipes.stderr,
        };
        let spawned = self.children.spawner.spawn(launch).await;
        let child = spawned.map_err(|error| Problem::Spawn { program, error })?;
        self.pid = Some(child.pid);
        pipes.capture.started(child.pid);
        let wait = Wait { child: &child, port: port.number, limit: self.known.limit, cancel: &self.cancel };
        let waited = wait.run().await;
        self.known.elapsed = self.began.elapsed();
        match waited {
            Ok(owner) => Ok(Running {
                application: self.children.application.clone(),
                child,
                owner,
                address: ([127, 0, 0, 1], port.number).into(),
                token: token.clone(),
                appl_path: self.children.sources.appl_path.clone(),
                capture: pipes.capture,
            }),
            Err(not_ready) => {
                child.kill_tree().await;
                self.collect(&pipes.capture).await;
                Err(Problem::NotReady(not_ready))
            }
        }
    }

    fn port(&self) -> Result<Port, Problem> {
        match environment::port(&self.shared.config) {
            PortWish::Fixed(number) => Ok(Port { number, _reserved: None }),
            PortWish::Invalid(text) => Err(Problem::InvalidPort(text)),
            PortWish::Any => {
                let reserved = port::choose().map_err(Problem::Port)?;
                Ok(Port { number: reserved.number(), _reserved: Some(reserved) })
            }
        }
    }

    fn command(&mut self) -> Result<Command, Problem> {
        let environment = self.children.sources.environment();
        let command = command::resolve(&self.shared.config, &|name| environment.get(name));
        let command = command.map_err(Problem::Command)?;
        self.known.command_line = Some(command_line(&command));
        // The second attempt would only repeat them.
        for note in command.notes.iter().filter(|_| self.number == 1) {
            tracing::info!(target: "server", application = self.children.application, "{note}");
        }
        Ok(command)
    }

    fn pipes(&self, token: &PairingToken) -> Result<Pipes, Problem> {
        let sink = Sink {
            application: self.children.application.clone(),
            mask: vec![token.expose().to_owned()],
            log_file: self.shared.log_file.clone(),
        };
        self.children.output.pipes(sink).map_err(Problem::Output)
    }

    /// Takes what the process has printed, all of it if it comes in time.
    async fn collect(&mut self, capture: &Capture) {
        capture.close();
        let _ = timeout(OUTPUT_LIMIT, capture.ended()).await;
        self.known.output = capture.text();
        self.known.output_tail = capture.tail();
        self.shared.printed.lock().unwrap_or_else(PoisonError::into_inner).push_str(&self.known.output);
    }

    fn log_started(&self, running: &Running) {
        tracing::info!(
            target: "server",
            event_id = events::STARTED,
            application = self.children.application,
            pid = running.owner.pid(),
            launched_pid = running.child.pid,
            port = running.address.port(),
            slot = self.shared.slot,
            elapsed_s = self.known.elapsed.as_secs_f64(),
            "the process is ready",
        );
    }

    fn log_failed(&self, failure: &StartFailure, causes: &[&str]) {
        tracing::error!(
            target: "server",
            event_id = events::ATTEMPT_FAILED,
            application = self.children.application,
            site_root = %self.known.directory.display(),
            command_line = self.known.command_line,
            port = self.known.port,
            pid = self.pid,
            slot = self.shared.slot,
            attempt = self.number,
            "{}{}{}",
            failure.summary(),
            if causes.is_empty() { "" } else { " Likely causes: " },
            causes.join(" "),
        );
    }
}

fn token(config: &Config) -> Result<PairingToken, String> {
    match environment::token(config) {
        Some(text) => PairingToken::new(text).map_err(|error| format!("ASPNETCORE_TOKEN in web.config: {error}")),
        None => PairingToken::random().map_err(|error| error.to_string()),
    }
}

/// As one would type it.
fn command_line(command: &Command) -> String {
    let quoted = |part: &str| {
        let plain = !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        if plain { part.to_owned() } else { format!("{part:?}") }
    };
    let mut line = quoted(&command.program.to_string_lossy());
    for argument in &command.arguments {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    line
}
