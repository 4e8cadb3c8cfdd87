//! Refuses URLs over a limit with 404, as IIS's request filtering does.
//!
//! `maxUrl` and `maxQueryString` of a `web.config` are promises to the application: longer ones do not reach it. The
//! answer is 404 with IIS's sub-status in its text, since people search for that number.
//!
//! # Example
//!
//! ```
//! use ancm_tower::url_limit::{UrlLimitLayer, UrlLimits};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let limits = UrlLimits { path: None, query: Some(5) };
//! let service = ServiceBuilder::new().layer(UrlLimitLayer::new(limits)).service(service_fn(
//!     async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default())),
//! ));
//! let request = |uri: &str| Request::builder().uri(uri).body(()).unwrap();
//!
//! assert_eq!(service.clone().oneshot(request("/?q=123")).await.unwrap().status(), 200);
//! let refused = service.oneshot(request("/?q=1234")).await.unwrap();
//! assert_eq!(refused.status(), 404);
//! assert!(refused.into_body().collect().await.unwrap().to_bytes().starts_with(b"404.15"));
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{by_path::ByPath, refusal::Refusal};

/// How long a URL may be, in bytes as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UrlLimits {
    /// Its path; none means any length.
    pub path: Option<u32>,
    /// Its query, without the question mark; none means any length.
    pub query: Option<u32>,
}

/// Makes [`UrlLimit`] services.
#[derive(Clone, Debug, Default)]
pub struct UrlLimitLayer {
    limits: ByPath<UrlLimits>,
}

/// Answers 404 to a request whose URL is too long.
#[derive(Clone, Debug)]
pub struct UrlLimit<S> {
    inner: S,
    limits: ByPath<UrlLimits>,
}

pin_project! {
    /// The future of [`UrlLimit`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        Within { #[pin] future: F },
        Refused { refusal: Option<Refusal> },
    }
}

// === impl UrlLimits ===

impl UrlLimits {
    /// The first limit that the URL exceeds.
    fn exceeded_by<B>(self, request: &Request<B>) -> Option<Refusal> {
        let exceeds =
            |text: &str, limit: &u32| u64::try_from(text.len()).is_ok_and(|n| n > u64::from(*limit));
        let uri = request.uri();
        if let Some(limit) = self.path.filter(|limit| exceeds(uri.path(), limit)) {
            return Some(Refusal::PathTooLong { limit });
        }
        let limit = self.query.filter(|limit| exceeds(uri.query().unwrap_or_default(), limit))?;
        Some(Refusal::QueryTooLong { limit })
    }
}

// === impl UrlLimitLayer ===

impl UrlLimitLayer {
    /// Refuses what exceeds these limits.
    pub fn new(limits: UrlLimits) -> Self {
        Self::by_path(ByPath::new(limits))
    }

    /// Refuses what exceeds the limits of its path.
    pub fn by_path(limits: ByPath<UrlLimits>) -> Self {
        Self { limits }
    }
}

impl<S> Layer<S> for UrlLimitLayer {
    type Service = UrlLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        UrlLimit { inner, limits: self.limits.clone() }
    }
}

// === impl UrlLimit ===

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for UrlLimit<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let kind = match self.limits.get(request.uri().path()).exceeded_by(&request) {
            None => Kind::Within { future: self.inner.call(request) },
            Some(refusal) => Kind::Refused { refusal: Some(refusal) },
        };
        ResponseFuture { kind }
    }
}

/// The answer, with what it is about in IIS's words.
fn explained<B: From<Bytes>>(refusal: &Refusal) -> Response<B> {
    let code = if matches!(refusal, Refusal::PathTooLong { .. }) { "404.14" } else { "404.15" };
    let mut response = refusal.clone().into_response_with(format!("{code}: {refusal}\n").into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

// === impl ResponseFuture ===

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Within { future } => future.poll(cx),
            KindProjection::Refused { refusal } => {
                let refusal = refusal.take().expect("polled after it was ready");
                Poll::Ready(Ok(explained(&refusal)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use tower::ServiceExt;

    use super::*;

    /// The status and the reason of the answer; `None` if the inner service was asked.
    async fn refusal(layer: &UrlLimitLayer, uri: &str) -> Option<(u16, Refusal, String)> {
        let (mock, mut inner) = tower_test::mock::pair::<Request<()>, Response<Full<Bytes>>>();
        let request = Request::builder().uri(uri).body(()).unwrap();
        let service = layer.layer(mock);
        let answer = async {
            let response = service.oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
            parts.extensions.get().cloned().map(|refusal| (parts.status.as_u16(), refusal, text))
        };
        let asked = async {
            if let Some((_, answer)) = inner.next_request().await {
                answer.send_response(Response::default());
            }
        };
        tokio::join!(answer, asked).0
    }

    #[tokio::test]
    async fn a_path_over_the_limit_is_404_14() {
        let layer = UrlLimitLayer::new(UrlLimits { path: Some(4), query: None });
        assert_eq!(refusal(&layer, "/abc?a=long+query").await, None);
        let (status, reason, text) = refusal(&layer, "/abcd").await.unwrap();
        assert_eq!((status, reason), (404, Refusal::PathTooLong { limit: 4 }));
        assert_eq!(text, "404.14: the path of the URL is longer than 4 bytes (maxUrl)\n");
    }

    #[tokio::test]
    async fn a_query_over_the_limit_is_404_15() {
        let layer = UrlLimitLayer::new(UrlLimits { path: None, query: Some(3) });
        for uri in ["/a/long/path", "/?", "/?abc", "http://example.com?abc"] {
            assert_eq!(refusal(&layer, uri).await, None, "{uri}");
        }
        let (status, reason, text) = refusal(&layer, "/?abcd").await.unwrap();
        assert_eq!((status, reason), (404, Refusal::QueryTooLong { limit: 3 }));
        assert_eq!(text, "404.15: the query of the URL is longer than 3 bytes (maxQueryString)\n");
    }

    #[tokio::test]
    async fn bytes_count_as_the_client_wrote_them() {
        let layer = UrlLimitLayer::new(UrlLimits { path: Some(4), query: Some(3) });
        assert_eq!(refusal(&layer, "/%41").await, None);
        assert!(refusal(&layer, "/%41b").await.is_some());
        assert!(refusal(&layer, "/?%41b").await.is_some());
    }

    #[tokio::test]
    async fn without_limits_everything_passes() {
        assert_eq!(refusal(&UrlLimitLayer::default(), &"/a?b".repeat(5_000)).await, None);
    }

    #[tokio::test]
    async fn a_path_may_have_limits_of_its_own() {
        let limits = |query| UrlLimits { path: None, query: Some(query) };
        let layer = UrlLimitLayer::by_path(ByPath::new(limits(3)).below("/search", limits(9)));
        assert_eq!(refusal(&layer, "/search?123456789").await, None);
        assert!(refusal(&layer, "/search?1234567890").await.is_some());
        assert!(refusal(&layer, "/other?1234").await.is_some());
    }
}
