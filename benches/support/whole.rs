//! A client's connection with everything behind it, driven by hand: the server, the router, both stacks, the pool and
//! the client of our own, which goes by the loopback interface. Only the client's socket is not one.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use ancm_frontend::{
    binding::Binding,
    dispatch::{Dispatch, InnerStacks},
    server::{ClientStream, Connection, Limits, Recipient, Router, Routes},
    stack::{self, AppStack},
    upstream::{DefaultClient, Upstream},
};
use ancm_tower::{
    client::{Client, Scheme},
    error_page::ErrorPageLayer,
    response_headers::ResponseHeadersLayer,
    startup_error::StartupErrorLayer,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{backend, process};

/// How long the backend may take: it is on the same machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's connection, with everything behind it.
pub(crate) struct Whole {
    runtime: Runtime,
    connection: Pin<Box<Connection<Line, Router<AppStack>>>>,
    wire: Arc<Mutex<Wire>>,
}

/// The frontend's end of a client that is no socket.
struct Line(Arc<Mutex<Wire>>);

/// What is on its way.
struct Wire {
    request: &'static [u8],
    /// Written by the frontend; what is over is thrown away.
    answer: Vec<u8>,
}

// === impl Whole ===

impl Whole {
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = backend::listen()?;
        let wire = Arc::new(Mutex::new(Wire { request: b"", answer: Vec::with_capacity(4 << 10) }));
        let connection = {
            // The timers belong to the runtime.
            let _entered = runtime.enter();
            let (routes, stacks) = Routes::new(vec![(Binding::root(), application(address))]);
            let client = Client::new(([192, 0, 2, 7], 50_123).into(), Scheme::Http);
            let drain = CancellationToken::new();
            let service = Router::new(Arc::new(routes), stacks);
            Box::pin(Connection::new(Line(Arc::clone(&wire)), client, service, Limits::default(), drain))
        };
        Ok(Self { runtime, connection, wire })
    }

    /// Puts a request so many times, each after the answer to the one before.
    pub(crate) fn exchange(&mut self, request: &'static [u8], times: usize) {
        let Self { runtime, connection, wire } = self;
        runtime.block_on(async {
            for _ in 0..times {
                lock(wire).request = request;
                poll_fn(|context| answered(connection.as_mut(), wire, context)).await;
            }
        });
    }

    /// Puts one request without a clock around it that could disturb what is counted, then looks at the answer.
    pub(crate) fn check(&mut self, request: &'static [u8]) -> Result<(), String> {
        let Self { runtime, connection, wire } = self;
        lock(wire).request = request;
        let all = poll_fn(|context| answered(connection.as_mut(), wire, context));
        runtime
            .block_on(async { ancm_tower::timers::timeout(PATIENCE, all).await })
            .map_err(|_| format!("no answer within {PATIENCE:?}"))?;
        let answer = String::from_utf8_lossy(&lock(wire).answer).into_owned();
        let right = answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nHello World\n");
        right.then_some(()).ok_or(answer)
    }
}

/// Ready when the answer is whole, and the connection waits for the next request.
fn answered(
    connection: Pin<&mut Connection<Line, Router<AppStack>>>,
    wire: &Mutex<Wire>,
    context: &mut Context<'_>,
) -> Poll<()> {
    lock(wire).answer.clear();
    let over = connection.poll(context).is_ready();
    // The whole of a short answer is written at once.
    if over || !lock(wire).answer.is_empty() { Poll::Ready(()) } else { Poll::Pending }
}

/// The stack of an application whose only process listens there, as the frontend assembles it.
fn application(address: std::net::SocketAddr) -> AppStack {
    let upstream = Upstream::new(DefaultClient::new(), TaskTracker::new());
    let stacks = Arc::new(InnerStacks::new(move |config| stack::inner(config, upstream.clone())));
    let startup_error = StartupErrorLayer::new(process::one_process(address));
    let pages = watch::channel(None).1;
    stack::outer(
        ResponseHeadersLayer::default(),
        ErrorPageLayer::default(),
        pages,
        startup_error,
        Dispatch::new(stacks),
    )
}

// === impl Line ===

impl Recipient for Line {}

impl ClientStream for Line {
    fn has_left(&self) -> bool {
        false
    }

    fn has_sent(&self) -> bool {
        false
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = lock(&self.0);
        let length = wire.request.len().min(buffer.remaining());
        if length == 0 {
            // Whoever puts the next request polls the connection himself.
            return Poll::Pending;
        }
        let (now, later) = wire.request.split_at(length);
        buffer.put_slice(now);
        wire.request = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).answer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}
