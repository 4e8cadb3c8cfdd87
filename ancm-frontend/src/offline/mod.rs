//! Watches for `app_offline.htm`, the file that takes an application offline.
//!
//! The site root is looked at several times a second: notifications get lost on network file systems and in containers,
//! and a look costs little. What counts is what is there, not what has happened, so that a file that comes and goes
//! and comes again is always seen in the end.
//!
//! The file's name is compared as a whole and ignoring case. It must be a regular file, or a link to one. One that
//! cannot be read takes the application offline as well, with an empty page.
//!
//! # Example
//!
//! ```
//! # tokio_test::block_on(async {
//! let site = tempfile::tempdir()?;
//! let mut pages = ancm_frontend::offline::watch(site.path());
//! assert!(pages.borrow().is_none());
//!
//! std::fs::write(site.path().join("App_Offline.htm"), "<h1>Back soon</h1>")?;
//! pages.wait_for(Option::is_some).await?;
//!
//! std::fs::remove_file(site.path().join("App_Offline.htm"))?;
//! pages.wait_for(Option::is_none).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod look;

use std::{path::Path, time::Duration};

use ancm_tower::{app_offline::Page, timers::interval};
use tokio::{sync::watch, task::spawn_blocking, time::MissedTickBehavior};

use self::look::Watcher;
use crate::supervisor::Supervisor;

/// How often the site root is looked at.
// ANCM: AppOfflineApplication.cpp believes what it has seen for as long.
const EVERY: Duration = Duration::from_millis(150);
/// Watches a site root from the tokio runtime from within which it is called, until the last receiver is dropped.
///
/// The first look is taken before this returns.
pub fn watch(site_root: impl AsRef<Path>) -> watch::Receiver<Option<Page>> {
    let mut watcher = Watcher::new(site_root.as_ref());
    let (sender, pages) = watch::channel(watcher.look());
    tokio::spawn(async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = sender.closed() => return,
                _ = ticks.tick() => {}
            }
            // A file system that hangs must not hang whatever else runs here.
            let looked = spawn_blocking(move || {
                let page = watcher.look();
                (watcher, page)
            });
            let Ok((returned, page)) = looked.await else { return };
            watcher = returned;
            sender.send_if_modified(|old| {
                let is_new = *old != page;
                *old = page;
                is_new
            });
        }
    });
    pages
}

/// Takes the application offline and back as the pages come and go; what visitors are to see, in the right order.
///
/// When a page comes, it is shown first, and then the processes are stopped. When it goes, the processes are started
/// first, so that requests are held from the moment in which the page is gone.
pub fn follow(
    mut pages: watch::Receiver<Option<Page>>,
    supervisor: Supervisor,
) -> watch::Receiver<Option<Page>> {
    let (show, shown) = watch::channel(pages.borrow().clone());
    tokio::spawn(async move {
        loop {
            let page = pages.borrow_and_update().clone();
            if page.is_some() {
                show.send_replace(page);
                supervisor.set_offline(true).await;
            } else {
                supervisor.set_offline(false).await;
                show.send_if_modified(|shown| shown.take().is_some());
            }
            tokio::select! {
                changed = pages.changed() => if changed.is_err() { return },
                () = show.closed() => return,
                () = supervisor.ended() => return,
            }
        }
    });
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tells_nobody_of_looks_that_saw_nothing_new() {
        let site = tempfile::tempdir().unwrap();
        std::fs::write(site.path().join("app_offline.htm"), "page").unwrap();
        let mut pages = watch(site.path());
        assert_eq!(*pages.borrow_and_update(), Some(Page::new("page")), "the first look is taken at once");
        assert!(tokio::time::timeout(EVERY * 4, pages.changed()).await.is_err());
        std::fs::remove_file(site.path().join("app_offline.htm")).unwrap();
        pages.changed().await.unwrap();
        assert_eq!(*pages.borrow(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_with_the_last_receiver() {
        let site = tempfile::tempdir().unwrap();
        let pages = watch(site.path());
        let runtime = tokio::runtime::Handle::current();
        assert_eq!(runtime.metrics().num_alive_tasks(), 1);
        drop(pages);
        while runtime.metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
