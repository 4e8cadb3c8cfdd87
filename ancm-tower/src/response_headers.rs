//! Adds headers to every answer, and takes some away.
//!
//! `customHeaders` of a `web.config` is where sites set their security headers, and IIS puts them on whatever it sends:
//! error pages too. So this layer stands outside of all that answer. A header that the application sets itself stays, and
//! the configured one is appended to it, as IIS does.
//!
//! # Example
//!
//! ```
//! use ancm_tower::response_headers::{HeaderChanges, ResponseHeadersLayer};
//! use http::{HeaderName, HeaderValue, Request, Response, header};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let changes = HeaderChanges::new()
//!     .remove(header::SERVER)
//!     .add(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
//! let service = ResponseHeadersLayer::new(changes).layer(service_fn(async |_: Request<()>| {
//!     Response::builder().header("server", "Kestrel").body(())
//! }));
//!
//! let response = service.oneshot(Request::new(())).await.unwrap();
//! assert_eq!(response.headers()["x-frame-options"], "DENY");
//! assert!(!response.headers().contains_key("server"));
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tokio::sync::watch;
use tower_layer::Layer;
use tower_service::Service;

use crate::by_path::ByPath;

/// What becomes of the headers of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    removed: Vec<HeaderName>,
    added: Vec<(HeaderName, HeaderValue)>,
}

/// Makes [`ResponseHeaders`] services.
#[derive(Clone, Debug)]
pub struct ResponseHeadersLayer {
    source: Source,
}

/// Changes the headers of every answer.
#[derive(Clone, Debug)]
pub struct ResponseHeaders<S> {
    inner: S,
    changes: Chosen,
    updates: Option<watch::Receiver<ByPath<HeaderChanges>>>,
}

/// Nothing where nothing is to be done, so that an answer costs nothing there.
type Chosen = Option<ByPath<Option<Arc<HeaderChanges>>>>;

#[derive(Clone, Debug)]
enum Source {
    Fixed(ByPath<HeaderChanges>),
    Watched(watch::Receiver<ByPath<HeaderChanges>>),
}

pin_project! {
    /// The future of [`ResponseHeaders`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        changes: Option<Arc<HeaderChanges>>,
    }
}

// === impl HeaderChanges ===

impl HeaderChanges {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all values of a header away; what is added of the same name stays.
    pub fn remove(mut self, name: HeaderName) -> Self {
        self.removed.push(name);
        self
    }

    /// Adds a value to those that a header has.
    pub fn add(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.added.push((name, value));
        self
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.removed {
            headers.remove(name);
        }
        for (name, value) in &self.added {
            // Fails only for an answer with more headers than any client reads.
            let _ = headers.try_append(name, value.clone());
        }
    }

    /// A copy that shares no memory with this one: clones of a header count references, which cores must not share.
    fn copied(&self) -> Self {
        let name = |name: &HeaderName| HeaderName::from_bytes(name.as_ref()).unwrap_or_else(|_| name.clone());
        let value =
            |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        Self {
            removed: self.removed.iter().map(name).collect(),
            added: self.added.iter().map(|(n, v)| (name(n), value(v))).collect(),
        }
    }
}

fn chosen(changes: &ByPath<HeaderChanges>) -> Chosen {
    if changes.values().all(HeaderChanges::is_empty) {
        return None;
    }
    Some(changes.map(|changes| (!changes.is_empty()).then(|| Arc::new(changes.copied()))))
}

// === impl ResponseHeadersLayer ===

impl ResponseHeadersLayer {
    /// The same changes for every answer.
    pub fn new(changes: HeaderChanges) -> Self {
        Self::by_path(ByPath::new(changes))
    }

    /// Changes that depend on the path of the request.
    pub fn by_path(changes: ByPath<HeaderChanges>) -> Self {
        Self { source: Source::Fixed(changes) }
    }

    /// Those that the channel holds when a request comes; when the sender is dropped, those that it set last.
    pub fn follow(changes: watch::Receiver<ByPath<HeaderChanges>>) -> Self {
        Self { source: Source::Watched(changes) }
    }
}

/// No changes.
impl Default for ResponseHeadersLayer {
    fn default() -> Self {
        Self::new(HeaderChanges::new())
    }
}

impl<S> Layer<S> for ResponseHeadersLayer {
    type Service = ResponseHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        match &self.source {
            Source::Fixed(changes) => ResponseHeaders { inner, changes: chosen(changes), updates: None },
            Source::Watched(updates) => {
                let mut updates = updates.clone();
                let changes = chosen(&updates.borrow_and_update());
                ResponseHeaders { inner, changes, updates: Some(updates) }
            }
        }
    }
}

// === impl ResponseHeaders ===

impl<S> ResponseHeaders<S> {
    /// Costs one atomic load while nothing has changed.
    fn refresh(&mut self) {
        let Some(updates) = &mut self.updates else { return };
        match updates.has_changed() {
            Ok(false) => {}
            Ok(true) => self.changes = chosen(&updates.borrow_and_update()),
            Err(_) => {
                self.changes = chosen(&updates.borrow_and_update());
                self.updates = None;
            }
        }
    }
}

impl<S, B, ResBody> Service<Request<B>> for ResponseHeaders<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.refresh();
        let changes = self.changes.as_ref().and_then(|changes| changes.get(request.uri().path()).clone());
        ResponseFuture { inner: self.inner.call(request), changes }
    }
}

// === impl ResponseFuture ===

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = this.inner.poll(cx);
        let Poll::Ready(result) = &mut answer else { return Poll::Pending };
        if let (Ok(response), Some(changes)) = (result, this.changes) {
            changes.apply(response.headers_mut());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::header::SERVER;
    use http_body_util::Full;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;
    use crate::app_offline::{AppOfflineLayer, Page};

    const FRAME: HeaderName = HeaderName::from_static("x-frame-options");

    fn add(name: &'static str, value: &'static str) -> HeaderChanges {
        HeaderChanges::new().add(HeaderName::from_static(name), HeaderValue::from_static(value))
    }

    async fn app(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
        let response = Response::builder().header(SERVER, "Kestrel").header(FRAME, "SAMEORIGIN");
        Ok(response.body(Full::default()).unwrap())
    }

    /// `name: value` of each header line of the answer.
    async fn answered<S>(service: &mut S, path: &str) -> Vec<String>
    where
        S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
    {
        let request = Request::builder().uri(path).body(()).unwrap();
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        let lines = response.headers().iter();
        let mut lines: Vec<_> =
            lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn joins_the_applications_own_header_and_replaces_none() {
        let mut service = ResponseHeadersLayer::new(add("x-frame-options", "DENY")).layer(service_fn(app));
        let lines = answered(&mut service, "/").await;
        assert_eq!(lines, ["server: Kestrel", "x-frame-options: DENY", "x-frame-options: SAMEORIGIN"]);
    }

    #[tokio::test]
    async fn takes_away_before_it_adds() {
        let changes = add("server", "mine").remove(SERVER).remove(FRAME);
        let mut service = ResponseHeadersLayer::new(changes).layer(service_fn(app));
        assert_eq!(answered(&mut service, "/").await, ["server: mine"]);
    }

    #[tokio::test]
    async fn answers_of_other_layers_get_them_too() {
        let (_sender, pages) = watch::channel(Some(Page::new("<h1>Back soon</h1>")));
        let mut service = ServiceBuilder::new()
            .layer(ResponseHeadersLayer::new(add("x-a", "1")))
            .layer(AppOfflineLayer::new(pages))
            .service(service_fn(app));
        assert!(answered(&mut service, "/").await.contains(&"x-a: 1".to_owned()));
    }

    #[tokio::test]
    async fn a_path_may_have_changes_of_its_own_or_none() {
        let changes =
            ByPath::new(add("x-a", "1")).below("/api", add("x-a", "2")).below("/raw", HeaderChanges::new());
        let mut service = ResponseHeadersLayer::by_path(changes).layer(service_fn(app));
        for (path, expected) in [("/", Some("x-a: 1")), ("/api/x", Some("x-a: 2")), ("/raw", None)] {
            let lines = answered(&mut service, path).await;
            assert_eq!(lines.iter().find(|line| line.starts_with("x-a")).map(String::as_str), expected);
        }
    }

    #[tokio::test]
    async fn follows_every_change_and_keeps_the_last() {
        let (sender, changes) = watch::channel(ByPath::default());
        let mut service = ResponseHeadersLayer::follow(changes).layer(service_fn(app));
        assert_eq!(answered(&mut service, "/").await.len(), 2);
        sender.send_replace(ByPath::new(add("x-a", "1")));
        assert_eq!(answered(&mut service, "/").await.len(), 3);
        sender.send_replace(ByPath::new(add("x-a", "1").remove(SERVER).remove(FRAME)));
        drop(sender);
        for _ in 0..2 {
            assert_eq!(answered(&mut service, "/").await, ["x-a: 1"]);
        }
    }

    #[test]
    fn holds_nothing_where_there_is_nothing_to_do() {
        let service = ResponseHeadersLayer::default().layer(());
        assert!(service.changes.is_none() && service.updates.is_none());
        assert_eq!(chosen(&ByPath::new(HeaderChanges::new()).below("/a", HeaderChanges::new())), None);
    }
}
