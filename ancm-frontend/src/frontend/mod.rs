//! The whole frontend, assembled: its applications, its listeners, its workers.
//!
//! Three kinds of threads: *control* (supervisor, watchers), *output* (what the processes print), and *workers* (one
//! per core: they accept, serve and proxy). This module knows all of them, and nothing else does.
//!
//! # Example
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use ancm_frontend::{config, frontend::{Frontend, Options}};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let loaded = config::load("site".as_ref())?;
//! let options = Options::new(Arc::new(loaded.config)).listen("127.0.0.1:0".parse()?);
//! let running = Frontend::new(options).start()?;
//! println!("http://{}", running.addresses()[0]);
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod applications;
mod listeners;
mod make;
mod workers;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use ancm_tower::{client::Scheme, timers::timeout};
use futures_util::future::join_all;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tower::layer::util::{Identity, Stack};
use tower_layer::Layer;

use self::{
    listeners::{https_port, open},
    make::MakeStacks,
    workers::Workers,
};
use crate::{
    application::{Application, Hosted, Logs},
    binding::Binding,
    config::{Config, ConfigErrors, Transport},
    debug_log::DebugLogs,
    output::Output,
    server::{ConnectionService, Limits, ListenError},
    spawn::Spawner,
    stack::AppStack,
    supervisor::snapshot::Snapshot,
    tls::{self, TlsError, TlsSettings},
};

/// What to serve, and how.
#[derive(Clone, Debug)]
pub struct Options {
    applications: Vec<Hosted>,
    listen: Vec<(Scheme, SocketAddr)>,
    tls: Option<TlsSettings>,
    workers: usize,
    limits: Limits,
    spawner: Spawner,
    debug_logs: Option<DebugLogs>,
}

/// A frontend that is about to start.
#[derive(Clone, Debug)]
pub struct Frontend<L = Identity> {
    options: Options,
    layer: L,
    /// Some are of its user, and may need timers.
    is_layered: bool,
}

/// A frontend that serves.
///
/// Dropping it ends everything at once; [`shutdown`](Self::shutdown) lets requests finish.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    schemes: Vec<Scheme>,
    applications: Vec<RunningApplication>,
    reload: Arc<Notify>,
    orders: mpsc::UnboundedSender<Order>,
    control: Option<JoinHandle<()>>,
}

/// Ends a frontend at once.
#[derive(Clone, Debug)]
pub struct KillSwitch {
    orders: mpsc::UnboundedSender<Order>,
}

/// An application of a frontend that serves.
#[derive(Clone, Debug)]
pub struct RunningApplication {
    /// Where.
    pub binding: Binding,
    /// Its state.
    pub snapshots: watch::Receiver<Snapshot>,
}

#[derive(Debug)]
enum Order {
    Drain(oneshot::Sender<()>),
    Kill,
}

/// Why a frontend cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The application demands of clients what none of them could have.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// An address is to speak TLS, and there is no certificate.
    #[error("no certificate was given, which https://{0} needs")]
    NoCertificate(SocketAddr),
    /// A thread or a runtime cannot be made.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// There is nothing to listen on.
    #[error("no address to listen on was given")]
    NoAddress,
    /// There is nothing to serve.
    #[error("no application to serve was given")]
    NoApplication,
    /// Two applications would get the same requests.
    #[error("two applications are to be served at {0}; give one of them another path or host")]
    Duplicate(Binding),
}

// === impl Options ===

impl Options {
    /// Serves this application, without a guard, by as many workers as there are cores; add an address to listen on.
    pub fn new(config: Arc<Config>) -> Self {
        Self::serving(vec![Hosted::new(Binding::root(), config)])
    }

    /// The same for several applications, each where its binding says.
    pub fn serving(applications: Vec<Hosted>) -> Self {
        Self {
            applications,
            listen: Vec::new(),
            tls: None,
            workers: thread::available_parallelism().map_or(1, usize::from),
            limits: Limits::default(),
            spawner: Spawner::Direct,
            debug_logs: None,
        }
    }

    /// Listens on this address, too; port 0 takes a free one.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push((Scheme::Http, address));
        self
    }

    /// Listens on this address with TLS, which needs [`tls`](Self::tls); port 0 takes a free one.
    pub fn listen_tls(mut self, address: SocketAddr) -> Self {
        self.listen.push((Scheme::Https, address));
        self
    }

    /// The certificate of all addresses with TLS, and what is asked of their clients.
    pub fn tls(mut self, settings: TlsSettings) -> Self {
        self.tls = Some(settings);
        self
    }

    /// Serves by this many workers; at least one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How long connections may do nothing.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives applications the debug logs that they ask for; their [layer](DebugLogs::layer) must be in the subscriber.
    pub fn debug_logs(mut self, logs: DebugLogs) -> Self {
        self.debug_logs = Some(logs);
        self
    }

    /// Starts processes this way.
    pub fn spawner(mut self, spawner: Spawner) -> Self {
        self.spawner = spawner;
        self
    }

    /// What clients can connect by.
    fn transport(&self) -> Transport {
        let speaks_tls = self.listen.iter().any(|(scheme, _)| *scheme == Scheme::Https);
        match &self.tls {
            Some(tls) if speaks_tls && tls.asks_clients() => Transport::TlsWithCertificates,
            _ if speaks_tls => Transport::Tls,
            _ => Transport::Plain,
        }
    }
}

// === impl Frontend ===

impl Frontend {
    /// A frontend with its own layers only.
    pub fn new(options: Options) -> Self {
        Self { options, layer: Identity::new(), is_layered: false }
    }
}

impl<L> Frontend<L> {
    /// Puts a layer of yours around the application, outside of all of ours and inside of the layers given before.
    ///
    /// It is cloned for each worker and makes one service for each connection. It may use everything of tokio: the
    /// workers then keep timers of their own, which our layers do without.
    pub fn layer<M>(self, layer: M) -> Frontend<Stack<M, L>> {
        Frontend { options: self.options, layer: Stack::new(layer, self.layer), is_layered: true }
    }

    /// Listens and starts the applications; requests are held until they are ready.
    ///
    /// # Errors
    ///
    /// There is no application or there are two at the same place. An address is taken or not permitted, a certificate
    /// cannot be used, or the system has no threads left. An application that cannot start is no error here: its requests
    /// are answered with the reason, and the start is tried again.
    pub fn start(self) -> Result<Running, StartError>
    where
        L: Layer<AppStack> + Clone + Send + 'static,
        L::Service: ConnectionService,
    {
        let transport = self.options.transport();
        let Options { applications, listen, tls, workers, limits, spawner, debug_logs } = self.options;
        applications::check(&applications)?;
        let applications = applications::served_over(transport, applications)?;
        let (certificate, tls) = tls.map(tls::Source::open).transpose()?.unzip();
        let listeners = open(&listen, workers, tls.as_ref())?;
        let addresses = listeners.iter().map(|(listeners, _)| listeners.address).collect();
        let schemes = listen.iter().map(|(scheme, _)| *scheme).collect();
        let https_port = https_port(&listeners);
        let output = Output::start()?;
        let (orders, received) = mpsc::unbounded_channel();
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (layer, is_layered) = (self.layer, self.is_layered);
        let reload = Arc::new(Notify::new());
        let following = certificate.map(|certificate| certificate.follow(Arc::clone(&reload)));
        let control = thread::Builder::new().name("ancm-control".to_owned()).spawn(move || {
            runtime.block_on(async move {
                following.map(tokio::spawn);
                let logs = Logs { output: output.clone(), debug: debug_logs };
                let applications = applications::start_all(applications, &spawner, &logs, https_port);
                let made = MakeStacks::new(&applications, workers, layer, is_layered);
                match Workers::start(listeners, workers, limits, &made) {
                    Ok(workers) => {
                        let _ = started.send(Ok(applications.iter().map(RunningApplication::of).collect()));
                        control(&applications, workers, received).await;
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
                // What the processes printed last is still written, but a hanging disk does not hold us.
                drop(applications);
                let _ = timeout(Duration::from_secs(2), output.finish()).await;
            });
        })?;
        let applications = start.recv().map_err(io::Error::other)??;
        Ok(Running { addresses, schemes, applications, reload, orders, control: Some(control) })
    }
}

/// What the control thread does once everything runs: it waits for the end.
async fn control(applications: &[Application], workers: Workers, mut orders: mpsc::UnboundedReceiver<Order>) {
    let Some(Order::Drain(done)) = orders.recv().await else {
        // Killed, or its handle was dropped without a word.
        return workers.finish();
    };
    let graceful = async {
        workers.drain.cancel();
        // Connections are not those of one application: the most patient one decides.
        let limit = applications.iter().map(Application::shutdown_limit).max().unwrap_or_default();
        let _ = timeout(limit, workers.connections.wait()).await;
        join_all(applications.iter().map(Application::stop)).await;
    };
    tokio::select! {
        () = graceful => {}
        _ = orders.recv() => {
            tracing::warn!(target: "server", "asked again to stop: ending at once");
            join_all(applications.iter().map(|application| application.supervisor().stop(Duration::ZERO))).await;
        }
    }
    workers.finish();
    let _ = done.send(());
}

// === impl Running ===

impl Running {
    /// Where it listens, with real ports, in the order in which they were given.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The same as clients write it: `http://127.0.0.1:8080`.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        let pairs = self.schemes.iter().zip(&self.addresses);
        pairs.map(|(scheme, address)| format!("{}://{address}", scheme.as_str()))
    }

    /// Reads the certificate anew now, without waiting until its change is noticed; connections go on.
    pub fn reload_certificate(&self) {
        self.reload.notify_one();
    }

    /// Its applications, in the order in which they were given.
    pub fn applications(&self) -> &[RunningApplication] {
        &self.applications
    }

    /// Stops accepting, lets requests finish within `shutdownTimeLimit`, then stops the processes.
    ///
    /// When the returned future is dropped before it has ended, everything ends at once.
    pub async fn shutdown(mut self) {
        let (done, finished) = oneshot::channel();
        if self.orders.send(Order::Drain(done)).is_ok() {
            let _ = finished.await;
        }
        self.join();
    }

    /// What ends it at once, also while [`shutdown`](Self::shutdown) is under way.
    pub fn kill_switch(&self) -> KillSwitch {
        KillSwitch { orders: self.orders.clone() }
    }

    fn join(&mut self) {
        let _ = self.orders.send(Order::Kill);
        if let Some(control) = self.control.take() {
            // A panic there has been printed already.
            let _ = control.join();
        }
    }
}

// === impl RunningApplication ===

impl RunningApplication {
    fn of(application: &Application) -> Self {
        Self { binding: application.binding().clone(), snapshots: application.snapshots() }
    }
}

// === impl KillSwitch ===

impl KillSwitch {
    /// Ends everything at once.
    pub fn kill(&self) {
        // Nobody to tell: it has ended already.
        let _ = self.orders.send(Order::Kill);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.join();
    }
}

#[cfg(test)]
mod tests;
