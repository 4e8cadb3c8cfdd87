//! Starts a process as a child of our own, where there is no guard.

use std::{io, sync::Arc};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::watched::Watched;
use super::{Exit, Launch};
use crate::process::ProcessHandle;

#[cfg_attr(target_os = "linux", path = "watched_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "watched_elsewhere.rs")]
mod watched;

/// The process and its process group, which are killed when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Group {
    end: Arc<End>,
}

#[derive(Debug)]
struct End {
    wanted: Arc<Notify>,
}

/// Starts the process, and a task that watches it.
pub(super) fn launch(launch: Launch) -> io::Result<(ProcessHandle, watch::Receiver<Option<Exit>>, Group)> {
    let mut command = launch.into_command();
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // It holds our copies of the pipes, whose readers would never see their end: it goes at once.
    let child = Watched::spawn(command)?;
    let ended = CancellationToken::new();
    let handle = ProcessHandle::of_child(child.pid(), ended.clone())?;
    let (tell, exit) = watch::channel(None);
    let wanted = Arc::new(Notify::new());
    let end = Arc::new(End { wanted: Arc::clone(&wanted) });
    let watched = handle.clone();
    tokio::spawn(async move {
        let exit = watch_over(child, &watched, &wanted).await;
        ended.cancel();
        tell.send_replace(Some(exit));
    });
    Ok((handle, exit, Group { end }))
}

async fn watch_over(mut child: Watched, handle: &ProcessHandle, kill: &Notify) -> Exit {
    tokio::select! {
        status = child.wait(handle) => return status.map_or(Exit::KILLED, Exit::from),
        () = kill.notified() => {}
    }
    child.kill();
    child.wait(handle).await.map_or(Exit::KILLED, Exit::from)
}

/// The group bears the number of the process, which is nobody else's as long as the process is not reaped.
#[cfg(unix)]
fn kill_group(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_pid: u32) {}

// === impl Group ===

impl Group {
    pub(super) fn kill(&self) {
        self.end.wanted.notify_one();
    }
}

// === impl End ===

impl Drop for End {
    fn drop(&mut self) {
        self.wanted.notify_one();
    }
}
