//! The application of `ancm demo`: an ordinary axum router that says what it sees.

use std::{
    convert::Infallible,
    fmt,
    io::{self, Write},
    pin::Pin,
    process,
    task::{Context, Poll, ready},
    time::Duration,
};

use ancm_tower::{client::Client, contract, timers::interval};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior};

use super::{
    Exit, Failure,
    demo::{PAGE, PAGE_FILE},
};

/// Server-sent events, one for each tick.
struct Ticks {
    interval: Interval,
    count: u64,
}

/// Serves until the frontend says that it is enough.
pub(super) fn run() -> Result<Exit, Failure> {
    print(format_args!("demo backend, process {}: {}", process::id(), greeting()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::CannotCreate, error))?;
    runtime.block_on(ancm_backend::serve(router())).map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Exit::Success)
}

fn router() -> Router {
    Router::new()
        .route("/", get(page))
        .route("/facts", get(facts))
        .route("/pid", get(|| async { format!("{}\n", process::id()) }))
        .route("/ticks", get(ticks))
        .route("/echo", post(echo))
        .layer(middleware::from_fn(say))
}

fn greeting() -> String {
    std::env::var("DEMO_GREETING").unwrap_or_else(|_| "Hello".into())
}

/// Unlike `println!` this does not mind that nobody reads any more.
fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line for each request, so that the way of an application's output can be seen.
async fn say(request: Request, next: Next) -> Response {
    let client = client(&request).map_or_else(String::new, |client| format!(" from {}", client.address()));
    print(format_args!("{} {}{client}", request.method(), request.uri()));
    next.run(request).await
}

/// The page in the site root, which is the working directory of a backend; so it can be changed while it is served.
async fn page() -> Html<String> {
    Html(tokio::fs::read_to_string(PAGE_FILE).await.unwrap_or_else(|_| PAGE.into()))
}

async fn facts(request: Request) -> impl IntoResponse {
    let client = client(&request);
    let facts = json!({
        "process": process::id(),
        "path": request.uri().path(),
        "query": request.uri().query(),
        "method": request.method().as_str(),
        "client_address": client.map(|client| client.address().to_string()),
        "scheme": client.map(|client| client.scheme().as_str()),
        "greeting": greeting(),
        "headers": headers(request.headers()),
    });
    ([(header::CONTENT_TYPE, "application/json")], format!("{facts:#}\n"))
}

async fn ticks() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::new(Ticks::new(Duration::from_secs(1))))
}

/// Gives each piece back as it comes, while more are coming.
async fn echo(request: Request) -> impl IntoResponse {
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    let mut response = Response::new(request.into_body());
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// The real client, not the frontend.
fn client(request: &Request) -> Option<&Client> {
    request.extensions().get()
}

/// All headers but those that hold secrets between the frontend and its backend.
fn headers(headers: &HeaderMap) -> Value {
    let shown =
        headers.iter().filter(|(name, _)| !name.as_str().starts_with(contract::header::RESERVED_PREFIX));
    shown
        .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
        .collect()
}

// === impl Ticks ===

impl Ticks {
    fn new(period: Duration) -> Self {
        let mut interval = interval(period);
        // A reader that slept does not want to catch up.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, count: 0 }
    }
}

impl http_body::Body for Ticks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.interval.poll_tick(context));
        self.count += 1;
        let event = format!("data: tick {} of process {}\n\n", self.count, process::id());
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}

#[cfg(test)]
mod tests {
    use ancm_tower::client::Scheme;
    use http_body_util::BodyExt;
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;

    fn request(path: &str) -> axum::http::request::Builder {
        let client = Client::new("192.0.2.7:50123".parse().unwrap(), Scheme::Https);
        Request::builder().uri(path).extension(client)
    }

    async fn send(request: Request) -> Response {
        let Ok(response) = router().oneshot(request).await;
        response
    }

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
    }

    #[tokio::test]
    async fn says_what_it_sees_but_no_secret() {
        let request = request("/facts?a=1").header("ms-aspnetcore-token", "secret").header("accept", "*/*");
        let text = text(send(request.body(Body::empty()).unwrap()).await).await;
        assert!(!text.contains("secret"));
        let facts: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(facts["client_address"], "192.0.2.7:50123");
        assert_eq!((&facts["scheme"], &facts["query"]), (&json!("https"), &json!("a=1")));
        assert_eq!(
            (&facts["process"], &facts["headers"]),
            (&json!(process::id()), &json!({ "accept": "*/*" }))
        );
    }

    #[tokio::test]
    async fn shows_its_page_also_without_the_file() {
        let response = send(request("/").body(Body::empty()).unwrap()).await;
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(text(response).await, PAGE);
    }

    #[tokio::test]
    async fn gives_back_what_it_is_sent() {
        let request = request("/echo").method("POST").header("content-type", "text/x");
        let response = send(request.body("hello".into()).unwrap()).await;
        assert_eq!(response.headers()["content-type"], "text/x");
        assert_eq!(text(response).await, "hello");
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_once_a_second_and_at_once_for_the_first_time() {
        let mut body = send(request("/ticks").body(Body::empty()).unwrap()).await.into_body();
        let begin = Instant::now();
        for second in 0..3 {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(frame.starts_with(format!("data: tick {} of", second + 1).as_bytes()));
            assert_eq!(begin.elapsed().as_secs(), second);
        }
    }
}
