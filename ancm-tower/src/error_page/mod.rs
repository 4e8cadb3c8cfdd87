//! Explains refusals: as a page to people, as problem details to programs.
//!
//! The other layers refuse with a status and a typed [`Refusal`]; what is said about it is decided here, in one place.
//! Nothing but refusals is touched, so an application's own errors pass as they are, and so does what has no page under
//! IIS either:
//!
//! | refusal | answer |
//! |---|---|
//! | [`Offline`](Refusal::Offline) | the site's own file, whatever the client prefers |
//! | [`StartFailed`](Refusal::StartFailed), [`Misconfigured`](Refusal::Misconfigured) | the page of 502.5, of 500.0; nothing where it is switched off |
//! | [`Stopping`](Refusal::Stopping), [`BadRequest`](Refusal::BadRequest), [`MethodNotAllowed`](Refusal::MethodNotAllowed) | nothing |
//! | all others | a page with IIS's number: 502.3, 404.14, 403.4 … |
//!
//! A client whose `Accept` prefers JSON to HTML gets `application/problem+json` (RFC 9457); `*/*`, or no `Accept` at all,
//! is HTML, as ANCM has it. What only developers should see is shown if [`Explanations::details`] says so.
//!
//! # Example
//!
//! ```
//! use ancm_tower::{error_page::ErrorPageLayer, url_limit::{UrlLimitLayer, UrlLimits}};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(ErrorPageLayer::default())
//!     .layer(UrlLimitLayer::new(UrlLimits { path: Some(5), query: None }))
//!     .service(service_fn(async |_: Request<()>| {
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//! let request = Request::builder().uri("/too/long").header("accept", "application/json");
//! let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), 404);
//! assert_eq!(response.headers()["content-type"], "application/problem+json");
//! let body = response.into_body().collect().await.unwrap().to_bytes();
//! assert!(body.starts_with(br#"{"type":"urn:problem-type:ancm:404.14","#));
//! # }
//! ```

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tokio::sync::watch;
use tower_layer::Layer;
use tower_service::Service;

use crate::{refusal::Refusal, startup_error::Failed};

mod accept;
mod content;
mod html;
mod json;

pub(crate) use content::{ADVICE_FOR_DETAILS, Content};
pub(crate) use html::render as page;

/// How much is said about refusals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanations {
    /// Whether what happened is told in full: to whoever asks.
    pub details: bool,
    /// A link at the foot of each page; what is neither `http:` nor `https:` is shown as text.
    pub link: Option<String>,
}

/// Layer that explains refusals.
#[derive(Clone, Debug)]
pub struct ErrorPageLayer {
    source: Source,
}

/// Explains refusals.
#[derive(Clone, Debug)]
pub struct ErrorPage<S> {
    inner: S,
    /// Nothing where nothing is added to what everybody may know, so that a request costs nothing there.
    explanations: Option<Arc<Explanations>>,
    updates: Option<watch::Receiver<Explanations>>,
}

#[derive(Clone, Debug)]
enum Source {
    Fixed(Explanations),
    Watched(watch::Receiver<Explanations>),
}

/// What the client reads best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Html,
    Json,
}

pin_project! {
    /// Response future of [`ErrorPage`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        format: Format,
        explanations: Option<Arc<Explanations>>,
    }
}

// === impl Explanations ===

impl Explanations {
    /// What everybody may know.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells what happened in full, to whoever asks; or does not.
    pub fn details(mut self, details: bool) -> Self {
        self.details = details;
        self
    }

    /// Adds a link to the foot of each page.
    pub fn link(mut self, url: impl Into<String>) -> Self {
        self.link = Some(url.into());
        self
    }
}

// === impl Format ===

impl Format {
    fn of(request: &HeaderMap) -> Self {
        if accept::prefers_json(request) { Self::Json } else { Self::Html }
    }
}

// === impl ErrorPageLayer ===

impl ErrorPageLayer {
    /// The same explanations for all answers.
    pub fn new(explanations: Explanations) -> Self {
        Self { source: Source::Fixed(explanations) }
    }

    /// As the channel says when a request comes; when the sender is dropped, what it said last.
    pub fn follow(explanations: watch::Receiver<Explanations>) -> Self {
        Self { source: Source::Watched(explanations) }
    }
}

/// Says what everybody may know.
impl Default for ErrorPageLayer {
    fn default() -> Self {
        Self::new(Explanations::new())
    }
}

impl<S> Layer<S> for ErrorPageLayer {
    type Service = ErrorPage<S>;

    fn layer(&self, inner: S) -> Self::Service {
        match &self.source {
            Source::Fixed(explanations) => {
                ErrorPage { inner, explanations: shared(explanations), updates: None }
            }
            Source::Watched(updates) => {
                let mut updates = updates.clone();
                let explanations = shared(&updates.borrow_and_update());
                ErrorPage { inner, explanations, updates: Some(updates) }
            }
        }
    }
}

fn shared(explanations: &Explanations) -> Option<Arc<Explanations>> {
    (*explanations != Explanations::default()).then(|| Arc::new(explanations.clone()))
}

// === impl ErrorPage ===

impl<S> ErrorPage<S> {
    /// Costs one atomic load while nothing has changed.
    fn refresh(&mut self) {
        let Some(updates) = &mut self.updates else { return };
        match updates.has_changed() {
            Ok(false) => {}
            Ok(true) => self.explanations = shared(&updates.borrow_and_update()),
            Err(_) => {
                self.explanations = shared(&updates.borrow_and_update());
                self.updates = None;
            }
        }
    }
}

impl<S, B, ResBody> Service<Request<B>> for ErrorPage<S>
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
        // Asked now, since the request is gone by the time there is an answer.
        let format = Format::of(request.headers());
        ResponseFuture { inner: self.inner.call(request), format, explanations: self.explanations.clone() }
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
        let this = self.project();
        let mut answer = this.inner.poll(cx);
        let Poll::Ready(result) = &mut answer else { return Poll::Pending };
        if let Ok(response) = result
            && response.extensions().get::<Refusal>().is_some()
        {
            explain(response, *this.format, this.explanations.as_deref());
        }
        answer
    }
}

/// The answer to a request that is refused before it comes to an application, with an explanation for everybody.
///
/// ```
/// use ancm_tower::{error_page, refusal::Refusal};
/// use bytes::Bytes;
/// use http_body_util::Full;
///
/// let request = http::Request::builder().header("accept", "application/json").body(()).unwrap();
/// let response = error_page::refuse::<Full<Bytes>>(Refusal::NotFound, request.headers());
/// assert_eq!(response.status(), 404);
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
/// ```
pub fn refuse<B: From<Bytes>>(refusal: Refusal, request: &HeaderMap) -> Response<B> {
    let mut response = refusal.into_response();
    explain(&mut response, Format::of(request), None);
    response
}

#[cold]
fn explain<B: From<Bytes>>(response: &mut Response<B>, format: Format, more: Option<&Explanations>) {
    let Some(refusal) = response.extensions().get::<Refusal>() else { return };
    let failed = response.extensions().get::<Failed>();
    let body = match (failed, format) {
        // Rendered once for all requests.
        (Some(Failed(failure)), Format::Html) => Some(failure.page()),
        (Some(Failed(failure)), Format::Json) => Some(json::render(&failure.content()).into()),
        (None, _) => {
            let content = Content::of(refusal, response.status(), more);
            content.map(|content| match format {
                Format::Html => html::render(&content).into(),
                Format::Json => json::render(&content).into(),
            })
        }
    };
    if let Some(body) = body {
        let mime = match format {
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/problem+json",
        };
        *response.body_mut() = B::from(body);
        mark(response, HeaderValue::from_static(mime));
    }
}

/// Says what the body of a refusal is, and that it is of today only.
pub(crate) fn mark<B>(response: &mut Response<B>, mime: HeaderValue) {
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, mime);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

#[cfg(test)]
mod tests;
