//! Finds files by names that were written on Windows.

use std::path::{Path, PathBuf};

use super::{
    CommandError,
    executable::{self, Content},
};

/// What a path was found to mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A file that is not a program for Windows.
    Native(PathBuf),
    /// A program for Windows.
    Windows(PathBuf),
    /// No file.
    Nothing,
}

/// The file that a path means: of exactly this name, else without its `.exe`, else the only one whose name differs
/// in case. A program for Windows is taken only if there is no other.
pub(super) fn find(path: &Path, tried: &mut Vec<PathBuf>) -> Result<Found, CommandError> {
    let spellings = spellings(path);
    tried.extend(spellings.iter().cloned());
    let mut windows = None;
    let exact = spellings.iter().filter(|path| path.is_file()).cloned().map(Ok);
    let by_case = spellings.iter().map(|path| any_case(path)).filter_map(Result::transpose);
    for candidate in exact.chain(by_case) {
        let candidate = candidate?;
        if cfg!(windows) || !is_windows_program(&candidate) {
            return Ok(Found::Native(candidate));
        }
        windows.get_or_insert(candidate);
    }
    Ok(windows.map_or(Found::Nothing, Found::Windows))
}

/// The first file of this name that can be run, in the folders that `PATH` lists.
pub(super) fn find_on_path(name: &str, search: &str) -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(search).filter(|folder| folder.is_absolute()).collect();
    spellings(Path::new(name)).iter().find_map(|name| {
        let candidates = folders.iter().map(|folder| folder.join(name));
        // Under WSL, PATH leads to the programs of the Windows around it.
        candidates
            .into_iter()
            .find(|path| executable::is_executable(path) && (cfg!(windows) || !is_windows_program(path)))
    })
}

/// The only regular file whose path differs from this one in case, if any.
pub(super) fn any_case(path: &Path) -> Result<Option<PathBuf>, CommandError> {
    let mut candidates: Vec<_> = same_but_case(path).into_iter().filter(|path| path.is_file()).collect();
    if candidates.len() > 1 {
        candidates.sort();
        return Err(CommandError::Ambiguous { path: path.to_owned(), candidates });
    }
    Ok(candidates.pop())
}

/// The path without a trailing `.exe`, in any case.
pub(super) fn without_exe(path: &Path) -> Option<PathBuf> {
    path.extension()
        .filter(|extension| extension.eq_ignore_ascii_case("exe"))
        .map(|_| path.with_extension(""))
}

fn spellings(path: &Path) -> Vec<PathBuf> {
    let other = if cfg!(windows) {
        path.extension().is_none().then(|| path.with_extension("exe"))
    } else {
        without_exe(path)
    };
    std::iter::once(path.to_owned()).chain(other).collect()
}

fn is_windows_program(path: &Path) -> bool {
    executable::content(path).is_ok_and(|content| content == Content::Windows)
}

fn same_but_case(path: &Path) -> Vec<PathBuf> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let name = name.to_string_lossy().to_lowercase();
    let parents = if parent.is_dir() { vec![parent.to_owned()] } else { same_but_case(parent) };
    let entries = parents.iter().filter_map(|parent| parent.read_dir().ok()).flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().to_lowercase() == name)
        .map(|entry| entry.path())
        .collect()
}
