//! Reads the files anew when they change, or when somebody asks.

use std::{fs, path::Path, sync::Arc, time::Duration};

use ancm_tower::timers::interval;
use tokio::{
    sync::{Notify, watch},
    time::MissedTickBehavior,
};
use tokio_rustls::rustls::ServerConfig;

use super::{Certificates, TlsError, TlsSettings};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The files, and who is told of what is in them.
#[derive(Debug)]
pub(crate) struct Source {
    settings: TlsSettings,
    used: Vec<Option<Stamp>>,
    tell: watch::Sender<Arc<ServerConfig>>,
}

/// What changes when a file is written, replaced or made readable.
#[derive(Debug, PartialEq)]
struct Stamp {
    #[cfg(unix)]
    file: (u64, u64),
    #[cfg(unix)]
    changed: (i64, i64),
    modified: Option<std::time::SystemTime>,
    length: u64,
}

// === impl Source ===

impl Source {
    /// Reads the files for the first time.
    pub(crate) fn open(settings: TlsSettings) -> Result<(Self, Certificates), TlsError> {
        let used = stamps(&settings);
        let (tell, told) = watch::channel(settings.load()?);
        Ok((Self { settings, used, tell }, Certificates::new(told)))
    }

    /// Reads them again for as long as it is polled; a pair that cannot be used changes nothing.
    pub(crate) async fn follow(mut self, asked: Arc<Notify>) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Vec::new();
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                () = asked.notified() => true,
            };
            let now = stamps(&self.settings);
            // Certificate and key are written one after the other: they are read once both lie still.
            if asked || now != self.used && now == last {
                self.used = stamps(&self.settings);
                self.reload();
            }
            last = now;
        }
    }

    fn reload(&self) {
        let file = self.settings.certificate.display();
        match self.settings.load() {
            Ok(config) => {
                self.tell.send_replace(config);
                tracing::info!(target: "server", %file, "the certificate has been read anew; new connections get it");
            }
            Err(error) => {
                tracing::error!(target: "server", %error, "the certificate cannot be read anew; the one before stays in use");
            }
        }
    }
}

fn stamps(settings: &TlsSettings) -> Vec<Option<Stamp>> {
    settings.files().map(|path| Stamp::of(path)).collect()
}

// === impl Stamp ===

impl Stamp {
    /// Of the file itself, should the path be a link; None if it cannot be seen.
    fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;

        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            #[cfg(unix)]
            file: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: metadata.modified().ok(),
            length: metadata.len(),
        })
    }
}
