//! Tower layers for the protocol between the ASP.NET Core Module (ANCM) and its backend.
//!
//! On Windows, IIS and ANCM stand between the world and a web application: they pair with the application by a secret
//! token, tell it who the client is, hold requests while it starts, and explain when it cannot. This crate has each of
//! these as a layer of its own, for axum, hyper, tonic or anything else that speaks `tower`. The layers know HTTP and
//! the contract; they know no process, file, socket, clock or configuration that they were not given.
//!
//! # The layers
//!
//! In the order of a stack, outermost first. A frontend uses all but the last two; take what you need.
//!
//! | module | what it does | why it stands there |
//! |---|---|---|
//! | [`trace`] | one span and one line for each request; logs why a request was refused | sees what all others did |
//! | [`response_headers`] | adds headers to every answer | answers of all further in get them |
//! | [`error_page`] | explains refusals, as a page or as problem details | whoever refuses, further in, says only why |
//! | [`app_offline`] | answers 503 with a page | needs no backend, and works when a start failed |
//! | [`startup_error`] | holds requests while the backend starts, chooses who serves them, shows the 502.5 page | all further in belongs to one backend |
//! | [`require_tls`] | 403 for plain HTTP, or without a client certificate, where a site asks for them | before anything else is looked at |
//! | [`url_limit`] | 404 for URLs that the site does not allow | before the general limit of the next |
//! | [`head_limit`] | 431 and 414 for heads that the backend would not read | before anything is added to the head |
//! | [`body_limit`] | 413, also in the middle of an upload | sees the body before anybody waits for it |
//! | [`request_timeout`] | 504 when the backend falls silent | counts what the backend takes, not what limits do |
//! | [`upgrades`] | no WebSockets, where they are switched off | |
//! | [`forwarded`] | `X-Forwarded-For` and `X-Forwarded-Proto` | |
//! | [`pairing_token`] | removes `MS-ASPNETCORE*`, sets the token | outside the two that add such headers |
//! | [`client_cert`] | the client's TLS certificate | |
//! | [`windows_auth`] | a handle of the client's Windows token | |
//! | *innermost* | a client that sends the request to the backend, or an in-process service | |
//! | [`pairing_token`], at the backend | 400 for requests that did not come through the frontend | before anything is believed |
//! | [`forwarded`], at the backend | the client's real address and scheme | trusts the frontend only |
//!
//! # Rules of the house
//!
//! - A layer answers, it never errs: `Error` is the inner service's. What it refuses, it refuses with a
//!   [`Refusal`](refusal::Refusal) in the response's extensions, which the trace layer logs and the error page explains.
//! - A layer that answers needs a body that is made `From<Bytes>`; axum's body and `Full<Bytes>` are. Only a layer that
//!   must watch a body wraps it.
//! - Facts about a request (who the [`client`] is, which backend serves it) travel in its extensions, typed.
//! - A layer that wraps request bodies unwraps the request that comes back unsent:
//!   [`ReturnedRequest`](startup_error::ReturnedRequest).
//! - A setting that may differ from folder to folder of a site is a [`ByPath`](by_path::ByPath).
//! - What waits makes its timer by [`timers`]: there are threads without any.
//! - All names and numbers that both sides must agree on are in [`contract`].
//!
//! # Example
//!
//! A small frontend: the backend is an in-process service, and starts while the first request is already there.
//!
//! ```
//! use std::{convert::Infallible, sync::Arc, time::Duration};
//!
//! use ancm_tower::{
//!     app_offline::{AppOfflineLayer, Page},
//!     request_timeout::RequestTimeoutLayer,
//!     startup_error::{Admission, StartFailure, StartupErrorLayer, WatchGate},
//!     trace::TraceLayer,
//! };
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use tokio::sync::watch;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let (page, pages) = watch::channel(None);
//! let (backend, gate) = watch::channel(Admission::Starting);
//!
//! let mut stack = ServiceBuilder::new()
//!     // Outermost, so that it logs the answers of the others too.
//!     .layer(TraceLayer::new())
//!     // A page needs no backend.
//!     .layer(AppOfflineLayer::new(pages))
//!     // Waits for a ticket; here the ticket is an address.
//!     .layer(StartupErrorLayer::new(WatchGate::new(gate)).hold_limit(Duration::from_secs(120)))
//!     // Starts to count when there is a backend to wait for.
//!     .layer(RequestTimeoutLayer::new(Duration::from_secs(120)))
//!     .service(service_fn(async |request: Request<_>| {
//!         let address: &&str = request.extensions().get().expect("admitted with a ticket");
//!         Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(*address))))
//!     }));
//! let get = || Request::new(Full::<Bytes>::default());
//!
//! // The request is held until the backend is there.
//! let held = tokio::spawn(stack.clone().oneshot(get()));
//! backend.send_replace(Admission::Admitted("127.0.0.1:23117"));
//! let body = held.await.unwrap().unwrap().into_body().collect().await.unwrap();
//! assert_eq!(body.to_bytes(), "127.0.0.1:23117");
//!
//! // A deployment begins, and breaks the application.
//! page.send_replace(Some(Page::new("<h1>Back soon</h1>")));
//! let response = stack.ready().await.unwrap().call(get()).await.unwrap();
//! assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
//!
//! backend.send_replace(Admission::Failed(Arc::new(StartFailure::new("It ended with code 3."))));
//! page.send_replace(None);
//! let response = stack.ready().await.unwrap().call(get()).await.unwrap();
//! assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
//! # }
//! ```

#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "tests have timers of their own"))]

pub mod app_offline;
pub mod body_limit;
pub mod by_path;
pub mod client;
pub mod client_cert;
pub mod contract;
pub mod error_page;
pub mod forwarded;
pub mod head_limit;
mod headers;
pub mod pairing_token;
pub mod refusal;
pub mod request_timeout;
pub mod require_tls;
pub mod response_headers;
pub mod startup_error;
pub mod timers;
pub mod trace;
pub mod upgrades;
pub mod url_limit;
pub mod windows_auth;
pub mod written_path;

/// The error of a body that one of our layers watches.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
