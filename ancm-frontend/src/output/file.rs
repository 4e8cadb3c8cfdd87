//! How a log file is opened, and whether it is still there.
//!
//! What an application prints is nobody's business but its owner's and that of the group: others cannot read the file.
//!
//! # Example
//!
//! ```text
//! -rw-r----- logs/stdout_20240131235959_4242.log
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

/// Opens a file for appending, its folder made if there is none; `new` takes only one that was not there.
pub(crate) fn open(path: &Path, new: bool) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true).create_new(new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

/// Whether a file has no name any more.
#[cfg(unix)]
pub(crate) fn is_deleted(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

/// Whether a file has no name any more; elsewhere one that is open cannot be deleted.
#[cfg(not(unix))]
pub(crate) fn is_deleted(_file: &File) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::{io::Write, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn others_cannot_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/log");
        let mut file = open(&path, true).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o137, 0);
        file.write_all(b"one").unwrap();
        assert_eq!(open(&path, true).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        open(&path, false).unwrap().write_all(b"two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "onetwo");
        assert!(!is_deleted(&file));
        fs::remove_file(&path).unwrap();
        assert!(is_deleted(&file));
    }
}
