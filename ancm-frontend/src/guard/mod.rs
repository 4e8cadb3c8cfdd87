//! Stands between us and each backend, so that nothing of a backend's tree outlives us.
//!
//! # Theory of operation
//!
//! A parent that is killed by `SIGKILL` cannot clean up, and a grandchild that made a session of its own is nobody's
//! any more once its parent has ended. So each backend is started by a small process of its own, the *guard*: our
//! own executable once more, single-threaded, a *child subreaper*, which means that every orphan of the tree below
//! becomes its child, whatever sessions, groups and environments were changed on the way.
//!
//! ```text
//!  frontend ══ socket pair ══ guard ── backend ── …
//!                               └───── orphans of the tree
//! ```
//!
//! The socket pair carries one order, the [`Launch`](crate::spawn::Launch), and what the guard reports: started,
//! ended, nothing left. Its end is the only other order there is: kill everything. It comes when the tree is to be
//! killed, and by itself when the frontend is gone, by whatever cause; the guard then kills its descendants until
//! the kernel says that it has none. If the guard dies, the kernel kills the backend with it (`PDEATHSIG`).
//!
//! A guard costs about 0.6 MB and a few milliseconds at the start of a backend.
//!
//! The guard is found by re-executing the running program, which therefore calls [`run_if_asked`] first in `main`:
//!
//! ```no_run
//! use ancm_frontend::{guard::{self, Guard}, spawn::Spawner};
//!
//! fn main() -> std::io::Result<()> {
//!     guard::run_if_asked();
//!     let spawner = Spawner::Guard(Guard::start(None)?);
//!     // …
//!     # drop(spawner);
//!     Ok(())
//! }
//! ```

// ANCM: serverprocess.cpp puts each server process into a Windows job object of its own, which ends all that is in
// it when its last handle is closed. A guard is that job object.

#[cfg(target_os = "linux")]
mod ending;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
mod leash;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod wire;

#[cfg_attr(target_os = "linux", path = "holder_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "holder_elsewhere.rs")]
mod holder;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

pub use self::holder::Guard;
pub(crate) use self::holder::Leash;

/// The first argument of a process that is to be a guard.
#[cfg(target_os = "linux")]
const ARGUMENT: &str = "ancm-guard";

/// Whether `main` has called [`run_if_asked`]: whoever re-executes a program that has not would run it twice.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Is the guard, if this process was started as one; then it never returns.
///
/// Call it first in `main`, before there are threads. It returns at once in every other process.
pub fn run_if_asked() {
    ASKED.store(true, Ordering::Relaxed);
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        keeper::run_on_stdin();
    }
}
