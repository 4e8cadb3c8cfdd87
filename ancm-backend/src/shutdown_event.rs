//! Answers the frontend's message that the application shall stop.
//!
//! A frontend that stops an application first posts a message to it, so that it can end in its own time on every
//! system. The application never sees the message.
//!
//! # Example
//!
//! ```
//! use ancm_backend::{Shutdown, shutdown_event::ShutdownEventLayer};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use bytes::Bytes;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let shutdown = Shutdown::new();
//! let app = ServiceBuilder::new()
//!     .layer(ShutdownEventLayer::new(shutdown.clone()))
//!     .service_fn(|_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default())) });
//!
//! let event = Request::post("/iisintegration").header("MS-ASPNETCORE-EVENT", "shutdown").body(()).unwrap();
//! assert_eq!(app.oneshot(event).await.unwrap().status(), 202);
//! assert!(shutdown.is_requested());
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use ancm_tower::{
    contract::{SHUTDOWN_EVENT, SHUTDOWN_PATH, header},
    written_path::without_dots,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{Shutdown, path_base::target::says};

/// Makes [`ShutdownEvent`] services.
#[derive(Clone, Debug)]
pub struct ShutdownEventLayer {
    shutdown: Shutdown,
}

/// Answers 202 to the message, with an empty body, and asks for the stop.
///
/// Stands inside the layer that requires the token: this one believes everybody.
#[derive(Clone, Debug)]
pub struct ShutdownEvent<S> {
    inner: S,
    shutdown: Shutdown,
}

pin_project! {
    /// The future of [`ShutdownEvent`].
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        kind: Kind<F, B>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F, B> {
        App { #[pin] future: F },
        Accepted { response: Option<Response<B>> },
    }
}

// === impl ShutdownEventLayer ===

impl ShutdownEventLayer {
    /// The message asks for the stop with `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown }
    }
}

impl<S> Layer<S> for ShutdownEventLayer {
    type Service = ShutdownEvent<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ShutdownEvent { inner, shutdown: self.shutdown.clone() }
    }
}

// === impl ShutdownEvent ===

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ShutdownEvent<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if !is_shutdown(&request) {
            return ResponseFuture { kind: Kind::App { future: self.inner.call(request) } };
        }
        tracing::info!("the frontend asks to stop");
        self.shutdown.request();
        let mut response = Response::new(ResBody::from(Bytes::new()));
        *response.status_mut() = StatusCode::ACCEPTED;
        ResponseFuture { kind: Kind::Accepted { response: Some(response) } }
    }
}

// ANCM: IISMiddleware.cs compares method, path and event without regard to case; the path base may be there or not.
fn is_shutdown<B>(request: &Request<B>) -> bool {
    let mut events = request.headers().get_all(header::EVENT).iter();
    events.next().is_some_and(|event| event.as_bytes().eq_ignore_ascii_case(SHUTDOWN_EVENT.as_bytes()))
        && events.next().is_none()
        && request.method().as_str().eq_ignore_ascii_case("POST")
        && says(&without_dots(request.uri().path()), SHUTDOWN_PATH)
}

// === impl ResponseFuture ===

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::App { future } => future.poll(cx),
            KindProjection::Accepted { response } => {
                Poll::Ready(Ok(response.take().expect("polled after it was ready")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(method: &str, uri: &str, events: &[&str]) -> bool {
        let mut request = Request::builder().method(method).uri(uri);
        for event in events {
            request = request.header(header::EVENT, *event);
        }
        is_shutdown(&request.body(()).unwrap())
    }

    #[test]
    fn accepts_the_message_in_any_case() {
        assert!(asks("POST", "/iisintegration", &["shutdown"]));
        assert!(asks("post", "/IISIntegration", &["ShutDown"]));
    }

    #[test]
    fn reads_the_path_as_kestrel_does() {
        for uri in
            ["/%69isintegration", "/iisintegration?x", "/a/../iisintegration", "http://host/iisintegration"]
        {
            assert!(asks("POST", uri, &["shutdown"]), "{uri}");
        }
        for uri in ["/", "/iisintegration/", "/path/iisintegration", "//iisintegration", "*"] {
            assert!(!asks("POST", uri, &["shutdown"]), "{uri}");
        }
    }

    #[test]
    fn takes_one_event_only_and_only_that_word() {
        for events in [&[][..], &[""], &["event"], &["shutdown;"], &["shutdown", "shutdown"]] {
            assert!(!asks("POST", "/iisintegration", events), "{events:?}");
        }
    }
}
