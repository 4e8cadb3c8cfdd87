//! The tasks of a worker, each of which serves one connection after another.
//!
//! To make a task and to end it costs as much as a good part of a request; so does its place among those whom the drain
//! and the clock wake. Where clients connect for each request anew, a task whose connection is over waits for the next.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

use ancm_tower::client::Client;
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

use super::{
    clocks::Limits,
    connection::{Alarm, Connection, ConnectionService},
};
use crate::dispatch::lock;

/// How many tasks wait for a connection at most; further ones end with theirs.
const FREE_AT_MOST: usize = 64;

/// Serves connections.
pub(super) struct Tasks<S> {
    limits: Limits,
    drain: CancellationToken,
    free: Mutex<Vec<Arc<Seat<S>>>>,
}

/// A connection that nobody serves yet.
pub(super) struct Accepted<S> {
    pub(super) stream: TcpStream,
    pub(super) client: Client,
    pub(super) service: S,
    /// Let go of when it is over.
    pub(super) counted: TaskTrackerToken,
}

/// Where a task finds its next connection.
struct Seat<S> {
    next: Mutex<Option<Accepted<S>>>,
    task: Mutex<Option<Waker>>,
}

/// Runs a future that asks by itself whether the drain has begun, and sees to it that it is polled then.
pub(super) async fn woken_by<F: Future>(drain: CancellationToken, future: F) -> F::Output {
    let mut drained = pin!(drain.cancelled());
    // Polled once: a task keeps its waker.
    let _ = poll_fn(|context| Poll::Ready(drained.as_mut().poll(context))).await;
    future.await
}

// === impl Tasks ===

impl<S: ConnectionService> Tasks<S> {
    pub(super) fn new(limits: Limits, drain: CancellationToken) -> Arc<Self> {
        Arc::new(Self { limits, drain, free: Mutex::default() })
    }

    /// Serves a connection, by a task that is free or by a new one.
    pub(super) fn serve(self: &Arc<Self>, accepted: Accepted<S>) {
        let free = lock(&self.free).pop();
        if let Some(seat) = free {
            seat.give(accepted);
        } else {
            let seat = Seat { next: Mutex::new(Some(accepted)), task: Mutex::default() };
            tokio::spawn(woken_by(self.drain.clone(), Arc::clone(self).work(Arc::new(seat))));
        }
    }

    async fn work(self: Arc<Self>, seat: Arc<Seat<S>>) {
        let mut alarm = Alarm::default();
        loop {
            let Accepted { stream, client, service, counted } = seat.next().await;
            alarm = {
                let connection = Connection::new(stream, client, service, self.limits, self.drain.clone());
                let mut connection = pin!(connection.with_alarm(alarm));
                connection.as_mut().await;
                connection.take_alarm()
            };
            drop(counted);
            let mut free = lock(&self.free);
            if free.len() == FREE_AT_MOST {
                break;
            }
            free.push(Arc::clone(&seat));
        }
    }
}

// === impl Seat ===

impl<S> Seat<S> {
    fn give(&self, accepted: Accepted<S>) {
        *lock(&self.next) = Some(accepted);
        if let Some(task) = &*lock(&self.task) {
            task.wake_by_ref();
        }
    }

    async fn next(&self) -> Accepted<S> {
        poll_fn(|context| {
            if let Some(accepted) = lock(&self.next).take() {
                return Poll::Ready(accepted);
            }
            // A task keeps its waker.
            lock(&self.task).get_or_insert_with(|| context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use ancm_tower::client::Scheme;
    use bytes::Bytes;
    use http::Response;
    use http_body_util::Full;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        runtime::Handle,
    };
    use tokio_util::task::TaskTracker;
    use tower::service_fn;

    use super::*;

    /// Clients, and the tasks that serve them.
    struct Served<S> {
        listener: TcpListener,
        tasks: Arc<Tasks<S>>,
        connections: TaskTracker,
        service: S,
        drain: CancellationToken,
    }

    async fn served() -> Served<impl ConnectionService + Clone> {
        let drain = CancellationToken::new();
        Served {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            tasks: Tasks::new(Limits::default(), drain.clone()),
            connections: TaskTracker::new(),
            service: service_fn(|_| async { Ok(Response::new(Full::new(Bytes::from_static(b"text")))) }),
            drain,
        }
    }

    impl<S: ConnectionService + Clone> Served<S> {
        async fn connect(&self) -> TcpStream {
            let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
            let (stream, address) = self.listener.accept().await.unwrap();
            self.tasks.serve(Accepted {
                stream,
                client: Client::new(address, Scheme::Http),
                service: self.service.clone(),
                counted: self.connections.token(),
            });
            client
        }

        /// Asks for the last time on this connection, and waits until all are over.
        async fn end(&self, clients: Vec<TcpStream>) {
            for mut client in clients {
                client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
                let mut answer = String::new();
                client.read_to_string(&mut answer).await.unwrap();
                assert!(answer.ends_with("text"), "{answer}");
            }
            self.connections.close();
            self.connections.wait().await;
        }
    }

    fn tasks() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    #[tokio::test]
    async fn a_task_serves_one_connection_after_another() {
        let served = served().await;
        for _ in 0..3 {
            served.end(vec![served.connect().await]).await;
            assert_eq!(tasks(), 1);
        }
        let both = vec![served.connect().await, served.connect().await];
        served.end(both).await;
        assert_eq!(tasks(), 2);
    }

    #[tokio::test]
    async fn of_many_tasks_only_some_are_kept() {
        let served = served().await;
        let mut clients = Vec::new();
        for _ in 0..2 * FREE_AT_MOST {
            clients.push(served.connect().await);
        }
        assert_eq!(tasks(), 2 * FREE_AT_MOST);
        served.end(clients).await;
        tokio::task::yield_now().await;
        assert_eq!(tasks(), FREE_AT_MOST);
    }

    #[tokio::test]
    async fn the_drain_ends_the_second_connection_of_a_task_as_the_first() {
        let served = served().await;
        served.end(vec![served.connect().await]).await;
        let mut client = served.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"text") {
            answer.push(client.read_u8().await.unwrap());
        }
        served.drain.cancel();
        assert_eq!(client.read_to_end(&mut answer).await.unwrap(), 0);
        served.connections.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn each_connection_of_a_task_has_all_of_its_time() {
        let served = served().await;
        served.end(vec![served.connect().await]).await;
        tokio::time::advance(Limits::default().idle / 2).await;
        let _client = served.connect().await;
        let begin = tokio::time::Instant::now();
        served.connections.wait().await;
        assert_eq!(begin.elapsed().as_secs(), Limits::default().idle.as_secs());
    }
}
