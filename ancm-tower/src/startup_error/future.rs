//! The response future of the hold layer.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Gate, Resent, ReturnedRequest, Spare, hold};

/// A request that waits, and all that follows; boxed, since a wait costs more than a box.
pub(super) type Held<ResBody, E> = Pin<Box<dyn Future<Output = Result<Response<ResBody>, E>> + Send>>;

pin_project! {
    /// Response future of [`StartupError`](super::StartupError).
    ///
    /// Dropping it ends the wait and frees the place of the request.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, G, B, ResBody>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        kind: Kind<S::Future, S, G, ResBody, S::Error>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, S, G, ResBody, E> {
        // Sent at once; the usual case.
        Sent { #[pin] future: F, spare: Arc<Spare<S, G>> },
        Held { future: Held<ResBody, E> },
        // Boxed, so that the usual case is not as large as an answer.
        Ready { response: Option<Box<Response<ResBody>>> },
    }
}

// === impl ResponseFuture ===

impl<S, G, B, ResBody> ResponseFuture<S, G, B, ResBody>
where
    S: Service<Request<B>>,
{
    pub(super) fn sent(future: S::Future, spare: Arc<Spare<S, G>>) -> Self {
        Self { kind: Kind::Sent { future, spare } }
    }

    pub(super) fn held(future: Held<ResBody, S::Error>) -> Self {
        Self { kind: Kind::Held { future } }
    }

    pub(super) fn ready(response: Response<ResBody>) -> Self {
        Self { kind: Kind::Ready { response: Some(Box::new(response)) } }
    }
}

impl<S, G, B, ResBody> Future for ResponseFuture<S, G, B, ResBody>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: 'static,
    G: Gate + Send + 'static,
    B: Send + 'static,
    ResBody: From<Bytes> + 'static,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            let held = match kind.as_mut().project() {
                KindProj::Sent { future, spare } => {
                    let answer = future.poll(cx);
                    let Poll::Ready(result) = &answer else { return Poll::Pending };
                    match result.as_ref().ok().and_then(returned) {
                        None => return answer,
                        Some(request) => hold::hold(Arc::clone(spare), request),
                    }
                }
                KindProj::Held { future } => return future.as_mut().poll(cx),
                KindProj::Ready { response } => {
                    return Poll::Ready(Ok(*response.take().expect("polled after completion")));
                }
            };
            kind.set(Kind::Held { future: held });
        }
    }
}

impl<S, G, B, ResBody> fmt::Debug for ResponseFuture<S, G, B, ResBody>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Sent { .. } => "Sent",
            Kind::Held { .. } => "Held",
            Kind::Ready { .. } => "Ready",
        };
        f.debug_struct("ResponseFuture").field("kind", &kind).finish_non_exhaustive()
    }
}

/// The request that this response gives back, if it gives one back; from now on it is marked.
pub(super) fn returned<B: Send + 'static, ResBody>(response: &Response<ResBody>) -> Option<Request<B>> {
    let mut request = response.extensions().get::<ReturnedRequest<B>>()?.take()?;
    request.extensions_mut().insert(Resent);
    Some(request)
}
