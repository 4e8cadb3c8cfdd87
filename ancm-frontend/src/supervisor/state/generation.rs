//! The slots of one configuration, and how far each of them is.

use tokio::time::Instant;

use super::{Cause, Outgoing, Policy, View};

#[derive(Debug)]
pub(super) struct Generation {
    pub(super) id: u64,
    pub(super) policy: Policy,
    pub(super) slots: Vec<Slot>,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) phase: Phase,
    /// Failed starts in a row.
    pub(super) failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be started as soon as that is possible; requests wait for it.
    Wanted,
    /// An attempt is under way. Requests wait for it if it is `awaited`, which a retry is not.
    Starting {
        start: u64,
        number: u8,
        awaited: bool,
    },
    Ready {
        start: u64,
    },
    /// The start failed; tried again at `retry`, or never.
    Failed {
        retry: Option<Instant>,
    },
    /// Too many crashes.
    Blocked {
        until: Instant,
    },
}

// === impl Generation ===

impl Generation {
    pub(super) fn new(id: u64, policy: Policy) -> Self {
        let slots = (0..policy.processes.max(1)).map(|_| Slot::new()).collect();
        Self { id, policy, slots }
    }

    pub(super) fn starting(&mut self, start: u64) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.phase.attempt() == Some(start))
    }

    pub(super) fn ready(&mut self, start: u64) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.phase.process() == Some(start))
    }

    /// Its ready processes, if there are any, as those of an older generation.
    pub(super) fn outgoing(&self) -> Option<Outgoing> {
        let starts: Vec<u64> = self.slots.iter().filter_map(|slot| slot.phase.process()).collect();
        let Policy { shutdown_limit: limit, fixed_port, .. } = self.policy;
        (!starts.is_empty()).then_some(Outgoing { generation: self.id, limit, fixed_port, starts })
    }

    /// Every slot is ready or has failed, and not all have failed.
    pub(super) fn is_complete(&self) -> bool {
        self.slots.iter().any(|slot| slot.phase.process().is_some())
            && !self.slots.iter().any(|slot| slot.phase.is_awaited())
    }

    pub(super) fn look(&self, cause: Cause) -> View {
        let starts: Vec<u64> = self.slots.iter().filter_map(|slot| slot.phase.process()).collect();
        if !starts.is_empty() {
            View::Ready { generation: self.id, starts }
        } else if self.slots.iter().any(|slot| slot.phase.is_awaited()) {
            View::Starting
        } else {
            View::Failed(cause)
        }
    }
}

// === impl Slot ===

impl Slot {
    pub(super) fn new() -> Self {
        Self { phase: Phase::Wanted, failures: 0 }
    }
}

// === impl Phase ===

impl Phase {
    pub(super) fn attempt(&self) -> Option<u64> {
        if let Self::Starting { start, .. } = self { Some(*start) } else { None }
    }

    pub(super) fn process(&self) -> Option<u64> {
        if let Self::Ready { start } = self { Some(*start) } else { None }
    }

    pub(super) fn is_awaited(&self) -> bool {
        matches!(self, Self::Wanted | Self::Starting { awaited: true, .. })
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::Failed { retry } => *retry,
            Self::Blocked { until } => Some(*until),
            _ => None,
        }
    }
}
