//! One connection, whole, over real sockets; where time matters, over a pipe and with a clock that is paused.

mod answers;
mod bodies;
mod bytes;
mod clocks;
mod closing;
mod drain;
mod leaving;
mod random;
mod upgrade;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use ::bytes::Bytes;
use ancm_tower::client::{Client, Scheme};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::*;
use crate::http1::recipient::Recipient;

/// An answer's body of any kind.
pub(super) struct TestBody(BoxBody<Bytes, Infallible>);

/// A pipe.
pub(super) struct Pipe {
    stream: DuplexStream,
    /// Whether its client shows that it has left.
    pub(super) has_left: Arc<AtomicBool>,
    /// Something of it is on its way.
    pub(super) has_sent: bool,
    /// It cannot be told that it ends, since its client takes nothing more.
    pub(super) is_stuck: bool,
    /// What has been written to go out with its end.
    pub(super) end: Arc<Mutex<String>>,
}

/// Tells when it is dropped.
pub(super) struct OnDrop(pub(super) Arc<Notify>);

type Answer = Result<Response<TestBody>, Infallible>;

/// The client's end of a connection that is served.
pub(super) struct Served {
    pub(super) client: TcpStream,
    pub(super) drain: CancellationToken,
    pub(super) connection: JoinHandle<()>,
}

/// Serves one connection by this function.
pub(super) async fn serve<F, R>(answer: F) -> Served
where
    F: FnMut(Request<ClientBody>) -> R + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, address) = listener.accept().await.unwrap();
    let drain = CancellationToken::new();
    let connection = connection(stream, address, answer, drain.clone());
    Served { client, drain, connection: tokio::spawn(connection) }
}

/// Serves one end of a pipe with room for so many bytes.
pub(super) fn serve_pipe<F, R>(room: usize, answer: F) -> (DuplexStream, JoinHandle<()>)
where
    F: FnMut(Request<ClientBody>) -> R + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let (client, stream) = tokio::io::duplex(room);
    let address = "192.0.2.1:1".parse().unwrap();
    (client, tokio::spawn(connection(Pipe::new(stream), address, answer, CancellationToken::new())))
}

fn connection<T, F, R>(
    stream: T,
    address: SocketAddr,
    answer: F,
    drain: CancellationToken,
) -> impl Future<Output = ()>
where
    T: ClientStream,
    F: FnMut(Request<ClientBody>) -> R + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let client = Client::new(address, Scheme::Http);
    let connection = Connection::new(stream, client, service_fn(answer), Limits::default(), drain.clone());
    tasks::woken_by(drain, connection)
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a service answers")]
pub(super) fn text(text: impl Into<Bytes>) -> Answer {
    Ok(Response::new(TestBody::from(text.into())))
}

/// Answers with the request's own body.
pub(super) async fn echo(request: Request<ClientBody>) -> Answer {
    match request.into_body().collect().await {
        Ok(body) => text(body.to_bytes()),
        Err(_) => text("the body broke off"),
    }
}

/// Sends this, and reads until the server closes.
pub(super) async fn exchange(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.unwrap();
    rest(client).await
}

/// What comes until the server closes.
pub(super) async fn rest<T: AsyncRead + Unpin>(client: &mut T) -> String {
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Reads until this has come.
pub(super) async fn read_until<T: AsyncRead + Unpin>(client: &mut T, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        answer.push(client.read_u8().await.unwrap_or_else(|error| panic!("{error}: {answer:?}")).into());
    }
    answer
}

// === impl TestBody ===

impl TestBody {
    pub(super) fn new(body: impl Body<Data = Bytes, Error = Infallible> + Send + Sync + 'static) -> Self {
        Self(body.boxed())
    }
}

impl From<Bytes> for TestBody {
    fn from(text: Bytes) -> Self {
        Self::new(Full::new(text))
    }
}

impl From<&'static str> for TestBody {
    fn from(text: &'static str) -> Self {
        Bytes::from(text).into()
    }
}

impl Body for TestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

// === impl Pipe ===

impl Pipe {
    pub(super) fn new(stream: DuplexStream) -> Self {
        Self { stream, has_left: Arc::default(), has_sent: false, is_stuck: false, end: Arc::default() }
    }
}

impl Recipient for Pipe {
    fn poll_write_end(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.end.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        self.poll_write(context, bytes)
    }
}

impl ClientStream for Pipe {
    fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }

    fn has_sent(&self) -> bool {
        self.has_sent
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_stuck { Poll::Pending } else { Pin::new(&mut self.stream).poll_shutdown(context) }
    }
}

// === impl OnDrop ===

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
