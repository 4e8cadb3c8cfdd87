//! Requests that keep coming, from several clients at once.

use std::{
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
};

use tokio::time::Instant;

use super::{
    PATIENCE, RETURN,
    client::{Client, Cut, get},
};

/// Clients that ask, one request after the other, until they are stopped; who is refused comes back a little later.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    outcomes: Vec<Outcome>,
    stop: bool,
}

/// One request, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// The status, and the value of `X-Site-Pid`.
    Answered { status: u16, pid: Option<i64> },
    /// A head came, and not all of its body.
    Cut,
    /// What the client saw instead of an answer.
    Failed(String),
}

// === impl Load ===

impl Load {
    pub(crate) fn start(address: SocketAddr, target: &str, clients: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let clients = (0..clients)
            .map(|_| {
                let (shared, request) = (Arc::clone(&shared), get(target, &[]));
                thread::spawn(move || shared.ask(address, &request))
            })
            .collect();
        Self { shared, clients }
    }

    /// Waits until this many requests have had such an outcome.
    pub(crate) fn reaches(&self, n: usize, what: &str, matching: impl Fn(&Outcome) -> bool) {
        let count = |state: &State| state.outcomes.iter().filter(|outcome| matching(outcome)).count();
        let state = self.shared.state.lock().unwrap();
        let (state, _) =
            self.shared.grown.wait_timeout_while(state, PATIENCE, |state| count(state) < n).unwrap();
        assert!(count(&state) >= n, "not {n} requests {what}; the last: {:?}", state.outcomes.last());
    }

    /// How many requests have had such an outcome so far.
    pub(crate) fn count(&self, matching: impl Fn(&Outcome) -> bool) -> usize {
        self.shared.state.lock().unwrap().outcomes.iter().filter(|outcome| matching(outcome)).count()
    }

    /// Lets the requests under way end, and tells what became of all.
    pub(crate) fn stop(mut self) -> Vec<Outcome> {
        self.shared.state.lock().unwrap().stop = true;
        for client in self.clients.drain(..) {
            client.join().expect("a client does not panic");
        }
        std::mem::take(&mut self.shared.state.lock().unwrap().outcomes)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.state.lock().map(|mut state| state.stop = true).unwrap_or_default();
    }
}

// === impl Shared ===

impl Shared {
    fn ask(&self, address: SocketAddr, request: &str) {
        let mut connection = None;
        while !self.state.lock().unwrap().stop {
            let mut ask = || {
                let mut client = match connection.take() {
                    Some(client) => client,
                    None => Client::try_connect(address)?,
                };
                let response = client.try_exchange(request)?;
                if !response.head.closes() {
                    connection = Some(client);
                }
                Ok::<_, std::io::Error>(response)
            };
            let began = Instant::now();
            let end = match ask() {
                Ok(response) => End::Answered {
                    status: response.status(),
                    pid: response.header("x-site-pid").and_then(|pid| pid.parse().ok()),
                },
                Err(error) if Cut::is(&error) => End::Cut,
                Err(error) => End::Failed(error.to_string()),
            };
            let outcome = Outcome { began, ended: Instant::now(), end };
            let served = outcome.is(200);
            self.state.lock().unwrap().outcomes.push(outcome);
            self.grown.notify_all();
            if !served {
                thread::sleep(RETURN);
            }
        }
    }
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn is(&self, status: u16) -> bool {
        matches!(self.end, End::Answered { status: found, .. } if found == status)
    }

    /// Whether its answer began and broke off.
    pub(crate) fn is_cut(&self) -> bool {
        self.end == End::Cut
    }

    pub(crate) fn is_by(&self, pid: i64) -> bool {
        matches!(self.end, End::Answered { status: 200, pid: Some(found) } if found == pid)
    }
}
