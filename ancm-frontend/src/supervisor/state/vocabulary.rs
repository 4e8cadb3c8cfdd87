//! The words between the decisions and those who carry them out.

use std::time::Duration;

use tokio::time::Instant;

/// What a configuration says about processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How many slots there are; at least one.
    pub(crate) processes: usize,
    /// The port that every process of this configuration takes, if it is not a random one.
    pub(crate) fixed_port: Option<u16>,
    /// How long a process may take to stop; zero kills it at once.
    pub(crate) shutdown_limit: Duration,
    /// How many crashes within a minute are healed.
    pub(crate) rapid_fails: u32,
    /// How often one start is tried; at least once.
    pub(crate) attempts: u8,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The supervisor exists; sent once.
    Begin,
    /// The attempt under way has ended with a process that listens.
    Ready {
        /// Whose.
        start: u64,
    },
    /// The attempt under way has failed, and nothing is left of its processes.
    AttemptFailed {
        /// Whose.
        start: u64,
        /// Another attempt must fail in the same way.
        critical: bool,
    },
    /// A ready process has ended.
    Exited {
        /// Whose.
        start: u64,
    },
    /// Nothing is left of a process that was to be stopped or killed.
    Gone {
        /// Whose.
        start: u64,
    },
    /// A request would like another try.
    Wake,
    /// `app_offline.htm` has come or gone.
    Offline(bool),
    /// There is a new configuration (or the old one again).
    Recycle(Policy),
    /// Stop for good.
    Stop {
        /// How long each process may take.
        limit: Duration,
    },
    /// Stop for good, now.
    Kill,
    /// The time that [`State::deadline`] named has come.
    Deadline,
}

/// What is to be done, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A start has failed for good: report it, keep its failure for the page.
    GiveUp {
        /// Whose.
        start: u64,
    },
    /// No process is started before the minute is over: report it.
    RapidFail {
        /// When starts are allowed again.
        until: Instant,
    },
    /// Tell the workers.
    Publish(View),
    /// Try to start a process.
    Attempt {
        /// The start that it belongs to.
        start: u64,
        /// The configuration to start from.
        generation: u64,
        /// For which place.
        slot: usize,
        /// Which one, counted from 1.
        number: u8,
    },
    /// Break off the attempt under way; it then fails.
    Abort {
        /// Whose.
        start: u64,
    },
    /// Ask a process to end, and see to it that it does.
    Stop {
        /// Whose.
        start: u64,
        /// How long it may take.
        limit: Duration,
    },
    /// End what is left of a process at once.
    Kill {
        /// Whose.
        start: u64,
    },
    /// Everything is gone.
    Finish,
}

/// What requests are to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// They wait.
    Starting,
    /// `app_offline.htm` is there.
    Offline,
    /// They are dispatched to one of these.
    Ready {
        /// The configuration.
        generation: u64,
        /// In the order of the slots.
        starts: Vec<u64>,
    },
    /// They are shown why not.
    Failed(Cause),
    /// They are refused.
    Stopped,
}

/// Why there is no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// This start failed.
    Start(u64),
    /// Too many crashes within a minute.
    RapidFail,
}

// === impl Action ===

impl Action {
    /// Reports come first, because the page is made of them; then the workers are told, so that nobody dispatches to
    /// what is about to end.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::GiveUp { .. } | Self::RapidFail { .. } => 0,
            Self::Publish(_) => 1,
            _ => 2,
        }
    }
}
