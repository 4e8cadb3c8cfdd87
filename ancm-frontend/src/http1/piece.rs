//! A piece of an answer's body: in memory, or still in the kernel.

use std::cell::OnceCell;

use bytes::{Buf, Bytes};

use super::pipe::Piped;

/// A piece of an answer's body.
///
/// Much of a large answer never comes to memory: it stays in a pipe, from which the kernel moves it to the client's
/// socket. Whoever looks into it has it read, and sees bytes as ever: by [`Buf`], or with [`Bytes::from`].
///
/// A piece that is kept keeps a pipe, or the buffer of 72 KiB that it was read into: copy what you keep for long. For a
/// layer that insists on [`Bytes`] there is `http_body_util::BodyExt::map_frame`.
#[derive(Debug)]
pub struct Piece(Kind);

#[derive(Debug)]
enum Kind {
    Memory(Bytes),
    Piped { piped: Piped, read: OnceCell<Bytes> },
}

// === impl Piece ===

impl Piece {
    /// Nothing.
    pub(crate) const fn empty() -> Self {
        Self(Kind::Memory(Bytes::new()))
    }

    /// What lies in memory; `None` if it does not.
    pub(crate) fn memory(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Memory(bytes) => Some(bytes),
            Kind::Piped { read, .. } => read.get(),
        }
    }

    /// What lies in a pipe; `None` if it does not.
    pub(crate) fn piped_mut(&mut self) -> Option<&mut Piped> {
        match &mut self.0 {
            Kind::Piped { piped, read } if read.get().is_none() => Some(piped),
            _ => None,
        }
    }

    /// Has it read into memory if it is not there yet.
    pub(crate) fn into_memory(self) -> Bytes {
        match self.0 {
            Kind::Memory(bytes) => bytes,
            Kind::Piped { piped, read } => read.into_inner().unwrap_or_else(|| piped.read()),
        }
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Memory(bytes))
    }
}

impl From<Piped> for Piece {
    fn from(piped: Piped) -> Self {
        Self(Kind::Piped { piped, read: OnceCell::new() })
    }
}

impl From<Piece> for Bytes {
    fn from(piece: Piece) -> Self {
        piece.into_memory()
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match &self.0 {
            Kind::Memory(bytes) => bytes.len(),
            Kind::Piped { piped, read } => read.get().map_or(piped.len(), Bytes::len),
        }
    }

    fn chunk(&self) -> &[u8] {
        match &self.0 {
            Kind::Memory(bytes) => bytes,
            Kind::Piped { piped, read } => read.get_or_init(|| piped.read()),
        }
    }

    fn advance(&mut self, count: usize) {
        if let Kind::Memory(bytes) = &mut self.0 {
            bytes.advance(count);
        } else if count > 0 {
            let mut bytes = std::mem::replace(self, Self::empty()).into_memory();
            bytes.advance(count);
            *self = bytes.into();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::http1::pipe::tests::piped;

    #[tokio::test]
    async fn what_lies_in_a_pipe_is_read_by_whoever_looks() {
        let mut piece = Piece::from(piped(b"hello world").await);
        assert_eq!((piece.remaining(), piece.memory()), (11, None));
        assert_eq!(piece.chunk(), b"hello world");
        assert!(piece.piped_mut().is_none(), "it would be sent twice");
        piece.advance(6);
        assert_eq!(piece.copy_to_bytes(5), "world");
        assert!(!piece.has_remaining());
    }

    #[tokio::test]
    async fn what_nobody_looks_into_stays_in_its_pipe() {
        let mut piece = Piece::from(piped(b"hello world").await);
        piece.advance(0);
        assert_eq!((piece.remaining(), piece.memory()), (11, None));
    }

    #[tokio::test]
    async fn it_may_be_skipped_and_taken_as_bytes() {
        let mut piece = Piece::from(piped(b"hello world").await);
        piece.advance(6);
        assert_eq!(Bytes::from(piece), "world");
        assert_eq!(Bytes::from(Piece::from(piped(b"hello").await)), "hello");
    }
}
