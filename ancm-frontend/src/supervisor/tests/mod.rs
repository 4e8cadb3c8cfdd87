mod backend;
mod events;
mod starts;
mod stops;

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use ancm_tower::startup_error::StartFailure;
use tokio::time::{Instant, timeout};
use tracing::Level;

use self::{
    backend::{ARGUMENTS, PART},
    events::Log,
};
use super::{
    snapshot::{Availability, Backend},
    *,
};
use crate::process::ProcessHandle;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An application in a folder of its own.
struct Site {
    folder: tempfile::TempDir,
    config: Config,
    spawner: Spawner,
}

/// A supervisor of it.
struct Scene {
    supervisor: Supervisor,
    snapshots: watch::Receiver<Snapshot>,
    site: Site,
}

#[cfg(target_os = "linux")]
fn spawner() -> Spawner {
    Spawner::Guard(crate::guard::Guard::for_tests())
}

#[cfg(not(target_os = "linux"))]
fn spawner() -> Spawner {
    Spawner::Direct
}

// === impl Site ===

impl Site {
    fn new(part: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            site_root: folder.path().to_owned(),
            process_path: std::env::current_exe().unwrap().to_str().unwrap().to_owned(),
            arguments: ARGUMENTS.to_owned(),
            startup_time_limit: Duration::from_secs(30),
            shutdown_time_limit: Duration::from_secs(30),
            stdout_log_enabled: true,
            stdout_log_file: "log".to_owned(),
            environment_variables: vec![(PART.to_owned(), part.to_owned())],
            ..Config::default()
        };
        Self { folder, config, spawner: spawner() }
    }

    fn variable(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.config.environment_variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Lets a shell start the backend, and then do this.
    fn behind_a_shell(mut self, then: &str) -> Self {
        let program = std::mem::replace(&mut self.config.process_path, "/bin/sh".into());
        self.config.arguments = format!(r#"-c "'{program}' {ARGUMENTS} & {then}""#);
        self
    }

    fn run(self) -> Scene {
        let output = Output::start().unwrap();
        let settings = Settings {
            appl_path: "/app".into(),
            ..Settings::new(Arc::new(self.config.clone()), self.spawner.clone(), output)
        };
        let supervisor = Supervisor::start(settings);
        Scene { snapshots: supervisor.snapshots(), supervisor, site: self }
    }
}

// === impl Scene ===

impl Scene {
    async fn until<T>(&mut self, mut what: impl FnMut(&Availability) -> Option<T>) -> T {
        let mut found = None;
        let seen = self.snapshots.wait_for(|snapshot| {
            found = what(&snapshot.availability);
            found.is_some()
        });
        drop(timeout(PATIENCE, seen).await.expect("a snapshot comes in time").unwrap());
        found.unwrap()
    }

    async fn ready(&mut self) -> Arc<Backend> {
        self.until(|availability| match availability {
            Availability::Ready(generation) => Some(Arc::clone(&generation.backends[0])),
            Availability::Failed(failure) => panic!("{}", failure.in_full()),
            _ => None,
        })
        .await
    }

    /// The first process of another start than this one.
    async fn another(&mut self, start: u64) -> Arc<Backend> {
        self.until(|availability| match availability {
            Availability::Ready(generation) if generation.backends[0].start != start => {
                Some(Arc::clone(&generation.backends[0]))
            }
            _ => None,
        })
        .await
    }

    async fn failed(&mut self) -> Arc<StartFailure> {
        self.until(|availability| match availability {
            Availability::Failed(failure) => Some(Arc::clone(failure)),
            _ => None,
        })
        .await
    }

    async fn stop(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        timeout(PATIENCE, self.supervisor.stop(limit)).await.expect("it stops in time");
        began.elapsed()
    }

    /// What all processes have printed, once this text is among it.
    async fn printed(&self, text: &str) -> String {
        self.printed_until(|printed| printed.contains(text)).await
    }

    async fn printed_until(&self, what: impl Fn(&str) -> bool) -> String {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let look = async {
            loop {
                let printed = printed(self.site.folder.path());
                if what(&printed) {
                    return printed;
                }
                pause.tick().await;
            }
        };
        timeout(PATIENCE, look).await.expect("it is printed in time")
    }
}

fn printed(folder: &Path) -> String {
    let files = folder.read_dir().unwrap().map(|file| file.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}
