//! What a connection and the bodies of its requests have in common.

use std::{
    sync::{Mutex, MutexGuard},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;

use super::Io;
use crate::{
    dispatch::lock,
    server::{
        body::{BodyError, Source},
        clocks::Clocks,
        stream::ClientStream,
    },
};

/// A connection's stream, and its clocks.
#[derive(Debug)]
pub(in crate::server) struct Shared<T> {
    io: Mutex<Io<T>>,
    pub(in crate::server) clocks: Clocks,
}

// === impl Shared ===

impl<T> Shared<T> {
    pub(in crate::server) fn new(stream: T, clocks: Clocks) -> Self {
        Self { io: Mutex::new(Io::new(stream)), clocks }
    }

    pub(in crate::server) fn lock(&self) -> MutexGuard<'_, Io<T>> {
        lock(&self.io)
    }
}

impl<T: ClientStream> Source for Shared<T> {
    fn poll_frame(
        &self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut io = self.lock();
        if io.number != number {
            return Poll::Ready(Some(Err(BodyError::Over)));
        }
        let frame = io.poll_frame(&self.clocks, context);
        self.clocks.awaits_body(frame.is_pending());
        frame
    }

    fn dropped(&self, number: u64) {
        let mut io = self.lock();
        if io.number == number {
            self.clocks.body_dropped();
            io.abandon_body();
        }
    }
}
