//! The innermost service: one request to one process, and its answer.
//!
//! The request carries a [`Ticket`], which names the process; an idle connection to it is taken from this worker's
//! pool, or a new one is made. What connects and speaks is behind one small trait, [`Client`], so that clients can
//! be compared and swapped.
//!
//! A request is sent once. The exception is one of which not a byte was written (the connection was refused, or had
//! been closed while it was idle): it goes back as a [`ReturnedRequest`] to the layer that holds requests. A process that
//! closes a connection in the very moment in which it is used again has perhaps read the request, and perhaps died
//! of it: the client is told 502 and decides, whatever the method (RFC 9110 9.2.2 would allow to repeat some).

mod body;
pub mod hop;
mod http1;
mod hyper_client;
mod pool;
mod switched;
mod tunnel;

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use ancm_tower::{BoxError, refusal::Refusal, startup_error::ReturnedRequest};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::UPGRADE};
use http_body::Body;
use pin_project_lite::pin_project;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::task::TaskTracker;
use tower_service::Service;

pub use self::{
    body::{Reclaim, Sent, SentBody, UpstreamBody},
    http1::{Exchange, Http1Body, Http1Client, Http1Connection},
    hyper_client::{HyperBody, HyperClient, HyperConnection},
    pool::{Pool, Reuse},
};
pub use crate::http1::piece::Piece;
use crate::{dispatch::Ticket, server::OnUpgrade};

/// The client that the frontend proxies by.
///
/// The other one is [`HyperClient`], a drop-in replacement: to name it here is all that it takes. The tests hold the
/// two against each other.
pub type DefaultClient<B> = Http1Client<B>;

/// Speaks HTTP/1.1 to a process, for requests with bodies of type `B`.
pub trait Client<B>: Clone + Send + Sync + 'static {
    /// A connection that is idle.
    type Connection: Send + 'static;
    /// An answer's body, which gives the connection back.
    type Body: Body<Data: Into<Piece>, Error: Into<BoxError>> + Reclaim<Connection = Self::Connection>;
    /// Makes a connection.
    type Connect: Future<Output = io::Result<Self::Connection>> + Unpin;
    /// Sends a request and reads the head of the answer; dropping it aborts the exchange.
    type Exchange: Future<Output = Result<Response<Self::Body>, ExchangeError<B>>>;

    /// Begins to connect.
    fn connect(&self, address: SocketAddr) -> Self::Connect;
    /// Whether an idle connection is fit for use.
    fn reuse(connection: &Self::Connection) -> Reuse;
    /// Begins an exchange.
    fn exchange(&self, connection: Self::Connection, request: Request<B>) -> Self::Exchange;
    /// The stream behind an answer with status 101.
    fn switch(response: &mut Response<Self::Body>) -> Switch;
}

/// Why an exchange gave no answer.
#[derive(Debug)]
pub enum ExchangeError<B> {
    /// Not one byte was written; here is the request.
    NotSent(Box<Request<B>>),
    /// The request's body broke off, and what was sent of it was aborted.
    Broken(String),
    /// The request may have arrived: the error type of RFC 9209, and what happened.
    Failed((&'static str, String)),
}

/// A stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The stream behind an answer that switches protocols, once both sides have switched.
pub type Switch = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// The innermost service.
#[derive(Clone, Debug)]
pub struct Upstream<C> {
    client: C,
    tunnels: TaskTracker,
}

pin_project! {
    /// An answer of the process.
    pub struct ResponseFuture<C: Client<SentBody<B>>, B> {
        client: C,
        tunnels: TaskTracker,
        ticket: Option<Ticket>,
        sent: Sent,
        upgrade: Option<OnUpgrade>,
        #[pin]
        kind: Kind<C, B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<C: Client<SentBody<B>>, B> {
        Connecting { connect: C::Connect, request: Option<Request<SentBody<B>>> },
        Exchanging { #[pin] exchange: C::Exchange },
        Refused { refusal: Option<Refusal> },
    }
}

// === impl Upstream ===

impl<C> Upstream<C> {
    /// Sends by this client; tunnels outlive the request and are counted by `tunnels`.
    pub fn new(client: C, tunnels: TaskTracker) -> Self {
        Self { client, tunnels }
    }
}

impl<C, B> Service<Request<B>> for Upstream<C>
where
    C: Client<SentBody<B>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<UpstreamBody<C::Body>>;
    type Error = std::convert::Infallible;
    type Future = ResponseFuture<C, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let ticket = request.extensions_mut().remove::<Ticket>();
        if !request.body().is_end_stream() {
            // What of the bytes behind its head is body, and what tunnel, would be anybody's guess.
            request.headers_mut().remove(UPGRADE);
        }
        let upgrade = if hop::prepare_request(&mut request) {
            request.extensions_mut().remove::<OnUpgrade>()
        } else {
            None
        };
        let (client, tunnels) = (self.client.clone(), self.tunnels.clone());
        let Some(ticket) = ticket else {
            let detail = "the request came without a ticket".to_owned();
            let refusal = Some(Refusal::BadGateway { error: "proxy_internal_error", detail });
            let kind = Kind::Refused { refusal };
            return ResponseFuture { client, tunnels, ticket: None, sent: Sent::default(), upgrade, kind };
        };
        let (parts, body) = request.into_parts();
        let (body, sent) = SentBody::new(body, ticket.backend().abandon());
        let request = Request::from_parts(parts, body);
        let idle = ticket.backend().attachment::<Pool<C::Connection>>().and_then(|pool| pool.take(C::reuse));
        let kind = match idle {
            Some(connection) => Kind::Exchanging { exchange: client.exchange(connection, request) },
            None => Kind::Connecting {
                connect: client.connect(ticket.backend().backend().address),
                request: Some(request),
            },
        };
        ResponseFuture { client, tunnels, ticket: Some(ticket), sent, upgrade, kind }
    }
}

// === impl ResponseFuture ===

impl<C, B> Future for ResponseFuture<C, B>
where
    C: Client<SentBody<B>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<UpstreamBody<C::Body>>, std::convert::Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut this = self.as_mut().project();
            let response = match this.kind.as_mut().project() {
                KindProj::Refused { refusal } => {
                    refusal.take().expect("polled after it was ready").into_response()
                }
                KindProj::Connecting { connect, request } => {
                    let connected = ready!(Pin::new(connect).poll(context));
                    let request = request.take().expect("connects once");
                    // Another process may have got the port of one that has died; it must not see the token.
                    match connected {
                        Ok(connection) if is_alive(this.ticket.as_ref()) => {
                            let exchange = this.client.exchange(connection, request);
                            this.kind.set(Kind::Exchanging { exchange });
                            continue;
                        }
                        _ => returned(request, this.upgrade.take()),
                    }
                }
                KindProj::Exchanging { exchange } => match ready!(exchange.poll(context)) {
                    Ok(response) => {
                        let ticket = this.ticket.take().expect("answers once");
                        answer::<C, B>(response, ticket, this.sent, this.upgrade.take(), this.tunnels)
                    }
                    Err(ExchangeError::NotSent(request)) => returned(*request, this.upgrade.take()),
                    Err(ExchangeError::Broken(detail)) => broken(this.ticket.as_ref(), &detail),
                    Err(ExchangeError::Failed((error, detail))) => {
                        if let Some(ticket) = this.ticket.as_ref() {
                            ticket.backend().broke();
                        }
                        Refusal::BadGateway { error, detail }.into_response()
                    }
                },
            };
            return Poll::Ready(Ok(response));
        }
    }
}

/// Connects to a process on this machine.
async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A port that nobody listens on can be taken by the very socket that connects to it.
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    // To close is to reset: an upload that is broken off would else wait in the socket, behind bytes that nobody
    // reads, and the process would never learn that its client has left.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(stream)
}

fn is_alive(ticket: Option<&Ticket>) -> bool {
    ticket.is_some_and(|ticket| ticket.backend().backend().process.is_alive())
}

/// Hands the request back to whoever holds requests; everybody else sees a 502.
fn returned<B, R>(mut request: Request<SentBody<B>>, upgrade: Option<OnUpgrade>) -> Response<R>
where
    B: Body + Send + 'static,
    R: From<Bytes>,
{
    if let Some(upgrade) = upgrade {
        // It is asked for again when the request is sent again.
        request.extensions_mut().insert(upgrade);
    }
    let detail = "the connection was refused or closed before anything was sent".to_owned();
    let mut response = Refusal::BadGateway { error: "connection_refused", detail }.into_response();
    response.extensions_mut().insert(ReturnedRequest::new(request.map(SentBody::into_inner)));
    response
}

/// Half a request is the client's fault, unless we have cut it ourselves.
fn broken<R: From<Bytes>>(ticket: Option<&Ticket>, detail: &str) -> Response<R> {
    tracing::debug!(target: "server", detail, "a request's body broke off");
    if ticket.is_some_and(|ticket| ticket.backend().abandon().is_cancelled()) {
        return Refusal::Stopping.into_response();
    }
    Refusal::BadRequest { reason: "its body broke off or is malformed" }.into_response()
}

/// Passes an answer on: an ordinary one, or the one that switches protocols.
fn answer<C, B>(
    mut response: Response<C::Body>,
    ticket: Ticket,
    sent: &Sent,
    upgrade: Option<OnUpgrade>,
    tunnels: &TaskTracker,
) -> Response<UpstreamBody<C::Body>>
where
    C: Client<SentBody<B>>,
{
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        if ticket.backend().config().forwards_connection_header() {
            hop::prepare_response_keeping_connection(&mut response);
        } else {
            hop::prepare_response(&mut response);
        }
        return response.map(|body| UpstreamBody::theirs(body, sent, ticket));
    }
    let Some(upgrade) = upgrade else {
        let detail = "it switched protocols though nobody had asked".to_owned();
        return Refusal::BadGateway { error: "http_protocol_error", detail }.into_response();
    };
    hop::prepare_switch(&mut response);
    let backend = C::switch(&mut response);
    tunnels.spawn(tunnel::run(upgrade, backend, ticket));
    response.map(|_| UpstreamBody::from(Bytes::new()))
}

impl<C: Client<SentBody<B>>, B> fmt::Debug for ResponseFuture<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
