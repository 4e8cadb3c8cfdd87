//! The layers, assembled: this is what a request goes through.
//!
//! There are two stacks. The *outer* one exists once per application and connection: it answers while the
//! application is offline or starting, and chooses the process. The *inner* one belongs to a generation, because its
//! layers are built from the configuration: it rewrites the request for the process that was chosen. Each is one
//! function, outermost layer first; its shape does not depend on the configuration (what is off passes through).
//!
//! Both take any service inside, so that a test can put a function where the backend would be.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::{config::Config, stack};
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use tower::{ServiceExt, service_fn};
//!
//! # tokio_test::block_on(async {
//! let app = service_fn(|request: http::Request<_>| async move {
//!     assert!(!request.headers().contains_key("ms-aspnetcore-token"), "a client cannot send one");
//!     drop(request);
//!     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from("hello"))))
//! });
//! let config = Config::default();
//! let request = http::Request::builder()
//!     .header("MS-ASPNETCORE-TOKEN", "guess")
//!     .body(Full::new(Bytes::new()))
//!     .unwrap();
//! let response = stack::inner(&config, app).oneshot(request).await.unwrap();
//! assert_eq!(response.status(), 200);
//! # });
//! ```

use ancm_tower::{
    app_offline::{AppOffline, AppOfflineLayer, Page},
    body_limit::{BodyLimit, BodyLimitLayer, LimitedBody},
    client_cert::{ForwardClientCert, ForwardClientCertLayer},
    error_page::{ErrorPage, ErrorPageLayer},
    forwarded::send::{SetForwarded, SetForwardedLayer},
    head_limit::{HeadLimit, HeadLimitLayer, HeadLimits},
    pairing_token::{SendToken, SendTokenLayer},
    request_timeout::{RequestTimeout, RequestTimeoutLayer, WatchedBody},
    require_tls::{RequireTls, RequireTlsLayer},
    response_headers::{ResponseHeaders, ResponseHeadersLayer},
    startup_error::{Gate, StartupError, StartupErrorLayer},
    trace::{CountedBody, Trace, TraceLayer},
    upgrades::{Upgrades, UpgradesLayer},
    url_limit::{UrlLimit, UrlLimitLayer},
    windows_auth::{WindowsAuth, WindowsAuthLayer},
};
use tokio::sync::watch;
use tower::ServiceBuilder;

use crate::{
    config::Config,
    dispatch::{Dispatch, Table, TicketToken},
    server::ClientBody,
    upstream::{DefaultClient, SentBody, Upstream},
};

pub mod from_config;

/// What [`outer`] builds around a service.
pub type Outer<G, S> = Trace<ResponseHeaders<ErrorPage<AppOffline<StartupError<S, G>>>>>;

/// What [`inner`] builds around a service.
pub type Inner<S> = RequireTls<
    UrlLimit<
        HeadLimit<
            BodyLimit<
                RequestTimeout<
                    Upgrades<SetForwarded<SendToken<ForwardClientCert<WindowsAuth<S>>, TicketToken>>>,
                >,
            >,
        >,
    >,
>;

/// What a request's body is by the time it is sent.
pub type RequestBody = WatchedBody<LimitedBody<CountedBody<ClientBody>>>;

/// The inner stack of a frontend that proxies.
pub type InnerStack = Inner<Upstream<DefaultClient<SentBody<RequestBody>>>>;

/// The outer stack of a frontend that proxies: what a layer of your own is put around.
pub type AppStack = Outer<Table, Dispatch<InnerStack>>;

/// Header lines that we add at most: the token, the client's address and scheme, its certificate, its identity.
const ADDED_LINES: usize = 5;
/// Their bytes without the certificate, which counts for itself: names, separators and line ends included.
const ADDED_BYTES: usize = 256;

/// The stack of an application on one connection.
///
/// The gate says whether a process is ready, and its ticket travels inward in the request's extensions.
pub fn outer<G, S>(
    headers: ResponseHeadersLayer,
    error_page: ErrorPageLayer,
    offline: watch::Receiver<Option<Page>>,
    startup_error: StartupErrorLayer<G>,
    inner: S,
) -> Outer<G, S>
where
    G: Gate,
    S: Clone + Send + 'static,
{
    ServiceBuilder::new()
        // Sees every answer, ours included.
        .layer(TraceLayer::new())
        // Outside of all that answer: the site's security headers are on our own pages as well.
        .layer(headers)
        // Says what the layers further in only refuse.
        .layer(error_page)
        // Before anything that could wait: a page that is there is served at once.
        .layer(AppOfflineLayer::new(offline))
        // Holds the request until a process is ready, and chooses it.
        .layer(startup_error)
        .service(inner)
}

/// The stack of a generation.
pub fn inner<S>(config: &Config, upstream: S) -> Inner<S> {
    let limits = HeadLimits::default().reserve(ADDED_LINES, ADDED_BYTES);
    ServiceBuilder::new()
        // Before anything else is looked at: who may not ask learns nothing more.
        .layer(RequireTlsLayer::by_path(from_config::tls_demands(config)))
        // Before the backend's limits: the site's own are answered as IIS does, 404.
        .layer(UrlLimitLayer::by_path(from_config::url_limits(config)))
        // What the backend would refuse is refused here, with a reason that is ours to give.
        .layer(HeadLimitLayer::new(limits))
        // Outside of the timeout: a body that is too long is the client's fault, not the backend's.
        .layer(BodyLimitLayer::by_path(from_config::body_limits(config)))
        // Its clock runs only while we wait for the backend.
        .layer(RequestTimeoutLayer::new(config.request_timeout))
        // Where WebSockets are switched off, the application is asked as if none had been offered.
        .layer(UpgradesLayer::by_path(from_config::upgrades(config)))
        // Who the client is, from the connection's own knowledge.
        .layer(SetForwardedLayer::new())
        // Strips whatever of the protocol the client has sent; so it stands outside the two that add to it.
        .layer(SendTokenLayer::new(TicketToken))
        // The client's certificate, as the TLS server saw it.
        .layer(ForwardClientCertLayer::new())
        // The client's Windows identity, where there is one.
        .layer(WindowsAuthLayer::new(config.forward_windows_auth_token))
        .service(upstream)
}

/// The layers that a request goes through, outermost first, down to the service that sends it.
///
/// Read off the type itself, so that it cannot be out of date.
pub fn order() -> Vec<&'static str> {
    let mut order = Vec::new();
    let word = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    for path in std::any::type_name::<AppStack>().split(|character| !word(character)) {
        let name = path.rsplit("::").next().unwrap_or_default();
        if !name.is_empty() {
            order.push(name);
        }
        if name == "Upstream" {
            break;
        }
    }
    order
}

#[cfg(test)]
mod tests;
