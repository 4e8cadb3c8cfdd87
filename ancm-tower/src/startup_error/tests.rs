//! What the hold layer promises.

use std::{convert::Infallible, time::Duration};

use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{
    sync::watch,
    time::{Instant, advance},
};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::{Service, ServiceExt, service_fn};
use tower_test::mock::{self, Handle, Mock};

use super::*;
use crate::refusal::Refusal;

type Answer = Response<Full<Bytes>>;
type Sender = watch::Sender<Admission<&'static str>>;
type Backend = Mock<Request<&'static str>, Answer>;
type Backends = Handle<Request<&'static str>, Answer>;
type Stack<S> = StartupError<S, WatchGate<&'static str>>;

const READY: Admission<&str> = Admission::Admitted("slot 0");
const LIMIT: Duration = Duration::from_secs(30);

fn layer(now: Admission<&'static str>) -> (Sender, StartupErrorLayer<WatchGate<&'static str>>) {
    let (sender, receiver) = watch::channel(now);
    (sender, StartupErrorLayer::new(WatchGate::new(receiver)).hold_limit(LIMIT).hold_at_most(2))
}

/// A service that answers with the ticket, and tells whether the request had been sent before.
fn app()
-> impl Service<Request<&'static str>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(async |request: Request<&'static str>| {
        let ticket: &&str = request.extensions().get().unwrap();
        assert_eq!(request.extensions().get::<Resent>(), None);
        Ok(Response::new(Full::from(*ticket)))
    })
}

fn mocked(now: Admission<&'static str>) -> (Sender, Stack<Backend>, Backends) {
    let (sender, layer) = layer(now);
    let (mock, handle) = mock::pair();
    (sender, layer.layer(mock), handle)
}

/// A service that gives the first `times` requests back unsent, and serves the next.
fn returning(
    times: usize,
) -> impl Service<Request<&'static str>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send {
    let left = Arc::new(std::sync::atomic::AtomicUsize::new(times));
    service_fn(move |request: Request<&'static str>| {
        let order = std::sync::atomic::Ordering::Relaxed;
        let again = left.fetch_update(order, order, |left| left.checked_sub(1)).is_ok();
        let body = if request.extensions().get::<Resent>().is_some() { "resent" } else { "sent" };
        let mut response = Response::new(Full::from(body));
        if again {
            response.extensions_mut().insert(ReturnedRequest::new(request));
        }
        std::future::ready(Ok(response))
    })
}

async fn text(response: Answer) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn reason(response: &Answer) -> Option<&Refusal> {
    response.extensions().get()
}

#[tokio::test]
async fn hands_the_ticket_inward() {
    let (_sender, layer) = layer(READY);
    let response = layer.layer(app()).oneshot(Request::new("")).await.unwrap();
    assert_eq!(text(response).await, "slot 0");
}

#[tokio::test(start_paused = true)]
async fn holds_a_request_until_the_backend_is_ready() {
    let (sender, layer) = layer(Admission::Starting);
    let mut held = task::spawn(layer.layer(app()).oneshot(Request::new("")));
    assert_pending!(held.poll());
    advance(LIMIT / 2).await;
    assert_pending!(held.poll());
    sender.send_replace(READY);
    assert!(held.is_woken());
    assert_eq!(text(assert_ready_ok!(held.poll())).await, "slot 0");
}

#[tokio::test(start_paused = true)]
async fn waits_until_the_inner_service_is_ready_too() {
    let (sender, stack, mut handle) = mocked(Admission::Starting);
    handle.allow(1);
    let mut held = task::spawn(stack.oneshot(Request::new("held")));
    assert_pending!(held.poll());
    // The permit belongs to the service that was asked, not to the copy that the held request takes.
    handle.allow(0);
    sender.send_replace(READY);
    assert_pending!(held.poll());
    handle.allow(1);
    assert_pending!(held.poll());
    let (request, answer) = handle.next_request().await.unwrap();
    assert_eq!(request.extensions().get(), Some(&"slot 0"));
    answer.send_response(Response::new(Full::from("served")));
    assert_eq!(text(assert_ready_ok!(held.poll())).await, "served");
}

#[tokio::test(start_paused = true)]
async fn gives_up_when_the_time_is_over() {
    let (_sender, layer) = layer(Admission::Starting);
    let before = Instant::now();
    let response = layer.layer(app()).oneshot(Request::new("")).await.unwrap();
    assert_eq!(before.elapsed(), LIMIT);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "10");
    assert_eq!(reason(&response), Some(&Refusal::HoldTimeout { limit: LIMIT }));
}

#[tokio::test(start_paused = true)]
async fn holds_for_ever_when_the_limit_is_beyond_the_clock() {
    let (sender, layer) = layer(Admission::Starting);
    let mut held = task::spawn(layer.hold_limit(Duration::MAX).layer(app()).oneshot(Request::new("")));
    assert_pending!(held.poll());
    advance(Duration::from_secs(86_400 * 365)).await;
    assert_pending!(held.poll());
    sender.send_replace(READY);
    assert_ready_ok!(held.poll());
}

#[tokio::test(start_paused = true)]
async fn frees_the_place_of_a_client_that_left() {
    let (_sender, layer) = layer(Admission::Starting);
    // Services of one layer share its places, also on other threads.
    let hold = || task::spawn(layer.layer(app()).oneshot(Request::new("")));
    let (mut first, mut second, mut third) = (hold(), hold(), hold());
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    let response = assert_ready_ok!(third.poll());
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "10");
    assert_eq!(reason(&response), Some(&Refusal::HoldQueueFull { limit: 2 }));

    drop(first);
    let mut fourth = hold();
    assert_pending!(fourth.poll());
}

#[tokio::test(start_paused = true)]
async fn frees_the_place_before_the_request_is_sent() {
    let (sender, stack, mut handle) = mocked(Admission::Starting);
    let mut held = task::spawn(stack.clone().oneshot(Request::new("")));
    assert_pending!(held.poll());
    sender.send_replace(READY);
    assert_pending!(held.poll());
    let _under_way = handle.next_request().await.unwrap();
    assert_eq!(format!("{:?}", stack.spare.rules.places), "0 of 2");
}

#[tokio::test]
async fn shows_the_page_to_all_when_the_start_fails() {
    let (sender, layer) = layer(Admission::Starting);
    let mut held = task::spawn(layer.layer(app()).oneshot(Request::new("")));
    assert_pending!(held.poll());
    sender.send_replace(Admission::Failed(Arc::new(StartFailure::new("It ended with code 3."))));
    let second = layer.layer(app()).oneshot(Request::new("")).await.unwrap();
    for response in [assert_ready_ok!(held.poll()), second] {
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(reason(&response), Some(&Refusal::StartFailed));
        let page = text(response).await;
        assert!(page.starts_with(b"<!DOCTYPE html>"));
        assert!(std::str::from_utf8(&page).unwrap().contains("It ended with code 3."));
    }
}

#[tokio::test]
async fn shows_no_page_where_it_is_disabled() {
    let (_sender, layer) = layer(Admission::Failed(Arc::new(StartFailure::new("-"))));
    let response = layer.disable_page(true).layer(app()).oneshot(Request::new("")).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(reason(&response), Some(&Refusal::StartFailed));
    assert!(!response.headers().contains_key("content-type"));
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn tells_a_configuration_that_cannot_be_used_from_a_failed_start() {
    let failure = StartFailure::misconfigured("The file is no XML.").details("web.config:1:1: <oops>");
    let (_sender, layer) = layer(Admission::Failed(Arc::new(failure)));
    let response = layer.layer(app()).oneshot(Request::new("")).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reason(&response), Some(&Refusal::Misconfigured));
    assert_eq!(response.headers()["proxy-status"], "ancm; error=proxy_configuration_error");
    let page = text(response).await;
    let page = std::str::from_utf8(&page).unwrap();
    for part in
        ["<h1>HTTP Error 500.0 - ", "The file is no XML.", "&lt;oops&gt;", "as soon as the file is right"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("502.5"));
}

#[tokio::test]
async fn follows_settings_that_change_while_it_serves() {
    let (_sender, layer) = layer(Admission::Failed(Arc::new(StartFailure::new("-"))));
    let (change, settings) = watch::channel(HoldSettings::default());
    let stack = layer.follow(settings).layer(app());
    for disable_page in [false, true, false] {
        change.send_replace(HoldSettings { disable_page, ..HoldSettings::default() });
        let response = stack.clone().oneshot(Request::new("")).await.unwrap();
        assert_eq!(text(response).await.is_empty(), disable_page);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_held_as_long_as_was_allowed_when_it_came() {
    let (_sender, layer) = layer(Admission::Starting);
    let limits = |seconds| HoldSettings { limit: Duration::from_secs(seconds), ..HoldSettings::default() };
    let (change, settings) = watch::channel(limits(5));
    let stack = layer.follow(settings).layer(app());
    let began = Instant::now();
    let mut first = task::spawn(stack.clone().oneshot(Request::new("")));
    assert_pending!(first.poll());
    change.send_replace(limits(60));
    let first = first.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(reason(&first), Some(&Refusal::HoldTimeout { limit: Duration::from_secs(5) }));
    let second = stack.oneshot(Request::new("")).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 65);
    assert_eq!(reason(&second), Some(&Refusal::HoldTimeout { limit: Duration::from_secs(60) }));
}

#[tokio::test]
async fn refuses_and_closes_when_the_application_is_being_stopped() {
    let (_sender, layer) = layer(Admission::Stopped);
    let response = layer.layer(app()).oneshot(Request::new("")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(reason(&response), Some(&Refusal::Stopping));
}

#[tokio::test]
async fn never_calls_the_inner_service_unless_admitted() {
    for now in [Admission::Stopped, Admission::Failed(Arc::new(StartFailure::new("-")))] {
        let (_sender, stack, mut handle) = mocked(now);
        stack.oneshot(Request::new("")).await.unwrap();
        assert!(handle.next_request().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn sends_a_returned_request_again_at_once_and_marks_it() {
    let (_sender, layer) = layer(READY);
    let before = Instant::now();
    let response =
        layer.hold_limit(Duration::ZERO).layer(returning(1)).oneshot(Request::new("")).await.unwrap();
    assert_eq!(text(response).await, "resent");
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn holds_a_returned_request_until_there_is_another_backend() {
    let (sender, stack, mut handle) = mocked(READY);
    let mut sent = task::spawn(stack.oneshot(Request::new("the body")));
    assert_pending!(sent.poll());
    let (request, answer) = handle.next_request().await.unwrap();
    let mut response = Response::new(Full::default());
    response.extensions_mut().insert(ReturnedRequest::new(request));
    sender.send_replace(Admission::Starting);
    answer.send_response(response);
    assert_pending!(sent.poll());

    sender.send_replace(Admission::Admitted("slot 1"));
    assert_pending!(sent.poll());
    let (request, answer) = handle.next_request().await.unwrap();
    assert_eq!(request.extensions().get(), Some(&"slot 1"), "the old ticket is replaced");
    assert_eq!(request.extensions().get(), Some(&Resent));
    assert_eq!(*request.body(), "the body");
    answer.send_response(Response::new(Full::from("served")));
    assert_eq!(text(assert_ready_ok!(sent.poll())).await, "served");
}

#[tokio::test(start_paused = true)]
async fn counts_the_time_of_a_returned_request_from_its_first_wait() {
    let before = Instant::now();
    let (sender, stack, mut handle) = mocked(Admission::Starting);
    let mut held = task::spawn(stack.oneshot(Request::new("")));
    assert_pending!(held.poll());
    advance(LIMIT * 9 / 10).await;
    sender.send_replace(READY);
    assert_pending!(held.poll());
    let (request, answer) = handle.next_request().await.unwrap();
    sender.send_replace(Admission::Starting);
    let mut response = Response::new(Full::default());
    response.extensions_mut().insert(ReturnedRequest::new(request));
    answer.send_response(response);
    assert_pending!(held.poll());
    let response = held.await.unwrap();
    assert_eq!(before.elapsed(), LIMIT);
    assert_eq!(reason(&response), Some(&Refusal::HoldTimeout { limit: LIMIT }));
}

#[tokio::test(start_paused = true)]
async fn rests_between_attempts_and_ends_at_the_deadline() {
    let (_sender, layer) = layer(READY);
    let before = Instant::now();
    let response = layer.layer(returning(usize::MAX)).oneshot(Request::new("")).await.unwrap();
    assert_eq!(reason(&response), Some(&Refusal::HoldTimeout { limit: LIMIT }));
    assert_eq!(before.elapsed(), LIMIT);
}

#[tokio::test]
async fn passes_a_response_whose_request_somebody_else_has_taken() {
    let (_sender, layer) = layer(READY);
    let taken = service_fn(async |request: Request<&'static str>| {
        let returned = ReturnedRequest::new(request);
        returned.take();
        let mut response = Response::new(Full::from("stand-in"));
        response.extensions_mut().insert(returned);
        Ok::<_, Infallible>(response)
    });
    let response = layer.layer(taken).oneshot(Request::new("")).await.unwrap();
    assert_eq!(text(response).await, "stand-in");
}

#[tokio::test]
async fn passes_the_errors_of_the_inner_service() {
    let (sender, layer) = layer(READY);
    let broken = service_fn(async |_: Request<&'static str>| Err::<Answer, _>("broken"));
    assert_eq!(layer.layer(broken).oneshot(Request::new("")).await.unwrap_err(), "broken");
    sender.send_replace(Admission::Starting);
    let mut held = task::spawn(layer.layer(broken).oneshot(Request::new("")));
    assert_pending!(held.poll());
    sender.send_replace(READY);
    assert_eq!(assert_ready!(held.poll()).unwrap_err(), "broken");
}

#[tokio::test]
async fn fits_into_axum_together_with_the_layers_around_it() {
    let (_pages, pages) = watch::channel(None);
    let (_sender, layer) = layer(READY);
    let mut app = axum::Router::new()
        .fallback(async |ticket: axum::Extension<&'static str>| *ticket)
        .layer(crate::request_timeout::RequestTimeoutLayer::new(LIMIT))
        .layer(layer)
        .layer(crate::app_offline::AppOfflineLayer::new(pages))
        .layer(crate::trace::TraceLayer::new());
    let response = app.call(Request::new(axum::body::Body::empty())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "slot 0");
}
