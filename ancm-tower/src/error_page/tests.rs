//! What the layer promises.

use std::convert::Infallible;

use http::StatusCode;
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::{
    app_offline::{AppOfflineLayer, Page},
    startup_error::{Admission, StartFailure, StartupErrorLayer, WatchGate},
};

type Answer = Response<Full<Bytes>>;

const JSON: &str = "application/json";

fn asking(accept: &str) -> Request<()> {
    Request::builder().header("accept", accept).body(()).unwrap()
}

/// An application that answers so.
fn answering<F>(
    answer: F,
) -> impl Service<Request<()>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send
where
    F: Fn() -> Answer + Clone + Send + 'static,
{
    service_fn(move |_| std::future::ready(Ok(answer())))
}

fn bad_gateway() -> Answer {
    Refusal::BadGateway { error: "connection_terminated", detail: "127.0.0.1:9 hung up".into() }
        .into_response()
}

async fn text(response: Answer) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_refusal_is_explained_as_the_client_prefers() {
    for (accept, mime, begins) in [
        ("text/html", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("*/*", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        (JSON, "application/problem+json", "{\"type\":\"urn:problem-type:ancm:502.3\","),
    ] {
        let service = ErrorPageLayer::default().layer(answering(bad_gateway));
        let response = service.oneshot(asking(accept)).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(response.headers()["content-type"], mime);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["proxy-status"], "ancm; error=connection_terminated");
        assert!(response.extensions().get::<Refusal>().is_some(), "the log needs it");
        let text = text(response).await;
        assert!(text.starts_with(begins) && !text.contains("127.0.0.1"), "{text}");
    }
}

#[tokio::test]
async fn details_are_told_where_they_may_be_and_follow_every_change() {
    let (sender, explanations) = watch::channel(Explanations::new());
    let mut service = ErrorPageLayer::follow(explanations).layer(answering(bad_gateway));
    let mut ask =
        async |accept| text(service.ready().await.unwrap().call(asking(accept)).await.unwrap()).await;
    assert!(!ask("*/*").await.contains("hung up"));
    sender.send_replace(Explanations::new().details(true).link("https://help.test"));
    for accept in ["*/*", JSON] {
        let text = ask(accept).await;
        assert!(text.contains("hung up") && text.contains("https://help.test"), "{text}");
    }
    sender.send_replace(Explanations::new());
    drop(sender);
    for _ in 0..2 {
        assert!(!ask("*/*").await.contains("hung up"));
    }
}

#[tokio::test]
async fn an_applications_own_errors_pass_untouched() {
    let own = || Response::builder().status(502).header("x-own", "1").body(Full::from("own")).unwrap();
    let service = ErrorPageLayer::new(Explanations::new().details(true)).layer(answering(own));
    let response = service.oneshot(asking(JSON)).await.unwrap();
    assert_eq!(response.headers().len(), 1);
    assert_eq!(text(response).await, "own");
}

#[tokio::test]
async fn what_has_no_page_under_iis_has_none_here() {
    for refusal in [Refusal::Stopping, Refusal::BadRequest { reason: "-" }] {
        let service = ErrorPageLayer::default().layer(answering(move || refusal.clone().into_response()));
        let response = service.oneshot(asking(JSON)).await.unwrap();
        assert!(!response.headers().contains_key("content-type"));
        assert_eq!(text(response).await, "");
    }
}

#[tokio::test]
async fn the_page_of_an_offline_site_is_the_sites_own() {
    let (_sender, pages) = watch::channel(Some(Page::new("<h1>Back soon</h1>")));
    let service = ServiceBuilder::new()
        .layer(ErrorPageLayer::default())
        .layer(AppOfflineLayer::new(pages))
        .service(answering(Response::default));
    assert_eq!(text(service.oneshot(asking(JSON)).await.unwrap()).await, "<h1>Back soon</h1>");
}

/// What is answered while the start has failed.
async fn failed(accept: &str, is_shown: bool) -> Answer {
    let failure = StartFailure::new("It ended early.").exactly("It ended with code 3.");
    let (_sender, gate) = watch::channel(Admission::<()>::Failed(Arc::new(failure)));
    let service = ServiceBuilder::new()
        .layer(ErrorPageLayer::default())
        .layer(StartupErrorLayer::new(WatchGate::new(gate)).disable_page(!is_shown))
        .service(answering(Response::default));
    service.oneshot(asking(accept)).await.unwrap()
}

#[tokio::test]
async fn a_failed_start_is_explained_as_the_client_prefers() {
    assert!(text(failed("*/*", true).await).await.contains("<p class=\"summary\">It ended early.</p>"));
    let response = failed(JSON, true).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(
        text(response).await,
        "{\"type\":\"urn:problem-type:ancm:502.5\",\"title\":\"The application did not start\",\"status\":502,\
         \"subStatus\":5,\"detail\":\"It ended early.\"}\n"
    );
}

#[tokio::test]
async fn a_page_that_is_switched_off_is_replaced_by_none() {
    for accept in ["*/*", JSON] {
        let response = failed(accept, false).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(text(response).await, "");
    }
}

#[test]
fn holds_nothing_where_there_is_nothing_to_add() {
    let service = ErrorPageLayer::default().layer(());
    assert!(service.explanations.is_none() && service.updates.is_none());
}
