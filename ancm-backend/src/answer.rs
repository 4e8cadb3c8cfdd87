//! The application at the innermost place: whatever it does, there is an answer.
//!
//! Our layers must be able to answer by themselves, in the application's own body type; and an application may err,
//! where a server has nobody to tell. This adapter takes both from its shoulders.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_service::Service;

/// Answers 500 with an empty body when the application errs.
#[derive(Clone, Debug)]
pub(crate) struct App<S> {
    inner: S,
    /// The error of a `poll_ready` fails the call that follows it.
    failed: bool,
}

pin_project! {
    /// The future of [`App`].
    #[derive(Debug)]
    pub(crate) struct ResponseFuture<F> {
        // None if the application failed before it was called.
        #[pin]
        future: Option<F>,
    }
}

pin_project! {
    /// The application's body, or one of ours.
    #[derive(Debug)]
    pub(crate) struct Answer<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<B> {
        App { #[pin] body: B },
        Own { body: Full<Bytes> },
    }
}

// === impl App ===

impl<S> App<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, failed: false }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for App<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<Answer<ResBody>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Err(error) = ready!(self.inner.poll_ready(cx)) {
            log_error(&error.into());
            self.failed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let future = (!self.failed).then(|| self.inner.call(request));
        ResponseFuture { future }
    }
}

// === impl ResponseFuture ===

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<Answer<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.project().future.as_pin_mut() else { return Poll::Ready(Ok(failure())) };
        Poll::Ready(Ok(match ready!(future.poll(cx)) {
            Ok(response) => response.map(|body| Answer { kind: Kind::App { body } }),
            Err(error) => {
                log_error(&error.into());
                failure()
            }
        }))
    }
}

fn failure<B>() -> Response<Answer<B>> {
    let mut response = Response::new(Answer::from(Bytes::new()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn log_error(error: &BoxError) {
    tracing::error!(%error, "the application failed: 500");
}

// === impl Answer ===

impl<B> From<Bytes> for Answer<B> {
    fn from(body: Bytes) -> Self {
        Self { kind: Kind::Own { body: Full::new(body) } }
    }
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProjection::App { body } => body.poll_frame(cx).map_err(Into::into),
            KindProjection::Own { body } => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::App { body } => body.is_end_stream(),
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::App { body } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tower::{ServiceExt, service_fn};

    #[tokio::test]
    async fn answers_500_with_an_empty_body_when_the_application_errs() {
        let app = App::new(service_fn(|_: Request<()>| async {
            Err::<Response<Full<Bytes>>, _>(io::Error::other("no"))
        }));
        let response = app.oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.body().size_hint().exact(), Some(0));
    }

    #[tokio::test]
    async fn answers_500_when_the_application_fails_to_get_ready() {
        let response = App::new(NeverReady).oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), 500);
    }

    #[derive(Clone)]
    struct NeverReady;

    impl Service<Request<()>> for NeverReady {
        type Response = Response<Full<Bytes>>;
        type Error = io::Error;
        type Future = std::future::Pending<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::other("no")))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            unreachable!("not ready")
        }
    }
}
