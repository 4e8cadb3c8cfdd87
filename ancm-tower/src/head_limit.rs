//! Refuses request heads that the backend would refuse.
//!
//! Kestrel answers a head that is too large for it and closes the connection. What is refused here costs no
//! connection to the backend. Room is reserved for what inner layers add, so that they spoil no request that passed;
//! the client's certificate, whose size nobody knows before, counts with the head of each request.
//!
//! # Example
//!
//! ```
//! use ancm_tower::head_limit::{HeadLimitLayer, HeadLimits};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Kestrel's limits, less one line of 60 bytes that an inner layer adds.
//! let limits = HeadLimits::default().reserve(1, 60);
//! let service = ServiceBuilder::new().layer(HeadLimitLayer::new(limits)).service(service_fn(
//!     async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default())),
//! ));
//!
//! let long = Request::builder().uri("/".repeat(8_192)).body(()).unwrap();
//! assert_eq!(service.clone().oneshot(long).await.unwrap().status(), 414);
//!
//! let large = Request::builder().header("cookie", "x".repeat(32_768)).body(()).unwrap();
//! assert_eq!(service.oneshot(large).await.unwrap().status(), 431);
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    client_cert::ClientCertificate,
    contract::{header, limit},
    refusal::Refusal,
};

/// How large a request head may be, counted as it is written to the backend in HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Header lines.
    pub lines: usize,
    /// Bytes of all header lines, each as `name: value` with its line end.
    pub bytes: usize,
    /// Bytes of the request line with its line end, the target in origin form.
    pub request_line: usize,
}

/// Makes [`HeadLimit`] services.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadLimitLayer {
    limits: HeadLimits,
}

/// Answers 414 to a request line that is too long, 431 to headers that are too many or too long.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimit<S> {
    inner: S,
    limits: HeadLimits,
}

pin_project! {
    /// The future of [`HeadLimit`].
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

// === impl HeadLimits ===

impl HeadLimits {
    /// What is left when that many lines, of that many bytes together, are added further in.
    pub fn reserve(self, lines: usize, bytes: usize) -> Self {
        Self { lines: self.lines.saturating_sub(lines), bytes: self.bytes.saturating_sub(bytes), ..self }
    }

    /// The first limit that the head exceeds.
    fn exceeded_by<B>(&self, request: &Request<B>) -> Option<Refusal> {
        if request_line(request) > self.request_line {
            return Some(Refusal::TargetTooLong { limit: self.request_line });
        }
        let headers = request.headers();
        if headers.len() > self.lines {
            return Some(Refusal::HeadTooLarge { what: "lines", limit: self.lines });
        }
        let line =
            |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len() + ": \r\n".len();
        let bytes: usize = headers.iter().map(|(name, value)| line(name, value)).sum();
        let certificate = request.extensions().get::<ClientCertificate>();
        let added = certificate.map_or(0, |shown| line(&header::CLIENT_CERT, shown.header_value()));
        (bytes + added > self.bytes).then_some(Refusal::HeadTooLarge { what: "bytes", limit: self.bytes })
    }
}

impl Default for HeadLimits {
    /// Kestrel's limits.
    fn default() -> Self {
        Self { lines: limit::HEADER_LINES, bytes: limit::HEADER_BYTES, request_line: limit::REQUEST_LINE }
    }
}

/// Bytes of the request line: `GET /path?query HTTP/1.1` and its line end.
fn request_line<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    request.method().as_str().len() + target + "  HTTP/1.1\r\n".len()
}

// === impl HeadLimitLayer ===

impl HeadLimitLayer {
    /// Refuses what exceeds these limits.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits }
    }
}

impl<S> Layer<S> for HeadLimitLayer {
    type Service = HeadLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HeadLimit { inner, limits: self.limits }
    }
}

// === impl HeadLimit ===

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HeadLimit<S>
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
        let kind = match self.limits.exceeded_by(&request) {
            None => Kind::Within { future: self.inner.call(request) },
            Some(refusal) => Kind::Refused { refusal: Some(refusal) },
        };
        ResponseFuture { kind }
    }
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
                Poll::Ready(Ok(refusal.into_response()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use http_body_util::Full;
    use proptest::prelude::*;
    use tower_test::mock;

    /// The answer, if the inner service was not asked.
    async fn refusal(limits: HeadLimits, request: Request<()>) -> Option<(u16, Refusal)> {
        let layer = HeadLimitLayer::new(limits);
        let (mut service, mut inner) = mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(layer);
        inner.allow(1);
        tokio_test::assert_ready_ok!(service.poll_ready());
        let mut response = tokio_test::task::spawn(service.call(request));
        match response.poll() {
            Poll::Pending => {
                inner.next_request().await.unwrap();
                None
            }
            Poll::Ready(response) => {
                let response = response.unwrap();
                drop(service);
                assert!(inner.next_request().await.is_none(), "the inner service was asked");
                Some((response.status().as_u16(), response.extensions().get().cloned().unwrap()))
            }
        }
    }

    fn with_target(method: Method, length: usize) -> Request<()> {
        Request::builder().method(method).uri("/".repeat(length)).body(()).unwrap()
    }

    fn with_lines(lines: usize, value: &str) -> Request<()> {
        let mut request = Request::new(());
        for _ in 0..lines {
            request.headers_mut().append("x-a", HeaderValue::from_str(value).unwrap());
        }
        request
    }

    #[tokio::test]
    async fn counts_the_request_line_with_method_version_and_line_end() {
        let limits = HeadLimits::default();
        let frame = "GET  HTTP/1.1\r\n".len();
        assert_eq!(refusal(limits, with_target(Method::GET, 8_192 - frame)).await, None);
        let too_long = Some((414, Refusal::TargetTooLong { limit: 8_192 }));
        assert_eq!(refusal(limits, with_target(Method::GET, 8_193 - frame)).await, too_long);
        assert_eq!(refusal(limits, with_target(Method::POST, 8_192 - frame)).await, too_long);
    }

    #[tokio::test]
    async fn counts_an_absolute_target_in_origin_form() {
        let limits = HeadLimits { request_line: "GET /a?b HTTP/1.1\r\n".len(), ..HeadLimits::default() };
        let request = |uri: &str| Request::builder().uri(uri).body(()).unwrap();
        assert_eq!(refusal(limits, request("http://example.com:8080/a?b")).await, None);
        assert_eq!(refusal(limits, request("http://example.com")).await, None);
        assert_eq!(refusal(limits, request("http://example.com/a?bc")).await.unwrap().0, 414);
    }

    #[tokio::test]
    async fn counts_every_line_of_a_repeated_header() {
        let limits = HeadLimits::default();
        assert_eq!(refusal(limits, with_lines(100, "1")).await, None);
        let refused = refusal(limits, with_lines(101, "1")).await;
        assert_eq!(refused, Some((431, Refusal::HeadTooLarge { what: "lines", limit: 100 })));
    }

    #[tokio::test]
    async fn counts_bytes_with_colon_blank_and_line_end() {
        let limits = HeadLimits { bytes: 2 * "x-a: 12345\r\n".len(), ..HeadLimits::default() };
        assert_eq!(refusal(limits, with_lines(2, "12345")).await, None);
        let mut request = with_lines(2, "12345");
        request.headers_mut().insert("x-a", HeaderValue::from_static("123456"));
        request.headers_mut().append("x-a", HeaderValue::from_static("12345"));
        let refused = refusal(limits, request).await;
        assert_eq!(refused, Some((431, Refusal::HeadTooLarge { what: "bytes", limit: 24 })));
    }

    #[tokio::test]
    async fn counts_the_bytes_of_values_that_are_not_ascii() {
        let limits = HeadLimits { bytes: "x-a: ..\r\n".len(), ..HeadLimits::default() };
        let request = |value: &[u8]| Request::builder().header("x-a", value).body(()).unwrap();
        assert_eq!(refusal(limits, request(b"\xff\xfe")).await, None);
        assert_eq!(refusal(limits, request(b"\xff\xfe\xfd")).await.unwrap().0, 431);
    }

    #[tokio::test]
    async fn looks_at_the_request_line_first() {
        let limits = HeadLimits { lines: 0, bytes: 0, request_line: 0 };
        assert_eq!(refusal(limits, with_lines(1, "1")).await.unwrap().0, 414);
    }

    #[tokio::test]
    async fn counts_the_certificate_that_is_added_further_in() {
        let certificate = ClientCertificate::new(vec![0x30, 0x01, 0x00]);
        let bytes = "x-a: 1\r\nms-aspnetcore-clientcert: MAEA\r\n".len();
        let request = || {
            let mut request = with_lines(1, "1");
            request.extensions_mut().insert(certificate.clone());
            request
        };
        let limits = HeadLimits { bytes, ..HeadLimits::default() };
        assert_eq!(refusal(limits, request()).await, None);
        let limits = HeadLimits { bytes: bytes - 1, ..limits };
        assert_eq!(refusal(limits, request()).await.unwrap().0, 431);
    }

    #[tokio::test]
    async fn keeps_room_for_what_is_added_further_in() {
        let limits = HeadLimits::default().reserve(3, 200);
        assert_eq!(limits, HeadLimits { lines: 97, bytes: 32_568, request_line: 8_192 });
        assert_eq!(refusal(limits, with_lines(97, "1")).await, None);
        assert_eq!(refusal(limits, with_lines(98, "1")).await.unwrap().0, 431);
        assert_eq!(limits.reserve(1_000, 1_000_000).bytes, 0);
    }

    proptest! {
        /// The sizes that an HTTP/1.1 client writes are the sizes that are counted.
        #[test]
        fn counts_what_is_written(
            method in "[A-Z]{1,10}",
            target in "/[a-z0-9/?=&%]{0,60}",
            fields in proptest::collection::vec(("[a-z][a-z0-9-]{0,20}", "[!-~]{0,30}"), 0..20),
        ) {
            let mut request = Request::builder().method(&*method).uri(&target).body(()).unwrap();
            for (name, value) in &fields {
                let name = HeaderName::try_from(name).unwrap();
                request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
            }
            let request_line = format!("{method} {} HTTP/1.1\r\n", request.uri()).len();
            let bytes = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n").len()).sum();
            let exact = HeadLimits { lines: fields.len(), bytes, request_line };
            prop_assert_eq!(exact.exceeded_by(&request), None);

            let line = HeadLimits { request_line: request_line - 1, ..exact };
            prop_assert_eq!(line.exceeded_by(&request).unwrap().status(), 414);
            if !fields.is_empty() {
                let lines = HeadLimits { lines: fields.len() - 1, ..exact };
                prop_assert_eq!(lines.exceeded_by(&request).unwrap().status(), 431);
                let bytes = HeadLimits { bytes: bytes - 1, ..exact };
                prop_assert_eq!(bytes.exceeded_by(&request).unwrap().status(), 431);
            }
        }
    }
}
