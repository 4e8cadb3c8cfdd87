//! The one place that starts programs, and the one that ends them.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use crate::{os, processes};

/// How long a program may take to end before it is ended.
const PATIENCE: Duration = Duration::from_secs(8);
const STEP: Duration = Duration::from_millis(20);

/// A program that we have started; it ends with this value.
pub(crate) struct Child {
    process: std::process::Child,
    log: PathBuf,
}

// === impl Child ===

impl Child {
    /// Starts a program whose output goes to a file.
    ///
    /// Must be called by the main thread, which lives as long as this process: when the thread ends that has started a
    /// child, the child is told to end too. That covers the case that this process is killed.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: &[A],
        environment: &[(&str, &str)],
        log: &Path,
    ) -> io::Result<Self> {
        let file = File::create(log)?;
        let process = command("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Self { process, log: log.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs; if not, why, with the last lines that it printed.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("it ended ({status}):\n{}", self.last_words())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The last lines that it printed.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().rev().take(12).map(|line| format!("    {line}\n")).collect();
        lines.into_iter().rev().collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let ended = |process: &mut std::process::Child| !matches!(process.try_wait(), Ok(None));
        if ended(&mut self.process) {
            return;
        }
        // Taken while it lives, as its children lose their parent with it.
        let tree = processes::tree(self.pid());
        os::terminate(self.pid());
        for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
            if ended(&mut self.process) {
                return;
            }
            thread::sleep(STEP);
        }
        for pid in tree {
            os::kill(pid);
        }
        let _ = self.process.wait();
    }
}

/// Runs a program to its end.
pub(crate) fn output<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> io::Result<Output> {
    command(program).args(arguments).stdin(Stdio::null()).output()
}

#[expect(clippy::disallowed_methods, reason = "nginx and haproxy are not applications behind ancm")]
fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}
