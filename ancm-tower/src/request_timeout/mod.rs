//! Gives up on a backend that falls silent.
//!
//! An idle limit, not a total one: an answer that trickles for hours is fine, silence is not. The clock starts anew with
//! every piece of the request's body that the backend takes, with the head of the answer, and with every piece of the
//! answer. It runs only while we wait for the backend: not while the request's body waits for the client, and not while
//! nobody reads the answer. Before the head the client gets 504; after it the answer's body ends with an error, so that
//! the server cuts the connection. Either way the inner future or body is dropped, which the backend sees as an abort.
//! Upgraded connections (101) are left alone.
//!
//! # Example
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use ancm_tower::request_timeout::RequestTimeoutLayer;
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{Empty, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let silent = service_fn(async |_| std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await);
//! let service = RequestTimeoutLayer::new(Duration::from_secs(120)).layer(silent);
//!
//! let response = service.oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap();
//! assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
//! # }
//! ```

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::startup_error::ReturnedRequest;

mod body;
mod clock;
mod timer;

pub use body::{TimeoutBody, WatchedBody};
use clock::{Upload, Uploading, Wait};
use timer::{Spare, Timer};

/// Layer that gives up on a backend that falls silent.
#[derive(Clone, Copy, Debug)]
pub struct RequestTimeoutLayer {
    limit: Duration,
    status: StatusCode,
}

/// Gives up on a backend that falls silent.
#[derive(Debug)]
pub struct RequestTimeout<S> {
    inner: S,
    limit: Duration,
    status: StatusCode,
    /// Made for the first request, and never shared with a clone.
    spare: Option<Spare>,
}

pin_project! {
    /// Response future of [`RequestTimeout`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: Option<F>,
        wait: Option<Wait>,
        timer: Timer,
        body: PhantomData<fn(B)>,
    }
}

// === impl RequestTimeoutLayer ===

impl RequestTimeoutLayer {
    /// A layer that lets the backend be silent for so long; zero is for ever.
    pub fn new(limit: Duration) -> Self {
        // ANCM: forwardinghandler.cpp turns a time-out into 502; 504 is what HTTP has for it.
        Self { limit, status: StatusCode::GATEWAY_TIMEOUT }
    }

    /// Sets what the client is told; ANCM itself says 502.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl<S> Layer<S> for RequestTimeoutLayer {
    type Service = RequestTimeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestTimeout { inner, limit: self.limit, status: self.status, spare: None }
    }
}

// === impl RequestTimeout ===

impl<S: Clone> Clone for RequestTimeout<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), limit: self.limit, status: self.status, spare: None }
    }
}

impl<S, B, ResBody> Service<Request<B>> for RequestTimeout<S>
where
    S: Service<Request<WatchedBody<B>>, Response = Response<ResBody>>,
    B: Body + Send + 'static,
    ResBody: From<Bytes>,
{
    type Response = Response<TimeoutBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let limited = !self.limit.is_zero();
        let upload = (limited && !request.body().is_end_stream()).then(Upload::start);
        let uploading = upload.clone().map(Uploading::new);
        let request = request.map(|body| WatchedBody::new(body, uploading));
        ResponseFuture {
            inner: Some(self.inner.call(request)),
            wait: limited.then(|| Wait::new(self.limit, self.status, upload)),
            timer: Timer::new(limited.then(|| self.spare.get_or_insert_default().clone())),
            body: PhantomData,
        }
    }
}

// === impl ResponseFuture ===

impl<F, B, ResBody, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    B: Send + 'static,
    ResBody: From<Bytes>,
{
    type Output = Result<Response<TimeoutBody<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut().expect("polled after completion");
        if let Poll::Ready(response) = inner.poll(cx)? {
            let timer = std::mem::take(this.timer);
            return Poll::Ready(Ok(watch::<B, _>(response, this.wait.take(), timer)));
        }
        let Some(wait) = this.wait else { return Poll::Pending };
        let first = wait.begin();
        let refusal = ready!(wait.poll_expired(cx, this.timer.by(first)));
        // The abort: the backend should not work on for nobody while the answer is on its way.
        this.inner.set(None);
        Poll::Ready(Ok(refusal.into_response()))
    }
}

/// Wraps the answer's body; the clock starts anew.
fn watch<B: Send + 'static, R>(
    mut response: Response<R>,
    wait: Option<Wait>,
    timer: Timer,
) -> Response<TimeoutBody<R>> {
    ReturnedRequest::map_body(&mut response, WatchedBody::<B>::into_inner);
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let wait = wait.filter(|_| !upgraded).map(Wait::ended);
    response.map(|body| TimeoutBody::new(body, wait, timer))
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("wait", &self.wait).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
