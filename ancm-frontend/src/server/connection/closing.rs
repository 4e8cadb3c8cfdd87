//! The end of a connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio_util::io::poll_read_buf;

use crate::{
    http1::room::with_room,
    server::{clocks::Phase, io::Shared, stream::ClientStream},
};

/// Ends the connection without taking the answer from a client that is still sending.
///
/// Where the system holds back the end of the answer, it is told of the end of the stream: dropped above bytes of the
/// client that nobody has read, the stream would be reset, and what is held back lost.
pub(super) fn close<T: ClientStream>(
    shared: &Shared<T>,
    is_held: bool,
    context: &mut Context<'_>,
) -> Poll<()> {
    let mut io = shared.lock();
    if shared.clocks.phase() != Phase::Lingering {
        let is_over =
            !io.is_within_request() && !matches!(poll_gone(&mut io.stream, context), Poll::Ready(false));
        if is_over && !is_held && !io.stream.says_goodbye() {
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
    with_room(|room| poll_read_buf(Pin::new(stream), context, room).map(|read| !matches!(read, Ok(1..))))
}
