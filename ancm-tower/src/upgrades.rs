//! Keeps clients from switching protocols.
//!
//! `<webSocket enabled="false">` in a `web.config` says that WebSockets are not served. The application is then asked as
//! if the client had not offered one, so that it can answer otherwise, as many libraries can.
//!
//! # Example
//!
//! ```
//! use ancm_tower::upgrades::UpgradesLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = UpgradesLayer::new(false).layer(service_fn(async |request: Request<()>| {
//!     assert!(!request.headers().contains_key("upgrade"));
//!     Ok::<_, std::convert::Infallible>(Response::new(()))
//! }));
//! let request = Request::builder().header("connection", "upgrade").header("upgrade", "websocket");
//! service.oneshot(request.body(()).unwrap()).await.unwrap();
//! # }
//! ```

use std::task::{Context, Poll};

use http::{Request, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::by_path::ByPath;

/// Makes [`Upgrades`] services.
#[derive(Clone, Debug)]
pub struct UpgradesLayer {
    allowed: ByPath<bool>,
}

/// Removes `Upgrade` from requests, unless upgrades are allowed.
///
/// What `Connection` says of it belongs to the connection and goes with it.
#[derive(Clone, Debug)]
pub struct Upgrades<S> {
    inner: S,
    allowed: ByPath<bool>,
}

// === impl UpgradesLayer ===

impl UpgradesLayer {
    /// Lets upgrades pass, or not.
    pub fn new(allowed: bool) -> Self {
        Self::by_path(ByPath::new(allowed))
    }

    /// Lets upgrades pass where they are allowed.
    pub fn by_path(allowed: ByPath<bool>) -> Self {
        Self { allowed }
    }
}

impl<S> Layer<S> for UpgradesLayer {
    type Service = Upgrades<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Upgrades { inner, allowed: self.allowed.clone() }
    }
}

// === impl Upgrades ===

impl<S, B> Service<Request<B>> for Upgrades<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if !self.allowed.get(request.uri().path()) {
            request.headers_mut().remove(header::UPGRADE);
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{ServiceExt, service_fn};

    use super::*;

    async fn seen(layer: &UpgradesLayer, path: &str) -> usize {
        let inner = service_fn(async |request: Request<()>| {
            Ok::<_, Infallible>(request.headers().get_all(header::UPGRADE).iter().count())
        });
        let request = Request::builder().uri(path).header("upgrade", "websocket").header("upgrade", "x");
        layer.layer(inner).oneshot(request.body(()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn an_upgrade_passes_only_where_it_is_allowed() {
        assert_eq!(seen(&UpgradesLayer::new(true), "/").await, 2);
        assert_eq!(seen(&UpgradesLayer::new(false), "/").await, 0);
    }

    #[tokio::test]
    async fn a_path_may_differ() {
        let layer = UpgradesLayer::by_path(ByPath::new(true).below("/api", false).below("/api/live", true));
        assert_eq!(seen(&layer, "/x").await, 2);
        assert_eq!(seen(&layer, "/API/x").await, 0);
        assert_eq!(seen(&layer, "/api/live").await, 2);
    }
}
