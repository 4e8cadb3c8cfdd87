//! One application: its supervisor, and the file that takes it offline.
//!
//! The two are kept in step here. When `app_offline.htm` appears, the page is shown first and the processes are
//! stopped then; when it goes, they are started first, and the page is cleared as soon as requests can be held.

use std::sync::Arc;

use ancm_tower::app_offline::Page;
use tokio::sync::watch;

use crate::{
    config::Config,
    offline,
    output::Output,
    spawn::Spawner,
    supervisor::{Settings, Supervisor, snapshot::Snapshot},
};

/// An application that is being kept running; lives on the control thread.
#[derive(Debug)]
pub struct Application {
    supervisor: Supervisor,
    page: watch::Receiver<Option<Page>>,
    follow: tokio::task::JoinHandle<()>,
}

// === impl Application ===

impl Application {
    /// Starts its processes, unless it is offline.
    pub fn start(config: Arc<Config>, spawner: Spawner, output: Output) -> Self {
        let file = offline::watch(&config.site_root);
        let (show, page) = watch::channel(file.borrow().clone());
        let settings = Settings::new(config, spawner, output).offline(page.borrow().is_some());
        let supervisor = Supervisor::start(settings);
        let follow = tokio::spawn(follow(file, show, supervisor.clone()));
        Self { supervisor, page, follow }
    }

    /// The page to answer with while it is offline.
    pub fn page(&self) -> watch::Receiver<Option<Page>> {
        self.page.clone()
    }

    /// What there is to dispatch to.
    pub fn snapshots(&self) -> watch::Receiver<Snapshot> {
        self.supervisor.snapshots()
    }

    /// Its supervisor.
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Stops its processes, gracefully; a second call, meanwhile, stops them at once.
    pub async fn stop(&self) {
        self.follow.abort();
        self.supervisor.stop().await;
    }
}

async fn follow(
    mut file: watch::Receiver<Option<Page>>,
    show: watch::Sender<Option<Page>>,
    supervisor: Supervisor,
) {
    loop {
        let page = file.borrow_and_update().clone();
        if page.is_some() {
            show.send_replace(page);
            supervisor.set_offline(true).await;
        } else {
            supervisor.set_offline(false).await;
            show.send_replace(None);
        }
        if file.changed().await.is_err() {
            return;
        }
    }
}
