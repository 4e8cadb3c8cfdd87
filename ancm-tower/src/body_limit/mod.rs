//! Refuses request bodies over a limit with 413.
//!
//! IIS refuses bodies over `maxAllowedContentLength` before ANCM sees them, and a backend cannot be relied on for it:
//! older ones lift their own limit when they are paired. A declared length is judged at once, any other while the body
//! streams through; nothing is buffered.
//!
//! # Example
//!
//! ```
//! use ancm_tower::body_limit::{BodyLimitLayer, LimitedBody};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new().layer(BodyLimitLayer::new(Some(5))).service(service_fn(
//!     async |request: Request<LimitedBody<Full<Bytes>>>| {
//!         let body = request.into_body().collect().await?.to_bytes();
//!         Ok::<_, ancm_tower::BoxError>(Response::new(Full::new(body)))
//!     },
//! ));
//!
//! let fits = service.clone().oneshot(Request::new(Full::from("12345"))).await.unwrap();
//! assert_eq!(fits.status(), 200);
//! let too_long = service.oneshot(Request::new(Full::from("123456"))).await.unwrap();
//! assert_eq!(too_long.status(), 413);
//! # }
//! ```

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body::Body;
use tokio::sync::oneshot;
use tower_layer::Layer;
use tower_service::Service;

use crate::by_path::ByPath;

mod body;
mod future;

pub use body::{LimitExceeded, LimitedBody};
pub use future::ResponseFuture;

/// Makes [`BodyLimit`] services.
#[derive(Clone, Debug)]
pub struct BodyLimitLayer {
    limit: ByPath<Option<u64>>,
}

/// Answers 413 to a request whose body is too long.
///
/// - A declared length over the limit: at once, without a call of the inner service.
/// - A body that exceeds it in the middle: the body breaks with [`LimitExceeded`], and whatever the inner service makes
///   of that, an answer, an error or silence, becomes 413. An answer that was there before remains, and is broken as
///   the inner service sees fit.
#[derive(Clone, Debug)]
pub struct BodyLimit<S> {
    inner: S,
    limit: ByPath<Option<u64>>,
}

// === impl BodyLimitLayer ===

impl BodyLimitLayer {
    /// Allows bodies of at most `limit` bytes; none means any length.
    pub fn new(limit: Option<u64>) -> Self {
        Self::by_path(ByPath::new(limit))
    }

    /// Allows what the path of the request does.
    pub fn by_path(limit: ByPath<Option<u64>>) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyLimit { inner, limit: self.limit.clone() }
    }
}

// === impl BodyLimit ===

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BodyLimit<S>
where
    S: Service<Request<LimitedBody<ReqBody>>, Response = Response<ResBody>>,
    ReqBody: Body + Send + 'static,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let configured = *self.limit.get(request.uri().path());
        let limit = configured.unwrap_or(u64::MAX);
        let hint = request.body().size_hint();
        if hint.lower() > limit || declared_length(request.headers()).is_some_and(|length| length > limit) {
            return ResponseFuture::refused(limit);
        }
        // Only a body that may become too long needs to say so.
        let (exceeds, exceeded) =
            if configured.is_none() || hint.upper().is_some_and(|length| length <= limit) {
                (None, None)
            } else {
                let (exceeds, exceeded) = oneshot::channel();
                (Some(exceeds), Some(exceeded))
            };
        let request = request.map(|body| LimitedBody::new(body, limit, exceeds));
        ResponseFuture::passed(self.inner.call(request), limit, exceeded)
    }
}

/// What `Content-Length` says, if the server let it through to a body that does not say it itself.
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number beyond 64 bits is above every limit.
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
