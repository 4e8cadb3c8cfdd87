//! What tells whether the files of a configuration have changed, without reading them.
//!
//! They are taken before the files are read: what changes while they are read, or afterwards, is then told apart from
//! what was read.

use std::{
    fs::{self, Metadata},
    path::Path,
    time::SystemTime,
};

use ancm_tower::contract;

use super::Parent;

/// What the files of a configuration looked like at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps(Vec<Vec<Stamp>>);

/// What changes when a file is written, replaced, touched or put back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: Option<u64>,
    /// When anything about it changed, its name too: a file that was moved away and back is another.
    changed: Option<Changed>,
}

/// Seconds and nanoseconds, where the system keeps that time.
#[cfg(unix)]
type Changed = (i64, i64);
#[cfg(not(unix))]
type Changed = ();

// === impl Stamps ===

impl Stamps {
    /// Those of the folder of an application and of the folders that it inherits from.
    pub fn take(site_root: &Path, parents: &[Parent]) -> Self {
        let parents = parents.iter().map(|parent| parent.folder.as_path());
        Self(parents.chain([site_root]).map(of_folder).collect())
    }
}

/// Those of all files that may be the folder's `web.config`, whichever their case is.
fn of_folder(folder: &Path) -> Vec<Stamp> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(contract::WEB_CONFIG_FILE))
        })
        // Of the file itself, should it be a link.
        .map(|entry| Stamp::of(fs::metadata(entry.path()).ok().as_ref()))
        .collect()
}

// === impl Stamp ===

impl Stamp {
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

    /// A folder with an application in `own`, and what tells its stamps.
    fn site() -> (tempfile::TempDir, impl Fn() -> Stamps) {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        let parents = vec![Parent { folder: folder.path().to_owned(), below: "own".into() }];
        (folder, move || Stamps::take(&own, &parents))
    }

    #[test]
    fn tell_that_files_of_the_application_and_of_its_parents_came_and_went() {
        let (folder, stamps) = site();
        let mut seen = vec![stamps()];
        for file in ["own/Web.Config", "web.config"] {
            fs::write(folder.path().join(file), "x").unwrap();
            seen.push(stamps());
        }
        fs::remove_file(folder.path().join("own/Web.Config")).unwrap();
        seen.push(stamps());
        for (index, stamps) in seen.iter().enumerate() {
            assert!(!seen[..index].contains(stamps), "{index}: {seen:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn tell_that_a_file_was_moved_away_and_back_between_two_looks() {
        let (folder, stamps) = site();
        let (file, away) = (folder.path().join("own/web.config"), folder.path().join("away"));
        fs::write(&file, "x").unwrap();
        let before = stamps();
        // The clock of file systems is coarse.
        while stamps() == before {
            fs::rename(&file, &away).unwrap();
            fs::rename(&away, &file).unwrap();
        }
    }
}
