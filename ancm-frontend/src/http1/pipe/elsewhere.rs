//! Elsewhere every body is read.

use std::{
    convert::Infallible,
    io,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::net::TcpStream;

use super::Moved;

/// Bytes that lie in a pipe: there are none.
#[derive(Debug)]
pub(crate) struct Piped(Infallible);

/// There is never a pipe.
pub(crate) fn poll_take(_: &TcpStream, _: &mut Context<'_>, _: u64) -> Poll<io::Result<Moved>> {
    Poll::Ready(Ok(Moved::Unable))
}

// === impl Piped ===

impl Piped {
    /// How many bytes they are.
    pub(crate) fn len(&self) -> usize {
        match self.0 {}
    }

    /// Moves some of them to a socket.
    pub(crate) fn poll_move(
        &mut self,
        _: &TcpStream,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<Option<usize>>> {
        match self.0 {}
    }

    /// Reads all of them.
    pub(crate) fn read(&self) -> Bytes {
        match self.0 {}
    }
}
