//! Watches `web.config`, those that it inherits from, and the files of `recycleOnFileChange`, and has the application
//! recycled when one of them changes.
//!
//! A file need only be touched. One that cannot be used, or is not there any more, changes nothing: what runs goes on as
//! before, and says so.

use std::{sync::Arc, time::Duration};

use ancm_tower::timers::interval;
use tokio::time::MissedTickBehavior;

use super::Publisher;
use crate::{
    config::{self, Config, Stamps},
    events,
    supervisor::Supervisor,
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Obeys the files of an application for as long as it runs; what changed since they were read is not missed.
pub(super) async fn obey(
    application: String,
    mut config: Arc<Config>,
    supervisor: Supervisor,
    publisher: Publisher,
) {
    let mut seen = config.seen.clone();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = Some(config.stamps());
        if now == seen {
            continue;
        }
        let before = std::mem::replace(&mut seen, now);
        if is_same_configuration(before.as_ref(), seen.as_ref()) {
            // ANCM: in the schema since 2016; most versions of the module read the names and never watch the files.
            tracing::info!(target: "server", application, "a file of `recycleOnFileChange` has changed; starting anew");
            supervisor.recycle(Arc::clone(&config));
            continue;
        }
        match config::reload(&config) {
            // ANCM: globalmodule.cpp; `disallowRotationOnConfigChange` is how a blue/green deployment forbids this.
            Ok(_) if config.ignores_changes() => {
                tracing::info!(target: "server", application, "web.config has changed, which `disallowRotationOnConfigChange` ignores");
            }
            Ok(loaded) => {
                tracing::info!(target: "server", application, file = %loaded.file.display(), "web.config has changed; starting anew from it");
                config = Arc::new(loaded.config);
                seen.clone_from(&config.seen);
                publisher.publish(&config);
                supervisor.recycle(Arc::clone(&config));
            }
            // ANCM: IIS has nothing left to serve then, and answers for the folder itself.
            Err(errors) => {
                tracing::error!(target: "server", event_id = events::MISCONFIGURED, application, %errors, "web.config has changed and cannot be used; what runs goes on as before");
                supervisor.misconfigured(errors);
            }
        }
    }
}

fn is_same_configuration(before: Option<&Stamps>, now: Option<&Stamps>) -> bool {
    before.zip(now).is_some_and(|(before, now)| now.is_same_configuration(before))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        application::{Application, Hosted, Logs},
        binding::Binding,
        output::Output,
        spawn::Spawner,
    };

    fn write(file: &Path, attributes: &str) {
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='nowhere' {attributes}/></system.webServer></configuration>"
        );
        fs::write(file, text).unwrap();
    }

    fn load(folder: &Path) -> Hosted {
        Hosted::load::<&str>(Binding::root(), folder, &[], &[]).0
    }

    fn start(hosted: Hosted) -> Application {
        let logs = Logs { output: Output::start().unwrap(), debug: None };
        Application::start(hosted, String::new(), Spawner::Direct, logs, None)
    }

    /// Waits for another configuration than that of the start.
    async fn changed(application: &Application) {
        let mut config = application.settings().config;
        // A long time for two looks at a file.
        let changed = tokio::time::timeout(Duration::from_secs(20), config.changed());
        changed.await.expect("the change was missed").unwrap();
    }

    #[tokio::test]
    async fn a_change_between_reading_and_starting_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.config");
        for before in ["shutdownTimeLimit='2'", "shutdownTimeLimit='wrong'"] {
            write(&file, before);
            let hosted = load(folder.path());
            assert_eq!(hosted.errors().is_some(), before.contains("wrong"));
            write(&file, "shutdownTimeLimit='33'");
            let application = start(hosted);
            changed(&application).await;
            assert_eq!(application.shutdown_limit().as_secs(), 33);
            application.stop().await;
        }
    }

    #[tokio::test]
    async fn whoever_reads_the_file_before_is_told_of_later_changes_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.config");
        write(&file, "shutdownTimeLimit='2'");
        let config = config::load(folder.path()).unwrap().config;
        write(&file, "shutdownTimeLimit='33'");
        let application = start(Hosted::new(Binding::root(), Arc::new(config)));
        changed(&application).await;
        assert_eq!(application.shutdown_limit().as_secs(), 33);
        application.stop().await;
    }

    #[tokio::test]
    async fn what_stands_in_front_of_the_processes_follows_the_newest_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.config");
        write(&file, "startupTimeLimit='1' shutdownTimeLimit='2'");
        let application = start(load(folder.path()));
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
}
