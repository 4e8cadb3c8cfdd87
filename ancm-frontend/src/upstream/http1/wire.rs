//! A socket to the backend, and what has been read from it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

use super::head::Line;
use crate::http1::room;

/// The largest head of a request whose buffer is kept for the next one.
const KEPT_HEAD: usize = 8 * 1024;

/// A socket and its buffers; boxed once, since it moves from the pool to the request and back.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) read: BytesMut,
    /// The buffer of the last request's head.
    pub(super) head: Vec<u8>,
    /// Room for what a head consists of.
    pub(super) lines: Vec<Line>,
}

/// The socket, whole unless the request is still being sent while its answer is read.
#[derive(Debug)]
pub(super) enum Stream {
    Whole(TcpStream),
    Reading(OwnedReadHalf),
}

// === impl Wire ===

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        let stream = Stream::Whole(stream);
        Self { stream, read: BytesMut::new(), head: Vec::new(), lines: Vec::new() }
    }

    /// Reads once; 0 is the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        room::poll_fill(&mut self.stream, context, &mut self.read)
    }

    /// Gives away the end that writes; `None` if it has been given already.
    pub(super) fn split(mut self: Box<Self>) -> (Box<Self>, Option<OwnedWriteHalf>) {
        let (stream, write) = match self.stream {
            Stream::Whole(stream) => {
                let (read, write) = stream.into_split();
                (Stream::Reading(read), Some(write))
            }
            reading @ Stream::Reading(_) => (reading, None),
        };
        self.stream = stream;
        (self, write)
    }

    /// What a large exchange needed is not kept for small ones.
    pub(super) fn shrink(&mut self) {
        self.read = BytesMut::new();
        if self.head.capacity() > KEPT_HEAD {
            self.head = Vec::new();
        }
    }
}

// === impl Stream ===

impl Stream {
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Whole(stream) => stream,
            Self::Reading(read) => read.as_ref(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Whole(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Reading(read) => Pin::new(read).poll_read(context, buffer),
        }
    }
}
