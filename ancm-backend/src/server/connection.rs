//! One connection: HTTP/1.1, requests one after the other, until somebody closes it.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use ancm_tower::{
    BoxError,
    client::{Client, Scheme},
    contract::limit,
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::{net::TcpStream, select};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};
use tower::util::{Oneshot, ServiceExt};
use tower_service::Service;

use super::clock::{Clock, Stream, Timed};
use crate::Shutdown;

/// The longest head that is read, as Kestrel's; a longer one is answered 431.
const LONGEST_HEAD: usize = limit::REQUEST_LINE + limit::HEADER_BYTES;

/// A connection that was accepted, and what ends it.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Finish what has begun, take nothing new.
    pub(super) shutdown: Shutdown,
    /// Let go at once.
    pub(super) abort: CancellationToken,
    /// Kept as long as the stream is open, by whoever holds it after an upgrade.
    pub(super) open: TaskTrackerToken,
}

/// Gives hyper what it asks for: a service that is called through a shared reference.
struct Adapter<S> {
    service: S,
    client: Client,
    clock: Clock,
}

pin_project! {
    /// The future of [`Adapter`].
    struct ResponseFuture<S: Service<Request<Incoming>>> {
        #[pin]
        future: Oneshot<S, Request<Incoming>>,
        clock: Clock,
        is_connect: bool,
    }
}

// === impl Connection ===

impl Connection {
    /// Serves it to its end.
    pub(super) async fn serve<S, B>(self, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
    {
        // Answers are small and whole: waiting for more to send only delays them.
        if let Err(error) = self.stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let clock = Clock::new();
        let client = Client::new(self.peer, Scheme::Http);
        let adapter = Adapter { service, client, clock: clock.clone() };
        let stream = TokioIo::new(Stream::new(self.stream, clock, self.open));
        // hyper's clock for heads would run between requests too, so the stream has its own.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_header_size(LONGEST_HEAD)
            .serve_connection(stream, adapter)
            .with_upgrades();
        let mut connection = pin!(connection);

        // In this order: an answer that asks for the stop leaves before its connection is told to close.
        let result = select! {
            biased;
            result = connection.as_mut() => result,
            () = self.abort.cancelled() => return,
            () = self.shutdown.requested() => {
                connection.as_mut().graceful_shutdown();
                select! {
                    biased;
                    result = connection.as_mut() => result,
                    () = self.abort.cancelled() => return,
                }
            }
        };
        if let Err(error) = result {
            log_end(&error);
        }
    }
}

fn log_end(error: &hyper::Error) {
    if error.is_user() {
        tracing::error!(%error, "the application's answer broke off");
    } else {
        tracing::debug!(%error, "a connection ended early");
    }
}

// === impl Adapter ===

impl<S, B> hyper::service::Service<Request<Incoming>> for Adapter<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<Timed<B>>;
    type Error = Infallible;
    type Future = ResponseFuture<S>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.clock.begin();
        request.extensions_mut().insert(self.client.clone());
        let is_connect = request.method() == Method::CONNECT;
        ResponseFuture {
            future: self.service.clone().oneshot(request),
            clock: self.clock.clone(),
            is_connect,
        }
    }
}

// === impl ResponseFuture ===

impl<S, B> Future for ResponseFuture<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    type Output = Result<Response<Timed<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.future.poll(cx));
        let status = response.status();
        let is_upgrade =
            status == StatusCode::SWITCHING_PROTOCOLS || (*this.is_connect && status.is_success());
        Poll::Ready(Ok(response.map(
            |body| {
                if is_upgrade { Clock::release(body) } else { this.clock.time(body) }
            },
        )))
    }
}
