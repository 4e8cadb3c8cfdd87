//! What the lines of a debug log are written to.

use std::{
    fs::{self, File},
    io::{self, Read, Stdout},
    path::{Path, PathBuf},
};

use crate::output::{Place, file};

/// A file that only grows.
pub(super) struct OneFile {
    path: PathBuf,
}

/// Our own standard output.
pub(super) struct StandardOutput;

// === impl OneFile ===

impl OneFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Place for OneFile {
    type File = File;

    fn open(&mut self) -> io::Result<File> {
        if is_something_else(&self.path) {
            return Err(io::Error::other(
                "the file holds something else than a debug log and is left as it is",
            ));
        }
        file::open(&self.path, false)
    }

    fn is_gone(&self, file: &File) -> bool {
        file::is_deleted(file)
    }
}

/// Whether there is a file that does not begin as a debug log does: a slip in `debugFile` must not spoil `web.config`.
fn is_something_else(path: &Path) -> bool {
    // A pipe would wait for its other end, a device has no beginning.
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0);
    let mut first = [0];
    is_file && File::open(path).is_ok_and(|mut file| file.read(&mut first).is_ok()) && first != *b"["
}

// === impl StandardOutput ===

impl Place for StandardOutput {
    type File = Stdout;

    fn open(&mut self) -> io::Result<Stdout> {
        Ok(io::stdout())
    }
}
