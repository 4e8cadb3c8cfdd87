//! The numbers under which the original writes to the event log; ours carry them in the field `event_id` of the log.
//!
//! What watches a site by these numbers goes on doing so. [`EVENTS`] is the table of those that happen here; the rest
//! of the original's numbers have no occasion out of process:
//!
//! | id | means | why not here |
//! |---|---|---|
//! | 1002 | a crash, in the first module only | 1030 tells it |
//! | 1007, 1011, 1018, 1031, 1032, 1033, 1035 | what happens to an application inside of the worker process | applications run out of process |
//! | 1008, 1009 | a second in-process application, or both models, in one pool | there are no pools |
//! | 1010 | an application could not be added | its file is at fault (1034), or its start fails (1020) |
//! | 1013 | the module is switched off in the registry | there is no registry |
//! | 1014 to 1017, 1019, 1023 | nothing | |
//! | 1022 | a recycle failed, so that the worker is recycled | what runs goes on (1034), or the new start fails (1020) |
//! | 1025 to 1028 | trouble of the in-process handler and its dependencies | there is none |
//! | 1029 | the out-of-process handler is missing | it is built in |
//! | 1037 | a file of `recycleOnFileChange` has changed | defined, never logged: the original writes 1012 or 1021 |
//!
//! # Example
//!
//! ```text
//! INFO server: the process is ready event_id=1001 application="site" pid=4242 port=21396
//! ```

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

const fn event(id: u32, level: Level, meaning: &'static str) -> Event {
    Event { id, level, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stands_once_in_order() {
        assert!(EVENTS.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(EVENTS.iter().all(|event| (1000..=1037).contains(&event.id) && !event.meaning.is_empty()));
    }
}
