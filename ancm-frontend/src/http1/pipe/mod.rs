//! Moves bodies from socket to socket without ever having them in memory, where the kernel can.
//!
//! Linux moves the pages of a socket into a pipe, and from there to another socket (`splice`); to copy a large body
//! into memory and out again is nearly all that it costs otherwise.
//!
//! That pays only if nobody wants to see the bytes, and whoever reads an answer's body cannot know that of itself. So
//! the connection says it while it asks for a piece ([`offering`]), and the body hands out a pipe's content only then;
//! over TLS, it is never offered.

use std::cell::Cell;

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod system;

pub(crate) use self::system::{Piped, poll_take};

/// So much must be left of a body for a pipe to be worth its calls.
pub(crate) const LEAST: usize = 64 * 1024;

/// What a socket gave.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is never a pipe"))]
pub(crate) enum Moved {
    Piped(Piped),
    End,
    /// There is no pipe to be had: read it.
    Unable,
}

thread_local! {
    static OFFERED: Cell<bool> = const { Cell::new(false) };
}

/// Calls this in the knowledge that a pipe's content will do as well as bytes.
pub(crate) fn offering<R>(offered: bool, poll: impl FnOnce() -> R) -> R {
    let _before = Before(OFFERED.replace(offered));
    poll()
}

/// What was offered before; it is again when the call is over, even by a panic.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        OFFERED.set(self.0);
    }
}

/// Whether a pipe's content would do as well as bytes.
pub(crate) fn is_offered() -> bool {
    OFFERED.get()
}

#[cfg(all(test, target_os = "linux"))]
pub(crate) mod tests;
