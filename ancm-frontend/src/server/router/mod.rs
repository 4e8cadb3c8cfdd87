//! Finds the application for a request, by host and path base.
//!
//! A host that is named has applications of its own; the others serve all other hosts. Among those of a host, the
//! longest path base that fits takes the request, and one that none of them fits is answered 404. A frontend with one
//! application has one entry at `/`, which every request matches without being looked at.

use std::{
    fmt,
    future::Future,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ancm_tower::{client::Client, error_page, refusal::Refusal, written_path::without_dots};
use bytes::Bytes;
use http::{Request, Response, Uri, header::HOST, uri::PathAndQuery};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::binding::{Binding, host_name};

mod path_base;

/// How often a path can be another one after its path base was rewritten; only attacks need more.
const MOST_TURNS: usize = 4;

/// The applications of a frontend, as one connection sees them.
#[derive(Clone, Debug)]
pub struct Router<S> {
    routes: Arc<Routes>,
    /// As many as there are routes, in their order.
    services: Vec<S>,
}

/// Where the applications of a frontend are served.
#[derive(Debug)]
pub struct Routes {
    /// Those of one host side by side, and of them the longest first.
    bindings: Vec<Binding>,
    /// Which of them belong to each host that is named.
    hosts: Vec<(String, Range<usize>)>,
    /// Those of all other hosts.
    others: Range<usize>,
}

pin_project! {
    /// The answer of the application.
    pub struct RouterFuture<F, R> {
        #[pin]
        kind: Kind<F, R>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, R> {
        Found { #[pin] future: F },
        // Boxed, so that the usual case is not as large as an answer.
        Refused { response: Option<Box<R>> },
    }
}

// === impl Routes ===

impl Routes {
    /// Sorts applications by where they are served; the services of a [`Router`] have the same order.
    pub fn new<T>(applications: Vec<(Binding, T)>) -> (Self, Vec<T>) {
        let mut applications = applications;
        applications.sort_by(|(one, _), (other, _)| {
            let length = |binding: &Binding| binding.path_base().trim_end_matches('/').len();
            one.host().cmp(&other.host()).then(length(other).cmp(&length(one)))
        });
        let (bindings, applications): (Vec<Binding>, Vec<T>) = applications.into_iter().unzip();
        let others = 0..bindings.iter().take_while(|binding| binding.host().is_none()).count();
        let mut hosts: Vec<(String, Range<usize>)> = Vec::new();
        for (index, host) in bindings.iter().map(Binding::host).enumerate().skip(others.end) {
            match hosts.last_mut().filter(|(last, _)| Some(last.as_str()) == host) {
                Some((_, range)) => range.end = index + 1,
                None => hosts.push((host.unwrap_or_default().to_owned(), index..index + 1)),
            }
        }
        (Self { bindings, hosts, others }, applications)
    }

    /// The application of a request; its target is put right where the application would not recognize its path base.
    fn find<B>(&self, request: &mut Request<B>) -> Option<usize> {
        let range = self.of_host(request);
        let bindings = || range.clone().zip(&self.bindings[range.clone()]);
        for _ in 0..MOST_TURNS {
            let path = request.uri().path();
            if path_base::is_plain(path) {
                return bindings()
                    .find(|(_, at)| path_base::is_below(path, at.path_base()))
                    .map(|(index, _)| index);
            }
            let path = without_dots(path);
            let split = |binding: &Binding| path_base::split(&path, binding.path_base());
            let (index, behind) = bindings().find_map(|(index, at)| Some((index, split(at)?)))?;
            let Some(rewritten) = behind.rewritten() else { return Some(index) };
            // Slashes that are plain now may be those around dots.
            let is_final = without_dots(&rewritten) == rewritten;
            *request.uri_mut() = with_path(request.uri(), &rewritten)?;
            if is_final {
                return Some(index);
            }
        }
        None
    }

    fn of_host<B>(&self, request: &Request<B>) -> Range<usize> {
        if self.hosts.is_empty() {
            return self.others.clone();
        }
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).map_or("", host_name);
        let known = self.hosts.iter().find(|(known, _)| known.eq_ignore_ascii_case(host));
        known.map_or(&self.others, |(_, range)| range).clone()
    }
}

/// The same target with another path.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let target = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.ok()?);
    Uri::from_parts(parts).ok()
}

// === impl Router ===

impl<S> Router<S> {
    /// One application for everything.
    pub fn single(service: S) -> Self {
        let (routes, services) = Routes::new(vec![(Binding::root(), service)]);
        Self { routes: Arc::new(routes), services }
    }

    /// Several, their services in the order of the routes.
    pub fn new(routes: Arc<Routes>, services: Vec<S>) -> Self {
        Self { routes, services }
    }

    fn find<B>(&mut self, request: &mut Request<B>) -> Option<&mut S> {
        match self.routes.bindings.as_slice() {
            [only] if only.host().is_none() && only.path_base() == "/" => self.services.first_mut(),
            _ => self.routes.find(request).and_then(|index| self.services.get_mut(index)),
        }
    }
}

impl<S, B, ResBody> Service<Request<B>> for Router<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RouterFuture<S::Future, Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        for service in &mut self.services {
            std::task::ready!(service.poll_ready(context))?;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(service) = self.find(&mut request) {
            return RouterFuture { kind: Kind::Found { future: service.call(request) } };
        }
        let client = request.extensions().get::<Client>().map(Client::address);
        tracing::info!(
            target: "server", client = client.map(tracing::field::display), host = ?request.headers().get(HOST),
            path = request.uri().path(), refusal = %Refusal::NotFound, "refused a request"
        );
        // Outside of all stacks, so that no layer would explain it.
        let refused = error_page::refuse(Refusal::NotFound, request.headers());
        RouterFuture { kind: Kind::Refused { response: Some(Box::new(refused)) } }
    }
}

// === impl RouterFuture ===

impl<F, R, E> Future for RouterFuture<F, R>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Found { future } => future.poll(context),
            KindProj::Refused { response } => {
                Poll::Ready(Ok(*response.take().expect("polled after it was ready")))
            }
        }
    }
}

impl<F, R> fmt::Debug for RouterFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full};
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// Which application is asked, and for what.
    async fn asked(bindings: &[&str], host: &str, target: &str) -> String {
        let service = |name: String| {
            service_fn(move |request: Request<()>| {
                let seen = format!("{name} {}", request.uri());
                async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(seen)))) }
            })
        };
        let applications = bindings.iter().map(|text| (text.parse().unwrap(), service((*text).to_owned())));
        let (routes, services) = Routes::new(applications.collect());
        let request = Request::builder().uri(target).header(HOST, host).body(()).unwrap();
        let response = Router::new(Arc::new(routes), services).oneshot(request).await.unwrap();
        if response.extensions().get() == Some(&Refusal::NotFound) {
            assert_eq!(response.status(), 404);
            return "none".to_owned();
        }
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_longest_path_base_takes_the_request() {
        let all = ["/", "/app", "/app/inner", "/apple"];
        for (target, expected) in [
            ("/", "/ /"),
            ("/app?q=/app/inner", "/app /app?q=/app/inner"),
            ("/App/x", "/app /App/x"),
            ("/app1", "/ /app1"),
            ("/apple/app", "/apple /apple/app"),
            ("/app/inner/", "/app/inner /app/inner/"),
            ("/app/innermost", "/app /app/innermost"),
            ("*", "/ *"),
        ] {
            assert_eq!(asked(&all, "h", target).await, expected);
        }
    }

    #[tokio::test]
    async fn a_path_is_understood_as_the_application_will_understand_it() {
        let all = ["/", "/app", "/app/inner"];
        for (target, expected) in [
            ("/app/../x", "/ /app/../x"),
            ("/x/%2e%2E/app/y", "/app /x/%2e%2E/app/y"),
            ("/%61pp/x%2Fy", "/app /%61pp/x%2Fy"),
            ("//App//x?q", "/app /App//x?q"),
            ("/app%2Finner%2fx", "/app/inner /app/inner/x"),
            (r"/app\inner", "/app/inner /app/inner"),
            // Slashes that the rewriting has made plain are slashes around dots, too.
            ("/app%2F../x", "/ /app/../x"),
            ("/app%2F..%2Finner", "/app /app/..%2Finner"),
        ] {
            assert_eq!(asked(&all, "h", target).await, expected, "{target}");
        }
    }

    #[tokio::test]
    async fn a_path_that_changes_without_end_is_refused() {
        let path = "/app%2F../".repeat(100);
        assert_eq!(asked(&["/app"], "h", &path).await, "none");
    }

    #[tokio::test]
    async fn a_host_that_is_named_has_applications_of_its_own() {
        let all = ["/", "/x", "a.example/", "b.example/x", "[::1]/"];
        for (host, target, expected) in [
            ("A.Example:8080", "/x", "a.example/ /x"),
            ("a.example.", "/", "a.example/ /"),
            ("b.example", "/x/y", "b.example/x /x/y"),
            ("b.example", "/", "none"),
            ("c.example", "/x", "/x /x"),
            ("", "/", "/ /"),
            ("[::1]:80", "/", "[::1]/ /"),
            ("::1", "/", "/ /"),
        ] {
            assert_eq!(asked(&all, host, target).await, expected, "{host}");
        }
    }

    #[tokio::test]
    async fn what_no_application_is_for_is_not_found() {
        assert_eq!(asked(&["/app"], "h", "/other").await, "none");
        assert_eq!(asked(&["a.example/"], "h", "/").await, "none");
        assert_eq!(asked(&["/app"], "h", "*").await, "none");
    }

    #[tokio::test]
    async fn one_application_for_everything_is_not_looked_for() {
        for target in ["/", "*", "//x/../%2F"] {
            assert_eq!(asked(&["/"], "h", target).await, format!("/ {target}"));
        }
    }
}
