//! Finds the application for a request, by host and path base.
//!
//! A frontend with one application has one entry at `/`, which every request matches without being looked at.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use ancm_tower::refusal::Refusal;
use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

/// The applications of a frontend, as one connection sees them.
#[derive(Clone, Debug)]
pub struct Router<S> {
    routes: Vec<Route<S>>,
}

/// One application.
#[derive(Clone, Debug)]
pub struct Route<S> {
    /// Its path base: `/`, or `/app`.
    pub path_base: String,
    /// What serves it.
    pub service: S,
}

pin_project! {
    /// The answer of the application.
    pub struct RouterFuture<F> {
        #[pin]
        future: Option<F>,
    }
}

// === impl Router ===

impl<S> Router<S> {
    /// One application for everything.
    pub fn single(service: S) -> Self {
        Self { routes: vec![Route { path_base: "/".to_owned(), service }] }
    }

    fn find(&mut self, path: &str) -> Option<&mut S> {
        self.routes.iter_mut().find(|route| matches(&route.path_base, path)).map(|route| &mut route.service)
    }
}

/// Whether a path is the path base or lies below it.
fn matches(path_base: &str, path: &str) -> bool {
    let base = path_base.trim_end_matches('/');
    path.get(..base.len()).is_some_and(|start| start.eq_ignore_ascii_case(base))
        && matches!(path.as_bytes().get(base.len()), None | Some(b'/'))
        || base.is_empty()
}

impl<S, B, ResBody> Service<Request<B>> for Router<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RouterFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        for route in &mut self.routes {
            std::task::ready!(route.service.poll_ready(context))?;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.find(request.uri().path());
        RouterFuture { future: service.map(|service| service.call(request)) }
    }
}

// === impl RouterFuture ===

impl<F, ResBody, E> Future for RouterFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().future.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Ready(Ok(Refusal::NotFound.into_response())),
        }
    }
}

impl<F> fmt::Debug for RouterFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_base_matches_whole_segments_in_any_case() {
        for path in ["/app", "/app/", "/APP/page"] {
            assert!(matches("/app", path), "{path}");
        }
        for path in ["/", "/apple", "/ap", "*", "/äpp"] {
            assert!(!matches("/app", path), "{path}");
        }
    }

    #[test]
    fn the_root_matches_everything() {
        for path in ["/", "/any", "*", ""] {
            assert!(matches("/", path), "{path}");
        }
    }
}
