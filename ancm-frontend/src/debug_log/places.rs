//! What the lines of a debug log are written to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Stdout},
    path::PathBuf,
};

use crate::output::Place;

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
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().append(true).create(true).open(&self.path)
    }

    fn is_gone(&self, file: &File) -> bool {
        crate::output::is_deleted(file)
    }
}

// === impl StandardOutput ===

impl Place for StandardOutput {
    type File = Stdout;

    fn open(&mut self) -> io::Result<Stdout> {
        Ok(io::stdout())
    }
}
