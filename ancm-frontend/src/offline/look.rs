//! Looks at a site root, as little as the last look allows.
//!
//! # Example
//!
//! ```text
//! the folder is as it was long ago    one `stat`, no listing
//! so is the file                      one more `stat`, no reading
//! ```

use std::{
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use ancm_tower::{app_offline::Page, contract::APP_OFFLINE_FILE};
use bytes::Bytes;

use crate::events;

/// What has changed so recently may change again without a new time of change: file systems count in steps of up to
/// two seconds.
const SETTLED: Duration = Duration::from_secs(3);
/// The longest page.
const LIMIT: u64 = 4 * 1024 * 1024;

/// What has been seen, so that little has to be looked at again.
#[derive(Debug)]
pub(super) struct Watcher {
    site_root: PathBuf,
    listing: Option<Listing>,
    content: Option<Content>,
    /// Whether the site root could not be read; said once.
    unreadable: bool,
}

/// The files of the site root that have the name in any case.
#[derive(Debug)]
struct Listing {
    seen: Stamp,
    names: Vec<OsString>,
}

/// The page that was read.
#[derive(Debug)]
struct Content {
    path: PathBuf,
    seen: Stamp,
    page: Page,
}

/// What changes with a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    identity: [u64; 2],
    /// Changes with the permissions too.
    changed: [i64; 2],
    /// Whether the last change was long ago when this was seen.
    settled: bool,
}

// === impl Watcher ===

impl Watcher {
    pub(super) fn new(site_root: &Path) -> Self {
        Self { site_root: site_root.to_owned(), listing: None, content: None, unreadable: false }
    }

    /// The page that is there now.
    pub(super) fn look(&mut self) -> Option<Page> {
        match self.names() {
            Ok(names) => {
                self.unreadable = false;
                let found = names.iter().find_map(|name| {
                    let path = self.site_root.join(name);
                    let metadata = fs::metadata(&path).ok().filter(Metadata::is_file)?;
                    Some((path, Stamp::of(&metadata)))
                });
                found.map(|(path, seen)| self.page(path, seen))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.unreadable, true) {
                    tracing::warn!(
                        target: "server",
                        event_id = events::UNWATCHED,
                        site_root = %self.site_root.display(),
                        error = %error,
                        "the site root cannot be read: {APP_OFFLINE_FILE} is not seen"
                    );
                }
                None
            }
        }
    }

    /// The names that count; the site root is read again only if it has changed.
    fn names(&mut self) -> io::Result<Vec<OsString>> {
        let seen = Stamp::of(&fs::metadata(&self.site_root)?);
        if let Some(listing) = self.listing.as_ref().filter(|listing| listing.seen.is_still(&seen)) {
            return Ok(listing.names.clone());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.site_root)? {
            let name = entry?.file_name();
            if name.eq_ignore_ascii_case(APP_OFFLINE_FILE) {
                names.push(name);
            }
        }
        // Of several, the one that is spelled as it should be comes first.
        names.sort_by_key(|name| (name != OsStr::new(APP_OFFLINE_FILE), name.clone()));
        self.listing = Some(Listing { seen, names: names.clone() });
        Ok(names)
    }

    fn page(&mut self, path: PathBuf, seen: Stamp) -> Page {
        let known = self.content.as_ref().filter(|known| known.path == path && known.seen.is_still(&seen));
        if let Some(known) = known {
            return known.page.clone();
        }
        let first = self.content.as_ref().is_none_or(|known| known.seen != seen);
        let page = Page::new(read(&path, first));
        self.content = Some(Content { path, seen, page: page.clone() });
        page
    }
}

/// The bytes of the file, or none at all; that is said if `aloud`.
fn read(path: &Path, aloud: bool) -> Bytes {
    let bytes = fs::File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let (file, limit) = (path.display(), LIMIT);
    match bytes {
        Ok(bytes) if bytes.len() as u64 <= LIMIT => return bytes.into(),
        Ok(_) if aloud => {
            tracing::warn!(target: "server", %file, limit, "the file is too long for a page; visitors see an empty one");
        }
        Err(error) if aloud => {
            tracing::warn!(target: "server", %file, error = %error, "the file cannot be read; visitors see an empty page");
        }
        _ => {}
    }
    // ANCM: AppOfflineHandler.cpp answers with an empty body as well.
    Bytes::new()
}

// === impl Stamp ===

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        let (identity, changed) = identity(metadata);
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        Self {
            modified,
            length: metadata.len(),
            identity,
            changed,
            settled: age.is_some_and(|age| age > SETTLED),
        }
    }

    /// Whether what was read at this stamp is what is there at the other.
    fn is_still(&self, other: &Self) -> bool {
        self.settled && self == other
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> ([u64; 2], [i64; 2]) {
    use std::os::unix::fs::MetadataExt;
    ([metadata.dev(), metadata.ino()], [metadata.ctime(), metadata.ctime_nsec()])
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> ([u64; 2], [i64; 2]) {
    ([0; 2], [0; 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> (tempfile::TempDir, Watcher) {
        let site = tempfile::tempdir().unwrap();
        let watcher = Watcher::new(site.path());
        (site, watcher)
    }

    /// Makes a file or folder look as if it had been left alone for long.
    fn settle(path: &Path) {
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn sees_the_file_in_any_case_but_no_other_name() {
        for (name, counts) in [
            ("app_offline.htm", true),
            ("App_Offline.Htm", true),
            ("APP_OFFLINE.HTM", true),
            ("app_offline.html", false),
            ("app_offline.ht", false),
            ("app", false),
            ("_app_offline.htm", false),
        ] {
            let (site, mut watcher) = site();
            fs::write(site.path().join(name), "page").unwrap();
            assert_eq!(watcher.look(), counts.then(|| Page::new("page")), "{name}");
        }
    }

    #[test]
    fn sees_the_site_root_only() {
        let (site, mut watcher) = site();
        fs::create_dir(site.path().join("wwwroot")).unwrap();
        fs::write(site.path().join("wwwroot/app_offline.htm"), "page").unwrap();
        assert_eq!(watcher.look(), None);
    }

    #[test]
    fn follows_every_change_however_quick() {
        let (site, mut watcher) = site();
        let file = site.path().join("app_offline.htm");
        for round in 0..20 {
            fs::write(&file, format!("page {}", round % 10)).unwrap();
            assert_eq!(watcher.look(), Some(Page::new(format!("page {}", round % 10))));
            fs::remove_file(&file).unwrap();
            assert_eq!(watcher.look(), None);
        }
    }

    #[test]
    fn sees_a_file_that_comes_long_after_the_last_change() {
        let (site, mut watcher) = site();
        settle(site.path());
        assert_eq!(watcher.look(), None);
        assert!(watcher.listing.as_ref().unwrap().seen.settled);
        fs::write(site.path().join("app_offline.htm"), "page").unwrap();
        assert_eq!(watcher.look(), Some(Page::new("page")));
    }

    #[test]
    fn reads_a_file_that_is_left_alone_only_once() {
        let (site, mut watcher) = site();
        let file = site.path().join("app_offline.htm");
        fs::write(&file, "page").unwrap();
        settle(&file);
        settle(site.path());
        watcher.look();
        // What was remembered is given; nobody else could know it.
        watcher.content.as_mut().unwrap().page = Page::new("remembered");
        assert_eq!(watcher.look(), Some(Page::new("remembered")));
        fs::write(&file, "other").unwrap();
        assert_eq!(watcher.look(), Some(Page::new("other")));
    }

    #[test]
    fn a_folder_of_that_name_does_not_count() {
        let (site, mut watcher) = site();
        fs::create_dir(site.path().join("app_offline.htm")).unwrap();
        assert_eq!(watcher.look(), None);
        fs::write(site.path().join("App_Offline.htm"), "page").unwrap();
        assert_eq!(watcher.look(), Some(Page::new("page")));
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_and_notices_when_they_lead_nowhere() {
        let (site, mut watcher) = site();
        let target = site.path().join("offline.page");
        std::os::unix::fs::symlink(&target, site.path().join("app_offline.htm")).unwrap();
        settle(site.path());
        assert_eq!(watcher.look(), None);
        fs::write(&target, "page").unwrap();
        assert_eq!(watcher.look(), Some(Page::new("page")));
        fs::remove_file(&target).unwrap();
        assert_eq!(watcher.look(), None);
    }

    #[test]
    fn shows_an_empty_page_for_a_file_that_is_too_long() {
        let (site, mut watcher) = site();
        let file = site.path().join("app_offline.htm");
        fs::File::create(&file).unwrap().set_len(LIMIT + 1).unwrap();
        assert_eq!(watcher.look(), Some(Page::new("")));
        fs::File::create(&file).unwrap().set_len(LIMIT).unwrap();
        assert_ne!(watcher.look(), Some(Page::new("")));
    }

    #[test]
    fn an_unreadable_file_takes_the_application_offline_with_an_empty_page() {
        // The user who runs this may be allowed to read everything, so that the file itself is asked for.
        let nowhere = Path::new("/no/such/file");
        assert_eq!(read(nowhere, true), Bytes::new());
    }

    #[test]
    fn a_site_root_that_is_gone_is_no_reason_to_be_offline() {
        let (site, mut watcher) = site();
        drop(site);
        assert_eq!(watcher.look(), None);
        assert!(watcher.unreadable);
    }
}
