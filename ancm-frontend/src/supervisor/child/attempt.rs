//! One attempt to start a process, from its port to its first listener.
//!
//! # Example
//!
//! ```text
//! port ─► command ─► environment ─► pipes ─► spawn ─► ready?  yes: Running   no: kill the tree, say why
//! ```

use std::{ffi::OsString, fs::File, sync::PoisonError};

use ancm_tower::{
    contract::variable::HTTP_PLATFORM_PORT, pairing_token::PairingToken, startup_error::StartFailure,
    timers::timeout,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Children, Shared};
use crate::{
    config::{
        command::{self, Command},
        secret_values,
        secrets::shown_arguments,
    },
    events,
    output::{Capture, Pipes, Sink, capture, mask::Masker},
    process::port::{self, ReservedPort},
    spawn::Launch,
    supervisor::{
        environment::{self, PortWish},
        failure::{Circumstances, Problem},
        ready::{NotReady, Wait},
        stop::{self, OUTPUT_LIMIT, Running},
    },
};

/// A port, and the promise that no other start of ours gets it.
struct Port {
    number: u16,
    _reserved: Option<ReservedPort>,
}

/// One attempt under way, and what becomes known of it.
pub(super) struct Attempt<'a> {
    pub(super) children: &'a Children,
    pub(super) shared: &'a Shared,
    pub(super) number: u8,
    pub(super) cancel: CancellationToken,
    pub(super) known: Circumstances,
    pub(super) pid: Option<u32>,
    pub(super) began: Instant,
}

// === impl Attempt ===

impl Attempt<'_> {
    pub(super) async fn run(&mut self) -> Result<Running, Problem> {
        let Shared { config, token, .. } = self.shared;
        let token = token.as_ref().map_err(|why| Problem::Token(why.clone()))?;
        let port = self.port()?;
        self.known.port = Some(port.number);
        let environment = self.children.sources.build(config, port.number, token.expose());
        let secrets = secrets(&environment);
        self.known.masker = Some(Masker::new([token.expose()], &secrets));
        let Command { program, arguments, .. } = self.command()?;
        let pipes = self.pipes(token, secrets)?;
        let launch = Launch {
            program: program.clone(),
            arguments: arguments.into_iter().map(OsString::from).collect(),
            environment,
            directory: config.site_root.clone(),
            stdout: pipes.stdout,
            stderr: pipes.stderr,
        };
        let child = tokio::select! {
            spawned = self.children.spawner.spawn(launch) => {
                spawned.map_err(|error| Problem::Spawn { program, error })?
            }
            () = self.cancel.cancelled() => return Err(Problem::NotReady(NotReady::Cancelled)),
        };
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
                stop::kill_tree(&child).await;
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
        // Ours, not one that we were started with.
        let port = self.known.port.map(|port| port.to_string());
        let lookup =
            |name: &str| if name == HTTP_PLATFORM_PORT { port.clone() } else { environment.get(name) };
        let command = command::resolve(&self.shared.config, &lookup);
        let command = command.map_err(Problem::Command)?;
        self.known.command_line = Some(command_line(&command));
        // The second attempt would only repeat them.
        for note in command.notes.iter().filter(|_| self.number == 1) {
            tracing::info!(target: "server", application = self.children.application, "{note}");
        }
        Ok(command)
    }

    fn pipes(&self, token: &PairingToken, secrets: Vec<String>) -> Result<Pipes, Problem> {
        let sink = Sink {
            application: self.children.application.clone(),
            tokens: vec![token.expose().to_owned()],
            secrets,
            log_file: self.shared.log_file.clone(),
        };
        let mut pipes = self.children.output.pipes(sink).map_err(Problem::Output)?;
        if !self.shared.config.takes_output() {
            // ANCM: outprocessapplication.cpp gives it no handles at all, which here would break what it prints.
            let nowhere = || File::options().write(true).open("/dev/null").map_err(Problem::Output);
            (pipes.stdout, pipes.stderr) = (nowhere()?.into(), nowhere()?.into());
        }
        Ok(pipes)
    }

    /// Takes what the process has printed, all of it if it comes in time.
    async fn collect(&mut self, capture: &Capture) {
        capture.close();
        let _ = timeout(OUTPUT_LIMIT, capture.ended()).await;
        self.known.output = capture.text();
        self.known.output_tail = capture.tail();
    }

    /// Keeps for the report of the whole start what this attempt knows.
    pub(super) fn remember(&self) {
        let mut report = self.shared.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.command_line.clone_from(&self.known.command_line);
        report.port = self.known.port;
        // ANCM: serverprocess.cpp reports the beginning of what all attempts printed, together.
        let room = capture::LIMIT.saturating_sub(report.printed.chars().count());
        report.printed.extend(self.known.output.chars().take(room));
    }

    pub(super) fn log_started(&self, running: &Running) {
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

    pub(super) fn log_failed(&self, failure: &StartFailure, problem: &Problem) {
        let causes = problem.causes();
        tracing::warn!(
            target: "server",
            event_id = events::ATTEMPT_FAILED,
            application = self.children.application,
            site_root = %self.known.directory.display(),
            command_line = self.known.command_line,
            port = self.known.port,
            pid = self.pid,
            slot = self.shared.slot,
            attempt = self.number,
            stage = problem.stage(),
            "{}{}{}",
            failure.in_full(),
            if causes.is_empty() { "" } else { " Likely causes: " },
            causes.join(" "),
        );
    }
}

/// Secrets among the variables of the process: those of web.config, and those that a container was given.
fn secrets(environment: &[(OsString, OsString)]) -> Vec<String> {
    secret_values(environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?))))
}

/// As one would type it, but for arguments that may be secrets.
fn command_line(command: &Command) -> String {
    let quoted = |part: &str| {
        let plain = !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        if plain { part.to_owned() } else { format!("{part:?}") }
    };
    let mut line = quoted(&command.program.to_string_lossy());
    for argument in &shown_arguments(&command.arguments) {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    line
}
