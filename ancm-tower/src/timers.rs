//! Where the timers of a thread are kept: by its own runtime, or by that of another thread.
//!
//! A runtime that keeps timers asks the clock, and has the kernel set an alarm, each time it waits for sockets, though
//! hardly any timer of a proxy ever rings. A thread that does nothing else can do without: its runtime is built without
//! timers, and those that its tasks make are kept [elsewhere](keep_elsewhere).
//!
//! The functions are those of [`tokio::time`]; all layers of this crate use them. What uses `tokio::time` itself needs
//! a runtime with timers, as ever.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use ancm_tower::timers;
//! use tokio::runtime::Builder;
//!
//! let (end, ended) = tokio::sync::oneshot::channel::<()>();
//! let keeper = Builder::new_current_thread().enable_time().build().unwrap();
//! let handle = keeper.handle().clone();
//! let keeper = std::thread::spawn(move || keeper.block_on(ended));
//!
//! let without_timers = Builder::new_current_thread().build().unwrap();
//! let elsewhere = timers::keep_elsewhere(handle);
//! without_timers.block_on(timers::sleep(Duration::from_millis(1)));
//!
//! drop((without_timers, elsewhere, end));
//! keeper.join().unwrap().unwrap_err();
//! ```

#![expect(clippy::disallowed_methods, reason = "the home of timers")]

use std::{cell::RefCell, marker::PhantomData, time::Duration};

use tokio::{
    runtime::Handle,
    time::{self, Instant, Interval, Sleep, Timeout},
};

thread_local! {
    static KEEPER: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// The timers of this thread are kept elsewhere, until this is dropped.
#[derive(Debug)]
#[must_use = "it ends when this is dropped"]
pub struct Elsewhere {
    before: Option<Handle>,
    /// It is about this thread.
    _not_send: PhantomData<*const ()>,
}

/// Has that runtime keep the timers that this thread makes from now on; it must be there, and at work, as long as they
/// are used.
pub fn keep_elsewhere(keeper: Handle) -> Elsewhere {
    let before = KEEPER.replace(Some(keeper));
    Elsewhere { before, _not_send: PhantomData }
}

/// As [`tokio::time::sleep`].
pub fn sleep(duration: Duration) -> Sleep {
    make(|| time::sleep(duration))
}

/// As [`tokio::time::sleep_until`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    make(|| time::sleep_until(deadline))
}

/// As [`tokio::time::timeout`].
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    make(|| time::timeout(duration, future))
}

/// As [`tokio::time::timeout_at`].
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    make(|| time::timeout_at(deadline, future))
}

/// As [`tokio::time::interval`].
///
/// # Panics
///
/// If `period` is zero.
pub fn interval(period: Duration) -> Interval {
    make(|| time::interval(period))
}

/// Makes a timer where it is to be kept: with the runtime that is the current one at that moment.
fn make<T>(timer: impl FnOnce() -> T) -> T {
    KEEPER.with_borrow(|keeper| {
        let _inside = keeper.as_ref().map(Handle::enter);
        timer()
    })
}

// === impl Elsewhere ===

impl Drop for Elsewhere {
    fn drop(&mut self) {
        KEEPER.replace(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, thread};

    use tokio::{
        runtime::{Builder, Runtime},
        sync::oneshot,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    /// Calls this in a thread without timers; another keeps them.
    fn without_timers(run: impl FnOnce(&Runtime)) {
        let (end, ended) = oneshot::channel::<()>();
        let keeper = Builder::new_current_thread().enable_time().build().unwrap();
        let elsewhere = keep_elsewhere(keeper.handle().clone());
        let keeper = thread::spawn(move || drop(keeper.block_on(ended)));
        run(&Builder::new_current_thread().build().unwrap());
        drop((elsewhere, end));
        keeper.join().unwrap();
    }

    #[test]
    fn timers_ring_on_a_thread_whose_runtime_has_none() {
        without_timers(|runtime| {
            runtime.block_on(async {
                let begin = Instant::now();
                sleep(SHORT).await;
                sleep_until(begin + 2 * SHORT).await;
                timeout(SHORT, pending::<()>()).await.unwrap_err();
                timeout_at(begin + 4 * SHORT, pending::<()>()).await.unwrap_err();
                let mut ticks = interval(SHORT);
                ticks.tick().await;
                ticks.tick().await;
                assert!(begin.elapsed() >= 5 * SHORT);
            });
        });
    }

    #[test]
    fn a_timer_can_be_set_anew_and_polled_in_another_task() {
        without_timers(|runtime| {
            let far = sleep(Duration::from_secs(1000));
            runtime.block_on(async {
                let task = tokio::spawn(async move {
                    let mut far = std::pin::pin!(far);
                    far.as_mut().reset(Instant::now() + SHORT);
                    far.await;
                });
                task.await.unwrap();
            });
        });
    }

    #[test]
    fn timers_are_kept_by_the_threads_own_runtime_otherwise() {
        let own = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let other = Builder::new_current_thread().build().unwrap();
        drop(keep_elsewhere(other.handle().clone()));
        own.block_on(async {
            let begin = Instant::now();
            sleep(Duration::from_secs(1000)).await;
            assert_eq!(begin.elapsed(), Duration::from_secs(1000));
        });
    }
}
