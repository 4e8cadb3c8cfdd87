//! A worker: one thread, one runtime, its own listening sockets, and every connection that it accepts.
//!
//! Nothing that a request needs is shared with another worker, but for the thread that keeps timers.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    thread,
    time::Duration,
};

use ancm_tower::{
    client::{Client, Scheme},
    timers::{keep_elsewhere, sleep, timeout},
};
use futures_util::future::join_all;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    clocks::Limits,
    connection::ConnectionService,
    tasks::{Accepted, Tasks, woken_by},
    timers::TimerThread,
    tls::{self, Socket},
};
use crate::{lease::Lease, tls::Certificates};

/// How long to wait when the system has no descriptors or memory left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a worker needs to know.
#[derive(Debug)]
pub struct Worker {
    /// Its number, from 0.
    pub number: usize,
    /// One for each address.
    pub sockets: Vec<Socket>,
    /// How long connections may do nothing.
    pub limits: Limits,
    /// Cancelled: accept no more, and let the requests under way be the last.
    pub drain: CancellationToken,
    /// Cancelled, after the drain has begun: end, whatever is under way.
    pub finish: CancellationToken,
    /// Keeps the timers of its connections.
    pub timers: TimerThread,
    /// Let go of when no connection is left after the drain began.
    pub connections: Lease,
}

/// Builds on the worker's own thread what serves its connections.
pub trait MakeWorkerService: Send + 'static {
    /// Serves one connection.
    type Service: ConnectionService;

    /// Whether what it makes uses [`tokio::time`]: then the worker's runtime has timers of its own, which cost some
    /// time for each request, be they used or not. What uses [`ancm_tower::timers`] instead needs none.
    fn needs_timers(&self) -> bool {
        true
    }

    /// Called once, inside the worker's runtime; `tunnels` counts what outlives its request.
    ///
    /// What it returns makes a service for each connection.
    fn make(self, tunnels: &TaskTracker) -> impl Fn(&Client) -> Self::Service + 'static;
}

// === impl Worker ===

impl Worker {
    /// Starts the thread.
    pub fn spawn<M: MakeWorkerService>(self, make: M) -> io::Result<thread::JoinHandle<()>> {
        let mut runtime = Builder::new_current_thread();
        runtime.enable_io();
        if make.needs_timers() {
            runtime.enable_time();
        }
        let runtime = runtime.build()?;
        let timers = self.timers.clone();
        thread::Builder::new().name(format!("ancm-worker-{}", self.number)).spawn(move || {
            let _elsewhere = keep_elsewhere(timers.handle());
            runtime.block_on(self.run(make));
            // In this order: its tasks give their timers back.
            drop((runtime, timers));
        })
    }

    async fn run<M: MakeWorkerService>(self, make: M) {
        // A child of its own, so that asking it takes no lock that another worker takes.
        let drain = self.drain.child_token();
        let (connections, tunnels) = (TaskTracker::new(), TaskTracker::new());
        let serve = Serve {
            limits: self.limits,
            tasks: Tasks::new(self.limits, drain.clone()),
            drain,
            connections: connections.clone(),
            make: make.make(&tunnels),
        };
        accept_all(self.sockets, serve).await;
        let drained = async {
            connections.close();
            connections.wait().await;
            drop(self.connections);
            self.finish.cancelled().await;
            // What the processes said last, before they ended, is still on its way.
            tunnels.close();
            let _ = timeout(Duration::from_secs(1), tunnels.wait()).await;
        };
        let cut_off = async {
            self.finish.cancelled().await;
            sleep(Duration::from_secs(2)).await;
        };
        tokio::select! {
            () = drained => {}
            () = cut_off => {}
        }
    }
}

/// How a worker serves what it accepts.
struct Serve<F, S> {
    limits: Limits,
    tasks: Arc<Tasks<S>>,
    drain: CancellationToken,
    connections: TaskTracker,
    make: F,
}

// === impl Serve ===

impl<F, S> Serve<F, S>
where
    F: Fn(&Client) -> S,
    S: ConnectionService,
{
    /// Accepts until the drain begins, then what is in the backlog: its clients believe that they are connected.
    async fn accept(&self, socket: Socket) {
        let Socket { listener, mut tls } = socket;
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(target: "server", %error, "a listening socket cannot be used");
                return;
            }
        };
        let accepting = async {
            loop {
                match poll_fn(|context| listener.poll_accept(context)).await {
                    Ok((stream, address)) => self.serve(stream, address, tls.as_mut()),
                    Err(error) => self.pause(&error).await,
                }
            }
        };
        let _: Option<Infallible> = self.drain.run_until_cancelled(accepting).await;
        // Asked of the kernel itself: tokio may not have heard yet of those that came last.
        if let Ok(listener) = listener.into_std() {
            while let Some((stream, address)) = next_in_backlog(&listener) {
                self.serve(stream, address, tls.as_mut());
            }
        }
    }

    fn serve(&self, stream: TcpStream, address: SocketAddr, tls: Option<&mut Certificates>) {
        let client = Client::new(address, if tls.is_some() { Scheme::Https } else { Scheme::Http });
        let service = (self.make)(&client);
        match tls {
            None => {
                self.tasks.serve(Accepted { stream, client, service, counted: self.connections.token() });
            }
            Some(tls) => {
                let (limits, drain) = (self.limits, self.drain.clone());
                let connection = tls::serve(stream, tls.current(), client, service, limits, drain.clone());
                self.connections.spawn(woken_by(drain, connection));
            }
        }
    }

    async fn pause(&self, error: &io::Error) {
        if is_gone(error) {
            return;
        }
        tracing::warn!(target: "server", %error, "cannot accept connections for a moment");
        sleep(ACCEPT_PAUSE).await;
    }
}

async fn accept_all<F, S>(sockets: Vec<Socket>, serve: Serve<F, S>)
where
    F: Fn(&Client) -> S,
    S: ConnectionService,
{
    join_all(sockets.into_iter().map(|socket| serve.accept(socket))).await;
}

/// A connection that is complete already, if there is one.
fn next_in_backlog(listener: &StdListener) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = listener.accept().and_then(|(stream, address)| {
            stream.set_nonblocking(true)?;
            Ok((TcpStream::from_std(stream)?, address))
        });
        match accepted {
            Ok(accepted) => return Some(accepted),
            // Its client is gone; there may be another behind it.
            Err(error) if is_gone(&error) => {}
            Err(_) => return None,
        }
    }
}

/// The client was gone before we came to it.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::{panic::catch_unwind, sync::mpsc};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use tower::util::ServiceFn;

    use super::*;
    use crate::{lease::lease, server::ClientBody};

    type Answer = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>;

    /// Serves nobody, but tells whether there are timers where it would.
    struct Probe {
        needs_timers: bool,
        tell: mpsc::Sender<[bool; 2]>,
    }

    impl MakeWorkerService for Probe {
        type Service = ServiceFn<fn(Request<ClientBody>) -> Answer>;

        fn needs_timers(&self) -> bool {
            self.needs_timers
        }

        fn make(self, _: &TaskTracker) -> impl Fn(&Client) -> Self::Service + 'static {
            let is_made = |make: fn()| catch_unwind(make).is_ok();
            let tokios = is_made(|| drop(tokio::time::sleep(Duration::ZERO)));
            let ours = is_made(|| drop(sleep(Duration::ZERO)));
            self.tell.send([tokios, ours]).unwrap();
            |_: &Client| unreachable!("it listens nowhere")
        }
    }

    #[test]
    fn only_a_worker_that_needs_them_has_timers_of_its_own() {
        for needs_timers in [false, true] {
            let (tell, told) = mpsc::channel();
            let over = CancellationToken::new();
            over.cancel();
            let worker = Worker {
                number: 0,
                sockets: Vec::new(),
                limits: Limits::default(),
                drain: over.clone(),
                finish: over,
                timers: TimerThread::start().unwrap(),
                connections: lease().0,
            };
            let thread = worker.spawn(Probe { needs_timers, tell }).unwrap();
            assert_eq!(told.recv().unwrap(), [needs_timers, true]);
            thread.join().unwrap();
        }
    }
}
