//! Hands a request to the inner stack of its process's generation.
//!
//! Configuration reaches a layer by construction only, so a new generation is a new inner stack. Each worker builds
//! one when the first request of the generation comes; all its connections call that one, and requests that are under
//! way go on as they began.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker, ready},
};

use ancm_tower::refusal::Refusal;
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Ticket, WorkerBackend, lock};
use crate::config::Config;

/// Builds inner stacks, one per generation.
pub struct InnerStacks<S> {
    make: Box<dyn Fn(&Config) -> S + Send + Sync>,
    newest: Mutex<Option<(u64, S)>>,
}

/// The service that stands between the outer stack and the inner ones.
pub struct Dispatch<S> {
    stacks: Arc<InnerStacks<S>>,
}

pin_project! {
    /// The answer of an inner stack.
    pub struct DispatchFuture<S, F, B> {
        #[pin]
        kind: Kind<S, F, B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S, F, B> {
        // Boxed, so that the usual case is not as large as a request.
        Waiting { stack: Box<S>, request: Option<Box<Request<B>>> },
        Running { #[pin] future: F },
        Refused { refusal: Option<Refusal> },
    }
}

// === impl InnerStacks ===

impl<S> InnerStacks<S> {
    /// Builds stacks by this function.
    ///
    /// The connections of a worker share one, and it is called under a lock: a service in it must not dispatch again
    /// within its `call`, only in its future.
    pub fn new(make: impl Fn(&Config) -> S + Send + Sync + 'static) -> Self {
        Self { make: Box::new(make), newest: Mutex::new(None) }
    }

    /// The stack of this process's generation; none for a late request of an older one, which must not push out the
    /// newer.
    fn find<'a>(&self, newest: &'a mut Option<(u64, S)>, backend: &WorkerBackend) -> Option<&'a mut S> {
        let generation = backend.generation();
        if newest.as_ref().is_none_or(|(known, _)| *known < generation) {
            *newest = Some((generation, (self.make)(backend.config())));
        }
        newest.as_mut().filter(|(known, _)| *known == generation).map(|(_, stack)| stack)
    }
}

impl<S> fmt::Debug for InnerStacks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InnerStacks").finish_non_exhaustive()
    }
}

// === impl Dispatch ===

impl<S> Dispatch<S> {
    /// Dispatches to the stacks of this worker.
    pub fn new(stacks: Arc<InnerStacks<S>>) -> Self {
        Self { stacks }
    }
}

impl<S> Clone for Dispatch<S> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.stacks))
    }
}

impl<S> fmt::Debug for Dispatch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").finish_non_exhaustive()
    }
}

impl<S, B, ResBody> Service<Request<B>> for Dispatch<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = DispatchFuture<S, S::Future, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Which stack must be ready is known only with the request: its future waits.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(ticket) = request.extensions().get::<Ticket>() else {
            let detail = "the request was dispatched without a ticket".to_owned();
            let refusal = Refusal::BadGateway { error: "proxy_internal_error", detail };
            return DispatchFuture { kind: Kind::Refused { refusal: Some(refusal) } };
        };
        let backend = ticket.backend();
        let mut newest = lock(&self.stacks.newest);
        let mut late;
        let stack = if let Some(stack) = self.stacks.find(&mut newest, backend) {
            stack
        } else {
            late = (self.stacks.make)(backend.config());
            &mut late
        };
        // Nearly always ready at once; if not, the future asks again and leaves its waker.
        let is_ready = stack.poll_ready(&mut Context::from_waker(Waker::noop()));
        let kind = if matches!(is_ready, Poll::Ready(Ok(()))) {
            Kind::Running { future: stack.call(request) }
        } else {
            Kind::Waiting { stack: Box::new(stack.clone()), request: Some(Box::new(request)) }
        };
        DispatchFuture { kind }
    }
}

// === impl DispatchFuture ===

impl<S, B, ResBody> Future for DispatchFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut this = self.as_mut().project();
            let future = match this.kind.as_mut().project() {
                KindProj::Running { future } => return future.poll(context),
                KindProj::Refused { refusal } => {
                    let refusal = refusal.take().expect("polled after it was ready");
                    return Poll::Ready(Ok(refusal.into_response()));
                }
                KindProj::Waiting { stack, request } => {
                    ready!(stack.poll_ready(context))?;
                    stack.call(*request.take().expect("called once"))
                }
            };
            this.kind.set(Kind::Running { future });
        }
    }
}

impl<S, F, B> fmt::Debug for DispatchFuture<S, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatchFuture").finish_non_exhaustive()
    }
}
