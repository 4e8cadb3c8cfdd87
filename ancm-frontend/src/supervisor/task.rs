//! The one loop that carries out what [`State`] decides.
//!
//! It waits for whichever comes first: a process that became ready or ended, a command, a deadline. Each becomes an
//! event, and the actions that follow are carried out before the next is looked at. Whatever takes time runs beside
//! the loop and reports back to it; the loop itself never waits for anything else.
//!
//! # Example
//!
//! ```text
//! exit | command | deadline ─► State::apply ─► actions ─► attempts, stops, watches ─► exit | …
//!                                        └───► Snapshot ─► workers
//! ```

use std::{collections::HashMap, sync::Arc};

use ancm_tower::{startup_error::StartFailure, timers::sleep_until};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinSet,
    time::{Duration, Instant},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    processes::{Attempted, Processes, Stop},
    snapshot::{Availability, Backend, Generation, Snapshot},
    state::{Action, Event, State, View},
};
use crate::{
    config::{Config, ConfigErrors},
    lease::{Released, lease},
};

/// What the owner of the supervisor wants.
#[derive(Debug)]
pub(super) enum Command {
    /// `app_offline.htm` has come or gone; answered when the workers have been told.
    Offline(bool, oneshot::Sender<()>),
    /// There is a new configuration.
    Recycle(Arc<Config>),
    /// The configuration still cannot be used.
    Misconfigured(ConfigErrors),
    /// Stop for good.
    Stop(Duration),
    /// Stop for good, now.
    Kill,
}

/// What keeps processes from being started at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Hindrance {
    /// `app_offline.htm` is there.
    offline: bool,
    /// There is no configuration yet, and this is why.
    misconfigured: Option<Arc<StartFailure>>,
}

/// The ends of the channels that the loop holds.
pub(super) struct Ends {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) wake: Arc<Notify>,
    pub(super) snapshots: watch::Sender<Snapshot>,
    /// Dropped when everything is over.
    pub(super) ended: DropGuard,
}

/// The loop's memory: what the numbers in [`State`] stand for.
pub(super) struct Task<P: Processes> {
    processes: Arc<P>,
    state: State,
    hindrance: Hindrance,
    /// The newest configuration.
    config: Arc<Config>,
    starts: HashMap<u64, Start<P>>,
    /// Why the last start failed.
    failure: Arc<StartFailure>,
    snapshots: watch::Sender<Snapshot>,
    /// Of the snapshot in force.
    dispatching: Released,
    /// Of older snapshots by which somebody may still dispatch.
    undispatched: Vec<Released>,
    work: JoinSet<Outcome<P::Process>>,
    finished: bool,
}

/// One start: its attempts, and the process that came of them.
struct Start<P: Processes> {
    slot: usize,
    config: Arc<Config>,
    context: P::Context,
    /// Breaks off the attempt or the patience of the stop that is under way.
    cancel: CancellationToken,
    ready: Option<Ready<P::Process>>,
    failure: Option<Arc<StartFailure>>,
}

/// A process that listens, as long as it is not to be stopped.
struct Ready<Pr> {
    process: Pr,
    backend: Arc<Backend>,
    drained: Released,
}

/// The first snapshot, in which requests are held.
pub(super) fn first_snapshot() -> (Snapshot, Released) {
    snapshot(Availability::Starting)
}

fn snapshot(availability: Availability) -> (Snapshot, Released) {
    let (dispatching, released) = lease();
    (Snapshot { availability, dispatching }, released)
}

/// What the work beside the loop reports.
enum Outcome<Pr> {
    Attempted(u64, Attempted<Pr>),
    Ended(u64),
    Gone(u64),
}

// === impl Hindrance ===

impl Hindrance {
    /// What there is at the beginning.
    pub(super) fn new<P: Processes>(offline: bool, errors: Option<ConfigErrors>, processes: &P) -> Self {
        let misconfigured = errors.map(|errors| Arc::new(processes.misconfigured(&errors)));
        Self { offline, misconfigured }
    }

    fn is_any(&self) -> bool {
        self.offline || self.misconfigured.is_some()
    }

    /// What requests are to see of it.
    fn availability(&self) -> Availability {
        match &self.misconfigured {
            // ANCM: applicationinfo.cpp looks for app_offline.htm before it reads the configuration.
            Some(failure) if !self.offline => Availability::Failed(Arc::clone(failure)),
            _ => Availability::Offline,
        }
    }
}

// === impl Task ===

impl<P: Processes> Task<P> {
    /// Runs until everything has been stopped.
    pub(super) async fn run(
        processes: P,
        config: Arc<Config>,
        hindrance: Hindrance,
        dispatching: Released,
        mut ends: Ends,
    ) {
        let state = State::new(processes.policy(&config), hindrance.is_any(), Instant::now());
        let mut task = Self {
            processes: Arc::new(processes),
            state,
            hindrance,
            config,
            starts: HashMap::new(),
            failure: Arc::new(StartFailure::new("The application was not started.")),
            snapshots: ends.snapshots,
            dispatching,
            undispatched: Vec::new(),
            work: JoinSet::new(),
            finished: false,
        };
        task.apply(Event::Begin);
        while !task.finished {
            task.step(&mut ends.commands, &ends.wake).await;
        }
        drop(ends.ended);
    }

    async fn step(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>, wake: &Notify) {
        let deadline = self.state.deadline();
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        // When all handles are dropped, that is said again and again; once is enough.
        let deaf = self.state.is_stopping() && commands.is_closed() && commands.is_empty();
        tokio::select! {
            Some(outcome) = self.work.join_next() => match outcome {
                Ok(outcome) => self.take_in(outcome),
                Err(error) => if let Ok(panic) = error.try_into_panic() { std::panic::resume_unwind(panic) },
            },
            command = commands.recv(), if !deaf => self.obey(command),
            () = wake.notified() => self.apply(Event::Wake),
            () = due => self.apply(Event::Deadline),
        }
    }

    fn obey(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Offline(offline, told)) => {
                if offline != self.hindrance.offline {
                    self.hindrance.offline = offline;
                    if self.hindrance.misconfigured.is_none() {
                        self.processes.offline(offline);
                    }
                }
                self.hinder();
                // Nobody may wait for it any more.
                let _ = told.send(());
            }
            Some(Command::Recycle(config)) => {
                self.processes.recycled(&config);
                let policy = self.processes.policy(&config);
                self.config = config;
                self.hindrance.misconfigured = None;
                self.apply(Event::Recycle(policy));
                self.hinder();
            }
            Some(Command::Misconfigured(errors)) => {
                if self.hindrance.misconfigured.is_some() {
                    self.hindrance.misconfigured = Some(Arc::new(self.processes.misconfigured(&errors)));
                    self.hinder();
                }
            }
            Some(Command::Stop(limit)) => self.apply(Event::Stop { limit }),
            Some(Command::Kill) => self.apply(Event::Kill),
            // Nobody is left who could say otherwise.
            None => self.apply(Event::Stop { limit: self.config.shutdown_time_limit }),
        }
    }

    fn hinder(&mut self) {
        let known = self.state.is_offline();
        self.apply(Event::Offline(self.hindrance.is_any()));
        // For the state one hindrance is as good as the other; for visitors it is not.
        if known && self.state.is_offline() {
            self.publish(&View::Offline);
        }
    }

    fn take_in(&mut self, outcome: Outcome<P::Process>) {
        match outcome {
            Outcome::Ended(start) => self.apply(Event::Exited { start }),
            Outcome::Gone(start) => {
                self.starts.remove(&start);
                self.apply(Event::Gone { start });
            }
            Outcome::Attempted(start, Attempted::Ready { process, address, token, handle }) => {
                if let Some(known) = self.starts.get_mut(&start) {
                    let (in_use, drained) = lease();
                    let abandon = CancellationToken::new();
                    let slot = known.slot;
                    let backend =
                        Arc::new(Backend { start, slot, address, token, process: handle, abandon, in_use });
                    known.ready = Some(Ready { process: process.clone(), backend, drained });
                    let processes = Arc::clone(&self.processes);
                    self.work.spawn(async move {
                        processes.ended(process).await;
                        Outcome::Ended(start)
                    });
                }
                self.apply(Event::Ready { start });
            }
            Outcome::Attempted(start, Attempted::Failed { failure, critical }) => {
                if let Some(known) = self.starts.get_mut(&start) {
                    known.failure = Some(Arc::new(failure));
                }
                self.attempt_failed(start, critical);
            }
            Outcome::Attempted(start, Attempted::Cancelled) => self.attempt_failed(start, false),
        }
    }

    fn attempt_failed(&mut self, start: u64, critical: bool) {
        let actions = self.state.apply(Event::AttemptFailed { start, critical }, Instant::now());
        let again =
            actions.iter().any(|action| matches!(action, Action::Attempt { start: s, .. } if *s == start));
        self.perform(actions);
        if !again {
            self.starts.remove(&start);
        }
    }

    fn apply(&mut self, event: Event) {
        let actions = self.state.apply(event, Instant::now());
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::GiveUp { start } => self.give_up(start),
                Action::RapidFail { until } => {
                    self.failure = Arc::new(self.processes.rapid_fail(&self.config, until));
                }
                Action::Publish(view) => self.publish(&view),
                // Only the newest generation starts processes.
                Action::Attempt { start, slot, number, .. } => self.attempt(start, slot, number),
                Action::Abort { start } => self.cancel(start),
                Action::Stop { start, limit } => self.stop(start, limit),
                Action::Kill { start } => {
                    self.cancel(start);
                    self.stop(start, Duration::ZERO);
                }
                Action::Finish => self.finished = true,
            }
        }
    }

    fn give_up(&mut self, start: u64) {
        if let Some(known) = self.starts.get(&start)
            && let Some(failure) = &known.failure
        {
            self.processes.give_up(&known.context, failure);
            self.failure = Arc::clone(failure);
        }
    }

    fn attempt(&mut self, start: u64, slot: usize, number: u8) {
        let known = self.starts.entry(start).or_insert_with(|| Start {
            slot,
            config: Arc::clone(&self.config),
            context: self.processes.begin(&self.config, slot),
            cancel: CancellationToken::new(),
            ready: None,
            failure: None,
        });
        let (context, cancel) = (known.context.clone(), known.cancel.clone());
        let processes = Arc::clone(&self.processes);
        self.work.spawn(async move {
            Outcome::Attempted(start, processes.attempt(context, number, cancel).await)
        });
    }

    fn cancel(&self, start: u64) {
        if let Some(known) = self.starts.get(&start) {
            known.cancel.cancel();
        }
    }

    /// Stops a process that is ready; if it is being stopped already, nothing more is to be done.
    fn stop(&mut self, start: u64, limit: Duration) {
        let Some(known) = self.starts.get_mut(&start) else { return };
        let Some(Ready { process, backend, drained }) = known.ready.take() else { return };
        self.undispatched.retain(|snapshot| !snapshot.is_released());
        let how = Stop {
            limit,
            kill: known.cancel.clone(),
            undispatched: self.undispatched.clone(),
            drained,
            abandon: backend.abandon.clone(),
        };
        let processes = Arc::clone(&self.processes);
        self.work.spawn(async move {
            processes.stop(process, how).await;
            Outcome::Gone(start)
        });
    }

    fn publish(&mut self, view: &View) {
        let availability = match view {
            View::Starting => Availability::Starting,
            View::Offline => self.hindrance.availability(),
            View::Ready { generation, starts } => self.serving(*generation, starts),
            View::Failed(_) => Availability::Failed(Arc::clone(&self.failure)),
            View::Stopped => Availability::Stopped,
        };
        let (snapshot, dispatching) = snapshot(availability);
        self.snapshots.send_replace(snapshot);
        self.undispatched.retain(|snapshot| !snapshot.is_released());
        self.undispatched.push(std::mem::replace(&mut self.dispatching, dispatching));
    }

    fn serving(&self, id: u64, starts: &[u64]) -> Availability {
        let known = || starts.iter().filter_map(|start| self.starts.get(start));
        let backends = known().filter_map(|start| Some(Arc::clone(&start.ready.as_ref()?.backend))).collect();
        let config = known().next().map_or(&self.config, |start| &start.config);
        Availability::Ready(Arc::new(Generation { id, config: Arc::clone(config), backends }))
    }
}

#[cfg(test)]
mod tests;
