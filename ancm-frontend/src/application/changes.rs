//! Watches `web.config` and those that it inherits from, and has the application recycled when one of them changes.
//!
//! A file need only be touched. One that cannot be used, or is not there any more, changes nothing: what runs goes on as
//! before, and says so.

use std::{
    fs::{self, Metadata},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{MissedTickBehavior, interval};

use super::Publisher;
use crate::{
    config::{self, Config},
    supervisor::Supervisor,
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Seconds and nanoseconds, where the system keeps that time.
#[cfg(unix)]
type Changed = (i64, i64);
#[cfg(not(unix))]
type Changed = ();

/// What changes when a file is written, replaced, touched or put back.
#[derive(Debug, PartialEq)]
struct State {
    modified: Option<SystemTime>,
    length: Option<u64>,
    /// When anything about it changed, its name too: a file that was moved away and back is another.
    changed: Option<Changed>,
}

/// Obeys the files of an application for as long as it runs; what changes after this call is not missed.
pub(super) fn obey(
    application: String,
    config: Arc<Config>,
    supervisor: Supervisor,
    publisher: Publisher,
) -> impl Future<Output = ()> {
    let seen = states(&config);
    follow(seen, application, config, supervisor, publisher)
}

async fn follow(
    mut seen: Vec<Vec<State>>,
    application: String,
    mut config: Arc<Config>,
    supervisor: Supervisor,
    publisher: Publisher,
) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = states(&config);
        if now == seen {
            continue;
        }
        seen = now;
        match config::reload(&config) {
            // ANCM: globalmodule.cpp; `disallowRotationOnConfigChange` is how a blue/green deployment forbids this.
            Ok(_) if config.ignores_changes() => {
                tracing::info!(target: "server", application, "web.config has changed, which `disallowRotationOnConfigChange` ignores");
            }
            Ok(loaded) => {
                tracing::info!(target: "server", event_id = 1021, application, file = %loaded.file.display(), "web.config has changed; starting anew from it");
                config = Arc::new(loaded.config);
                publisher.publish(&config);
                supervisor.recycle(Arc::clone(&config));
            }
            // ANCM: IIS has nothing left to serve then, and answers for the folder itself.
            Err(errors) => {
                tracing::error!(target: "server", event_id = 1034, application, %errors, "web.config has changed and cannot be used; what runs goes on as before");
                supervisor.misconfigured(errors);
            }
        }
    }
}

/// The states of all files that the configuration is read from.
fn states(config: &Config) -> Vec<Vec<State>> {
    let parents = config.parents.iter().map(|parent| parent.folder.as_path());
    parents.chain([config.site_root.as_path()]).map(states_in).collect()
}

/// The state of all files that may be the folder's `web.config`, whichever their case is.
fn states_in(folder: &Path) -> Vec<State> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let wanted = ancm_tower::contract::WEB_CONFIG_FILE;
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.eq_ignore_ascii_case(wanted)))
        // Of the file itself, should it be a link.
        .map(|entry| State::of(fs::metadata(entry.path()).ok().as_ref()))
        .collect()
}

// === impl State ===

impl State {
    fn of(metadata: Option<&Metadata>) -> Self {
        Self {
            modified: metadata.and_then(|metadata| metadata.modified().ok()),
            length: metadata.map(Metadata::len),
            changed: metadata.map(changed),
        }
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> Changed {
    use std::os::unix::fs::MetadataExt;
    (metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Changed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        application::{Application, Hosted},
        binding::Binding,
        config::Parent,
        output::Output,
        spawn::Spawner,
    };

    fn config(folder: &Path) -> Config {
        Config {
            site_root: folder.join("own"),
            parents: vec![Parent { folder: folder.to_owned(), below: "own".into() }],
            ..Config::default()
        }
    }

    fn write(file: &Path, attributes: &str) {
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='nowhere' {attributes}/></system.webServer></configuration>"
        );
        fs::write(file, text).unwrap();
    }

    #[tokio::test]
    async fn what_stands_in_front_of_the_processes_follows_the_newest_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.config");
        write(&file, "startupTimeLimit='1' shutdownTimeLimit='2'");
        let config = Arc::new(config::load(folder.path()).unwrap().config);
        let hosted = Hosted::new(Binding::root(), config);
        let application =
            Application::start(hosted, String::new(), Spawner::Direct, Output::start().unwrap(), None);
        let mut followed = application.settings();
        let hold = *followed.hold.borrow_and_update();
        assert_eq!((hold.limit.as_secs(), hold.disable_page), (7, false));
        assert_eq!(application.shutdown_limit().as_secs(), 2);
        write(&file, "startupTimeLimit='9' shutdownTimeLimit='3' disableStartUpErrorPage='true'");
        followed.config.changed().await.unwrap();
        let hold = *followed.hold.borrow_and_update();
        assert_eq!((hold.limit.as_secs(), hold.disable_page), (23, true));
        assert_eq!(application.shutdown_limit().as_secs(), 3);
        application.stop().await;
    }

    #[test]
    fn sees_files_of_the_application_and_of_its_parents_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("own")).unwrap();
        let config = config(folder.path());
        let mut seen = vec![states(&config)];
        for file in ["own/Web.Config", "web.config"] {
            fs::write(folder.path().join(file), "x").unwrap();
            seen.push(states(&config));
        }
        fs::remove_file(folder.path().join("own/Web.Config")).unwrap();
        seen.push(states(&config));
        for (index, state) in seen.iter().enumerate() {
            assert!(!seen[..index].contains(state), "{index}: {seen:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn sees_that_a_file_was_moved_away_and_back_between_two_looks() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("own")).unwrap();
        let (config, file) = (config(folder.path()), folder.path().join("own/web.config"));
        fs::write(&file, "x").unwrap();
        let before = states(&config);
        // The clock of file systems is coarse.
        while states(&config) == before {
            fs::rename(&file, folder.path().join("away")).unwrap();
            fs::rename(folder.path().join("away"), &file).unwrap();
        }
    }
}
