//! What `processPath` and `arguments` mean on this machine: a program and its list of arguments.
//!
//! Most files were written on Windows and say `.\Site.exe` where here there is `Site`, or a Windows program beside a
//! `Site.dll` that `dotnet` runs anywhere. What is taken for what is said in [`Command::notes`]; what cannot be run
//! is a failed start, not a fault of the file, and [`CommandError`] names the path and the remedy.
//!
//! # Example
//!
//! ```
//! # #[cfg(unix)] {
//! use ancm_frontend::config::{Config, command};
//!
//! let config = Config {
//!     site_root: "/".into(),
//!     process_path: r".\bin\SH".into(),
//!     arguments: r#"-c "exit 0""#.into(),
//!     ..Config::default()
//! };
//! let command = command::resolve(&config, &|_| None).unwrap();
//! assert_eq!(command.program.file_name().unwrap(), "sh");
//! assert_eq!(command.arguments, ["-c", "exit 0"]);
//! # }
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};

use ancm_tower::contract::variable::HTTP_PLATFORM_PORT;

use super::{
    Config, Launcher,
    variables::{expand, is_windows_absolute, native_path, unexpanded},
};

mod executable;
mod find;
pub(super) mod split;

use find::{Found, any_case, find, find_on_path, without_exe};

/// What to run; its folder is the site root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<String>,
    /// Where this is not literally what the file says.
    pub notes: Vec<String>,
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such file.
    #[error("processPath \"{process_path}\" does not exist{}{}", listed(tried, search.as_deref()), hinted(hint.as_deref()))]
    NotFound {
        /// What the file says, after variables were replaced.
        process_path: String,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
        /// The `PATH` that was searched as well.
        search: Option<String>,
        /// What to do.
        hint: Option<String>,
    },
    /// There are several files whose names differ in case, and none is exactly this one.
    #[error("{} does not exist, and more than one file differs in case only: {}", path.display(), joined(candidates))]
    Ambiguous {
        /// What was looked for.
        path: PathBuf,
        /// What was found.
        candidates: Vec<PathBuf>,
    },
    /// It is a directory.
    #[error("{} is a directory, not a program", path.display())]
    Directory {
        /// The path.
        path: PathBuf,
    },
    /// It is a socket, a pipe or a device.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// It lacks the permission to be executed.
    #[error("{0} is not executable; run: chmod +x '{0}'", path.display())]
    NotExecutable {
        /// The path.
        path: PathBuf,
    },
    /// Others may execute it.
    #[error("{} may not be executed by this user, or lies on a file system mounted noexec", path.display())]
    NotPermitted {
        /// The path.
        path: PathBuf,
    },
    /// It is made for another machine.
    #[error("{} cannot run here: it is {what}{}", path.display(), hinted(fix.as_deref()))]
    WrongFormat {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: String,
        /// What to do.
        fix: Option<String>,
    },
    /// It is a script for a program that is not there.
    #[error("{} cannot run: the program that it names after #!, {}, does not exist", path.display(), interpreter.display())]
    NoInterpreter {
        /// The script.
        path: PathBuf,
        /// What it names.
        interpreter: PathBuf,
    },
    /// The file system says no.
    #[error("{} cannot be examined: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// `dotnet` alone only prints help.
    #[error("arguments is empty: dotnet needs the application's file, as in arguments=\".\\YourApp.dll\"")]
    NothingForDotnet,
}

/// Finds the program and splits the arguments.
///
/// `environment` gives `PATH`; `ANCM_LAUNCHER_PATH` and `ANCM_LAUNCHER_ARGS`, which replace what the file says; and
/// `HTTP_PLATFORM_PORT`, which the arguments of an `httpPlatform` may name.
///
/// # Errors
///
/// When there is no such program or it cannot run here.
pub fn resolve(
    config: &Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Command, CommandError> {
    let mut notes = Vec::new();
    let (process_path, arguments) = overridden(config, environment, &mut notes);
    let mut resolver = Resolver { root: &config.site_root, environment, tried: Vec::new(), notes };
    let (program, first) = resolver.program(&process_path)?;
    let by_dotnet = is_dotnet(&program);
    let mut arguments = resolver.arguments(&arguments, by_dotnet && first.is_none());
    arguments.splice(0..0, first);
    if by_dotnet && arguments.is_empty() {
        return Err(CommandError::NothingForDotnet);
    }
    executable::check(&program).map_err(explain)?;
    Ok(Command { program, arguments, notes: resolver.notes })
}

// ANCM: requesthandler_config.cpp: both override by themselves; an empty variable counts as absent.
fn overridden(
    config: &Config,
    environment: &dyn Fn(&str) -> Option<String>,
    notes: &mut Vec<String>,
) -> (String, String) {
    let mut given = |name: &str| {
        let value = environment(name).filter(|value| !value.is_empty())?;
        notes.push(format!("{name} replaces what web.config says"));
        Some(expand(&value, environment))
    };
    let path = given("ANCM_LAUNCHER_PATH");
    let arguments = given("ANCM_LAUNCHER_ARGS");
    let placeholder = config.arguments.trim().eq_ignore_ascii_case("%LAUNCHER_ARGS%");
    let otherwise = if path.is_some() && placeholder { String::new() } else { of_start(config, environment) };
    (path.unwrap_or_else(|| config.process_path.clone()), arguments.unwrap_or(otherwise))
}

/// The arguments of the file, with the port in them that the process is to listen on, if it is known by now.
fn of_start(config: &Config, environment: &dyn Fn(&str) -> Option<String>) -> String {
    match config.launcher {
        Launcher::AspNetCore => config.arguments.clone(),
        Launcher::HttpPlatform => expand(&config.arguments, &|name| {
            name.eq_ignore_ascii_case(HTTP_PLATFORM_PORT).then(|| environment(HTTP_PLATFORM_PORT)).flatten()
        }),
    }
}

struct Resolver<'a> {
    root: &'a Path,
    environment: &'a dyn Fn(&str) -> Option<String>,
    tried: Vec<PathBuf>,
    notes: Vec<String>,
}

// === impl Resolver ===

impl Resolver<'_> {
    /// The program, and a first argument if it is one that runs another.
    fn program(&mut self, process_path: &str) -> Result<(PathBuf, Option<String>), CommandError> {
        let text = native_path(process_path);
        let bare = !text.contains(['/', '\\']);
        // Without the `.` of `./Site`.
        let wanted: PathBuf = self.root.join(&text).components().collect();
        match find(&wanted, &mut self.tried)? {
            Found::Native(path) => {
                if path != wanted {
                    self.notes.push(format!("{} is run for processPath \"{process_path}\"", path.display()));
                }
                return Ok((path, None));
            }
            Found::Windows(path) => return self.managed(&path, true),
            Found::Nothing => {}
        }
        if bare && let Some(path) = self.on_path(&text) {
            return Ok((path, None));
        }
        if without_exe(&wanted).is_some() || wanted.extension().is_none() {
            let stem = without_exe(&wanted).unwrap_or_else(|| wanted.clone());
            if any_case(&with_suffix(&stem, ".dll"))?.is_some() {
                return self.managed(&wanted, false);
            }
        }
        if let Some(path) = self.tried.iter().find(|path| !bare && path.is_dir()) {
            return Err(CommandError::Directory { path: path.clone() });
        }
        Err(self.not_found(process_path, bare))
    }

    /// `dotnet NAME.dll` for a `NAME.exe` that is made for Windows, or is not there.
    fn managed(&mut self, exe: &Path, exists: bool) -> Result<(PathBuf, Option<String>), CommandError> {
        let stem = without_exe(exe).unwrap_or_else(|| exe.to_owned());
        let windows = |fix: &str| {
            let what = "a program for Windows".to_owned();
            CommandError::WrongFormat { path: exe.to_owned(), what, fix: Some(fix.to_owned()) }
        };
        let publish = "publish the application for this system: dotnet publish -c Release -r linux-x64";
        let dll = any_case(&with_suffix(&stem, ".dll"))?;
        let dll = dll.filter(|dll| dll.with_extension("runtimeconfig.json").is_file());
        let Some(dll) = dll.filter(|dll| !is_self_contained(dll)) else {
            return Err(if exists {
                windows(publish)
            } else {
                self.not_found(&exe.to_string_lossy(), false)
            });
        };
        let text = dll.strip_prefix(self.root).unwrap_or(&dll).to_string_lossy().into_owned();
        let why = if exists { "is a program for Windows" } else { "does not exist" };
        let Some(dotnet) = self.on_path("dotnet") else {
            let hint =
                format!("{} {why}, and running {text} in its place needs .NET: {INSTALL}", exe.display());
            return Err(CommandError::NotFound {
                process_path: "dotnet".into(),
                tried: Vec::new(),
                search: (self.environment)("PATH"),
                hint: Some(hint),
            });
        };
        self.notes.push(format!("{} {why}: running `dotnet {text}` instead", exe.display()));
        Ok((dotnet, Some(text)))
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        let found = (self.environment)("PATH").and_then(|search| find_on_path(name, &search));
        // An installation that is not on PATH is announced by this variable.
        let root = || {
            (self.environment)("DOTNET_ROOT").filter(|root| !root.is_empty() && is_dotnet(Path::new(name)))
        };
        found.or_else(|| find_on_path("dotnet", &root()?))
    }

    fn arguments(&mut self, text: &str, by_dotnet: bool) -> Vec<String> {
        // ANCM: hostfxrutility.cpp tries the whole string as one path first, which needs no quotes then.
        if by_dotnet && let Some(path) = self.file(text.trim(), true) {
            return vec![path];
        }
        let tokens = split::split(text);
        tokens.into_iter().map(|token| self.argument(token, by_dotnet)).collect()
    }

    fn argument(&mut self, token: String, by_dotnet: bool) -> String {
        let assembly = by_dotnet && token.to_ascii_lowercase().ends_with(".dll");
        if let Some(path) = self.file(&token, assembly) {
            return path;
        }
        if cfg!(not(windows)) && is_windows_absolute(&token) {
            self.notes.push(format!("argument {token:?} is a path of Windows"));
        } else if assembly {
            self.notes.push(format!("argument {token:?} names no file below {}", self.root.display()));
        }
        token
    }

    /// The argument as this system writes it, if it names a file of the site.
    fn file(&mut self, text: &str, of_any_case: bool) -> Option<String> {
        let turned = native_path(text);
        if turned.is_empty() {
            return None;
        }
        let path = self.root.join(&turned);
        if path.is_file() || (turned != text && path.exists()) {
            return Some(turned);
        }
        let found = any_case(&path).ok().flatten().filter(|_| of_any_case)?;
        let found = found.strip_prefix(self.root).unwrap_or(&found).to_string_lossy().into_owned();
        self.notes.push(format!("{found} is used for argument {text:?}"));
        Some(found)
    }

    fn not_found(&mut self, process_path: &str, bare: bool) -> CommandError {
        let hint = if let Some(name) = unexpanded(process_path) {
            Some(format!("the variable {name} is not set"))
        } else if is_dotnet(Path::new(&native_path(process_path))) {
            Some(INSTALL.to_owned())
        } else if cfg!(not(windows)) && is_windows_absolute(process_path) {
            Some("it is a path of Windows; name the program of this system".to_owned())
        } else {
            None
        };
        let search = bare.then(|| (self.environment)("PATH").unwrap_or_default());
        CommandError::NotFound {
            process_path: process_path.to_owned(),
            tried: std::mem::take(&mut self.tried),
            search,
            hint,
        }
    }
}

const INSTALL: &str = "install the ASP.NET Core Runtime, or put the folder of dotnet on PATH";

/// Adds what to do to an error about a program that has a portable twin.
fn explain(error: CommandError) -> CommandError {
    match error {
        CommandError::WrongFormat { path, what, fix: None } => {
            let dll = with_suffix(&path, ".dll");
            let portable = dll.is_file()
                && dll.with_extension("runtimeconfig.json").is_file()
                && !is_self_contained(&dll);
            let name = dll.file_name().unwrap_or_default().to_string_lossy();
            let fix = if portable {
                format!("write processPath=\"dotnet\" arguments=\".\\{name}\"")
            } else {
                "publish the application for this system".into()
            };
            CommandError::WrongFormat { path, what, fix: Some(fix) }
        }
        other => other,
    }
}

fn is_dotnet(path: &Path) -> bool {
    let stem = without_exe(path).unwrap_or_else(|| path.to_owned());
    stem.file_name().is_some_and(|name| name.eq_ignore_ascii_case("dotnet"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Whether an assembly brings its own .NET, which is for one system only.
fn is_self_contained(dll: &Path) -> bool {
    let text = std::fs::read(dll.with_extension("runtimeconfig.json")).unwrap_or_default();
    let parsed: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
    parsed.is_some_and(|config| config["runtimeOptions"].get("includedFrameworks").is_some())
}

fn listed(tried: &[PathBuf], search: Option<&str>) -> String {
    let search = search
        .map(|path| if path.is_empty() { "PATH, which is empty".into() } else { format!("PATH {path}") });
    let places: Vec<_> = tried.iter().map(|path| path.display().to_string()).chain(search).collect();
    if places.is_empty() { String::new() } else { format!("; looked for {}", places.join(", ")) }
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn hinted(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("; {hint}"))
}

#[cfg(test)]
mod tests;
