//! The whole backend as one layer: what the server puts around the application.
//!
//! For tests without sockets, and for applications that run another server. It must see a request before a router
//! does, since it changes the path: put it around an axum `Router`, not into `Router::layer`.
//!
//! # Example
//!
//! ```no_run
//! use ancm_backend::{BackendLayer, settings::Settings};
//! use axum::{Router, ServiceExt, extract::Request, routing::get};
//! use tower::Layer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let backend = BackendLayer::new(&Settings::from_env()?);
//! let shutdown = backend.handle();
//! let app = backend.layer(Router::new().route("/", get(async || "hello")));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:5000").await?;
//! axum::serve(listener, ServiceExt::<Request>::into_make_service(app))
//!     .with_graceful_shutdown(async move { shutdown.requested().await })
//!     .await?;
//! # Ok(())
//! # }
//! ```

use std::{
    net::Ipv4Addr,
    task::{Context, Poll},
};

use ancm_tower::{
    client::{Client, Scheme},
    forwarded::consume::{ForwardedHeaders, ForwardedHeadersLayer},
    pairing_token::{RequireToken, RequireTokenLayer},
};
use bytes::Bytes;
use http::{Request, Response};
use tower::{ServiceBuilder, util::Either};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    PathBase, Shutdown,
    facts::{Facts, FactsLayer},
    path_base::{PathBaseLayer, StripPathBase},
    settings::{Mode, Pairing, Settings},
    shutdown_event::{ShutdownEvent, ShutdownEventLayer},
};

/// Makes [`Backend`] services.
#[derive(Clone, Debug)]
pub struct BackendLayer {
    /// None without a frontend.
    pairing: Option<Pairing>,
    shutdown: Shutdown,
}

/// An application behind its frontend; or alone, and then it gets every request as it comes.
///
/// Each request that reaches the application has a [`PathBase`], a [`Client`] and a [`Shutdown`] in its extensions,
/// and a [`ClientCertificate`](crate::ClientCertificate) if the client showed one. Without a frontend the path base
/// is empty, and the client is whoever the server says it is.
#[derive(Clone, Debug)]
pub struct Backend<S> {
    stack: Either<Paired<S>, S>,
    shutdown: Shutdown,
    /// Who connects, where the server does not say.
    peer: Option<Client>,
}

type Paired<S> = RequireToken<StripPathBase<ShutdownEvent<ForwardedHeaders<Facts<S>>>>>;

// === impl BackendLayer ===

impl BackendLayer {
    /// Pairs applications as the settings say; nothing changes for them if there is no frontend.
    pub fn new(settings: &Settings) -> Self {
        let pairing = match &settings.mode {
            Mode::Paired(pairing) => Some(pairing.clone()),
            Mode::Alone(_) => None,
        };
        Self { pairing, shutdown: Shutdown::new() }
    }

    /// The frontend's message requests this shutdown.
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self }
    }

    /// What the frontend's message requests: the server should await it.
    pub fn handle(&self) -> Shutdown {
        self.shutdown.clone()
    }

    fn stack<S>(&self, pairing: &Pairing, app: S) -> Paired<S> {
        ServiceBuilder::new()
            // Every local user can connect: nothing below believes anybody but the frontend.
            .layer(RequireTokenLayer::new(pairing.token.clone()))
            // The frontend forwards the whole path, and so does its message.
            .layer(PathBaseLayer::new(&pairing.path_base))
            // The message is none of the application's business.
            .layer(ShutdownEventLayer::new(self.shutdown.clone()))
            // From here on the client is the one who sent the request, not the frontend.
            .layer(ForwardedHeadersLayer::default())
            // What headers say becomes types, at last.
            .layer(FactsLayer::new().upgrades(pairing.upgrades).windows_auth(pairing.windows_auth))
            .service(app)
    }
}

impl<S> Layer<S> for BackendLayer {
    type Service = Backend<S>;

    fn layer(&self, app: S) -> Self::Service {
        let shutdown = self.shutdown.clone();
        match &self.pairing {
            Some(pairing) => {
                let stack = Either::Left(self.stack(pairing, app));
                // A paired backend is to be reached on the loopback interface only.
                let peer = Some(Client::new((Ipv4Addr::LOCALHOST, 0).into(), Scheme::Http));
                Backend { stack, shutdown, peer }
            }
            None => Backend { stack: Either::Right(app), shutdown, peer: None },
        }
    }
}

// === impl Backend ===

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Backend<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = <Either<Paired<S>, S> as Service<Request<ReqBody>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions_mut();
        extensions.insert(self.shutdown.clone());
        match &self.peer {
            Some(peer) => {
                extensions.get_or_insert_with(|| peer.clone());
            }
            // Behind a frontend the stack finds out.
            None => {
                extensions.get_or_insert_with(PathBase::default);
            }
        }
        self.stack.call(request)
    }
}
