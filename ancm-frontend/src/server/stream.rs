//! The client's stream as hyper sees it: every byte that comes or goes moves the connection's clocks, and the head
//! guard looks at what comes.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{clocks::Clocks, head_guard::Gate};

/// A stream that can tell, without reading, that its client has left.
pub trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the client has closed its side or is gone, even behind bytes that have not been read.
    fn has_left(&self) -> bool;
}

/// A stream under the eyes of its clocks.
#[derive(Debug)]
pub(super) struct Watched<T> {
    stream: T,
    clocks: Arc<Clocks>,
    gate: Gate,
}

// === impl ClientStream ===

impl ClientStream for TcpStream {
    fn has_left(&self) -> bool {
        super::peer::has_left(self)
    }
}

// === impl Watched ===

impl<T> Watched<T> {
    pub(super) fn new(stream: T, clocks: Arc<Clocks>, client: SocketAddr) -> Self {
        Self { stream, clocks, gate: Gate::new(client) }
    }

    fn wrote<R>(&self, poll: Poll<R>) -> Poll<R> {
        self.clocks.awaits_room(poll.is_pending());
        poll
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(poll) = this.gate.before_read(&this.clocks, buffer) {
            return poll;
        }
        let start = buffer.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(context, buffer);
        if poll.is_pending() {
            this.clocks.reading();
        } else {
            this.clocks.received();
        }
        ready!(poll)?;
        Poll::Ready(this.gate.after_read(start, buffer))
    }
}

impl<T: ClientStream> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes whenever it is polled; while it does not read, this is where it can learn of the end.
        let this = &mut *self;
        this.gate.answered(&this.clocks, context);
        if self.clocks.look_for_client() && self.stream.has_left() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
