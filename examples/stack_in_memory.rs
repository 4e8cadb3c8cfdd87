//! The frontend's own stack around a function, driven by another function: no socket, no process, no file.
//!
//!     cargo run --example stack_in_memory
//!
//! This is how to test a layer of yours in its real surroundings.
// ci: run stack_in_memory

use std::convert::Infallible;

use ancm_frontend::{config::Config, stack};
use ancm_tower::{
    BoxError,
    app_offline::Page,
    client::{Client, Scheme},
    error_page::ErrorPageLayer,
    response_headers::ResponseHeadersLayer,
    startup_error::{Admission, StartupErrorLayer, WatchGate},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::sync::watch;
use tower::{Service, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    println!("a request goes through, outermost first:\n    {}\n", stack::order().join("\n    "));

    // What the supervisor and the watcher of app_offline.htm would say.
    let (readiness, gate) = watch::channel(Admission::<&str>::Starting);
    let (offline, page) = watch::channel(None);

    // Where the application would be.
    let application = service_fn(|request: Request<_>| async move {
        let text = format!("{} {}\n{:#?}", request.method(), request.uri(), request.headers());
        drop(request);
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
    });

    let inner = stack::inner(&Config::default(), application);
    let mut app = stack::outer(
        ResponseHeadersLayer::default(),
        ErrorPageLayer::default(),
        page,
        StartupErrorLayer::new(WatchGate::new(gate)),
        inner,
    );

    // Held while the application starts, and served as soon as it is ready.
    let held = tokio::spawn(app.ready().await?.call(request()));
    tokio::task::yield_now().await;
    assert!(!held.is_finished());
    readiness.send_replace(Admission::Admitted("the ticket of a process"));
    show("after the start", held.await??).await?;

    // app_offline.htm appears.
    offline.send_replace(Some(Page::new(Bytes::from("<h1>Back in a minute</h1>"))));
    show("offline", app.ready().await?.call(request()).await?).await?;
    Ok(())
}

/// A request as the server hands it in: it knows who the client is, whatever the client says.
fn request() -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::new()));
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", "203.0.113.9".parse().expect("a header value"));
    headers.insert("ms-aspnetcore-token", "a guess".parse().expect("a header value"));
    let client = Client::new("192.0.2.7:50123".parse().expect("an address"), Scheme::Https);
    request.extensions_mut().insert(client);
    request
}

async fn show<B>(when: &str, response: Response<B>) -> Result<(), BoxError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let status = response.status();
    let body = response.into_body().collect().await.map_err(Into::into)?.to_bytes();
    println!("{when}: {status}\n{}\n", String::from_utf8_lossy(&body));
    Ok(())
}
