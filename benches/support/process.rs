//! A process as the frontend sees it, without a supervisor: this very one.

use std::{net::SocketAddr, sync::Arc};

use ancm_frontend::{
    config::Config,
    dispatch::Table,
    lease::lease,
    process::ProcessHandle,
    supervisor::snapshot::{Availability, Backend, Generation, Snapshot},
};
use ancm_tower::pairing_token::PairingToken;
use tokio_util::sync::CancellationToken;

/// A table of one process, which is this one, listening there.
pub(crate) fn one_process(address: SocketAddr) -> Table {
    let backend = Backend {
        start: 1,
        slot: 0,
        address,
        token: PairingToken::random().expect("random numbers"),
        process: ProcessHandle::open(std::process::id()).expect("this process"),
        abandon: CancellationToken::new(),
        in_use: lease().0,
    };
    let config = Arc::new(Config::default());
    let generation = Generation { id: 1, config, backends: vec![Arc::new(backend)] };
    let table = Table::new(tokio::sync::watch::channel(None).1, || {});
    table.replace(Snapshot {
        availability: Availability::Ready(Arc::new(generation)),
        dispatching: lease().0,
    });
    table
}
