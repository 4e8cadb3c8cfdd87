//! One client connection: hyper, its clocks, and the end of both.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ancm_tower::{BoxError, client::Client};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower_service::Service;

use super::{
    adapter::Adapter,
    body::ClientBody,
    clocks::{Clocks, Limits, Overdue, Phase},
    stream::{ClientStream, Watched},
};

/// How often we look for a client whose bytes nobody reads.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a client that has just connected may take to send its first request, though we are to accept no more.
const FIRST_REQUEST: Duration = Duration::from_millis(250);
/// The longest head that is read at all; what the backend takes is less, and is for the stack to judge.
const LONGEST_HEAD: usize = 128 * 1024;

/// A stack that can serve a connection.
pub trait ConnectionService:
    Service<
        Request<ClientBody>,
        Response = Response<<Self as ConnectionService>::ResponseBody>,
        Error = Infallible,
        Future = <Self as ConnectionService>::ResponseFuture,
    > + Send
    + 'static
{
    /// What it answers with.
    type ResponseBody: Body<Data = Bytes, Error: Into<BoxError>> + From<Bytes> + Send + 'static;
    /// Its future.
    type ResponseFuture: Future<Output = Result<Response<<Self as ConnectionService>::ResponseBody>, Infallible>>
        + Send
        + 'static;
}

impl<S, B> ConnectionService for S
where
    S: Service<Request<ClientBody>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + From<Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type ResponseBody = B;
    type ResponseFuture = S::Future;
}

pin_project! {
    /// Serves one connection until it ends, goes over a limit, or is drained.
    pub struct Connection<T: ClientStream, S: ConnectionService> {
        #[pin]
        hyper: UpgradeableConnection<TokioIo<Watched<T>>, Adapter<S>>,
        clocks: Arc<Clocks>,
        #[pin]
        alarm: Sleep,
        drain: CancellationToken,
        #[pin]
        drained: WaitForCancellationFutureOwned,
        state: State,
        // When a client that has not sent anything yet is drained, too.
        patience: Option<Instant>,
        client: Client,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Serving,
    Draining,
}

// === impl Connection ===

impl<T: ClientStream, S: ConnectionService> Connection<T, S> {
    /// Serves `stream` by `service`; when `drain` is cancelled, the request under way is the last.
    pub fn new(stream: T, client: Client, service: S, limits: Limits, drain: CancellationToken) -> Self {
        let clocks = Arc::new(Clocks::new(limits));
        let watched = Watched::new(stream, client.address(), Arc::clone(&clocks));
        let adapter = Adapter::new(service, client.clone(), Arc::clone(&clocks));
        let mut builder = Builder::new();
        builder.max_header_size(LONGEST_HEAD);
        Self {
            hyper: builder.serve_connection(TokioIo::new(watched), adapter).with_upgrades(),
            alarm: tokio::time::sleep(limits.idle),
            drained: drain.clone().cancelled_owned(),
            drain,
            clocks,
            state: State::New,
            patience: None,
            client,
        }
    }
}

impl<T: ClientStream, S: ConnectionService> Future for Connection<T, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if *this.state == State::New {
            // Polled once: a task keeps its waker, and the flag is cheaper to ask.
            *this.state = State::Serving;
            let _ = this.drained.as_mut().poll(context);
        }
        loop {
            // Before the drain: a request that has come already is served.
            if let Poll::Ready(result) = this.hyper.as_mut().poll(context) {
                log_end(this.client, this.clocks, result);
                return Poll::Ready(());
            }
            if *this.state == State::Serving
                && this.drain.is_cancelled()
                && !is_awaited(this.clocks, this.patience)
            {
                *this.state = State::Draining;
                this.hyper.as_mut().graceful_shutdown();
                continue;
            }
            if let Some(earlier) = earlier_look(this.clocks, *this.patience, this.alarm.deadline()) {
                this.alarm.as_mut().reset(earlier);
            }
            if this.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            match this.clocks.check() {
                Err(Overdue::Head) if !this.clocks.is_head_given_up() => this.clocks.give_up_head(),
                Err(overdue) => {
                    tracing::debug!(target: "server", client = %this.client.address(), ?overdue, "connection closed");
                    return Poll::Ready(());
                }
                Ok(next) => this.alarm.as_mut().reset(next),
            }
            if this.clocks.unwatched() {
                this.clocks.ask_for_client();
            }
        }
    }
}

/// Whether a first request may still be on its way: the client connected before it could know of the drain.
fn is_awaited(clocks: &Clocks, patience: &mut Option<Instant>) -> bool {
    clocks.is_fresh() && Instant::now() < *patience.get_or_insert_with(|| Instant::now() + FIRST_REQUEST)
}

/// When to look, if that is before the alarm: it is set generously and only brought forward when it must be.
fn earlier_look(clocks: &Clocks, patience: Option<Instant>, alarm: Instant) -> Option<Instant> {
    let look = if clocks.unwatched() {
        Instant::now() + LOOK_EVERY
    } else if matches!(clocks.phase(), Phase::Head | Phase::Lingering) || clocks.has_client_ended() {
        clocks.check().unwrap_or_else(|_| Instant::now())
    } else {
        patience.filter(|_| clocks.is_fresh())?
    };
    (look < alarm).then_some(look)
}

fn log_end(client: &Client, clocks: &Clocks, result: hyper::Result<()>) {
    let Err(error) = result else { return };
    if error.is_parse() && !clocks.has_refused() {
        // hyper has answered this by itself, so no layer has seen it.
        tracing::info!(target: "server", client = %client.address(), %error, "refused what is no request");
    } else {
        tracing::debug!(target: "server", client = %client.address(), %error, "connection ended");
    }
}

impl<T: ClientStream, S: ConnectionService> fmt::Debug for Connection<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}
