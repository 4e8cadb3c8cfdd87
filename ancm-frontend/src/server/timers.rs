//! The thread that keeps the timers of all workers.
//!
//! A worker serves some hundred thousand requests between two timers that ring. Were they kept by its own runtime, it
//! would ask the clock and set an alarm in the kernel each time it waits for its sockets. So it keeps none, and this
//! thread, which is asleep nearly always, wakes it when one of its timers rings.

use std::{io, thread};

use tokio::runtime::{Builder, Handle};

use crate::lease::{Lease, lease};

/// Keeps timers until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct TimerThread {
    handle: Handle,
    _in_use: Lease,
}

// === impl TimerThread ===

impl TimerThread {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// The system has no threads left.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (in_use, released) = lease();
        thread::Builder::new()
            .name("ancm-timers".to_owned())
            .spawn(move || runtime.block_on(released.wait()))?;
        Ok(Self { handle, _in_use: in_use })
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ancm_tower::timers::{keep_elsewhere, sleep};

    use super::*;

    #[test]
    fn a_clone_keeps_timers_when_the_others_are_gone() {
        let timers = TimerThread::start().unwrap();
        let clone = timers.clone();
        drop(timers);
        let _elsewhere = keep_elsewhere(clone.handle());
        let worker = Builder::new_current_thread().build().unwrap();
        worker.block_on(sleep(Duration::from_millis(1)));
    }

    #[tokio::test]
    async fn the_thread_ends_with_the_last_clone() {
        let timers = TimerThread::start().unwrap();
        let handle = timers.handle();
        handle.spawn(async {}).await.unwrap();
        drop(timers);
        // Until nobody is there any more who would do it.
        let ended = async { while handle.spawn(async {}).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
    }
}
