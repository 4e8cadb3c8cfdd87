//! Layers of `ancm-tower` one by one, in an axum application that knows nothing of `ancm`.
//!
//! ```console
//! $ cargo run --example single_layers
//! ```
//!
//! It opens no socket: it sends itself a few requests, prints what comes back, and ends.
// ci: run single_layers

use ancm_tower::{
    app_offline::{AppOfflineLayer, Page},
    body_limit::BodyLimitLayer,
    pairing_token::{PairingToken, RequireTokenLayer},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::sync::watch;
use tower::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A switch: while there is a page in it, it is the answer to everything.
    let (offline, pages) = watch::channel(None);
    // A secret for callers that are programs. Its `Debug` prints nothing.
    let token = PairingToken::random()?;

    let internal = Router::new()
        .route("/internal/stats", get(async || "42 visitors\n"))
        .layer(RequireTokenLayer::new(token.clone()));
    let app = Router::new()
        .route("/", get(async || "hello\n"))
        .route("/upload", post(async |body: Bytes| format!("{} bytes\n", body.len())))
        // Counts what really arrives, so that a body of unknown length has its limit too.
        .layer(BodyLimitLayer::new(Some(10)))
        .merge(internal)
        // The layer that is added last sees a request first.
        .layer(AppOfflineLayer::new(pages));

    let from = |path: &str| Request::get(path).body(Body::empty());
    show(&app, "a page", from("/")?, StatusCode::OK).await?;
    show(&app, "an upload", Request::post("/upload").body("tiny".into())?, StatusCode::OK).await?;
    let large = Request::post("/upload").body("larger than ten bytes".into())?;
    show(&app, "a larger upload", large, StatusCode::PAYLOAD_TOO_LARGE).await?;

    show(&app, "without the token", from("/internal/stats")?, StatusCode::BAD_REQUEST).await?;
    let mut known = from("/internal/stats")?;
    known.headers_mut().insert("MS-ASPNETCORE-TOKEN", token.header_value());
    show(&app, "with the token", known, StatusCode::OK).await?;

    offline.send_replace(Some(Page::new(Bytes::from_static(b"<h1>Back in a minute</h1>\n"))));
    show(&app, "offline", from("/")?, StatusCode::SERVICE_UNAVAILABLE).await?;
    offline.send_replace(None);
    show(&app, "online again", from("/")?, StatusCode::OK).await
}

/// Sends one request and prints the answer.
async fn show(
    app: &Router,
    what: &str,
    request: Request<Body>,
    expected: StatusCode,
) -> Result<(), Box<dyn std::error::Error>> {
    let response = app.clone().oneshot(request).await?;
    let status = response.status();
    let body = to_bytes(response.into_body(), 1_000).await?;
    println!("{what:>18}: {status} {}", String::from_utf8_lossy(&body).trim_end());
    assert_eq!(status, expected, "{what}");
    Ok(())
}
