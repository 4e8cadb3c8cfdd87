//! Listens, serves, and stops without losing a request.
//!
//! [`serve`](crate::serve) is all that most applications need. [`Server`] is the same in steps: for settings of
//! one's own, for the port that the system chose, or to stop it from elsewhere.
//!
//! # Example
//!
//! ```
//! use ancm_backend::{Server, Shutdown, settings::{Address, Mode, Settings}};
//! use axum::{Router, routing::get};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ancm_backend::ServeError> {
//! let app = Router::new().route("/", get(async || "hello"));
//! let shutdown = Shutdown::new();
//! let mut settings = Settings::default();
//! settings.mode = Mode::Alone(vec![Address::loopback(0)]);
//!
//! let listening = Server::new(settings).shutdown(shutdown.clone()).signals(false).listen().await?;
//! println!("listening on {}", listening.addresses()[0]);
//!
//! shutdown.request();
//! listening.serve(app).await
//! # }
//! ```

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use ancm_tower::{
    BoxError,
    timers::{sleep, timeout},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    select,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    BackendLayer, Shutdown,
    answer::App,
    settings::{Address, Mode, Settings},
};

mod clock;
mod connection;
mod error;
mod listen;
mod signal;
#[cfg(test)]
mod tests;

pub use error::ServeError;

use connection::Connection;

/// A server that is not listening yet.
#[derive(Clone, Debug)]
pub struct Server {
    settings: Settings,
    shutdown: Shutdown,
    signals: bool,
}

/// A server whose addresses are open: clients can connect, and wait until it serves.
#[derive(Debug)]
pub struct Listening {
    server: Server,
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// What is open at a moment, and how to end it.
#[derive(Clone, Default)]
struct Open {
    /// Tasks that accept or serve.
    tasks: TaskTracker,
    /// Streams, also those that the application holds since it upgraded them.
    streams: TaskTracker,
    abort: CancellationToken,
}

/// How long a task may take to notice that its connection is let go.
const ABORT_LIMIT: Duration = Duration::from_secs(1);
/// Between two tries when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

// === impl Server ===

impl Server {
    /// Reads the settings from this process's environment.
    pub fn from_env() -> Result<Self, ServeError> {
        Ok(Self::new(Settings::from_env()?))
    }

    /// Takes these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, shutdown: Shutdown::new(), signals: true }
    }

    /// Stops when `shutdown` is requested; every request has it in its extensions.
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self }
    }

    /// Whether SIGTERM and SIGINT (on Windows the console's events) stop the server; they do by default.
    ///
    /// They stay taken over when it has ended, as the process should then end too.
    pub fn signals(self, enabled: bool) -> Self {
        Self { signals: enabled, ..self }
    }

    /// Takes over the stop signals, then opens the addresses of the settings.
    ///
    /// # Errors
    ///
    /// If one of them cannot be had; the error names it.
    pub async fn listen(self) -> Result<Listening, ServeError> {
        // First: a frontend that sees the listener may send one at once.
        if self.signals {
            request_on_signal(self.shutdown.clone())?;
        }
        let mut sockets = Vec::new();
        for address in self.settings.mode.addresses() {
            listen::open(address, &mut sockets).await?;
        }
        let addresses: Vec<SocketAddr> =
            sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let paired = matches!(self.settings.mode, Mode::Paired(_));
        for address in &addresses {
            tracing::info!(paired, "listening on http://{address}");
        }
        Ok(Listening { server: self, sockets, addresses })
    }

    /// Listens, then serves until somebody asks to stop.
    pub async fn serve<S, B>(self, app: S) -> Result<(), ServeError>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.listen().await?.serve(app).await
    }
}

impl Mode {
    // ANCM: Kestrel's address has no path base in it either.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        match self {
            Self::Paired(pairing) => vec![Address::loopback(pairing.port)],
            Self::Alone(addresses) => addresses.clone(),
        }
    }
}

// === impl Listening ===

impl Listening {
    /// The addresses, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until somebody asks to stop, then until all that has begun is done, or the limit is reached.
    pub async fn serve<S, B>(self, app: S) -> Result<(), ServeError>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Server { settings, shutdown, .. } = self.server;
        let service = BackendLayer::new(&settings).shutdown(shutdown.clone()).layer(App::new(app));
        let open = Open::default();
        for socket in self.sockets {
            open.tasks.spawn(accept(socket, service.clone(), shutdown.clone(), open.clone()));
        }
        shutdown.requested().await;
        open.drain(settings.shutdown_limit).await;
        Ok(())
    }
}

fn request_on_signal(shutdown: Shutdown) -> Result<(), ServeError> {
    let signal = signal::stop().map_err(ServeError::Signals)?;
    tokio::spawn(async move {
        select! {
            name = signal => {
                tracing::info!("stopping: {name}");
                shutdown.request();
            }
            () = shutdown.requested() => {}
        }
    });
    Ok(())
}

/// Accepts until somebody asks to stop; the socket closes with the end of this function.
async fn accept<S, B>(socket: TcpListener, service: S, shutdown: Shutdown, open: Open)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    loop {
        let (stream, peer) = select! {
            biased;
            () = shutdown.requested() => return,
            accepted = next(&socket) => accepted,
        };
        let (shutdown, abort) = (shutdown.clone(), open.abort.clone());
        let connection = Connection { stream, peer, shutdown, abort, open: open.streams.token() };
        open.tasks.spawn(connection.serve(service.clone()));
    }
}

async fn next(socket: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections for now");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether a client left before it was accepted.
fn is_clients(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

// === impl Open ===

impl Open {
    /// Waits until everything is closed; at the limit lets the rest go.
    async fn drain(&self, limit: Duration) {
        self.streams.close();
        self.tasks.close();
        let drained = async {
            self.tasks.wait().await;
            self.streams.wait().await;
        };
        if timeout(limit, drained).await.is_ok() {
            tracing::info!("stopped: all requests are done");
            return;
        }
        tracing::warn!(connections = self.streams.len(), "stopped: the limit of {limit:?} is over");
        self.abort.cancel();
        // Only an application that blocks its thread can be late, and it must not hold the process.
        let _ = timeout(ABORT_LIMIT, self.tasks.wait()).await;
    }
}
