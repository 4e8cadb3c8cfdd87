//! What the supervisor tells the workers: which processes there are to dispatch to.
//!
//! The supervisor publishes one [`Snapshot`] after another in a `tokio::sync::watch`; each worker holds the newest.
//! Two leases make draining exact: the snapshot's own ("nobody dispatches by this any more") and each backend's
//! ("no request of this process is under way any more").

use std::{net::SocketAddr, sync::Arc};

use ancm_tower::{pairing_token::PairingToken, startup_error::StartFailure};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, lease::Lease, process::ProcessHandle};

/// The state of an application, as far as requests are concerned.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What to do with a request.
    pub availability: Availability,
    /// Let go of when no worker dispatches by this snapshot any more.
    pub dispatching: Lease,
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub enum Availability {
    /// Hold it: no process is ready, one is coming.
    Starting,
    /// Show the page of `app_offline.htm`, also to a request that has been held until now.
    Offline,
    /// Send it to one of these.
    Ready(Arc<Generation>),
    /// Show this: the start failed.
    Failed(Arc<StartFailure>),
    /// Refuse it: the application is being stopped for good.
    Stopped,
}

/// All processes started from one configuration that are ready; never empty.
#[derive(Debug)]
pub struct Generation {
    /// Counts up; a new configuration is a new generation.
    pub id: u64,
    /// What it was started from.
    pub config: Arc<Config>,
    /// Its ready processes, in the order of their slots.
    pub backends: Vec<Arc<Backend>>,
}

/// One ready process.
///
/// Whoever holds one of these may send requests to the process: drop it as soon as that is over.
#[derive(Debug)]
pub struct Backend {
    /// Unique for each process start within this frontend.
    pub start: u64,
    /// Its place among `processesPerApplication`.
    pub slot: usize,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is paired by.
    pub token: PairingToken,
    /// The process that listens.
    pub process: ProcessHandle,
    /// Cancelled shortly before the stop limit: requests that are still half-sent are cut.
    pub abandon: CancellationToken,
    /// Let go of when no request of this process is under way any more.
    pub in_use: Lease,
}
