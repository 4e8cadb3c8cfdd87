//! Takes the path base off a request's path and tells the application what it was.
//!
//! A site can hold an application below a path such as `/shop`. The frontend forwards the whole path; the
//! application routes on what is behind the base, and writes links with the base in front.
//!
//! # Example
//!
//! ```
//! use ancm_backend::path_base::{PathBase, PathBaseLayer};
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = ServiceBuilder::new().layer(PathBaseLayer::new("/shop")).service_fn(|request: Request<()>| async move {
//!     assert_eq!(request.uri(), "/cart?id=1");
//!     let base = request.extensions().get::<PathBase>().unwrap();
//!     Ok::<_, std::convert::Infallible>(Response::new(format!("{base}/checkout")))
//! });
//!
//! // In any case, and it keeps the one that the client wrote.
//! let response = app.oneshot(Request::get("/Shop/cart?id=1").body(()).unwrap()).await.unwrap();
//! assert_eq!(response.body(), "/Shop/checkout");
//! # }
//! ```

use ancm_tower::written_path::without_dots;
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{BufMut, BytesMut};
use http::{Request, Uri, uri::PathAndQuery};
use tower_layer::Layer;
use tower_service::Service;

pub(crate) mod target;

/// What stood in front of the path that the application sees, without a slash at its end; empty if nothing.
///
/// In every request's extensions. It is written as the client wrote it, escapes included, so that it can stand in
/// front of a link as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PathBase(Option<Arc<str>>);

/// Makes [`StripPathBase`] services.
#[derive(Clone, Debug)]
pub struct PathBaseLayer {
    base: Option<Arc<str>>,
}

/// Takes the path base off each request that has it; another request passes as it is.
#[derive(Clone, Debug)]
pub struct StripPathBase<S> {
    inner: S,
    base: Option<Arc<str>>,
}

// === impl PathBase ===

impl PathBase {
    /// `/shop`, or nothing.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    fn and(self, inner: Option<Self>) -> Self {
        match (self.0, inner) {
            (outer, None) => Self(outer),
            (None, Some(inner)) => inner,
            (Some(outer), Some(inner)) => Self(Some(format!("{outer}{inner}").into())),
        }
    }
}

impl fmt::Display for PathBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl PathBaseLayer ===

impl PathBaseLayer {
    /// Strips `base`, which is taken literally (`/a b`, not `/a%20b`); `/` and nothing strip nothing.
    ///
    /// It is compared with the decoded path, ignoring case, up to the end of a segment.
    pub fn new(base: &str) -> Self {
        // ANCM: UsePathBaseExtensions.cs
        let base = base.trim_end_matches('/');
        Self { base: (!base.is_empty()).then(|| base.into()) }
    }
}

impl<S> Layer<S> for PathBaseLayer {
    type Service = StripPathBase<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StripPathBase { inner, base: self.base.clone() }
    }
}

// === impl StripPathBase ===

impl<S> StripPathBase<S> {
    fn strip(&self, uri: &mut Uri) -> Option<PathBase> {
        let base = self.base.as_ref()?;
        let path = without_dots(uri.path());
        let rest = target::after_base(&path, base)?;
        let found = &path[..path.len() - rest.len()];
        // Almost every client writes the base as it is configured: that needs no allocation.
        let found = if **base == *found { Arc::clone(base) } else { found.into() };
        let stripped = with_path(uri, rest)?;
        *uri = stripped;
        Some(PathBase(Some(found)))
    }
}

impl<S, ReqBody> Service<Request<ReqBody>> for StripPathBase<S>
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
        // Always there, so that an application may ask for it without a special case.
        let found = self.strip(request.uri_mut());
        // ANCM: UsePathBaseMiddleware.cs appends, too, to what has been taken off before.
        let outer = request.extensions_mut().remove::<PathBase>().unwrap_or_default();
        request.extensions_mut().insert(outer.and(found));
        self.inner.call(request)
    }
}

/// The same target with another path; its query stays.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path = if path.is_empty() { "/" } else { path };
    let query = uri.query();
    let mut text = BytesMut::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
    text.put_slice(path.as_bytes());
    if let Some(query) = query {
        text.put_u8(b'?');
        text.put_slice(query.as_bytes());
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(text.freeze()).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the application sees: the target, and what was in front of it.
    fn seen(base: &str, uri: &str) -> (String, String) {
        let strip = PathBaseLayer::new(base).layer(());
        let mut uri = uri.parse().unwrap();
        let base = strip.strip(&mut uri).unwrap_or_default();
        (uri.to_string(), base.to_string())
    }

    fn pair(uri: &str, base: &str) -> (String, String) {
        (uri.to_owned(), base.to_owned())
    }

    #[test]
    fn keeps_the_clients_writing_and_the_query() {
        assert_eq!(seen("/pathbase", "/PathBase/Path?q=%2F"), pair("/Path?q=%2F", "/PathBase"));
        assert_eq!(seen("/app", "/%61pp/x%20y"), pair("/x%20y", "/%61pp"));
    }

    #[test]
    fn leaves_the_root_when_nothing_follows() {
        assert_eq!(seen("/app", "/app"), pair("/", "/app"));
        assert_eq!(seen("/app", "/app?q"), pair("/?q", "/app"));
    }

    #[test]
    fn passes_what_does_not_match_as_it_is() {
        for uri in ["/apple/./x", "/other", "*", "/app%2Fx", "//app/x", "/app/../x"] {
            assert_eq!(seen("/app", uri), pair(uri, ""), "{uri}");
        }
    }

    #[test]
    fn strips_nothing_for_the_root() {
        for base in ["/", "//", ""] {
            assert_eq!(seen(base, "/x"), pair("/x", ""), "{base}");
        }
    }

    #[tokio::test]
    async fn a_base_inside_of_a_base_is_appended_to_it() {
        use tower::{ServiceBuilder, ServiceExt};

        let app = ServiceBuilder::new()
            .layer(PathBaseLayer::new("/app"))
            .layer(PathBaseLayer::new("/area"))
            .service_fn(async |request: Request<()>| {
                let base = request.extensions().get::<PathBase>().unwrap().to_string();
                Ok::<_, std::convert::Infallible>((request.uri().to_string(), base))
            });
        for (uri, path, base) in
            [("/app/area/x", "/x", "/app/area"), ("/app/x", "/x", "/app"), ("/area/x", "/x", "/area")]
        {
            let request = Request::builder().uri(uri).body(()).unwrap();
            assert_eq!(app.clone().oneshot(request).await.unwrap(), pair(path, base), "{uri}");
        }
    }

    #[test]
    fn takes_the_base_without_slashes_at_its_end() {
        for base in ["/app/", "/app//"] {
            assert_eq!(seen(base, "/app/x"), pair("/x", "/app"), "{base}");
        }
    }

    #[test]
    fn resolves_dot_segments_before_it_looks() {
        assert_eq!(seen("/app", "/other/../app/x?q"), pair("/x?q", "/app"));
        assert_eq!(seen("/app", "/app/%2e%2e/app/y"), pair("/y", "/app"));
    }

    #[test]
    fn keeps_scheme_and_host_of_an_absolute_target() {
        assert_eq!(seen("/app", "http://host/app/x"), pair("http://host/x", "/app"));
    }
}
