//! Measures a service against the bare one inside it.
//!
//! A layer costs less than the noise of a machine from one second to the next. So each sample times the layered service
//! and the bare one right after each other, and what counts is the median of the differences.

pub(crate) mod allocations;
pub(crate) mod bare;
pub(crate) mod process;

use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use criterion::Criterion;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use self::bare::Bare;

/// Requests that are made ready before the clock runs: few enough for the caches.
const BATCH: u64 = 32;
/// Requests over which allocations are averaged.
const COUNTED: u64 = 64;

/// Measures one service after the other, and keeps what was found.
pub(crate) struct Comparison {
    criterion: Criterion,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    over_bare: Vec<f64>,
    allocations: f64,
}

// === impl Comparison ===

impl Comparison {
    pub(crate) fn new() -> Self {
        let criterion = Criterion::default()
            .sample_size(40)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        Self { criterion, rows: Vec::new() }
    }

    /// Measures `service`, which has `bare` inside.
    pub(crate) fn measure<S, B, R>(
        &mut self,
        name: &'static str,
        bare: Bare,
        mut service: S,
        request: impl Fn() -> Request<B>,
    ) where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
        B: Body + Unpin,
        R: Body,
    {
        let mut bare = bare;
        let mut over_bare = Vec::new();
        self.criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|requests| {
                let alone = time(&mut bare, &request, requests);
                let layered = time(&mut service, &request, requests);
                over_bare.push((nanoseconds(layered) - nanoseconds(alone)) / requests as f64);
                layered
            });
        });
        if !over_bare.is_empty() {
            let allocations = allocations(&mut service, &request) - allocations(&mut bare, &request);
            self.rows.push(Row { name, over_bare, allocations });
        }
    }

    /// Prints what was found, as a Markdown table.
    pub(crate) fn print(mut self) {
        self.criterion.final_summary();
        if !std::env::args().any(|argument| argument == "--bench") || self.rows.is_empty() {
            return;
        }
        println!("\n| over the bare service | ns per request | allocations per request |\n|---|---:|---:|");
        for row in &mut self.rows {
            row.over_bare.sort_by(f64::total_cmp);
            let median = row.over_bare[row.over_bare.len() / 2];
            println!("| {} | {median:.0} | {:.2} |", row.name, row.allocations);
        }
    }
}

/// How long these requests take, without what it takes to make them.
#[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
fn time<S, B, R>(service: &mut S, request: &impl Fn() -> Request<B>, requests: u64) -> Duration
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Body,
{
    let mut total = Duration::ZERO;
    let mut left = requests;
    while left > 0 {
        let batch: Vec<_> = (0..left.min(BATCH)).map(|_| request()).collect();
        left -= batch.len() as u64;
        let start = std::time::Instant::now();
        for request in batch {
            drive(service, request);
        }
        total += start.elapsed();
    }
    total
}

/// Allocations per request, once the service is warm.
fn allocations<S, B, R>(service: &mut S, request: &impl Fn() -> Request<B>) -> f64
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Body,
{
    drive(service, request());
    let count = |_| {
        let request = request();
        allocations::during(|| drive(service, request))
    };
    (0..COUNTED).map(count).sum::<u64>() as f64 / COUNTED as f64
}

/// One request, from its call to the end of its answer's body.
fn drive<S, B, R>(service: &mut S, request: Request<B>)
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Body,
{
    let mut context = Context::from_waker(Waker::noop());
    let Ok(()) = finish(|| service.poll_ready(&mut context));
    let mut context = Context::from_waker(Waker::noop());
    let mut answer = pin!(service.call(black_box(request)));
    let Ok(response) = finish(|| answer.as_mut().poll(&mut context));
    let mut body = pin!(response.into_body());
    while let Some(Ok(frame)) = finish(|| body.as_mut().poll_frame(&mut context)) {
        black_box(frame.is_data());
    }
}

/// Asks until it is done: nothing here waits for anything outside.
fn finish<T>(mut poll: impl FnMut() -> Poll<T>) -> T {
    loop {
        if let Poll::Ready(done) = poll() {
            return done;
        }
    }
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
