//! Drives one tower stack by one hyper connection.
//!
//! hyper calls a service by shared reference and knows no readiness; tower wants the opposite. A connection of
//! HTTP/1.1 has one request at a time, so one stack per connection is enough: it is never cloned, and when it is not
//! ready the request waits inside the response future.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker, ready},
};

use ancm_tower::{client::Client, refusal::Refusal};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    answer::Asked,
    body::{AnswerBody, ClientBody},
    clocks::{Clocks, Phase},
    target,
};
use crate::dispatch::lock;

/// A tower stack as hyper wants it.
pub struct Adapter<S> {
    service: Arc<Mutex<S>>,
    client: Client,
    clocks: Arc<Clocks>,
}

pin_project! {
    /// The answer to one request.
    pub struct AdapterFuture<S: Service<Request<ClientBody>>> {
        clocks: Arc<Clocks>,
        asked: Asked,
        #[pin]
        kind: Kind<S>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S: Service<Request<ClientBody>>> {
        Waiting { service: Arc<Mutex<S>>, request: Option<Request<ClientBody>> },
        Running { #[pin] future: S::Future },
        Refused { refusal: Option<Refusal> },
    }
}

// === impl Adapter ===

impl<S> Adapter<S> {
    pub(super) fn new(service: S, client: Client, clocks: Arc<Clocks>) -> Self {
        Self { service: Arc::new(Mutex::new(service)), client, clocks }
    }
}

impl<S> fmt::Debug for Adapter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter").field("client", &self.client).finish_non_exhaustive()
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Adapter<S>
where
    S: Service<Request<ClientBody>, Response = Response<B>, Error = Infallible>,
    B: Body + From<Bytes>,
{
    type Response = Response<AnswerBody<B>>;
    type Error = Infallible;
    type Future = AdapterFuture<S>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let clocks = Arc::clone(&self.clocks);
        clocks.enter(Phase::Busy);
        let asked = Asked::by(&request);
        if let Err(refusal) = target::normalize(&mut request) {
            tracing::info!(target: "server", client = %self.client.address(), %refusal, "refused a request");
            return AdapterFuture { clocks, asked, kind: Kind::Refused { refusal: Some(refusal) } };
        }
        request.extensions_mut().insert(self.client.clone());
        let request = request.map(|body| ClientBody::new(body, Arc::clone(&clocks)));
        let mut service = lock(&self.service);
        // Nearly always ready at once; if not, the future asks again and leaves its waker.
        let kind = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Kind::Running { future: service.call(request) },
            Poll::Pending => Kind::Waiting { service: Arc::clone(&self.service), request: Some(request) },
        };
        AdapterFuture { clocks, asked, kind }
    }
}

// === impl AdapterFuture ===

impl<S, B> Future for AdapterFuture<S>
where
    S: Service<Request<ClientBody>, Response = Response<B>, Error = Infallible>,
    B: Body + From<Bytes>,
{
    type Output = Result<Response<AnswerBody<B>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut this = self.as_mut().project();
            let future = match this.kind.as_mut().project() {
                KindProj::Running { future } => {
                    let Ok(response) = ready!(future.poll(context));
                    return Poll::Ready(Ok(watched(response, *this.asked, this.clocks)));
                }
                KindProj::Refused { refusal } => {
                    let refusal = refusal.take().expect("polled after it was ready");
                    let mut response = refusal.into_response();
                    // What follows on this connection cannot be told from what was refused.
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    return Poll::Ready(Ok(watched(response, *this.asked, this.clocks)));
                }
                KindProj::Waiting { service, request } => {
                    let mut service = lock(service);
                    let Ok(()) = ready!(service.poll_ready(context));
                    service.call(request.take().expect("called once"))
                }
            };
            this.kind.set(Kind::Running { future });
        }
    }
}

fn watched<B: Body>(
    mut response: Response<B>,
    asked: Asked,
    clocks: &Arc<Clocks>,
) -> Response<AnswerBody<B>> {
    let length = asked.finish(&mut response, clocks);
    let tunnel = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if tunnel {
        clocks.enter(Phase::Tunnel);
    }
    response.map(|body| AnswerBody::new(body, length, (!tunnel).then(|| Arc::clone(clocks))))
}

impl<S: Service<Request<ClientBody>>> fmt::Debug for AdapterFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdapterFuture").finish_non_exhaustive()
    }
}
