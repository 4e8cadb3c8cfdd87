//! Puts what the frontend tells about a request into its extensions, as types.
//!
//! An application asks for a [`ClientCertificate`], never for a header and its encoding. The headers stay as they
//! are, for those who look for them.
//!
//! # Example
//!
//! ```
//! use ancm_backend::{ClientCertificate, facts::FactsLayer};
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = ServiceBuilder::new().layer(FactsLayer::new()).service_fn(|request: Request<()>| async move {
//!     let certificate = request.extensions().get::<ClientCertificate>().unwrap();
//!     Ok::<_, std::convert::Infallible>(Response::new(certificate.der().len()))
//! });
//!
//! // The smallest thing that looks like a certificate: an empty SEQUENCE.
//! let request = Request::builder().header("MS-ASPNETCORE-CLIENTCERT", "MAA=").body(()).unwrap();
//! assert_eq!(app.oneshot(request).await.unwrap().into_body(), 2);
//! # }
//! ```

use std::task::{Context, Poll};

use ancm_tower::{client_cert::ClientCertificate, contract::header, windows_auth::WindowsAuthToken};
use http::{HeaderMap, Request};
use hyper::upgrade::OnUpgrade;
use tower_layer::Layer;
use tower_service::Service;

/// Makes [`Facts`] services.
#[derive(Clone, Copy, Debug)]
pub struct FactsLayer {
    upgrades: bool,
    windows_auth: bool,
}

/// Puts a [`ClientCertificate`] and, where it means something, a [`WindowsAuthToken`] into the extensions.
///
/// Stands inside the layer that requires the token: this one believes everybody.
#[derive(Clone, Copy, Debug)]
pub struct Facts<S> {
    inner: S,
    layer: FactsLayer,
}

// === impl FactsLayer ===

impl FactsLayer {
    /// Certificates, and upgrades as they come.
    pub fn new() -> Self {
        Self { upgrades: true, windows_auth: false }
    }

    /// Whether the application may upgrade a connection; if not, it sees a request that cannot be upgraded.
    pub fn upgrades(self, allowed: bool) -> Self {
        Self { upgrades: allowed, ..self }
    }

    /// Whether to read the client's Windows identity, which is a handle of this process and of no use elsewhere.
    pub fn windows_auth(self, enabled: bool) -> Self {
        Self { windows_auth: enabled, ..self }
    }
}

impl Default for FactsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for FactsLayer {
    type Service = Facts<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Facts { inner, layer: *self }
    }
}

// === impl Facts ===

impl<S, ReqBody> Service<Request<ReqBody>> for Facts<S>
where
    S: Service<Request<ReqBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if let Some(certificate) = certificate(request.headers()) {
            request.extensions_mut().insert(certificate);
        }
        if self.layer.windows_auth
            && let Some(token) = WindowsAuthToken::from_headers(request.headers())
        {
            request.extensions_mut().insert(token);
        }
        // ANCM: IISMiddleware.cs removes its upgrade feature; hyper and axum look for this type.
        if !self.layer.upgrades {
            request.extensions_mut().remove::<OnUpgrade>();
        }
        self.inner.call(request)
    }
}

// ANCM: IISMiddleware.cs warns and goes on without a certificate.
fn certificate(headers: &HeaderMap) -> Option<ClientCertificate> {
    if headers.get(header::CLIENT_CERT)?.is_empty() {
        return None;
    }
    let certificate = ClientCertificate::from_headers(headers);
    if certificate.is_none() {
        tracing::warn!(
            "the client certificate that the frontend sent cannot be read: the request goes on without"
        );
    }
    certificate
}
