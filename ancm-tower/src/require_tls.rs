//! Refuses plain HTTP, and clients without a certificate, where a site asks for better.
//!
//! `sslFlags` of a `web.config` is a promise that nobody gets in otherwise. Who the client is says the server, by the
//! [`Client`] and the [`ClientCertificate`] in a request's extensions; a header of the client is not believed.
//!
//! # Example
//!
//! ```
//! use ancm_tower::{client::{Client, Scheme}, require_tls::{RequireTlsLayer, TlsDemands}};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = RequireTlsLayer::new(TlsDemands { tls: true, certificate: false }).layer(service_fn(
//!     async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default())),
//! ));
//! let request = |scheme| {
//!     let client = Client::new("192.0.2.7:50123".parse().unwrap(), scheme);
//!     Request::builder().extension(client).body(()).unwrap()
//! };
//! assert_eq!(service.clone().oneshot(request(Scheme::Http)).await.unwrap().status(), 403);
//! assert_eq!(service.oneshot(request(Scheme::Https)).await.unwrap().status(), 200);
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    by_path::ByPath,
    client::{Client, Scheme},
    client_cert::ClientCertificate,
    refusal::Refusal,
};

/// What a connection must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsDemands {
    /// It is encrypted.
    pub tls: bool,
    /// The client has shown a certificate on it.
    pub certificate: bool,
}

/// Makes [`RequireTls`] services.
#[derive(Clone, Debug, Default)]
pub struct RequireTlsLayer {
    demands: ByPath<TlsDemands>,
}

/// Answers 403 to a request whose connection lacks what is demanded.
#[derive(Clone, Debug)]
pub struct RequireTls<S> {
    inner: S,
    demands: ByPath<TlsDemands>,
}

pin_project! {
    /// The future of [`RequireTls`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        Admitted { #[pin] future: F },
        Refused { refusal: Option<Refusal> },
    }
}

// === impl TlsDemands ===

impl TlsDemands {
    /// Whether nothing is demanded.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// What of it the connection of a request lacks.
    // IIS: plain http is told before the certificate that it cannot have.
    fn lacking<B>(self, request: &Request<B>) -> Option<Refusal> {
        if self.is_empty() {
            return None;
        }
        let extensions = request.extensions();
        let is_tls = extensions.get::<Client>().is_some_and(|client| client.scheme() == Scheme::Https);
        if self.tls && !is_tls {
            return Some(Refusal::TlsRequired);
        }
        let shown = is_tls && extensions.get::<ClientCertificate>().is_some();
        (self.certificate && !shown).then_some(Refusal::ClientCertificateRequired)
    }
}

// === impl RequireTlsLayer ===

impl RequireTlsLayer {
    /// Demands this everywhere.
    pub fn new(demands: TlsDemands) -> Self {
        Self::by_path(ByPath::new(demands))
    }

    /// Demands what the path of a request says.
    pub fn by_path(demands: ByPath<TlsDemands>) -> Self {
        Self { demands }
    }
}

impl<S> Layer<S> for RequireTlsLayer {
    type Service = RequireTls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireTls { inner, demands: self.demands.clone() }
    }
}

// === impl RequireTls ===

impl<S, B, ResBody> Service<Request<B>> for RequireTls<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let kind = match self.demands.get(request.uri().path()).lacking(&request) {
            None => Kind::Admitted { future: self.inner.call(request) },
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
            KindProjection::Admitted { future } => future.poll(cx),
            KindProjection::Refused { refusal } => {
                let refusal = refusal.take().expect("polled after it was ready");
                Poll::Ready(Ok(refusal.into_response()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tower::ServiceExt;

    use super::*;

    const TLS: TlsDemands = TlsDemands { tls: true, certificate: false };
    const CERTIFICATE: TlsDemands = TlsDemands { tls: false, certificate: true };
    const BOTH: TlsDemands = TlsDemands { tls: true, certificate: true };

    fn request(scheme: Option<Scheme>, certificate: bool) -> Request<()> {
        let mut request = Request::builder().uri("/admin/x").body(()).unwrap();
        if let Some(scheme) = scheme {
            request.extensions_mut().insert(Client::new("192.0.2.7:5".parse().unwrap(), scheme));
        }
        if certificate {
            request.extensions_mut().insert(ClientCertificate::new(vec![0x30]));
        }
        request
    }

    /// Why it was refused; `None` if the inner service was asked.
    async fn refusal(layer: RequireTlsLayer, request: Request<()>) -> Option<Refusal> {
        let (mock, mut inner) = tower_test::mock::pair::<Request<()>, Response<Full<Bytes>>>();
        let answer = async {
            let response = layer.layer(mock).oneshot(request).await.unwrap();
            let refusal = response.extensions().get::<Refusal>().cloned();
            assert_eq!(response.status(), if refusal.is_some() { 403 } else { 200 });
            refusal
        };
        let asked = async {
            if let Some((_, answer)) = inner.next_request().await {
                answer.send_response(Response::default());
            }
        };
        tokio::join!(answer, asked).0
    }

    #[tokio::test]
    async fn what_a_connection_lacks_is_told() {
        let none = TlsDemands::default();
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        let (tls, certificate) = (Some(Refusal::TlsRequired), Some(Refusal::ClientCertificateRequired));
        for (demands, scheme, shown, expected) in [
            (none, http, false, None),
            (none, None, false, None),
            (TLS, https, false, None),
            (TLS, http, false, tls.clone()),
            (TLS, None, false, tls.clone()),
            (CERTIFICATE, https, true, None),
            (CERTIFICATE, https, false, certificate.clone()),
            (CERTIFICATE, http, false, certificate.clone()),
            (CERTIFICATE, http, true, certificate.clone()),
            (BOTH, https, true, None),
            (BOTH, https, false, certificate),
            (BOTH, http, true, tls),
        ] {
            let refused = refusal(RequireTlsLayer::new(demands), request(scheme, shown)).await;
            assert_eq!(refused, expected, "{demands:?} {scheme:?} {shown}");
        }
    }

    #[tokio::test]
    async fn a_path_may_demand_more_or_less() {
        let plain = || request(Some(Scheme::Http), false);
        let more = RequireTlsLayer::by_path(ByPath::new(TlsDemands::default()).below("/ADMIN", TLS));
        assert_eq!(refusal(more, plain()).await, Some(Refusal::TlsRequired));
        let less = RequireTlsLayer::by_path(ByPath::new(TLS).below("/admin", TlsDemands::default()));
        assert_eq!(refusal(less, plain()).await, None);
    }

    #[tokio::test]
    async fn without_demands_everybody_passes() {
        assert_eq!(refusal(RequireTlsLayer::default(), request(None, false)).await, None);
    }
}
