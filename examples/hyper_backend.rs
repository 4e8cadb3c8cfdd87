//! A plain hyper handler, without any framework, as a backend.
//!
//! ```console
//! $ cargo run --example hyper_backend
//! ```
//!
//! Alone it listens on <http://127.0.0.1:5000>; press Ctrl+C to stop it. Behind `ancm` or IIS it is started by a
//! `web.config` that names it in `processPath`.

use std::convert::Infallible;

use ancm_backend::{Client, PathBase};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use tower::service_fn;

/// Text of ours, or the request's own body on its way back.
type Body = Either<Full<Bytes>, Incoming>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ancm_backend::ServeError> {
    tracing_subscriber::fmt().with_ansi(false).init();
    ancm_backend::serve(service_fn(handle)).await
}

async fn handle(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Response::new(text(greeting(&request))),
        // Streams: nothing waits for the end of the request.
        (&Method::POST, "/echo") => Response::new(Either::Right(request.into_body())),
        (&Method::POST, "/length") => match request.into_body().collect().await {
            Ok(body) => Response::new(text(format!("{} bytes\n", body.to_bytes().len()))),
            Err(error) => with_status(StatusCode::BAD_REQUEST, format!("half a body: {error}\n")),
        },
        _ => with_status(StatusCode::NOT_FOUND, "nothing here\n".to_owned()),
    })
}

/// Every request has a `Client` and a `PathBase` in its extensions.
fn greeting(request: &Request<Incoming>) -> String {
    let extensions = request.extensions();
    let client = extensions.get::<Client>().map(|client| client.address().to_string()).unwrap_or_default();
    let base = extensions.get::<PathBase>().cloned().unwrap_or_default();
    format!("hello {client}, this is {base}/\n")
}

fn with_status(status: StatusCode, message: String) -> Response<Body> {
    let mut response = Response::new(text(message));
    *response.status_mut() = status;
    response
}

fn text(text: String) -> Body {
    Either::Left(Full::from(text))
}
