//! What the trace layer promises.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    fmt::Debug,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full};
use tokio::time::{advance, sleep};
use tokio_test::{assert_pending, task};
use tower::{ServiceExt, service_fn};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    filter::Targets,
    layer::{Context as LayerContext, Layer as _, SubscriberExt},
    util::SubscriberInitExt,
};

use super::*;
use crate::{BoxError, client::Scheme};

/// Everything that was logged while it exists, on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Line>>>);

#[derive(Clone, Debug, Default)]
struct Line {
    target: String,
    level: Option<Level>,
    spans: usize,
    fields: BTreeMap<&'static str, String>,
}

/// An answer of unknown length; an `Err` breaks it off.
struct Pieces(VecDeque<Result<&'static str, &'static str>>);

impl Log {
    fn start(targets: Targets) -> (Self, DefaultGuard) {
        let log = Self::default();
        let guard = tracing_subscriber::registry().with(log.clone().with_filter(targets)).set_default();
        (log, guard)
    }

    fn all() -> (Self, DefaultGuard) {
        Self::start(Targets::new().with_default(Level::TRACE))
    }

    fn lines(&self, target: &str) -> Vec<Line> {
        self.0.lock().unwrap().iter().filter(|line| line.target == target).cloned().collect()
    }

    /// The one line of the access log.
    fn access(&self) -> Line {
        let mut lines = self.lines(ACCESS);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }
}

impl<S> tracing_subscriber::Layer<S> for Log
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let mut line = Line {
            target: event.metadata().target().into(),
            level: Some(*event.metadata().level()),
            spans: context.event_scope(event).map_or(0, Iterator::count),
            ..Line::default()
        };
        event.record(&mut line);
        self.0.lock().unwrap().push(line);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

impl std::ops::Index<&str> for Line {
    type Output = str;

    fn index(&self, field: &str) -> &str {
        self.fields.get(field).unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let piece = self.0.pop_front();
        Poll::Ready(piece.map(|piece| piece.map(|text| Frame::data(Bytes::from(text))).map_err(Into::into)))
    }
}

fn get(uri: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder().uri(uri).body(Full::default()).unwrap();
    request.extensions_mut().insert(Client::new("192.0.2.7:50123".parse().unwrap(), Scheme::Http));
    request
}

/// Sends a request to a service that answers with this.
async fn answer<B: Body>(request: Request<Full<Bytes>>, response: Response<B>) -> TraceBody<B> {
    let mut response = Some(response);
    let app = service_fn(move |request: Request<CountedBody<Full<Bytes>>>| {
        let response = response.take().unwrap();
        async move {
            request.into_body().collect().await.unwrap();
            sleep(Duration::from_millis(250)).await;
            tracing::warn!(target: "app", "inside");
            Ok::<_, Infallible>(response)
        }
    });
    TraceLayer::new().layer(app).oneshot(request).await.unwrap().into_body()
}

#[tokio::test(start_paused = true)]
async fn writes_one_line_when_the_answer_has_ended() {
    let (log, _guard) = Log::all();
    let request = get("/a/b?secret=1").map(|_| Full::from("12345"));
    let body = answer(request, Response::new(Pieces(["one", "three"].map(Ok).into()))).await;
    assert!(log.lines(ACCESS).is_empty(), "the answer is still on its way");
    advance(Duration::from_millis(250)).await;
    body.collect().await.unwrap();

    let line = log.access();
    assert_eq!(line.level, Some(Level::INFO));
    assert_eq!((&line["method"], &line["path"], &line["status"]), ("GET", "/a/b", "200"));
    assert_eq!((&line["req_bytes"], &line["resp_bytes"]), ("5", "8"));
    assert_eq!((&line["duration_s"], &line["client_addr"]), ("0.5", "192.0.2.7:50123"));
    assert_eq!(&line["outcome"], "complete");
    assert!(!line.fields.contains_key("query"));
}

#[tokio::test]
async fn logs_the_query_where_that_is_asked_for() {
    let (log, _guard) = Log::all();
    let app = service_fn(async |_| Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())));
    let app = TraceLayer::new().log_query(true).layer(app);
    drop(app.oneshot(get("/?a=%20b")).await.unwrap());
    assert_eq!(&log.access()["query"], "a=%20b");
}

#[tokio::test(start_paused = true)]
async fn knows_a_complete_answer_although_nobody_asks_for_its_end() {
    let (log, _guard) = Log::all();
    let mut body = answer(get("/"), Response::new(Full::new(Bytes::from("all of it")))).await;
    body.frame().await.unwrap().unwrap();
    assert_eq!(&log.access()["outcome"], "complete");
}

#[tokio::test(start_paused = true)]
async fn knows_that_some_answers_have_no_body() {
    let head = Request::builder().method(Method::HEAD).body(Full::default()).unwrap();
    let status = |status| Response::builder().status(status).body(Pieces([Ok("-")].into())).unwrap();
    for (request, response, outcome) in [
        (head, status(StatusCode::OK), "complete"),
        (get("/"), status(StatusCode::NOT_MODIFIED), "complete"),
        (get("/"), status(StatusCode::NO_CONTENT), "complete"),
        (get("/"), status(StatusCode::SWITCHING_PROTOCOLS), "upgraded"),
    ] {
        let (log, _guard) = Log::all();
        drop(answer(request, response).await);
        assert_eq!(&log.access()["outcome"], outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn tells_when_the_client_left() {
    let (log, _guard) = Log::all();
    let mut body = answer(get("/"), Response::new(Pieces(["one", "two"].map(Ok).into()))).await;
    body.frame().await.unwrap().unwrap();
    drop(body);
    let line = log.access();
    assert_eq!((&line["status"], &line["resp_bytes"], &line["outcome"]), ("200", "3", "client_left"));
}

#[tokio::test]
async fn calls_it_499_when_the_client_left_before_the_head() {
    let (log, _guard) = Log::all();
    let silent = service_fn(async |_| pending::<Result<Response<Full<Bytes>>, Infallible>>().await);
    let mut waiting = task::spawn(TraceLayer::new().layer(silent).oneshot(get("/slow")));
    assert_pending!(waiting.poll());
    drop(waiting);
    let line = log.access();
    assert_eq!((&line["status"], &line["path"], &line["outcome"]), ("499", "/slow", "client_left"));
}

#[tokio::test(start_paused = true)]
async fn tells_when_an_answer_was_cut_and_why() {
    let (log, _guard) = Log::all();
    let pieces = Pieces([Ok("one"), Err("connection reset")].into());
    answer(get("/a"), Response::new(pieces)).await.collect().await.unwrap_err();
    assert_eq!(&log.access()["outcome"], "cut");
    let lines = log.lines(SERVER);
    assert_eq!(lines[0].level, Some(Level::WARN));
    assert_eq!((&lines[0]["path"], &lines[0]["reason"]), ("/a", "connection reset"));
}

#[tokio::test(start_paused = true)]
async fn logs_refusals_by_their_weight() {
    for (refusal, level, status) in
        [(Refusal::StartFailed, Level::WARN, "502"), (Refusal::BodyTooLarge { limit: 5 }, Level::INFO, "413")]
    {
        let (log, _guard) = Log::all();
        let body = answer(get("/a?secret"), refusal.clone().into_response::<Full<Bytes>>()).await;
        drop(body);
        let lines = log.lines(SERVER);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].level, Some(level));
        assert_eq!((&lines[0]["method"], &lines[0]["path"], &lines[0]["status"]), ("GET", "/a", status));
        assert_eq!(&lines[0]["reason"], refusal.to_string());
        assert_eq!(&log.access()["outcome"], "refused");
    }
}

#[tokio::test(start_paused = true)]
async fn logs_refusals_and_cuts_without_an_access_log_too() {
    let (log, _guard) = Log::start(Targets::new().with_target(SERVER, Level::INFO));
    answer(get("/a"), Refusal::Offline.into_response_with::<Full<Bytes>>(Bytes::from("page"))).await;
    answer(get("/b"), Response::new(Pieces([Err("reset")].into()))).await.collect().await.unwrap_err();
    let paths: Vec<_> = log.lines(SERVER).iter().map(|line| line["path"].to_owned()).collect();
    assert_eq!(paths, ["/a", "/b"]);
    assert!(log.lines(ACCESS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn watches_nothing_without_an_access_log() {
    let (_log, _guard) = Log::start(Targets::new().with_target(SERVER, Level::INFO));
    let app = service_fn(async |request: Request<CountedBody<Full<Bytes>>>| {
        assert!(format!("{:?}", request.body()).ends_with("taken: None }"));
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("-"))))
    });
    let mut app = TraceLayer::new().layer(app);
    let future = app.call(get("/").map(|_| Full::from("body")));
    assert!(matches!(future.watch, Some(Watch::Quiet(_))));
    assert!(future.span.is_disabled());
    let body = future.await.unwrap().into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "-");
}

#[tokio::test(start_paused = true)]
async fn puts_the_inner_layers_into_a_span_and_itself_outside() {
    let (log, _guard) = Log::all();
    answer(get("/"), Refusal::NotFound.into_response::<Full<Bytes>>()).await;
    assert_eq!(log.lines("app")[0].spans, 1);
    assert_eq!(log.lines(SERVER)[0].spans, 0);
    assert_eq!(log.access().spans, 0);

    let (log, _guard) = Log::start(Targets::new().with_default(Level::INFO));
    answer(get("/"), Response::new(Full::<Bytes>::default())).await;
    assert_eq!(log.lines("app")[0].spans, 0, "no span was made");
}

#[tokio::test(start_paused = true)]
async fn bounds_what_foreigners_write_into_a_line() {
    let (log, _guard) = Log::all();
    let path = format!("/\u{9b}31m{}", "x".repeat(5_000));
    let mut request = get("/");
    *request.uri_mut() = path.parse().unwrap();
    let reason = format!("two\nlines {}", "y".repeat(5_000));
    let refusal = Refusal::BadGateway { error: "http_protocol_error", detail: reason };
    answer(request, refusal.into_response::<Full<Bytes>>()).await;
    let line = &log.lines(SERVER)[0];
    assert!(line["path"].starts_with("/\\u{9b}31mxxx") && line["path"].ends_with("x…"));
    assert!(line["path"].len() < 600 && line["reason"].len() < 600);
    assert!(line["reason"].contains("two\\nlines"));
    assert!(log.access()["path"].len() < 600);
}

#[tokio::test]
async fn logs_and_passes_the_errors_of_the_inner_service() {
    let (log, _guard) = Log::all();
    let broken = service_fn(async |_| Err::<Response<Full<Bytes>>, _>("broken"));
    assert_eq!(TraceLayer::new().layer(broken).oneshot(get("/")).await.unwrap_err(), "broken");
    let line = log.access();
    assert_eq!((&line["status"], &line["outcome"]), ("500", "failed"));
}
