//! The border between the loop that carries out decisions and the processes themselves.
//!
//! Real processes are behind it ([`Children`](super::child::Children)), or in tests of time ones that exist by name
//! only.
//!
//! # Example
//!
//! ```text
//! begin → attempt → (attempt →) ended → stop
//! ```

use std::{net::SocketAddr, sync::Arc};

use ancm_tower::{pairing_token::PairingToken, startup_error::StartFailure};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::state::Policy;
use crate::{
    config::{Config, ConfigErrors},
    lease::Released,
    process::ProcessHandle,
};

/// Starts processes, watches them and ends them.
pub(super) trait Processes: Send + Sync + 'static {
    /// What both attempts of a start share.
    type Context: Clone + Send + 'static;
    /// A process that listens.
    type Process: Clone + Send + 'static;

    /// What a configuration says about processes.
    fn policy(&self, config: &Config) -> Policy;

    /// Makes what the attempts of a start share: the token, the log file.
    fn begin(&self, config: &Arc<Config>, slot: usize) -> Self::Context;

    /// Tries to start a process. Unless it succeeds, nothing is left of it in the end, also if it is cancelled.
    fn attempt(
        &self,
        context: Self::Context,
        number: u8,
        cancel: CancellationToken,
    ) -> impl Future<Output = Attempted<Self::Process>> + Send;

    /// Ends when the process has ended.
    fn ended(&self, process: Self::Process) -> impl Future<Output = ()> + Send;

    /// Ends a process, and ends itself when nothing of it is left.
    fn stop(&self, process: Self::Process, how: Stop) -> impl Future<Output = ()> + Send;

    /// Reports that `app_offline.htm` has come or gone.
    fn offline(&self, offline: bool);

    /// Reports that a new configuration takes over.
    fn recycled(&self, config: &Config);

    /// Says for the page that the configuration cannot be used.
    fn misconfigured(&self, errors: &ConfigErrors) -> StartFailure;

    /// Reports a start that has failed for good.
    fn give_up(&self, context: &Self::Context, failure: &StartFailure);

    /// Reports that nothing is started until then, and says so for the page.
    fn rapid_fail(&self, config: &Config, until: Instant) -> StartFailure;
}

/// What came of an attempt.
#[derive(Debug)]
pub(super) enum Attempted<P> {
    /// It listens.
    Ready {
        process: P,
        /// Where.
        address: SocketAddr,
        /// What it was paired by.
        token: PairingToken,
        /// The process that listens.
        handle: ProcessHandle,
    },
    /// It failed.
    Failed {
        failure: StartFailure,
        /// Another attempt must fail in the same way.
        critical: bool,
    },
    /// It was cancelled.
    Cancelled,
}

/// How a process is to be ended.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    /// After this it is killed.
    pub(super) limit: Duration,
    /// Cancelled when it is to be killed without further ado.
    pub(super) kill: CancellationToken,
    /// Nobody dispatches to it any more when all of these are.
    pub(super) undispatched: Vec<Released>,
    /// No request of it is under way any more.
    pub(super) drained: Released,
    /// To be cancelled when requests that are still half-sent must end.
    pub(super) abandon: CancellationToken,
}
