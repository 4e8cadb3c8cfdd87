//! Whoever has much to move lets the others of the worker have their turn.
//!
//! All connections of a worker share one thread. What moves bytes for as long as there are any would make every other
//! request wait for milliseconds; tokio itself steps in only after 128 calls, which may have moved megabytes.

use std::{future::Future, pin::pin, task::Context};

/// How much of a body is moved before the others have their turn.
pub(crate) const TURN: u64 = 64 * 1024;

/// Wakes the task when all others that are ready have had their turn, and the sockets have been looked at.
pub(crate) fn end(context: &mut Context<'_>) {
    // Polled once, it has put the task behind all of these; to wake it here would put it before the sockets.
    let _ = pin!(tokio::task::yield_now()).poll(context);
}
