//! Accepts connections and serves them: sockets, worker threads, clocks, and HTTP/1.1.
//!
//! The server is our own, because this is where every request comes in: it refuses what could be read in two ways
//! (`head_guard`) in the same pass in which it reads it, and a connection that is idle holds no buffer.
//!
//! Reading order: `listener` opens the sockets, `worker` accepts from them (after the handshake of `tls`, where there
//! is one), `tasks` serve them, `connection` is one client: `request` is what it makes of a head and of its
//! `header_lines`, `body` what it reads behind it through `io`, `answer` what it writes, `upgrade` what becomes of it
//! when protocols are switched. `clocks` say for how long it may do nothing, and `timers` when to look at them.

mod answer;
mod body;
mod clocks;
mod connection;
mod date;
mod head_guard;
mod header_lines;
mod io;
mod listener;
mod peer;
mod request;
mod router;
mod spare;
mod stream;
mod target;
mod tasks;
mod timers;
mod tls;
mod trailers;
mod upgrade;
mod worker;

pub use crate::http1::recipient::Recipient;

pub use self::{
    body::{BodyError, ClientBody},
    clocks::Limits,
    connection::{Connection, ConnectionService},
    head_guard::{Fault, HeadGuard, Verdict},
    listener::{ListenError, Listeners, listen},
    router::{Router, RouterFuture, Routes},
    stream::ClientStream,
    timers::TimerThread,
    tls::Socket,
    upgrade::OnUpgrade,
    worker::{MakeWorkerService, Worker},
};

#[cfg(test)]
mod tests;
