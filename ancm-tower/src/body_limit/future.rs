//! The wait for the inner service's answer, and its replacement.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;
use tokio::sync::oneshot;

use super::LimitedBody;
use crate::{refusal::Refusal, startup_error::ReturnedRequest};

pin_project! {
    /// The future of [`BodyLimit`](super::BodyLimit).
    #[derive(Debug)]
    pub struct ResponseFuture<F, ReqBody> {
        #[pin]
        kind: Kind<F>,
        body: PhantomData<fn() -> ReqBody>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        Passed { #[pin] future: F, limit: u64, exceeded: Option<oneshot::Receiver<()>> },
        Refused { limit: u64 },
    }
}

// === impl ResponseFuture ===

impl<F, ReqBody> ResponseFuture<F, ReqBody> {
    pub(super) fn passed(future: F, limit: u64, exceeded: Option<oneshot::Receiver<()>>) -> Self {
        Self { kind: Kind::Passed { future, limit, exceeded }, body: PhantomData }
    }

    pub(super) fn refused(limit: u64) -> Self {
        Self { kind: Kind::Refused { limit }, body: PhantomData }
    }
}

impl<F, ReqBody, ResBody, E> Future for ResponseFuture<F, ReqBody>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ReqBody: Send + 'static,
    ResBody: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Passed { future, limit, exceeded } => {
                let mut answer = future.poll(cx);
                if is_exceeded(exceeded, answer.is_ready(), cx) {
                    return Poll::Ready(Ok(Refusal::BodyTooLarge { limit: *limit }.into_response()));
                }
                let Poll::Ready(result) = &mut answer else { return Poll::Pending };
                if let Ok(response) = result {
                    ReturnedRequest::map_body(response, LimitedBody::<ReqBody>::into_inner);
                }
                answer
            }
            KindProjection::Refused { limit } => {
                Poll::Ready(Ok(Refusal::BodyTooLarge { limit: *limit }.into_response()))
            }
        }
    }
}

/// Whether the body has become too long; if not, and there is no answer yet, the task is woken when it does.
///
/// The body may be read by another task, and the inner service may wait for a backend that waits for more of the body.
fn is_exceeded(exceeded: &mut Option<oneshot::Receiver<()>>, answered: bool, cx: &mut Context<'_>) -> bool {
    let Some(receiver) = exceeded else { return false };
    // Polling may be put off by tokio's cooperative budget, which must not hide the signal from the last look.
    if answered {
        return receiver.try_recv().is_ok();
    }
    let Poll::Ready(signal) = Pin::new(receiver).poll(cx) else { return false };
    *exceeded = None;
    signal.is_ok()
}
