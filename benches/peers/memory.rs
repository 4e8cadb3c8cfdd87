//! What a proxy needs to hold clients that do nothing.

use std::{thread, time::Duration};

use crate::{
    check::Client,
    party::Party,
    processes::{self, Memory},
    scenario::SCENARIOS,
};

/// How long a program gets to become quiet.
const SETTLE: Duration = Duration::from_millis(700);

/// The memory of one party.
pub(crate) struct Holding {
    pub(crate) party: &'static str,
    /// Before the first load.
    pub(crate) idle: Memory,
    /// With the connections open.
    pub(crate) held: Memory,
    /// How many could be opened.
    pub(crate) connections: usize,
}

/// Opens that many connections, each of which has been answered once, and looks.
pub(crate) fn measure(party: &Party, connections: usize) -> Holding {
    thread::sleep(SETTLE);
    let idle = processes::memory(&processes::family(party.pid));
    let request = SCENARIOS[0].request(false);
    let open = |_| {
        let mut client = Client::open(party.address).ok()?;
        client.exchange(&request).ok().map(|_| client)
    };
    let clients: Vec<_> = (0..connections).map_while(open).collect();
    thread::sleep(SETTLE);
    let held = processes::memory(&processes::family(party.pid));
    Holding { party: party.name, idle, held, connections: clients.len() }
}
