//! The log files of one application that belong together: which one is next, and which are no longer kept.
//!
//! A file is named after the time at which it was begun. When it is full or old the next one is begun, and those that
//! are too old or too many are removed: only such as have exactly this kind of name, and never one that is in use. The
//! last one goes when the process does, if nothing was written to it.
//!
//! # Example
//!
//! ```text
//! logs/stdout_20240131235959_4242.log     begun with the process
//! logs/stdout_20240201083000_4242.log     begun when that was full
//! logs/stdout_20240201083000_4242.2.log   within the same second
//! logs/stdout_20240201083000_4242_1.log   of the slot 1, which counts for itself
//! ```

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use time::OffsetDateTime;

use super::{file, log_file::LogFileSettings, target::Place};

/// The files that the writers of this process have open.
pub(super) type InUse = Arc<Mutex<Vec<PathBuf>>>;

/// The files of one place of one application.
pub(super) struct Series {
    settings: LogFileSettings,
    pid: u32,
    /// The file that is open, or is to be opened.
    path: PathBuf,
    begun: SystemTime,
    /// How many were begun within which second; none of their names is used again.
    last: (i64, u32),
    in_use: InUse,
    /// Whether the path stands there because of this one.
    uses: bool,
}

/// What the name of a file of a series says.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    stamp: &'a str,
    number: u32,
    pid: u32,
    slot: Option<usize>,
}

/// A file that may be removed.
struct Old {
    path: PathBuf,
    /// When it was last written to; of several within one tick of the clock, the names tell.
    age: (SystemTime, String, u32),
    same_slot: bool,
    kept: bool,
}

// === impl Series ===

impl Series {
    pub(super) fn new(settings: LogFileSettings, path: PathBuf, pid: u32, in_use: InUse) -> Self {
        let last = (OffsetDateTime::now_utc().unix_timestamp(), 1);
        Self { settings, pid, path, begun: SystemTime::now(), last, in_use, uses: false }
    }

    /// Removes what is not kept any more.
    fn prune(&self) {
        let Some(folder) = self.path.parent() else { return };
        let limits = &self.settings.limits;
        let mut files = self.files(folder);
        // The newest first; what nobody has written to for long is old, whatever its name says.
        files.sort_by(|a, b| b.age.cmp(&a.age));
        let now = SystemTime::now();
        let mut count = 0;
        for file in files {
            count += usize::from(file.same_slot);
            let too_many = file.same_slot && limits.max_files.is_some_and(|most| count > most);
            let age = now.duration_since(file.age.0).unwrap_or_default();
            if !file.kept && (too_many || limits.max_age.is_some_and(|most| age > most)) {
                remove(&file.path);
            }
        }
    }

    fn files(&self, folder: &Path) -> Vec<Old> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let prefix = self.settings.file_prefix();
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let old = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let name = Name::parse(name.to_str()?, &prefix)?;
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let path = entry.path();
            // Another frontend, that serves the same folder.
            let of_another = name.pid != self.pid && Path::new("/proc").join(name.pid.to_string()).exists();
            Some(Old {
                age: (metadata.modified().ok()?, name.stamp.to_owned(), name.number),
                same_slot: name.slot == self.settings.slot,
                kept: of_another || in_use.contains(&path),
                path,
            })
        };
        entries.filter_map(|entry| old(entry.ok()?)).collect()
    }

    fn use_only(&mut self, path: PathBuf) {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if self.uses {
            forget(&mut in_use, &self.path);
        }
        in_use.push(path.clone());
        drop(in_use);
        (self.path, self.uses) = (path, true);
    }
}

impl Place for Series {
    type File = File;

    fn open(&mut self) -> io::Result<File> {
        // ANCM: serverprocess.cpp truncates. The name holds the second and our pid, so the only file that can be there
        // is the one of a start within the same second: the log of the crash that made this start necessary.
        let file = file::open(&self.path, false)?;
        self.use_only(self.path.clone());
        self.prune();
        Ok(file)
    }

    fn next(&mut self) -> io::Result<File> {
        let at = OffsetDateTime::now_utc();
        let (second, count) = self.last;
        let first = if second == at.unix_timestamp() { count + 1 } else { 1 };
        for number in first.. {
            let path = self.settings.path(at, self.pid, number).map_err(io::Error::other)?;
            match file::open(&path, true) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    self.use_only(path);
                    self.begun = SystemTime::now();
                    self.last = (at.unix_timestamp(), number);
                    self.prune();
                    return Ok(file);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn max_size(&self) -> Option<u64> {
        self.settings.limits.max_size
    }

    fn is_old(&self) -> bool {
        let age = self.begun.elapsed().unwrap_or(Duration::ZERO);
        self.settings.limits.max_age.is_some_and(|most| age > most)
    }

    fn length(&self, file: &File) -> u64 {
        file.metadata().map_or(0, |metadata| metadata.len())
    }

    fn is_gone(&self, file: &File) -> bool {
        file::is_deleted(file)
    }

    fn tidy(&mut self) {
        self.prune();
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        if !self.uses {
            return;
        }
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut in_use, &self.path);
        let is_empty = |metadata: fs::Metadata| metadata.is_file() && metadata.len() == 0;
        // ANCM: serverprocess.cpp means to do so as well, where it cannot happen. It would count as one of those kept.
        if !in_use.contains(&self.path) && fs::symlink_metadata(&self.path).is_ok_and(is_empty) {
            remove(&self.path);
        }
    }
}

/// Two starts within a second share a file.
fn forget(in_use: &mut Vec<PathBuf>, path: &Path) {
    if let Some(at) = in_use.iter().position(|used| used == path) {
        in_use.swap_remove(at);
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {
            tracing::debug!(target: "server", path = %path.display(), "an old stdout log file was removed");
        }
        Err(error) => {
            tracing::debug!(target: "server", path = %path.display(), %error, "an old stdout log file cannot be removed");
        }
    }
}

// === impl Name ===

impl<'a> Name<'a> {
    /// Understands `PREFIX_YYYYMMDDHHMMSS_PID.log`, with `_SLOT` and `.NUMBER` if they are there.
    fn parse(name: &'a str, prefix: &str) -> Option<Self> {
        let rest = name.strip_prefix(prefix)?.strip_prefix('_')?.strip_suffix(".log")?;
        let (rest, count) = rest.split_once('.').unwrap_or((rest, "1"));
        let mut parts = rest.split('_');
        let (stamp, pid, slot) = (parts.next()?, parts.next()?, parts.next());
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let whole = parts.next().is_none() && stamp.len() == 14 && is_number(stamp) && is_number(pid);
        let whole = whole && slot.is_none_or(is_number) && is_number(count);
        let slot = match slot {
            Some(slot) => Some(slot.parse().ok()?),
            None => None,
        };
        whole.then(|| Some(Self { stamp, number: count.parse().ok()?, pid: pid.parse().ok()?, slot }))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLimits;

    /// Far above what Linux gives to processes.
    const NOBODY: u32 = 2_000_000_000;

    fn series(folder: &Path, slot: Option<usize>, limits: LogLimits) -> Series {
        let settings = LogFileSettings { site_root: folder.into(), name: "out".into(), slot, limits };
        let path = settings.path(OffsetDateTime::now_utc(), NOBODY, 1).unwrap();
        Series::new(settings, path, NOBODY, InUse::default())
    }

    fn unlimited() -> LogLimits {
        LogLimits { max_size: None, max_age: None, max_files: None }
    }

    fn make(folder: &Path, name: &str, seconds_ago: u64) {
        let file = File::create(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn knows_its_files_by_their_names() {
        let name = |stamp, number, pid, slot| Some(Name { stamp, number, pid, slot });
        let parsed = |name| Name::parse(name, "out");
        assert_eq!(parsed("out_20240131235959_42.log"), name("20240131235959", 1, 42, None));
        assert_eq!(parsed("out_20240131235959_42_3.log"), name("20240131235959", 1, 42, Some(3)));
        assert_eq!(parsed("out_20240131235959_42_3.2.log"), name("20240131235959", 2, 42, Some(3)));
        for other in [
            "out.log",
            "out_42.log",
            "out_20240131235959_42.txt",
            "out_2024013123595_42.log",
            "out_20240131235959_42_3_4.log",
            "out_20240131235959_.log",
            "out_20240131235959_x.log",
            "out_20240131235959_42.old.log",
            "outer_20240131235959_42.log",
            "out_20240131235959_42.log.gz",
        ] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }

    #[test]
    fn removes_the_oldest_of_too_many_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [
            ("out_20240101000001_1999999999.log", 40),
            ("out_20240101000002_1999999999.log", 20),
            ("out_20240101000003_1999999999.log", 30),
            ("out_20240101000000_1999999999_1.log", 90),
            ("out_backup.log", 90),
            ("web.config", 90),
        ] {
            make(folder.path(), name, age);
        }
        let mut series = series(folder.path(), None, LogLimits { max_files: Some(2), ..unlimited() });
        let _file = series.open().unwrap();
        let own = series.path.file_name().unwrap().to_str().unwrap().to_owned();
        let kept = ["out_20240101000000_1999999999_1.log", "out_20240101000002_1999999999.log", &own];
        assert_eq!(names(folder.path()), [&kept[..], &["out_backup.log", "web.config"]].concat());
    }

    #[test]
    fn removes_what_is_too_old_of_every_slot() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), "out_20240101000000_1999999999_1.log", 90);
        make(folder.path(), "out_20240101000000_1999999999.log", 90);
        make(folder.path(), "out_20240101000001_1999999999.log", 10);
        let limits = LogLimits { max_age: Some(Duration::from_secs(60)), ..unlimited() };
        let mut series = series(folder.path(), None, limits);
        let _file = series.open().unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        assert!(!series.is_old());
        series.begun = SystemTime::now() - Duration::from_secs(61);
        assert!(series.is_old());
        series.next().unwrap();
        assert!(!series.is_old());
    }

    #[test]
    fn keeps_what_somebody_writes_to() {
        let folder = tempfile::tempdir().unwrap();
        let limits = LogLimits { max_files: Some(1), ..unlimited() };
        let mut old = series(folder.path(), None, limits);
        let in_use = folder.path().join("out_20240101000000_2000000000.log");
        old.path.clone_from(&in_use);
        let _file = old.open().unwrap();
        let living = format!("out_20240101000000_{}.log", std::process::id());
        make(folder.path(), &living, 90);
        let mut new = series(folder.path(), None, limits);
        new.in_use = Arc::clone(&old.in_use);
        let _file = new.open().unwrap();
        assert_eq!(names(folder.path()).len(), 3);
        drop(old);
        new.next().unwrap();
        let left = names(folder.path());
        assert!(left.contains(&living) && !in_use.exists(), "{left:?}");
        assert_eq!(left.len(), 2);
    }

    #[test]
    fn removes_a_file_in_which_nothing_was_written() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let mut empty = series(folder.path(), Some(1), unlimited());
        let mut written = series(folder.path(), Some(2), unlimited());
        empty.open().unwrap();
        written.open().unwrap().write_all(b"a line\n").unwrap();
        let both = names(folder.path());
        let mut shared = series(folder.path(), Some(1), unlimited());
        (shared.path, shared.in_use) = (empty.path.clone(), Arc::clone(&empty.in_use));
        shared.open().unwrap();
        drop((empty, written));
        assert_eq!(names(folder.path()), both, "somebody still has it");
        drop(shared);
        assert_eq!(names(folder.path()), both[1..]);
    }

    #[test]
    fn begins_files_of_different_names_within_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let mut series = series(folder.path(), Some(4), unlimited());
        series.open().unwrap();
        for _ in 0..3 {
            series.next().unwrap();
        }
        let names = names(folder.path());
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.iter().all(|name| Name::parse(name, "out").is_some_and(|name| name.slot == Some(4))));
    }
}
