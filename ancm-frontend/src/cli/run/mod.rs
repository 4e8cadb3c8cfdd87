//! `ancm run`: applications, served until a signal comes.

mod hosted;

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use ancm_tower::client::Scheme;
use futures_util::future::select_all;

use super::{
    Exit, Failure,
    arguments::{Listen, Run},
    logging::Logs,
    signals::Signals,
};
use crate::{
    application::Hosted,
    binding::Binding,
    config::{NOTE_OF_DEVELOPMENT, variables::Environment},
    frontend::{Frontend, Options, Running, RunningApplication, StartError},
    guard::Guard,
    spawn::Spawner,
    supervisor::snapshot::{Availability, Snapshot},
    tls::TlsError,
};

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("cannot listen on {0}: its name cannot be resolved")]
    Resolve(String, #[source] io::Error),
    #[error("the application at {0} did not become ready: {1}")]
    NeverReady(Binding, String),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// Serves the applications until a signal comes.
pub fn run(options: &Run, logs: &Logs) -> Result<Exit, Failure> {
    let tls = options.listen.tls.settings(&options.listen.addresses);
    let tls = tls.map_err(|error| Failure::new(Exit::Usage, error))?;
    let applications = hosted::hosted(options)?;
    // Before the listeners: what a guard inherits it would keep open.
    let spawner = spawner();
    raise_limit_of_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    runtime.block_on(async {
        let mut signals =
            Signals::new().map_err(|error| Failure::new(Exit::Failed, RunError::Signals(error)))?;
        let addresses = addresses(&options.listen)?;
        warn_of_development(&applications, &addresses);
        let mut frontend = Options::serving(applications).spawner(spawner).debug_logs(logs.debug().clone());
        for (scheme, address) in addresses {
            frontend = match scheme {
                Scheme::Http => frontend.listen(address),
                Scheme::Https => frontend.listen_tls(address),
            };
        }
        if let Some(tls) = tls {
            frontend = frontend.tls(tls);
        }
        let running = Frontend::new(frontend).start().map_err(not_started)?;
        announce(&running);
        serve(running, &mut signals, options.exit_on_failure).await
    })
}

/// Waits for the reason to stop, and stops.
async fn serve(running: Running, signals: &mut Signals, exit_on_failure: bool) -> Result<Exit, Failure> {
    let applications = running.applications().to_vec();
    let failed = tokio::select! {
        signal = signals.stop(|| running.reload_certificate()) => {
            tracing::info!(target: "server", signal, "stopping: no new connections, requests under way are finished");
            None
        }
        failed = failure(applications), if exit_on_failure => Some(failed),
    };
    let kill = running.kill_switch();
    let shutdown = running.shutdown();
    tokio::pin!(shutdown);
    tokio::select! {
        () = &mut shutdown => {}
        _ = signals.stop(|| ()) => {
            kill.kill();
            shutdown.await;
        }
    }
    match failed {
        None => Ok(Exit::Success),
        Some(never_ready) => Err(Failure::new(Exit::NeverReady, never_ready)),
    }
}

/// Ends when a start has failed.
async fn failure(applications: Vec<RunningApplication>) -> RunError {
    select_all(applications.into_iter().map(|application| Box::pin(failure_of(application)))).await.0
}

async fn failure_of(application: RunningApplication) -> RunError {
    let RunningApplication { binding, mut snapshots } = application;
    let failed = |snapshot: &Snapshot| matches!(snapshot.availability, Availability::Failed(_));
    let summary = match snapshots.wait_for(failed).await.as_deref().map(|snapshot| &snapshot.availability) {
        Ok(Availability::Failed(failure)) => failure.in_full().to_owned(),
        _ => "it was stopped".to_owned(),
    };
    RunError::NeverReady(binding, summary)
}

/// Details of errors are for developers, who sit at this machine.
fn warn_of_development(applications: &[Hosted], addresses: &[(Scheme, SocketAddr)]) {
    let environment = Environment::of_process();
    let Some((_, address)) = addresses.iter().find(|(_, address)| !address.ip().is_loopback()) else {
        return;
    };
    let development = |hosted: &Hosted| hosted.config().development(&|name| environment.get(name));
    for hosted in applications {
        let Some(variable) = development(hosted) else { continue };
        let application = (applications.len() > 1).then(|| tracing::field::display(hosted.binding()));
        tracing::warn!(
            target: "server", application, %address, code = NOTE_OF_DEVELOPMENT,
            "{variable}=Development shows details of errors to everybody who can reach {address}; \
             write Production in web.config, or listen on 127.0.0.1"
        );
    }
}

fn addresses(listen: &Listen) -> Result<Vec<(Scheme, SocketAddr)>, Failure> {
    let mut addresses = Vec::new();
    for address in &listen.addresses {
        let resolved = address.resolve().map_err(|error| {
            Failure::new(Exit::CannotCreate, RunError::Resolve(address.to_string(), error))
        })?;
        let scheme = if address.is_tls() { Scheme::Https } else { Scheme::Http };
        addresses.extend(resolved.into_iter().map(|address| (scheme, address)));
    }
    Ok(addresses)
}

/// A guard where there can be one: without it, what a process has started can outlive us.
fn spawner() -> Spawner {
    match Guard::start(None) {
        Ok(guard) => Spawner::Guard(guard),
        Err(error) => {
            tracing::warn!(target: "server", %error, "no guard: if ancm is killed, processes of the application may remain");
            Spawner::Direct
        }
    }
}

fn not_started(error: StartError) -> Failure {
    let exit = match &error {
        StartError::Listen(listen) => Exit::of_io(&listen.source),
        StartError::Tls(TlsError::Read { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Exit::NotPermitted
        }
        StartError::Tls(_) | StartError::Config(_) => Exit::Configuration,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

/// One line for each listener, for people and for programs that chose port 0.
fn announce(running: &Running) {
    for url in running.urls() {
        // Nobody need read it.
        let _ = writeln!(io::stderr(), "listening on {url}");
    }
}

/// Each client and each request to the application takes a descriptor; the usual soft limit of 1024 is soon reached.
#[cfg(unix)]
fn raise_limit_of_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(target: "server", %error, "the limit of open files stays as it is");
    }
}

#[cfg(not(unix))]
fn raise_limit_of_files() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_may_not_be_read_and_one_that_cannot_be_used_end_differently() {
        let path = || "site.key".into();
        let read = |kind: io::ErrorKind| {
            not_started(TlsError::Read { what: "private key", path: path(), source: kind.into() }.into())
                .exit()
        };
        assert_eq!(read(io::ErrorKind::PermissionDenied), Exit::NotPermitted);
        assert_eq!(read(io::ErrorKind::NotFound), Exit::Configuration);
        assert_eq!(not_started(TlsError::EncryptedKey { path: path() }.into()).exit(), Exit::Configuration);
    }
}
