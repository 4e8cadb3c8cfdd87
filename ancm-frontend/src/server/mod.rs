//! Accepts connections and serves them: sockets, worker threads, clocks, and hyper above them.
//!
//! Reading order: `listener` opens the sockets, `worker` accepts from them, `connection` serves one client over a
//! `stream` that `clocks` and `head_guard` watch (after the handshake of `tls`, where there is one), `adapter` hands
//! its requests to a tower stack.

mod adapter;
mod answer;
mod body;
mod clocks;
mod connection;
mod head_guard;
mod listener;
mod peer;
mod router;
mod stream;
mod target;
mod tls;
mod worker;

pub use self::{
    adapter::{Adapter, AdapterFuture},
    body::{AnswerBody, ClientBody},
    clocks::Limits,
    connection::{Connection, ConnectionService},
    head_guard::{Fault, HeadGuard, Verdict},
    listener::{ListenError, Listeners, listen},
    router::{Route, Router, RouterFuture},
    stream::ClientStream,
    tls::Socket,
    worker::{MakeWorkerService, Worker},
};

#[cfg(test)]
mod tests;
