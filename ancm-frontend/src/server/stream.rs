//! The client's stream as hyper sees it: every byte that comes moves the connection's clocks and passes the head
//! guard, every byte that goes moves the clocks.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    clocks::{Clocks, Phase},
    head_guard::Gate,
};

/// What a client reads whose head does not come to its end.
const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A stream that can tell, without reading, that its client has left.
pub trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the client has closed its side or is gone, even behind bytes that have not been read.
    fn has_left(&self) -> bool;
}

/// A stream under the eyes of its clocks and of the head guard.
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
    pub(super) fn new(stream: T, client: SocketAddr, clocks: Arc<Clocks>) -> Self {
        Self { stream, clocks, gate: Gate::new(client) }
    }

    /// The client has ended its side. Behind a request that is whole, that may say only that there will be no other.
    fn may_be_answered(&self) -> bool {
        !self.gate.is_within_request() && self.clocks.client_ended()
    }

    fn wrote(&self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.clocks.wrote();
        self.flushed(poll)
    }

    fn flushed<R>(&self, poll: Poll<R>) -> Poll<R> {
        self.clocks.awaits_room(poll.is_pending());
        poll
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(poll) = this.gate.before_read(&this.clocks, buffer) {
            return poll;
        }
        if this.clocks.is_head_given_up() {
            // A head is awaited only when nothing of an answer is left to write; whoever reads nothing gets nothing.
            let _ = Pin::new(&mut this.stream).poll_write(context, LATE);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let start = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => {
                this.clocks.reading();
                Poll::Pending
            }
            Poll::Ready(Ok(()))
                if buffer.filled().len() == start && buffer.remaining() > 0 && this.may_be_answered() =>
            {
                Poll::Pending
            }
            Poll::Ready(result) => {
                this.clocks.received();
                Poll::Ready(result.and_then(|()| this.gate.after_read(start, &this.clocks, buffer)))
            }
        }
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
        let this = &mut *self;
        this.gate.answered(&this.clocks, context);
        // hyper flushes whenever it is polled; while it does not read, this is where it can learn of the end.
        if this.clocks.look_for_client() && this.stream.has_left() && !this.may_be_answered() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        // With TLS, what has been taken may still have to be written.
        let poll = Pin::new(&mut this.stream).poll_flush(context);
        self.flushed(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.clocks.phase() != Phase::Lingering {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.gate.is_within_request() {
                return Poll::Ready(Ok(()));
            }
            this.clocks.enter(Phase::Lingering);
        }
        // To close now would reset a client that is still sending, and take our answer from it.
        let mut storage = [MaybeUninit::uninit(); 16 * 1024];
        loop {
            let mut buffer = ReadBuf::uninit(&mut storage);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // It has left as well, or is gone.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
