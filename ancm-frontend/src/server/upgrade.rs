//! A connection that becomes a tunnel: the stream itself, for whoever answers a request by switching protocols.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::server::OnUpgrade;
//!
//! let mut request = http::Request::new(());
//! // Only the server puts one there, into a request that asks for it.
//! assert!(OnUpgrade::take(&mut request).is_none());
//! ```

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::Request;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use super::io::Shared;
use crate::{dispatch::lock, server::ClientStream, upstream::Io};

/// The client's stream, once an answer with status 101 has been written; an error, if another answer was.
#[derive(Clone)]
pub struct OnUpgrade {
    // An extension can be cloned; whoever asks first gets the stream.
    stream: Arc<Mutex<oneshot::Receiver<Box<dyn Io>>>>,
}

/// Gives the stream to whoever waits for it.
pub(crate) type Give = oneshot::Sender<Box<dyn Io>>;

/// A client's stream, with what had been read of it.
pub(super) struct Upgraded<T> {
    shared: Arc<Shared<T>>,
}

// === impl OnUpgrade ===

impl OnUpgrade {
    pub(crate) fn new() -> (Give, Self) {
        let (give, stream) = oneshot::channel();
        (give, Self { stream: Arc::new(Mutex::new(stream)) })
    }

    /// Takes it out of a request that asks to switch protocols.
    pub fn take<B>(request: &mut Request<B>) -> Option<Self> {
        request.extensions_mut().remove()
    }
}

impl Future for OnUpgrade {
    type Output = io::Result<Box<dyn Io>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stream = lock(&self.stream);
        Pin::new(&mut *stream).poll(context).map_err(|_| io::ErrorKind::NotConnected.into())
    }
}

impl fmt::Debug for OnUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnUpgrade").finish_non_exhaustive()
    }
}

// === impl Upgraded ===

impl<T> Upgraded<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }
}

impl<T: ClientStream> AsyncRead for Upgraded<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.lock().poll_read_on(context, buffer)
    }
}

impl<T: ClientStream> AsyncWrite for Upgraded<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.shared.lock().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.shared.lock().stream).poll_write_vectored(context, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.shared.lock().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.shared.lock().stream).poll_shutdown(context)
    }
}
