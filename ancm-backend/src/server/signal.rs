//! What the system sends to a process that shall stop.

use std::{future::Future, io};

/// Takes over the stop signals of this process, for good; the future ends at the first one.
#[cfg(unix)]
pub(super) fn stop() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    use tokio::{
        select,
        signal::unix::{SignalKind, signal},
    };

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Takes over the stop signals of this process, for good; the future ends at the first one.
// ANCM: serverprocess.cpp sends CTRL+BREAK to a backend that did not obey the message.
#[cfg(windows)]
pub(super) fn stop() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    use tokio::{select, signal::windows};

    let mut ctrl_c = windows::ctrl_c()?;
    let mut ctrl_break = windows::ctrl_break()?;
    let mut close = windows::ctrl_close()?;
    let mut shutdown = windows::ctrl_shutdown()?;
    Ok(async move {
        select! {
            _ = ctrl_c.recv() => "CTRL+C",
            _ = ctrl_break.recv() => "CTRL+BREAK",
            _ = close.recv() => "console closed",
            _ = shutdown.recv() => "system shutdown",
        }
    })
}
