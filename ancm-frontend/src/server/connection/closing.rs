//! The end of a connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::ReadBuf;

use crate::server::{clocks::Phase, io::Shared, spare, stream::ClientStream};

/// Ends the connection without taking the answer from a client that is still sending.
pub(super) fn close<T: ClientStream>(shared: &Shared<T>, context: &mut Context<'_>) -> Poll<()> {
    let mut io = shared.lock();
    if shared.clocks.phase() != Phase::Lingering {
        if ready!(Pin::new(&mut io.stream).poll_shutdown(context)).is_err() || !io.is_within_request() {
            return Poll::Ready(());
        }
        shared.clocks.enter(Phase::Lingering);
    }
    // To close now would reset a client that is still sending.
    loop {
        let left = spare::with_room(|room| {
            let mut buffer = ReadBuf::new(room);
            let read = Pin::new(&mut io.stream).poll_read(context, &mut buffer);
            read.map(|read| read.is_err() || buffer.filled().is_empty())
        });
        if ready!(left) {
            return Poll::Ready(());
        }
    }
}
