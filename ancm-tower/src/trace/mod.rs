//! One span and one line for each request; why a request was refused.
//!
//! The outermost layer of a stack, so that it sees what every other layer did.
//!
//! | target | level | what |
//! |---|---|---|
//! | [`ACCESS`] | info | one event for each request, when its answer has ended or was dropped |
//! | [`SERVER`] | warn (5xx), info (4xx) | a [`Refusal`] in an answer's extensions; an answer that was cut, at warn |
//! | [`REQUEST`] | debug | the span that everything happens in that the inner layers do for the request |
//!
//! Fields of an access event: `method`, `path`, `query` (if asked for, as it may hold secrets), `status`, `duration_s`,
//! `req_bytes`, `resp_bytes`, `client_addr` and `outcome`: `complete`, `refused`, `upgraded`, `client_left` (status 499 if
//! that was before the head), `cut` (the answer broke off) or `failed` (the inner service erred). While the target is not
//! enabled, no clock is read, nothing is allocated and nothing is counted.
//!
//! # Example
//!
//! ```
//! use ancm_tower::trace::TraceLayer;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from("hello")))));
//! let app = TraceLayer::new().layer(app);
//!
//! tracing_subscriber::fmt().init();
//! let response = app.oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap();
//! response.into_body().collect().await.unwrap();
//! // INFO access: method=GET path=/ status=200 duration_s=0.000012 req_bytes=0 resp_bytes=5 outcome="complete"
//! # }
//! ```

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use crate::{client::Client, refusal::Refusal};

mod body;
mod record;

pub use body::{CountedBody, TraceBody};
use record::{Head, Watch};

/// Target of the access log: one event for each request.
pub const ACCESS: &str = "access";
/// Target of what the server has to say about requests.
pub const SERVER: &str = "server";
/// Target of the span of a request.
pub const REQUEST: &str = "ancm::request";

/// Layer that logs requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceLayer {
    query: bool,
}

/// Logs requests.
#[derive(Clone, Copy, Debug)]
pub struct Trace<S> {
    inner: S,
    query: bool,
}

pin_project! {
    /// Response future of [`Trace`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        watch: Option<Watch>,
        span: Span,
    }
}

// === impl TraceLayer ===

impl TraceLayer {
    /// A layer that logs all but the query.
    pub fn new() -> Self {
        Self::default()
    }

    /// Logs the query as well: only where applications put no secrets there.
    pub fn log_query(mut self, log: bool) -> Self {
        self.query = log;
        self
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Trace { inner, query: self.query }
    }
}

// === impl Trace ===

impl<S, B, ResBody> Service<Request<B>> for Trace<S>
where
    S: Service<Request<CountedBody<B>>, Response = Response<ResBody>>,
    B: Body,
    ResBody: Body,
{
    type Response = Response<TraceBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let head = Head::new(&request, self.query);
        let client = request.extensions().get::<Client>().map(Client::address);
        let span = tracing::debug_span!(
            target: REQUEST,
            "request",
            method = %head.method(),
            path = %head.path(),
            client_addr = client.map(tracing::field::display),
        );
        let watch = Watch::new(head, client, !request.body().is_end_stream());
        let request = request.map(|body| CountedBody::new(body, watch.counter()));
        let entered = span.enter();
        let inner = self.inner.call(request);
        drop(entered);
        ResponseFuture { inner, watch: Some(watch), span }
    }
}

// === impl ResponseFuture ===

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Body,
{
    type Output = Result<Response<TraceBody<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.span.enter();
        let answer = this.inner.poll(cx);
        drop(entered);
        let result = ready!(answer);
        let watch = this.watch.take().expect("polled after completion");
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                watch.failed();
                return Poll::Ready(Err(error));
            }
        };
        let refusal = response.extensions().get::<Refusal>();
        let watch = watch.answered(response.status(), response.body(), refusal);
        let span = std::mem::replace(this.span, Span::none());
        Poll::Ready(Ok(response.map(|body| TraceBody::new(body, watch, span))))
    }
}

#[cfg(test)]
mod tests;
