//! The numbers under which the original writes to the event log; ours carry them in the field `event_id` of the log.
//!
//! What watches a site by these numbers goes on doing so. [`EVENTS`] are those that happen here, [`ABSENT`] the rest of
//! the original's numbers, which have no occasion out of process. `tests/CONFORMANCE.md` has both as one table.
//!
//! # Example
//!
//! ```text
//! INFO server: the process is ready event_id=1001 application="site" pid=4242 port=21396
//! ```

use std::ops::RangeInclusive;

use tracing::Level;

/// One attempt to start a process failed.
pub const ATTEMPT_FAILED: u32 = 1000;
/// A process was started and listens.
pub const STARTED: u32 = 1001;
/// Too many crashes within a minute.
pub const RAPID_FAIL: u32 = 1003;
/// A stdout log file cannot be made or written.
pub const LOG_FILE_FAILED: u32 = 1004;
/// A process had to be killed.
pub const KILLED: u32 = 1005;
/// The shutdown message was sent, and answered.
pub const SHUTDOWN_SENT: u32 = 1006;
/// `app_offline.htm` has come.
pub const OFFLINE: u32 = 1012;
/// A start failed for good.
pub const START_FAILED: u32 = 1020;
/// A new configuration takes over.
pub const RECYCLED: u32 = 1021;
/// The site root cannot be watched.
pub const UNWATCHED: u32 = 1024;
/// A process has ended.
pub const EXITED: u32 = 1030;
/// A configuration cannot be used.
pub const MISCONFIGURED: u32 = 1034;
/// A line of the debug log.
pub const DEBUG_LINE: u32 = 1036;

/// An event that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: u32,
    /// The level at which it is logged; that of 1030 is a warning if nobody asked the process to end.
    pub level: Level,
    /// What has happened.
    pub meaning: &'static str,
}

/// Numbers that never happen here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// From which to which.
    pub ids: RangeInclusive<u32>,
    /// What they mean in the original; empty where it does not use them.
    pub meaning: &'static str,
    /// Why there is no occasion for them.
    pub reason: &'static str,
}

/// All that happen, by number.
// ANCM: aspnetcore_msg.mc.
pub const EVENTS: &[Event] = &[
    event(ATTEMPT_FAILED, Level::WARN, "an attempt to start a process failed"),
    event(STARTED, Level::INFO, "a process was started and listens"),
    event(RAPID_FAIL, Level::WARN, "more crashes within a minute than rapidFailsPerMinute allows"),
    event(LOG_FILE_FAILED, Level::WARN, "a stdout log file cannot be made or written"),
    event(KILLED, Level::WARN, "a process did not end within shutdownTimeLimit and was killed"),
    event(SHUTDOWN_SENT, Level::INFO, "the shutdown message was sent, with the status of its answer"),
    event(OFFLINE, Level::INFO, "stopped because of app_offline.htm"),
    event(START_FAILED, Level::ERROR, "a start failed for good, with what was printed"),
    event(RECYCLED, Level::INFO, "a new configuration takes over"),
    event(UNWATCHED, Level::WARN, "app_offline.htm cannot be watched for"),
    event(EXITED, Level::INFO, "a process has ended"),
    event(MISCONFIGURED, Level::ERROR, "a configuration cannot be used"),
    event(DEBUG_LINE, Level::INFO, "a line of the debug log, at the level of the line"),
];

/// All that do not happen, by number.
pub const ABSENT: &[Absent] = &[
    absent(1002..=1002, "a process has crashed (the first version only)", "1030 tells it"),
    absent(1007..=1007, "an in-process application could not be loaded", IN_PROCESS),
    absent(1008..=1008, "a second in-process application in one pool", NO_POOLS),
    absent(1009..=1009, "both hosting models in one pool", NO_POOLS),
    absent(
        1010..=1010,
        "an application could not be added",
        "its file is at fault (1034), or its start fails (1020)",
    ),
    absent(1011..=1011, "the application inside of the worker has ended", IN_PROCESS),
    absent(1013..=1013, "the module is switched off in the registry", "there is no registry"),
    absent(1014..=1017, "", UNUSED),
    absent(1018..=1018, "an exception inside of the worker", IN_PROCESS),
    absent(1019..=1019, "", UNUSED),
    absent(
        1022..=1022,
        "a recycle failed, so that the whole worker is recycled",
        "what runs goes on (1034), or the new start fails (1020)",
    ),
    absent(1023..=1023, "", UNUSED),
    absent(
        1025..=1027,
        "remarks and failures without a number of their own",
        "such lines have no `event_id`",
    ),
    absent(1028..=1028, "the in-process handler is missing", IN_PROCESS),
    absent(1029..=1029, "the out-of-process handler is missing", "it is built in"),
    absent(1031..=1031, "an in-process application could not be started", IN_PROCESS),
    absent(1032..=1032, "an in-process application was started", IN_PROCESS),
    absent(1033..=1033, "an in-process application has shut down", IN_PROCESS),
    absent(1035..=1035, "an in-process application has ended, with what it printed", IN_PROCESS),
    absent(
        1037..=1037,
        "a file of recycleOnFileChange has changed",
        "the original defines it and never logs it; such a recycle is 1021 like any other",
    ),
];

const IN_PROCESS: &str = "applications run out of process";
const NO_POOLS: &str = "there are no pools, and one hosting model";
const UNUSED: &str = "the original does not use it";

const fn event(id: u32, level: Level, meaning: &'static str) -> Event {
    Event { id, level, meaning }
}

const fn absent(ids: RangeInclusive<u32>, meaning: &'static str, reason: &'static str) -> Absent {
    Absent { ids, meaning, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_the_original_happens_or_has_a_reason_not_to() {
        let happening = EVENTS.iter().map(|event| event.id);
        let mut all: Vec<_> = happening.chain(ABSENT.iter().flat_map(|absent| absent.ids.clone())).collect();
        all.sort_unstable();
        assert_eq!(all, (1000..=1037).collect::<Vec<_>>());
        assert!(EVENTS.windows(2).all(|pair| pair[0].id < pair[1].id), "by number");
        assert!(ABSENT.windows(2).all(|pair| pair[0].ids.end() < pair[1].ids.start()), "by number");
    }
}
