//! What a frontend changes in a request on its way to the backend, and what the backend makes of it.
//!
//! ```console
//! $ cargo run --example rewriting_layers
//! ```
//!
//! Both ends stand in one process, without a socket between them: it prints the headers at three places, and ends.
// ci: run rewriting_layers

use std::{convert::Infallible, net::Ipv4Addr};

use ancm_backend::{BackendLayer, ClientCertificate, PathBase, Settings};
use ancm_tower::{
    client::{Client, Scheme},
    client_cert::ForwardClientCertLayer,
    forwarded::send::SetForwardedLayer,
    pairing_token::{FixedToken, PairingToken, SendTokenLayer},
    windows_auth::WindowsAuthLayer,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token = PairingToken::random()?;

    // The backend reads its settings from variables; these come from a closure instead of the environment.
    let settings = Settings::from_variables(|name| match name {
        "ASPNETCORE_PORT" => Some("5000".to_owned()),
        "ASPNETCORE_TOKEN" => Some(token.expose().to_owned()),
        "ASPNETCORE_APPL_PATH" => Some("/shop".to_owned()),
        _ => None,
    })?;
    let backend = ServiceBuilder::new()
        .map_request(|request| print("sent to the backend", request))
        .layer(BackendLayer::new(&settings))
        .map_request(|request| print("seen by the application", request))
        .service(service_fn(application));

    let frontend = ServiceBuilder::new()
        .map_request(|request| print("sent by the client", request))
        // X-Forwarded-For and -Proto: the client's own claims stay in front, ours is the last and the one that counts.
        .layer(SetForwardedLayer::new())
        // Removes every MS-ASPNETCORE header that the client forged, then sets the token.
        .layer(SendTokenLayer::new(FixedToken::new(&token)))
        // These two add such headers, so they stand inside.
        .layer(ForwardClientCertLayer::new())
        .layer(WindowsAuthLayer::new(false))
        // On the wire only the headers travel; the backend sees the frontend as its peer.
        .map_request(cross_the_wire)
        .service(backend);

    let mut request = Request::get("/shop/cart?id=1")
        .header("Host", "example.com")
        .header("X-Forwarded-For", "6.6.6.6")
        .header("X-Original-For", "6.6.6.6")
        .header("MS-ASPNETCORE-TOKEN", "a guess")
        .body(())?;
    // The server in front knows these from the connection. (An empty SEQUENCE stands for a certificate.)
    request.extensions_mut().insert(Client::new("192.0.2.7:50123".parse()?, Scheme::Https));
    request.extensions_mut().insert(ClientCertificate::new(&b"\x30\x00"[..]));

    let response = frontend.oneshot(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    println!("answer: {}", String::from_utf8_lossy(&body));
    assert_eq!(body, "192.0.2.7:50123 over https, base /shop, path /cart, certificate of 2 bytes");
    Ok(())
}

/// The application reads types, never headers.
async fn application(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let facts = request.extensions();
    let client = facts
        .get::<Client>()
        .map_or_else(String::new, |client| format!("{} over {}", client.address(), client.scheme().as_str()));
    let base = facts.get::<PathBase>().cloned().unwrap_or_default();
    let certificate = facts.get::<ClientCertificate>().map_or(0, |certificate| certificate.der().len());
    let path = request.uri().path();
    let text = format!("{client}, base {base}, path {path}, certificate of {certificate} bytes");
    Ok(Response::new(Full::from(text)))
}

/// A new request with the same head: extensions stay behind, but the server puts the peer into them.
fn cross_the_wire(request: Request<()>) -> Request<()> {
    let (head, ()) = request.into_parts();
    let mut received = Request::new(());
    *received.uri_mut() = head.uri;
    *received.headers_mut() = head.headers;
    received.extensions_mut().insert(Client::new((Ipv4Addr::LOCALHOST, 40000).into(), Scheme::Http));
    received
}

/// Prints the head; a sensitive value, as the token is, shows only that it is one.
fn print(place: &str, request: Request<()>) -> Request<()> {
    println!("{place}: {} {}", request.method(), request.uri());
    for (name, value) in request.headers() {
        println!("    {name}: {value:?}");
    }
    println!();
    request
}
