//! Any row of valid requests, cut anywhere, against services of every habit: the answers come in order and whole, the
//! bodies arrive as they were sent, nothing hangs, and nobody is polled without a reason.

mod client;
mod plan;
mod service;

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, timeout};

use self::{
    plan::{Plan, plan},
    service::Habits,
};
use super::*;

/// Counts how often a connection is polled.
struct Counted<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

// === impl Counted ===

impl<F: Future> Future for Counted<F> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<usize> {
        self.polls += 1;
        self.future.as_mut().poll(context).map(|_| self.polls)
    }
}

/// Plays it, and fails where it is not as it should be.
async fn play(plan: Plan) {
    let start = Instant::now();
    let (client, stream) = tokio::io::duplex(plan.room);
    let habits = Habits::of(&plan);
    let serving = habits.clone();
    let address = "192.0.2.1:1".parse().unwrap();
    let answer = move |request| serving.clone().answer(request);
    let future = connection(Pipe::new(stream), address, answer, CancellationToken::new());
    let connection = tokio::spawn(Counted { future: Box::pin(future), polls: 0 });
    let calls = client::talk(client, &plan).await;
    let polls = connection.await.unwrap();
    let steps = calls + habits.finish(&plan).await;
    assert!(polls <= 20 * plan.exchanges.len() + 4 * steps, "{polls} polls for {steps} steps");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}: a clock had to end it", start.elapsed());
}

proptest! {
    #[test]
    fn every_row_of_requests_is_answered(plan in plan()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let played = runtime.unwrap().block_on(async { timeout(Duration::from_secs(600), play(plan)).await });
        prop_assert!(played.is_ok(), "something hangs");
    }
}
