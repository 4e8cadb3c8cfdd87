//! `X-Forwarded-For` and `X-Forwarded-Proto`, both ends.
//!
//! The backend's peer is its frontend, on the loopback interface, in plain text. Who the client is and what it speaks
//! the backend learns from two headers, which clients can send as well: [`send`] makes sure that the last entry of
//! each is ours, and [`consume`] believes no more entries than there are known proxies.
//!
//! # Example
//!
//! ```
//! use ancm_tower::client::{Client, Scheme};
//! use ancm_tower::forwarded::{Peer, consume::ForwardedHeadersLayer, send::SetForwardedLayer};
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = service_fn(async |request: Request<()>| {
//!     let client: &Client = request.extensions().get().unwrap();
//!     assert_eq!(client.address(), "192.0.2.7:50123".parse().unwrap());
//!     assert_eq!(client.scheme(), Scheme::Https);
//!     // What the client claimed is still there to be seen, and was not believed.
//!     assert_eq!(request.headers()["x-forwarded-for"], "127.0.0.1");
//!     Ok::<_, std::convert::Infallible>(Response::new(()))
//! });
//!
//! let frontend = ServiceBuilder::new()
//!     .layer(SetForwardedLayer::new())
//!     // On the way, the frontend becomes the peer.
//!     .map_request(|mut request: Request<()>| {
//!         request.extensions_mut().insert(Client::new("127.0.0.1:40000".parse().unwrap(), Scheme::Http));
//!         request
//!     })
//!     .layer(ForwardedHeadersLayer::default())
//!     .service(app);
//!
//! let mut request = Request::builder().header("X-Forwarded-For", "127.0.0.1").body(()).unwrap();
//! request.extensions_mut().insert(Client::new("192.0.2.7:50123".parse().unwrap(), Scheme::Https));
//! frontend.oneshot(request).await.unwrap();
//! # }
//! ```

use http::HeaderValue;

use crate::client::Client;

pub mod consume;
pub mod send;

/// The other end of the connection, where [`consume`] replaced the [`Client`] by the forwarded one.
#[derive(Clone, Debug)]
pub struct Peer(pub Client);

/// The forwarded scheme as it was written, where that is neither `http` nor `https` in lower case.
///
/// `HTTPS` is one: [`Client::scheme`] says [`Https`](crate::client::Scheme::Https) for it. Of any other, such as `wss`,
/// the client's scheme knows nothing and remains that of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedScheme(pub HeaderValue);

/// Whether `X-Forwarded-Proto` may hold this byte in an entry (RFC 3986 3.1).
fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}
