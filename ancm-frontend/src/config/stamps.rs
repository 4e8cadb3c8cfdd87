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

/// What the files of a configuration looked like at one moment, and those of `recycleOnFileChange`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps {
    /// For each folder those of its `web.config`.
    configuration: Vec<Vec<Stamp>>,
    /// `None`: there is no such file.
    files: Vec<Option<Stamp>>,
}

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
        let configuration = parents.chain([site_root]).map(of_folder).collect();
        Self { configuration, files: Vec::new() }
    }

    /// And those of these files, whose paths are relative to the folder of the application.
    #[must_use]
    pub fn with_files(mut self, site_root: &Path, files: &[impl AsRef<Path>]) -> Self {
        let of_file = |file: &Path| Some(Stamp::of(Some(&fs::metadata(site_root.join(file)).ok()?)));
        self.files = files.iter().map(|file| of_file(file.as_ref())).collect();
        self
    }

    /// Whether the configuration is still what it was, whatever has become of the other files.
    pub fn is_same_configuration(&self, earlier: &Self) -> bool {
        self.configuration == earlier.configuration
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

    #[test]
    fn tell_listed_files_from_the_configuration() {
        let (folder, stamps) = site();
        let with_files = || stamps().with_files(folder.path(), &["a.json", "sub/b.json"]);
        let before = with_files();
        assert_eq!(with_files(), before);
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("sub/b.json"), "x").unwrap();
        let after = with_files();
        assert!(after != before && after.is_same_configuration(&before));
        fs::write(folder.path().join("web.config"), "x").unwrap();
        assert!(!with_files().is_same_configuration(&after));
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
