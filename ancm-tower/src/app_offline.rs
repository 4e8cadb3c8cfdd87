//! Answers 503 with a page while the application is offline.
//!
//! Whoever deploys an application drops `app_offline.htm` into its folder; visitors see that file until it is gone.
//! This layer knows no files: it follows a [`watch`] channel that holds the page, or nothing.
//!
//! # Example
//!
//! ```
//! use ancm_tower::app_offline::{AppOfflineLayer, Page};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use tokio::sync::watch;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default())));
//! let (page, pages) = watch::channel(None);
//! let mut app = AppOfflineLayer::new(pages).layer(app);
//!
//! page.send_replace(Some(Page::new("<h1>Back soon</h1>")));
//! let response = app.clone().oneshot(Request::new(())).await.unwrap();
//! assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "<h1>Back soon</h1>");
//!
//! page.send_replace(None);
//! let response = app.oneshot(Request::new(())).await.unwrap();
//! assert_eq!(response.status(), StatusCode::OK);
//! # }
//! ```

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tokio::sync::watch;
use tower_layer::Layer;
use tower_service::Service;

use crate::refusal::Refusal;

/// What visitors see while the application is offline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    body: Bytes,
    retry_after: HeaderValue,
}

/// Layer that answers in the application's place while it is offline.
#[derive(Clone, Debug)]
pub struct AppOfflineLayer {
    pages: watch::Receiver<Option<Page>>,
}

/// Answers in the application's place while it is offline.
#[derive(Clone, Debug)]
pub struct AppOffline<S> {
    inner: S,
    pages: watch::Receiver<Option<Page>>,
    /// What `pages` held when last looked at, so that a request costs one atomic load and no lock.
    page: Option<Page>,
    closed: bool,
}

pin_project! {
    /// Response future of [`AppOffline`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProj]
    enum Kind<F> {
        Online { #[pin] future: F },
        Offline { page: Page },
    }
}

// === impl Page ===

impl Page {
    /// A page of these bytes, sent as they are; visitors are asked to come again after 10 s.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), retry_after: HeaderValue::from_static("10") }
    }

    /// Sets when visitors are asked to come again: whole seconds, rounded up.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.retry_after = HeaderValue::from(seconds);
        self
    }

    pub(crate) fn to_response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = Refusal::Offline.into_response_with(self.body.clone());
        let headers = response.headers_mut();
        // ANCM: AppOfflineHandler.cpp names no charset either: the file's own meta element decides.
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        // ANCM sends neither of these; without them caches keep the page, and robots give up.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::RETRY_AFTER, self.retry_after.clone());
        response
    }
}

// === impl AppOfflineLayer ===

impl AppOfflineLayer {
    /// A layer that answers with the page that `pages` holds, and lets requests pass when it holds none.
    ///
    /// When the sender is dropped, what it set last stays in force.
    pub fn new(pages: watch::Receiver<Option<Page>>) -> Self {
        Self { pages }
    }
}

impl<S> Layer<S> for AppOfflineLayer {
    type Service = AppOffline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let mut pages = self.pages.clone();
        let page = pages.borrow_and_update().clone();
        AppOffline { inner, pages, page, closed: false }
    }
}

// === impl AppOffline ===

impl<S> AppOffline<S> {
    fn refresh(&mut self) {
        match self.pages.has_changed() {
            Ok(false) => return,
            Ok(true) => {}
            // The sender is gone: its last word is read once more, as it may not have been seen.
            Err(_) if self.closed => return,
            Err(_) => self.closed = true,
        }
        self.page.clone_from(&self.pages.borrow_and_update());
    }
}

impl<S, B, ResBody> Service<Request<B>> for AppOffline<S>
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
        self.refresh();
        let kind = match &self.page {
            None => Kind::Online { future: self.inner.call(request) },
            Some(page) => Kind::Offline { page: page.clone() },
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().kind.project() {
            KindProj::Online { future } => future.poll(cx),
            KindProj::Offline { page } => Poll::Ready(Ok(page.to_response())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Method, StatusCode};
    use http_body_util::{BodyExt, Full};
    use tower::{ServiceExt, service_fn};

    use super::*;

    fn stack(
        pages: &watch::Receiver<Option<Page>>,
    ) -> AppOffline<
        impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone,
    > {
        let app = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Full::from("app"))));
        AppOfflineLayer::new(pages.clone()).layer(app)
    }

    #[tokio::test]
    async fn answers_every_method_with_the_bytes_of_the_file() {
        let bytes = Bytes::from_static(b"\xef\xbb\xbf<p>\xff</p>");
        let (_sender, pages) = watch::channel(Some(Page::new(bytes.clone())));
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
            let request = Request::builder().method(method).body(()).unwrap();
            let response = stack(&pages).oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()["content-type"], "text/html");
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(response.headers()["retry-after"], "10");
            assert_eq!(response.headers()["proxy-status"], "ancm; error=destination_unavailable");
            assert_eq!(response.extensions().get(), Some(&Refusal::Offline));
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), bytes);
        }
    }

    #[tokio::test]
    async fn never_calls_the_application_while_it_is_offline() {
        let (mock, mut handle) = tower_test::mock::pair::<Request<()>, Response<Full<Bytes>>>();
        handle.allow(1);
        let (_sender, pages) = watch::channel(Some(Page::new("")));
        let response = AppOfflineLayer::new(pages).layer(mock).oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(handle.next_request().await.is_none(), "the service is gone, and no request came before");
    }

    #[tokio::test]
    async fn follows_every_change_of_the_page() {
        let (sender, pages) = watch::channel(None);
        let mut stack = stack(&pages);
        for (page, body) in [(None, "app"), (Some("a"), "a"), (Some("b"), "b"), (None, "app"), (Some(""), "")]
        {
            sender.send_replace(page.map(Page::new));
            let response = stack.ready().await.unwrap().call(Request::new(())).await.unwrap();
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
        }
    }

    #[tokio::test]
    async fn keeps_the_last_word_of_a_sender_that_is_gone() {
        let (sender, pages) = watch::channel(None);
        let mut stack = stack(&pages);
        sender.send_replace(Some(Page::new("last")));
        drop(sender);
        for _ in 0..2 {
            let response = stack.ready().await.unwrap().call(Request::new(())).await.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[test]
    fn rounds_the_time_to_come_again_up() {
        let value = |wait| Page::new("").retry_after(wait).retry_after;
        assert_eq!(value(Duration::from_millis(1_001)), "2");
        assert_eq!(value(Duration::ZERO), "0");
        assert_eq!(value(Duration::MAX), u64::MAX.to_string());
    }
}
