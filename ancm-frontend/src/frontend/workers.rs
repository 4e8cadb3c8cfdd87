//! The worker threads, together.

use std::{io, thread::JoinHandle};

use tokio_util::sync::CancellationToken;

use crate::{
    lease::{Released, lease},
    server::{Limits, Listeners, MakeWorkerService, Socket, TimerThread, Worker},
    tls::Certificates,
};

/// The worker threads.
pub(super) struct Workers {
    threads: Vec<JoinHandle<()>>,
    /// Cancelled: they accept no more, and the requests under way are the last.
    pub(super) drain: CancellationToken,
    finish: CancellationToken,
    /// Released when the drain is over.
    pub(super) connections: Released,
}

// === impl Workers ===

impl Workers {
    pub(super) fn start<M: MakeWorkerService + Clone>(
        listeners: Vec<(Listeners, Option<Certificates>)>,
        count: usize,
        limits: Limits,
        make: &M,
    ) -> io::Result<Self> {
        let timers = TimerThread::start()?;
        let (connections, released) = lease();
        let (drain, finish) = (CancellationToken::new(), CancellationToken::new());
        let with_tls = |(listeners, tls): (Listeners, Option<Certificates>)| {
            listeners.sockets.into_iter().map(move |listener| Socket { listener, tls: tls.clone() })
        };
        let mut sockets: Vec<_> = listeners.into_iter().map(with_tls).collect();
        let mut workers = Self { threads: Vec::new(), drain, finish, connections: released };
        for number in 0..count {
            let worker = Worker {
                number,
                sockets: sockets.iter_mut().filter_map(Iterator::next).collect(),
                limits,
                drain: workers.drain.clone(),
                finish: workers.finish.clone(),
                timers: timers.clone(),
                connections: connections.clone(),
            };
            match worker.spawn(make.clone()) {
                Ok(thread) => workers.threads.push(thread),
                Err(error) => {
                    // Those that run already would go on for ever.
                    workers.finish();
                    return Err(error);
                }
            }
        }
        Ok(workers)
    }

    /// Ends them, whatever is under way, and waits for that.
    pub(super) fn finish(self) {
        self.drain.cancel();
        self.finish.cancel();
        for thread in self.threads {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}
