//! Starts a backend's process, tells when it ends, and ends everything that it has started.
//!
//! One [`Launch`] makes one [`Child`]. A process started through a [`Guard`] takes its whole tree with it when it is
//! killed or when we die ourselves, by whatever cause; started [directly](Spawner::Direct), only the process itself
//! is promised.
//!
//! # Example
//!
//! ```
//! # #[cfg(unix)]
//! # tokio_test::block_on(async {
//! use ancm_frontend::spawn::{Launch, Spawner};
//!
//! let (output, input) = std::io::pipe()?;
//! let launch = Launch {
//!     program: "/bin/sh".into(),
//!     arguments: vec!["-c".into(), "exit $CODE".into()],
//!     environment: vec![("CODE".into(), "3".into())],
//!     directory: "/".into(),
//!     stdout: input.try_clone()?.into(),
//!     stderr: input.into(),
//! };
//! let child = Spawner::Direct.spawn(launch).await?;
//! assert_eq!(child.wait().await.code, Some(3));
//! # drop(output);
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod direct;
mod exit;
#[cfg(target_os = "linux")]
mod format;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod tests;

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tokio::sync::watch;

pub use self::exit::Exit;
use crate::{
    guard::{Guard, Leash},
    process::{ProcessHandle, tree},
};

/// What a process's output is written into.
#[cfg(unix)]
pub type Output = std::os::fd::OwnedFd;

/// What a process's output is written into.
#[cfg(windows)]
pub type Output = std::os::windows::io::OwnedHandle;

/// What to start.
pub struct Launch {
    /// The program's file. A bare name is looked up in the `PATH` of `environment`.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub arguments: Vec<OsString>,
    /// Its whole environment: nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Where its standard output goes.
    pub stdout: Output,
    /// Where its standard error goes.
    pub stderr: Output,
}

/// Who starts processes.
#[derive(Clone, Debug)]
pub enum Spawner {
    /// A guard process stands between us and each backend. What `ancm` uses.
    Guard(Guard),
    /// We start it ourselves, in a process group of its own.
    ///
    /// Only the process itself is promised to be ended, and only as long as we live to do it: what it has started
    /// may stay behind. For platforms without a [`Guard`] and for programs that cannot name one.
    Direct,
}

/// A process that was started. Dropping the last clone kills it, with its tree, as [`Child::kill_tree`] does.
#[derive(Clone, Debug)]
pub struct Child {
    /// The number of the launched process.
    pub pid: u32,
    /// The launched process.
    pub handle: ProcessHandle,
    /// How it ended, once it has.
    pub exit: watch::Receiver<Option<Exit>>,
    tree: Tree,
}

/// What ends with the process.
#[derive(Clone, Debug)]
enum Tree {
    Guarded(Leash),
    Direct(direct::Group),
}

// === impl Spawner ===

impl Spawner {
    /// Starts a process. Needs a tokio runtime with I/O and time, on which the process is watched.
    ///
    /// # Errors
    ///
    /// The process cannot be started. `raw_os_error` is what the kernel said of the program: `ENOENT` (no such
    /// file, or the interpreter that it names is missing), `EACCES` (not executable, or a directory), `ENOEXEC`
    /// (not a program for this machine), `E2BIG` (arguments and environment too large). A working directory that
    /// cannot be entered is an error that names it.
    pub async fn spawn(&self, launch: Launch) -> io::Result<Child> {
        check_directory(&launch.directory)?;
        #[cfg(target_os = "linux")]
        format::check(&launch.program)?;
        match self {
            Self::Guard(guard) => {
                let (handle, exit, leash) = guard.launch(launch).await?;
                Ok(Child { pid: handle.pid(), handle, exit, tree: Tree::Guarded(leash) })
            }
            Self::Direct => {
                let (handle, exit, group) = direct::launch(launch)?;
                Ok(Child { pid: handle.pid(), handle, exit, tree: Tree::Direct(group) })
            }
        }
    }
}

// === impl Child ===

impl Child {
    /// Waits for the launched process to end.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended.ok().and_then(|exit| *exit).unwrap_or(Exit::KILLED)
    }

    /// Asks the launched process to end (`SIGTERM`). Fine if it has ended already.
    ///
    /// # Errors
    ///
    /// It runs as another user, or this platform has no way to ask.
    pub fn terminate(&self) -> io::Result<()> {
        self.handle.terminate()
    }

    /// All processes of the tree: the launched one, as long as it lives, and what descends from it, in sessions of
    /// their own and after the launched one has ended too.
    ///
    /// # Errors
    ///
    /// The process table cannot be read.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        match &self.tree {
            Tree::Guarded(leash) => tree::descendants(leash.guard_pid()),
            Tree::Direct(_) => {
                let mut all = tree::descendants(self.pid)?;
                if self.handle.is_alive() {
                    all.insert(0, self.pid);
                }
                Ok(all)
            }
        }
    }

    /// Kills (`SIGKILL`) the whole tree, and ends when nothing of it is left.
    ///
    /// Processes that changed to a user whom we may not signal are left alone, with a warning.
    pub async fn kill_tree(&self) {
        match &self.tree {
            Tree::Guarded(leash) => leash.kill().await,
            Tree::Direct(group) => {
                group.kill();
                self.wait().await;
            }
        }
    }
}

// === impl Launch ===

impl Launch {
    /// What starts it, once the caller has said what holds the process.
    #[expect(clippy::disallowed_methods, reason = "the home of spawning: by the guard, or directly")]
    pub(crate) fn into_command(self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .stdout(self.stdout)
            .stderr(self.stderr);
        command
    }
}

impl fmt::Debug for Launch {
    /// Names only, since the environment holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("directory", &self.directory)
            .field("environment", &names)
            .finish_non_exhaustive()
    }
}

/// Later this cannot be told from a missing program: the error is the same.
fn check_directory(directory: &Path) -> io::Result<()> {
    let why = match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => io::Error::from(io::ErrorKind::NotADirectory),
        Err(error) => error,
    };
    let message = format!("the working directory {} cannot be entered: {why}", directory.display());
    Err(io::Error::new(why.kind(), message))
}
