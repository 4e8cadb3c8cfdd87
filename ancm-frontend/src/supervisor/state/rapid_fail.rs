//! Counts crashes, so that an application that cannot live is not restarted for ever.
//!
//! A fixed window of one minute that is reset lazily: it is looked at only when a process must be started. With a
//! limit of L, L crashes within the window are healed; after the next one nothing is started before its end.
//!
//! # Example
//!
//! ```text
//! limit 2:   crash  crash  crash → blocked until 60 s after the window's beginning
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// How long crashes are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// The crashes of an application, all slots together. Failed starts are none.
#[derive(Debug)]
pub(super) struct RapidFail {
    since: Instant,
    crashes: u32,
}

// === impl RapidFail ===

impl RapidFail {
    /// No crash yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, crashes: 0 }
    }

    /// A ready process has ended by itself.
    pub(super) fn count(&mut self) {
        self.crashes = self.crashes.saturating_add(1);
    }

    /// Until when no process may be started.
    // ANCM: processmanager.cpp tests in this order and with this comparison, so a crash that is the first one after
    // the window's end is not counted at all.
    pub(super) fn blocked(&mut self, limit: u32, now: Instant) -> Option<Instant> {
        let end = self.since + WINDOW;
        if now >= end {
            *self = Self::new(now);
            return None;
        }
        (self.crashes > limit).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crashed(times: u32, at: Instant) -> RapidFail {
        let mut rapid_fail = RapidFail::new(at);
        (0..times).for_each(|_| rapid_fail.count());
        rapid_fail
    }

    #[test]
    fn heals_as_many_crashes_as_the_limit_says() {
        let now = Instant::now();
        for (limit, crashes, blocked) in
            [(0, 0, false), (0, 1, true), (1, 1, false), (1, 2, true), (10, 10, false), (10, 11, true)]
        {
            let end = crashed(crashes, now).blocked(limit, now);
            assert_eq!(end, blocked.then_some(now + WINDOW), "limit {limit}, {crashes} crashes");
        }
    }

    #[test]
    fn forgets_everything_at_the_end_of_the_window() {
        let now = Instant::now();
        let mut rapid_fail = crashed(50, now);
        let last = now + WINDOW - Duration::from_millis(1);
        assert_eq!(rapid_fail.blocked(10, last), Some(now + WINDOW));
        assert_eq!(rapid_fail.blocked(10, now + WINDOW), None);
        rapid_fail.count();
        assert_eq!(rapid_fail.blocked(0, now + WINDOW), Some(now + WINDOW * 2));
    }

    #[test]
    fn begins_the_next_window_when_it_is_looked_at_not_before() {
        let now = Instant::now();
        let mut rapid_fail = RapidFail::new(now);
        let late = now + WINDOW * 3;
        assert_eq!(rapid_fail.blocked(0, late), None);
        rapid_fail.count();
        assert_eq!(rapid_fail.blocked(0, late), Some(late + WINDOW));
    }
}
