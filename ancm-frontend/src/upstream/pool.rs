//! Kept-alive connections to one process, for one worker.
//!
//! Last in, first out, so that the connections in use stay warm and the others age and go. Lives behind a mutex
//! that no other thread ever takes; it is dropped with the process it belongs to.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::dispatch::{Attachment, lock};

/// Kestrel ends an idle connection after 130 s; ours are gone well before that.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// Whether an idle connection can carry the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// At once.
    Ready,
    /// Not yet: the last exchange is being wound up.
    NotYet,
    /// Never again.
    Closed,
}

/// Idle connections of type `C`.
#[derive(Debug)]
pub struct Pool<C> {
    idle: Mutex<Idle<C>>,
}

#[derive(Debug)]
struct Idle<C> {
    /// And since when they are known to be idle.
    connections: Vec<(C, Option<Instant>)>,
    retired: bool,
}

// === impl Pool ===

impl<C> Default for Pool<C> {
    fn default() -> Self {
        Self { idle: Mutex::new(Idle { connections: Vec::new(), retired: false }) }
    }
}

impl<C> Pool<C> {
    /// Takes the connection that was used last, if it is fit.
    pub fn take(&self, reuse: impl Fn(&C) -> Reuse) -> Option<C> {
        let mut idle = lock(&self.idle);
        let mut index = idle.connections.len();
        while index > 0 {
            index -= 1;
            match reuse(&idle.connections[index].0) {
                Reuse::Ready => return Some(idle.connections.remove(index).0),
                Reuse::NotYet => {}
                Reuse::Closed => drop(idle.connections.remove(index)),
            }
        }
        None
    }

    /// Keeps a connection for the next request, unless the process is being drained.
    pub fn put(&self, connection: C) {
        let mut idle = lock(&self.idle);
        if !idle.retired {
            // When does not matter yet, and to read a clock takes a while.
            idle.connections.push((connection, None));
        }
    }

    /// How many connections are idle.
    pub fn len(&self) -> usize {
        lock(&self.idle).connections.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<C: Send + 'static> Attachment for Pool<C> {
    fn retire(&self) {
        let mut idle = lock(&self.idle);
        idle.retired = true;
        idle.connections.clear();
    }

    fn tidy(&self) {
        let now = Instant::now();
        lock(&self.idle)
            .connections
            .retain_mut(|(_, since)| now.duration_since(*since.get_or_insert(now)) < IDLE_LIMIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the pool asks by reference")]
    fn ready(_: &u32) -> Reuse {
        Reuse::Ready
    }

    #[tokio::test(start_paused = true)]
    async fn hands_out_the_one_that_was_used_last() {
        let pool = Pool::default();
        pool.put(1);
        pool.put(2);
        assert_eq!((pool.take(ready), pool.take(ready), pool.take(ready)), (Some(2), Some(1), None));
    }

    #[tokio::test(start_paused = true)]
    async fn passes_over_the_unready_and_drops_the_closed() {
        let pool = Pool::default();
        (1..=3).for_each(|connection| pool.put(connection));
        let reuse = |connection: &u32| [Reuse::Ready, Reuse::Closed, Reuse::NotYet][*connection as usize - 1];
        assert_eq!(pool.take(reuse), Some(1));
        assert_eq!(pool.take(ready), Some(3));
        assert!(pool.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_what_has_been_idle_for_a_minute() {
        let pool = Pool::default();
        pool.put(1);
        for (passes, len) in [(0, 1), (59, 1), (1, 0)] {
            tokio::time::advance(Duration::from_secs(passes)).await;
            pool.tidy();
            assert_eq!(pool.len(), len);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_nothing_once_it_is_retired() {
        let pool = Pool::default();
        pool.put(1);
        pool.retire();
        assert!(pool.is_empty());
        pool.put(2);
        assert!(pool.is_empty());
    }
}
