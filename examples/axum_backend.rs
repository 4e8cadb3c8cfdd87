//! An axum application that runs alone, behind `ancm`, or behind IIS, without a change.
//!
//! ```console
//! $ cargo run --example axum_backend
//! ```
//!
//! Alone it listens on <http://127.0.0.1:5000>; press Ctrl+C to stop it. To see the same program behind `ancm`, which
//! starts it by itself:
//!
//! ```console
//! $ cargo build --example axum_backend
//! $ cargo ancm run examples/every-attribute
//! ```

use ancm_backend::{Client, ClientCertificate, PathBase, Shutdown};
use axum::{
    Extension, Router,
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    response::{Html, Response},
    routing::{any, get, post},
};
use sha1::{Digest, Sha1};

// `#[tokio::main]` alone needs tokio's feature `rt-multi-thread`; a real server wants it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ancm_backend::ServeError> {
    // `serve` logs the address; a frontend can keep what is printed here in a file.
    tracing_subscriber::fmt().with_ansi(false).init();

    let app = Router::new()
        .route("/", get(home))
        .route("/certificate", get(certificate))
        .route("/echo", post(async |body: String| body))
        .route("/ws", any(chat));

    // This line is all that an application needs.
    ancm_backend::serve(app).await
}

/// What the frontend tells about a request arrives as types.
async fn home(Extension(client): Extension<Client>, Extension(base): Extension<PathBase>) -> Html<String> {
    Html(format!(
        "<p>You are {} and speak {}.</p>\n<p><a href=\"{base}/certificate\">Your certificate</a></p>\n",
        client.address(),
        client.scheme().as_str(),
    ))
}

/// Few clients have a certificate, so it is asked for with `Option`. Windows and .NET name one by its thumbprint.
async fn certificate(certificate: Option<Extension<ClientCertificate>>) -> String {
    match certificate {
        Some(Extension(certificate)) => {
            let thumbprint = Sha1::digest(certificate.der());
            format!("a certificate of {} bytes, thumbprint {thumbprint:X}\n", certificate.der().len())
        }
        None => "no certificate\n".to_owned(),
    }
}

async fn chat(upgrade: WebSocketUpgrade, Extension(shutdown): Extension<Shutdown>) -> Response {
    upgrade.on_upgrade(|socket| echo(socket, shutdown))
}

/// Says everything back; says goodbye when the application stops, which would have to wait otherwise.
async fn echo(mut socket: WebSocket, shutdown: Shutdown) {
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            () = shutdown.requested() => {
                let goodbye = CloseFrame { code: close_code::AWAY, reason: "stopping".into() };
                let _ = socket.send(Message::Close(Some(goodbye))).await;
                return;
            }
        };
        let Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) = message else { return };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
