//! A socket to the backend, and what has been read from it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, BytesMut};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};
use tokio_util::io::poll_read_buf;

use super::head::Line;

/// Read at once at first; doubled as long as the backend fills it, halved when it does not nearly.
const FIRST_READ: usize = 8 * 1024;
const LARGEST_READ: usize = 256 * 1024;
/// The largest head of a request whose buffer is kept for the next one.
const KEPT_HEAD: usize = 8 * 1024;

/// A socket and its buffers.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) read: BytesMut,
    /// How much to read at once.
    room: usize,
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
        Self { stream, read: BytesMut::new(), room: FIRST_READ, head: Vec::new(), lines: Vec::new() }
    }

    /// Reads once into the buffer; 0 is the end. While there is nothing to read, no room is held for it.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.stream.tcp().poll_read_ready(context))?;
        self.read.reserve(self.room);
        let mut buffer = (&mut self.read).limit(self.room);
        let count = ready!(poll_read_buf(Pin::new(&mut self.stream), context, &mut buffer))?;
        if count == self.room {
            self.room = (self.room * 2).min(LARGEST_READ);
        } else if count < self.room / 4 {
            self.room = (self.room / 2).max(FIRST_READ);
        }
        Poll::Ready(Ok(count))
    }

    /// Gives away the end that writes; `None` if it has been given already.
    pub(super) fn split(mut self) -> (Self, Option<OwnedWriteHalf>) {
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
        if self.read.capacity() > FIRST_READ {
            self.read = BytesMut::new();
        }
        if self.head.capacity() > KEPT_HEAD {
            self.head = Vec::new();
        }
        self.room = FIRST_READ;
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
