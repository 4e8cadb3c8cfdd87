//! The clients: one thread for each core, each connection with one request at a time, or a pipeline of them.
//!
//! A process of its own, so that its work is not counted as anybody else's. It counts only what happens within the
//! measured time, and reads the proxy's CPU time at both ends of it.

mod connection;
mod histogram;

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use serde_json::json;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use self::{connection::Connection, histogram::Histogram};
use crate::{Failure, processes, scenario::Scenario};

/// What the clients are to do.
pub(crate) struct Order {
    pub(crate) address: SocketAddr,
    pub(crate) scenario: &'static Scenario,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// Whose CPU time is counted.
    pub(crate) processes: Vec<u32>,
}

/// What one thread has seen within the measured time.
#[derive(Default)]
struct Tally {
    latencies: Histogram,
    errors: u64,
    first_error: Option<String>,
}

/// What a thread's connections share.
struct Clients {
    address: SocketAddr,
    scenario: &'static Scenario,
    /// What is sent at once.
    requests: Vec<u8>,
    /// A request that ends its connection.
    last: Vec<u8>,
    /// The number of the last trace; no two threads begin with the same.
    traces: Cell<u64>,
    measuring: Arc<AtomicBool>,
    tally: RefCell<Tally>,
}

/// Plays the clients, and prints one line of JSON.
#[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
pub(crate) fn main(order: &Order) -> Result<(), Failure> {
    crate::os::raise_file_limit();
    let measuring = Arc::new(AtomicBool::new(false));
    let stop = CancellationToken::new();
    let count = thread::available_parallelism()?.get().min(order.scenario.connections);
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let connections =
                order.scenario.connections / count + usize::from(number < order.scenario.connections % count);
            let (address, scenario) = (order.address, order.scenario);
            let (measuring, stop) = (Arc::clone(&measuring), stop.clone());
            thread::Builder::new()
                .spawn(move || Clients::new(number, address, scenario, measuring).play(connections, &stop))
        })
        .collect::<io::Result<_>>()?;

    thread::sleep(order.warm_up);
    let (start, before) = (std::time::Instant::now(), processes::cpu(&order.processes));
    measuring.store(true, Relaxed);
    thread::sleep(order.measured);
    measuring.store(false, Relaxed);
    let (elapsed, after) = (start.elapsed(), processes::cpu(&order.processes));

    let mut total = Tally::default();
    stop.cancel();
    for thread in threads {
        total.add(thread.join().map_err(|_| "a thread of the load has panicked")??);
    }
    println!(
        "{}",
        json!({
            "requests": total.latencies.count(),
            "errors": total.errors,
            "first_error": total.first_error,
            "seconds": elapsed.as_secs_f64(),
            "user_seconds": after.user - before.user,
            "system_seconds": after.system - before.system,
            "p50_us": total.latencies.quantile(0.50),
            "p99_us": total.latencies.quantile(0.99),
        })
    );
    Ok(())
}

// === impl Order ===

impl Order {
    /// Reads what [`Order::arguments`] wrote.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let [address, scenario, warm_up, measured, processes @ ..] = arguments else {
            return Err("load: ADDRESS SCENARIO WARM-UP-MS MEASURED-MS PID...".to_owned());
        };
        let milliseconds =
            |text: &str| text.parse().map(Duration::from_millis).map_err(|_| format!("{text}: not ms"));
        Ok(Self {
            address: address.parse().map_err(|_| format!("{address}: not an address"))?,
            scenario: Scenario::find(scenario).ok_or_else(|| format!("{scenario}: no such scenario"))?,
            warm_up: milliseconds(warm_up)?,
            measured: milliseconds(measured)?,
            processes: processes.iter().filter_map(|pid| pid.parse().ok()).collect(),
        })
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let mut arguments = vec!["load".to_owned(), self.address.to_string(), self.scenario.name.to_owned()];
        arguments.extend([milliseconds(self.warm_up), milliseconds(self.measured)]);
        arguments.extend(self.processes.iter().map(u32::to_string));
        arguments
    }
}

// === impl Clients ===

impl Clients {
    fn new(
        thread: usize,
        address: SocketAddr,
        scenario: &'static Scenario,
        measuring: Arc<AtomicBool>,
    ) -> Self {
        let requests = scenario.request(false).repeat(scenario.pipelined);
        let last = scenario.request(true);
        let traces = Cell::new((thread as u64) << 32);
        Self { address, scenario, requests, last, traces, measuring, tally: RefCell::default() }
    }

    fn play(self, connections: usize, stop: &CancellationToken) -> io::Result<Tally> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clients = Rc::new(self);
        let tasks = LocalSet::new();
        for _ in 0..connections {
            tasks.spawn_local(Rc::clone(&clients).one());
        }
        tasks.block_on(&runtime, stop.cancelled());
        drop(tasks);
        Ok(clients.tally.take())
    }

    /// One client, for ever.
    async fn one(self: Rc<Self>) {
        loop {
            if let Err(error) = self.connection().await {
                if self.measuring.load(Relaxed) {
                    let mut tally = self.tally.borrow_mut();
                    tally.errors += 1;
                    tally.first_error.get_or_insert_with(|| error.to_string());
                }
                // A proxy that is gone must not make us spin.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// One request after the other, or several at once, until the server ends the connection.
    #[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
    async fn connection(&self) -> io::Result<()> {
        let mut start = std::time::Instant::now();
        let mut connection = Connection::open(self.address).await?;
        let mut number = 0;
        let mut requests = Cow::from(&self.requests);
        let trace = self.scenario.trace(&requests);
        loop {
            number += 1;
            let closes = self.scenario.closes(number);
            let mut end = start;
            if let Some(trace) = &trace {
                self.traces.set(self.traces.get() + 1);
                let trace_number = format!("{:032x}", self.traces.get());
                requests.to_mut()[trace.clone()].copy_from_slice(trace_number.as_bytes());
            }
            connection.send(if closes { &self.last } else { &requests }).await?;
            for _ in 0..self.scenario.pipelined {
                let ends = connection.answer(self.scenario.answer, closes).await?;
                end = std::time::Instant::now();
                if self.measuring.load(Relaxed) {
                    self.tally.borrow_mut().latencies.add(end - start);
                }
                if ends {
                    return Ok(());
                }
            }
            start = end;
        }
    }
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, other: Self) {
        self.latencies.merge(&other.latencies);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}
