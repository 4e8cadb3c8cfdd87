//! Holds requests while the backend starts; shows why when it failed.
//!
//! A backend takes seconds to start, and it restarts while people use it. Without this layer they would see errors;
//! with it they see a slow answer. The layer also chooses: it asks a [`Gate`] for a ticket (who is to serve this
//! request) and puts it into the request's extensions, for the innermost service to obey.
//!
//! | the gate says | the request |
//! |---|---|
//! | [`Admission::Admitted`] | goes in, with the ticket |
//! | [`Admission::Starting`] | waits for the gate to change its mind: at most [`hold_limit`](StartupErrorLayer::hold_limit), and at most [`hold_at_most`](StartupErrorLayer::hold_at_most) of them; over either, 503. A client that leaves frees its place at once |
//! | [`Admission::Failed`] | 502 and the 502.5 page, or 500 if it is a [misconfiguration](StartFailure::misconfigured) |
//! | [`Admission::Stopped`] | 503 |
//!
//! A request of which not one byte was sent comes back as a [`ReturnedRequest`]; it waits again, its time counted from
//! the first wait, and is sent again. There is no other retry.
//!
//! # Example
//!
//! ```
//! use ancm_tower::startup_error::{Admission, StartupErrorLayer, WatchGate};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use tokio::sync::watch;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // A real service would dial the address on its ticket.
//! let app = service_fn(async |request: Request<()>| {
//!     let ticket: &&str = request.extensions().get().unwrap();
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(*ticket)))
//! });
//! let (starts, gate) = watch::channel(Admission::Starting);
//! let app = StartupErrorLayer::new(WatchGate::new(gate)).layer(app);
//!
//! let held = tokio::spawn(app.oneshot(Request::new(())));
//! starts.send_replace(Admission::Admitted("127.0.0.1:5000"));
//! let response = held.await.unwrap().unwrap();
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "127.0.0.1:5000");
//! # }
//! ```

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::watch;
use tower_layer::Layer;
use tower_service::Service;

mod answer;
mod failure;
mod future;
mod gate;
mod hold;
mod page;
mod resend;

pub use failure::StartFailure;
pub use future::ResponseFuture;
pub use gate::{Admission, Gate, WatchGate};
pub use resend::{Resent, ReturnedRequest};

pub(crate) use answer::Failed;
use answer::Refused;
use hold::Places;

/// Layer that holds requests while the backend starts.
#[derive(Clone, Debug)]
pub struct StartupErrorLayer<G> {
    gate: G,
    rules: Rules,
}

/// Holds requests while the backend starts.
///
/// Clones share one handle, whose count each request touches: make one service for each worker thread by
/// [`Layer::layer`], and clone that for the worker's connections.
pub struct StartupError<S, G> {
    inner: S,
    gate: G,
    spare: Arc<Spare<S, G>>,
}

/// What a request needs that cannot go in at once.
struct Spare<S, G> {
    rules: Rules,
    /// Cloned for each request that is held. Only such requests lock it.
    parts: Mutex<(S, G)>,
}

/// What a configuration says about requests that cannot go in; a new one may say something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldSettings {
    /// How long one request is held; zero refuses at once.
    pub limit: Duration,
    /// Whether a failed start is answered with an empty body in place of the page.
    // ANCM: disableStartUpErrorPage; its 502.3 then lets IIS send an error page of its own.
    pub disable_page: bool,
}

#[derive(Clone, Debug)]
struct Rules {
    settings: watch::Receiver<HoldSettings>,
    places: Places,
}

// === impl HoldSettings ===

impl Default for HoldSettings {
    /// For up to 120 s, and with a page.
    fn default() -> Self {
        Self { limit: Duration::from_secs(120), disable_page: false }
    }
}

// === impl Rules ===

impl Rules {
    /// Those in force. Only requests that cannot go in ask for them.
    fn settings(&self) -> HoldSettings {
        *self.settings.borrow()
    }
}

// === impl StartupErrorLayer ===

impl<G> StartupErrorLayer<G> {
    /// A layer that asks this gate, and holds up to 1,000 requests for up to 120 s each.
    pub fn new(gate: G) -> Self {
        let settings = watch::channel(HoldSettings::default()).1;
        Self { gate, rules: Rules { settings, places: Places::new(1_000) } }
    }

    /// Follows settings that change while requests are served, each request by those in force when it comes.
    ///
    /// When the sender is dropped, what it set last stays in force.
    pub fn follow(mut self, settings: watch::Receiver<HoldSettings>) -> Self {
        self.rules.settings = settings;
        self
    }

    /// Sets how long one request is held; zero refuses at once.
    pub fn hold_limit(self, limit: Duration) -> Self {
        let settings = HoldSettings { limit, ..self.rules.settings() };
        self.follow(watch::channel(settings).1)
    }

    /// Sets how many requests are held at the same time, by all services that are made by this layer and its clones.
    pub fn hold_at_most(mut self, requests: usize) -> Self {
        self.rules.places = Places::new(requests);
        self
    }

    /// Answers 502 with an empty body in place of the 502.5 page.
    pub fn disable_page(self, disable: bool) -> Self {
        let settings = HoldSettings { disable_page: disable, ..self.rules.settings() };
        self.follow(watch::channel(settings).1)
    }
}

impl<S: Clone, G: Gate> Layer<S> for StartupErrorLayer<G> {
    type Service = StartupError<S, G>;

    fn layer(&self, inner: S) -> Self::Service {
        let parts = Mutex::new((inner.clone(), self.gate.clone()));
        let spare = Arc::new(Spare { rules: self.rules.clone(), parts });
        StartupError { inner, gate: self.gate.clone(), spare }
    }
}

// === impl StartupError ===

impl<S, G, B, ResBody> Service<Request<B>> for StartupError<S, G>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: 'static,
    G: Gate + Send + 'static,
    B: Send + 'static,
    ResBody: From<Bytes> + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, G, B, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let spare = &self.spare;
        match self.gate.admit() {
            Admission::Admitted(ticket) => {
                request.extensions_mut().insert(ticket);
                ResponseFuture::sent(self.inner.call(request), Arc::clone(spare))
            }
            Admission::Starting => ResponseFuture::held(hold::hold(Arc::clone(spare), request)),
            Admission::Offline(page) => {
                ResponseFuture::ready(Refused::Offline(page).to_response(&spare.rules))
            }
            Admission::Failed(failure) => {
                ResponseFuture::ready(Refused::Failed(failure).to_response(&spare.rules))
            }
            Admission::Stopped => ResponseFuture::ready(Refused::Stopped.to_response(&spare.rules)),
        }
    }
}

impl<S: Clone, G: Clone> Clone for StartupError<S, G> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), gate: self.gate.clone(), spare: Arc::clone(&self.spare) }
    }
}

impl<S, G> fmt::Debug for StartupError<S, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartupError").field("rules", &self.spare.rules).finish_non_exhaustive()
    }
}

// === impl Spare ===

impl<S: Clone, G: Clone> Spare<S, G> {
    fn parts(&self) -> (S, G) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests;
