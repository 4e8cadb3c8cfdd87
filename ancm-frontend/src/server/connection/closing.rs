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
        let is_over =
            !io.is_within_request() && !matches!(poll_gone(&mut io.stream, context), Poll::Ready(false));
        if is_over && !io.stream.says_goodbye() {
            return Poll::Ready(());
        }
        let shut = Pin::new(&mut io.stream).poll_shutdown(context);
        shared.clocks.awaits_room(shut.is_pending());
        if ready!(shut).is_err() || is_over {
            return Poll::Ready(());
        }
        shared.clocks.enter(Phase::Lingering);
    }
    // To close now would reset a client that is still sending.
    while !ready!(poll_gone(&mut io.stream, context)) {}
    Poll::Ready(())
}

/// Reads once; whether the client has ended its side. What it sends is thrown away.
fn poll_gone<T: ClientStream>(stream: &mut T, context: &mut Context<'_>) -> Poll<bool> {
    spare::with_room(|room| {
        let mut buffer = ReadBuf::new(room);
        let read = Pin::new(stream).poll_read(context, &mut buffer);
        read.map(|read| read.is_err() || buffer.filled().is_empty())
    })
}
