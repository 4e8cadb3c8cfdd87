//! Finds and reads the `web.config` of a folder, a small regular file, whatever lies there.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ancm_tower::contract::WEB_CONFIG_FILE;

use super::error::Fault;

/// Real ones have a few thousand bytes.
pub(super) const LARGEST: u64 = 1024 * 1024;

/// The code of the fault that there is no file.
pub(super) const MISSING: &str = "missing-file";

/// A file that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Others whose names differ only in case.
    pub(super) ignored: Vec<String>,
}

/// The file of a site root, or what is wrong about the folder.
pub(super) fn find(site_root: &Path) -> Result<Found, Box<Fault>> {
    match fs::metadata(site_root) {
        Err(error) => return Err(folder_fault(site_root, &error).into()),
        Ok(metadata) if !metadata.is_dir() => {
            let message = format!("{} is not a folder", site_root.display());
            return Err(Fault::new("not-a-folder", message)
                .fix("name the folder that holds web.config")
                .into());
        }
        Ok(_) => {}
    }
    let exact = site_root.join(WEB_CONFIG_FILE);
    let mut spellings = spellings(site_root);
    if let Some(at) = spellings.iter().position(|name| name == WEB_CONFIG_FILE) {
        spellings.remove(at);
        return Ok(Found { path: exact, ignored: spellings });
    }
    match spellings.as_slice() {
        // The folder may be one that can be entered but not listed.
        [] if exact.exists() => Ok(Found { path: exact, ignored: spellings }),
        [] => Err(missing(site_root).into()),
        [only] => Ok(Found { path: site_root.join(only), ignored: Vec::new() }),
        several => {
            let message = format!("there are several files: {}", several.join(", "));
            Err(Fault::new("several-files", message).fix("keep one and name it web.config").into())
        }
    }
}

/// The bytes of a file that was found.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Box<Fault>> {
    let unreadable = |error: io::Error| {
        let fix = match error.kind() {
            io::ErrorKind::NotFound => "restore it; if it is a link, restore what it leads to",
            _ => "let the user that runs ancm read it",
        };
        Box::new(Fault::new("unreadable-file", format!("the file cannot be read: {error}")).fix(fix))
    };
    // A named pipe would let us wait for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::new("unreadable-file", "it is not a regular file")
            .fix("put a file in its place")
            .into());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST { Err(too_large().into()) } else { Ok(bytes) }
}

/// The fault of a file that cannot be a web.config.
pub(super) fn too_large() -> Fault {
    Fault::new("too-large", "the file is larger than 1 MiB; is it a web.config at all?")
        .allowed("up to 1048576 bytes")
        .fix("restore it; `dotnet publish` writes a complete one")
}

/// What a user may have meant by a folder without the file.
pub(super) fn source_hint(site_root: &Path) -> Option<String> {
    let name = names(site_root).find(|name| {
        let extension = Path::new(name).extension().unwrap_or_default();
        ["csproj", "fsproj", "vbproj"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })?;
    Some(format!(
        "this is a source folder ({name}): run `dotnet publish -c Release` and serve the folder it writes"
    ))
}

fn missing(site_root: &Path) -> Fault {
    let fix = source_hint(site_root)
        .unwrap_or_else(|| "serve the folder that `dotnet publish` writes, or put a web.config here".into());
    Fault::new(MISSING, "there is no such file").fix(fix)
}

fn folder_fault(site_root: &Path, error: &io::Error) -> Fault {
    let message = format!("the folder {} cannot be opened: {error}", site_root.display());
    Fault::new("missing-folder", message).fix("name the folder that holds web.config")
}

fn spellings(site_root: &Path) -> Vec<String> {
    let mut found: Vec<_> =
        names(site_root).filter(|name| name.eq_ignore_ascii_case(WEB_CONFIG_FILE)).collect();
    found.sort();
    found
}

/// Names in the folder, none if it cannot be listed.
fn names(site_root: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(site_root).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), *file).unwrap();
        }
        folder
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_exact_name_wins_and_the_others_are_named() {
        let folder = folder(&["web.config", "Web.config", "WEB.CONFIG"]);
        let found = find(folder.path()).unwrap();
        assert_eq!(found.path, folder.path().join("web.config"));
        assert_eq!(found.ignored, ["WEB.CONFIG", "Web.config"]);
    }

    #[test]
    fn a_single_file_of_another_spelling_is_used() {
        let folder = folder(&["Web.Config"]);
        let path = find(folder.path()).unwrap().path;
        assert!(path.file_name().unwrap().eq_ignore_ascii_case("web.config"));
        assert_eq!(read(&path).unwrap(), b"Web.Config");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn two_files_of_other_spellings_are_a_fault_that_names_both() {
        let fault = find(folder(&["Web.config", "WEB.config"]).path()).unwrap_err();
        assert_eq!(fault.message, "there are several files: WEB.config, Web.config");
    }

    #[test]
    fn a_missing_file_in_a_source_folder_says_to_publish() {
        let fault = find(folder(&["Shop.csproj"]).path()).unwrap_err();
        assert_eq!(fault.code, "missing-file");
        assert!(fault.fix.unwrap().contains("source folder (Shop.csproj): run `dotnet publish"));
    }

    #[test]
    fn a_folder_that_is_missing_or_a_file_is_named() {
        let folder = folder(&["web.config"]);
        assert_eq!(find(&folder.path().join("nowhere")).unwrap_err().code, "missing-folder");
        assert_eq!(find(&folder.path().join("web.config")).unwrap_err().code, "not-a-folder");
    }

    #[test]
    fn a_folder_in_place_of_the_file_is_a_fault() {
        let folder = folder(&[]);
        fs::create_dir(folder.path().join("web.config")).unwrap();
        let found = find(folder.path()).unwrap();
        assert_eq!(read(&found.path).unwrap_err().message, "it is not a regular file");
    }

    #[test]
    fn no_more_is_read_than_a_web_config_can_have() {
        let folder = folder(&[]);
        let path = folder.path().join("web.config");
        fs::write(&path, vec![b'x'; usize::try_from(LARGEST).unwrap()]).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, LARGEST);
        File::create(&path).unwrap().set_len(10_000_000).unwrap();
        assert_eq!(read(&path).unwrap_err().code, "too-large");
    }
}
