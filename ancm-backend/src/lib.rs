//! Makes an axum `Router`, or any tower service, the backend of the ASP.NET Core Module.
//!
//! A frontend (`ancm`, or IIS with its ASP.NET Core Module) starts the application, tells it a port and a secret in
//! environment variables, and forwards requests to it. [`serve`] is the application's half of that contract:
//!
//! - it listens on 127.0.0.1 at the port it was given, and obeys only who knows the secret;
//! - it takes the path base off the path, and puts into each request's extensions, as types: [`PathBase`], the
//!   real [`Client`] and its scheme, [`ClientCertificate`], [`Shutdown`];
//! - it stops when the frontend says so: no new connections, requests under way are finished.
//!
//! Not started by such a frontend, it is a plain server with the same types: on 127.0.0.1 at `HTTP_PLATFORM_PORT`
//! (IIS with `HttpPlatformHandler`, which has no secret: [`settings`] says what that means), or on `ASPNETCORE_URLS`,
//! or on 127.0.0.1 at `PORT`, or on 127.0.0.1:5000. (`PORT` alone never opens an application to the network;
//! `http://*:8080` in `ASPNETCORE_URLS` does.)
//!
//! # Example
//!
//! ```no_run
//! use ancm_backend::{Client, PathBase};
//! use axum::{Extension, Router, routing::get};
//!
//! async fn hello(Extension(client): Extension<Client>, Extension(base): Extension<PathBase>) -> String {
//!     format!("hello {}, I am at {base}/", client.address().ip())
//! }
//!
//! // Or plainly `#[tokio::main]`, with tokio's feature `rt-multi-thread`.
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), ancm_backend::ServeError> {
//!     ancm_backend::serve(Router::new().route("/", get(hello))).await
//! }
//! ```
//!
//! In IIS, or in front of `ancm`, the `web.config` beside the program is:
//!
//! ```xml
//! <configuration>
//!   <system.webServer>
//!     <handlers>
//!       <add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />
//!     </handlers>
//!     <aspNetCore processPath=".\my-app" />
//!   </system.webServer>
//! </configuration>
//! ```
//!
//! # Life of a request
//!
//! ```text
//!  frontend ─► connection ─► require token ─► path base ─► shutdown event ─► forwarded ─► facts ─► the application
//!              clocks, drain     400          /shop off        202           real client  types
//! ```
//!
//! Each of these layers stands in a module of its own and is useful alone; [`BackendLayer`] is all of them, for tests
//! without sockets and for other servers.

#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "tests have timers of their own"))]

#[cfg(test)]
mod conformance;

mod answer;
pub mod facts;
mod layer;
pub mod path_base;
pub mod server;
pub mod settings;
mod shutdown;
pub mod shutdown_event;

use ancm_tower::BoxError;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower_service::Service;

pub use ancm_tower::{
    client::{Client, Scheme},
    client_cert::ClientCertificate,
    windows_auth::WindowsAuthToken,
};
pub use layer::{Backend, BackendLayer};
pub use path_base::PathBase;
pub use server::{Listening, ServeError, Server};
pub use settings::Settings;
pub use shutdown::Shutdown;

/// Serves an application as this process's environment says, until it is asked to stop.
///
/// The frontend asks by a message, the system by SIGTERM or SIGINT (on Windows by the console's events). Then
/// requests under way may finish, and upgraded connections go on, for as long as
/// [`Settings::shutdown_limit`](settings::Settings::shutdown_limit) says; what is left at that limit is let go, and the
/// result is still `Ok`.
///
/// An application that errs answers 500; one whose body errs has its connection closed.
///
/// # Errors
///
/// If the environment says what cannot be done (a port that is no number, a path base without a slash, `https`), or
/// an address cannot be had. The error's text, which `main` prints when it returns it, says which and why.
pub async fn serve<S, B>(app: S) -> Result<(), ServeError>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Server::from_env()?.serve(app).await
}
