//! A frontend of your own: everything that `ancm run` does, with a layer of yours around the application.
//!
//!     cargo run --example custom_frontend -- DIR
//!
//! DIR holds a `web.config`. Each answer gets a header that tells how long it took.

use std::{
    env,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ancm_frontend::{
    config,
    frontend::{Frontend, Options},
    guard::{self, Guard},
    spawn::Spawner,
};
use http::{HeaderValue, Request, Response};
use tokio::time::Instant;
use tower::{Layer, Service};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The guard is this very program, started again: it sees to it that no process outlives us.
    guard::run_if_asked();
    let directory = env::args().nth(1).ok_or("which folder? It must hold a web.config.")?;
    let config = config::load(directory.as_ref())?.config;

    let options = Options::new(Arc::new(config))
        .listen("127.0.0.1:8080".parse()?)
        .spawner(Spawner::Guard(Guard::start(None)?));
    let running = Frontend::new(options).layer(ElapsedLayer).start()?;
    println!("listening on http://{}; Ctrl+C ends it", running.addresses()[0]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::signal::ctrl_c().await?;
        running.shutdown().await;
        Ok(())
    })
}

/// Tells how long each answer took.
#[derive(Clone)]
struct ElapsedLayer;

#[derive(Clone)]
struct Elapsed<S> {
    inner: S,
}

pin_project_lite::pin_project! {
    struct ResponseFuture<F> {
        #[pin]
        inner: F,
        begun: Instant,
    }
}

impl<S> Layer<S> for ElapsedLayer {
    type Service = Elapsed<S>;

    fn layer(&self, inner: S) -> Elapsed<S> {
        Elapsed { inner }
    }
}

impl<S, B, R> Service<Request<B>> for Elapsed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { inner: self.inner.call(request), begun: Instant::now() }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        let elapsed = HeaderValue::from(u64::try_from(this.begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        response.headers_mut().insert("x-elapsed-us", elapsed);
        Poll::Ready(Ok(response))
    }
}
