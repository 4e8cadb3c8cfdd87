use std::{collections::VecDeque, convert::Infallible, pin::Pin};

use super::*;
use crate::{
    BoxError,
    refusal::Refusal,
    startup_error::{Resent, ReturnedRequest},
};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::{ServiceExt, service_fn};
use tower_test::mock;

type Answer = Response<Full<Bytes>>;

/// A body of unknown length, as a chunked one is.
#[derive(Debug, Default)]
struct Pieces(VecDeque<Result<Frame<Bytes>, BoxError>>);

impl Pieces {
    fn of(lengths: &[usize]) -> Self {
        Self(lengths.iter().map(|length| Ok(Frame::data(vec![b'x'; *length].into()))).collect())
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop_front())
    }
}

fn limited<S>(limit: u64, inner: S) -> BodyLimit<S> {
    BodyLimitLayer::new(Some(limit)).layer(inner)
}

/// Reads the whole body and says how long it was.
async fn measure<B>(request: Request<LimitedBody<B>>) -> Result<Answer, BoxError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let length = request.into_body().collect().await?.to_bytes().len();
    Ok(Response::new(Full::from(length.to_string())))
}

async fn text(response: Answer) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn assert_refused(response: &Answer, limit: u64) {
    assert_eq!(response.status(), 413);
    assert_eq!(response.body().size_hint().exact(), Some(0));
    assert_eq!(response.extensions().get(), Some(&Refusal::BodyTooLarge { limit }));
}

#[tokio::test]
async fn refuses_a_declared_length_without_asking_the_inner_service() {
    let layer = BodyLimitLayer::new(Some(5));
    let (mut service, mut inner) = mock::spawn_layer::<Request<LimitedBody<Full<Bytes>>>, Answer, _>(layer);
    inner.allow(1);
    tokio_test::assert_ready_ok!(service.poll_ready());
    let response = service.call(Request::new(Full::from("123456"))).await.unwrap();
    assert_refused(&response, 5);
    drop(service);
    assert!(inner.next_request().await.is_none());
}

#[tokio::test]
async fn a_path_may_have_a_limit_of_its_own() {
    let limit = ByPath::new(Some(2)).below("/upload", Some(5)).below("/any", None);
    let service = BodyLimitLayer::by_path(limit).layer(service_fn(measure));
    for (path, passes, refused) in [("/", 2, Some(3)), ("/upload/a", 5, Some(6)), ("/any", 99, None)] {
        let request = |length: usize| Request::builder().uri(path).body(Pieces::of(&[length])).unwrap();
        assert_eq!(service.clone().oneshot(request(passes)).await.unwrap().status(), 200, "{path}");
        if let Some(length) = refused {
            assert_eq!(service.clone().oneshot(request(length)).await.unwrap().status(), 413, "{path}");
        }
    }
}

#[tokio::test]
async fn believes_the_header_where_the_body_does_not_know() {
    for (length, status) in [("5", 200), ("6", 413), ("99999999999999999999999", 413), ("+6", 200), ("", 200)]
    {
        let request = Request::builder().header("content-length", length).body(Pieces::of(&[1])).unwrap();
        let response = limited(5, service_fn(measure)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{length}");
    }
}

#[tokio::test]
async fn passes_a_body_of_just_the_limit() {
    let declared =
        limited(5, service_fn(measure)).oneshot(Request::new(Full::<Bytes>::from("12345"))).await.unwrap();
    assert_eq!(text(declared).await, "5");
    let streamed =
        limited(5, service_fn(measure)).oneshot(Request::new(Pieces::of(&[2, 0, 3]))).await.unwrap();
    assert_eq!(text(streamed).await, "5");
}

#[tokio::test]
async fn without_a_limit_passes_everything() {
    let service = BodyLimitLayer::new(None).layer(service_fn(measure));
    let response = service.oneshot(Request::new(Pieces::of(&[1000; 100]))).await.unwrap();
    assert_eq!(text(response).await, "100000");
}

#[tokio::test]
async fn answers_413_when_the_inner_service_fails_over_the_broken_body() {
    let response = limited(5, service_fn(measure)).oneshot(Request::new(Pieces::of(&[5, 1]))).await.unwrap();
    assert_refused(&response, 5);
}

#[tokio::test]
async fn answers_413_in_place_of_what_the_inner_service_makes_of_the_broken_body() {
    let inner = service_fn(async |request: Request<LimitedBody<Pieces>>| {
        let error = request.into_body().collect().await.unwrap_err();
        assert_eq!(error.downcast_ref::<LimitExceeded>().unwrap().limit(), 5);
        assert_eq!(error.to_string(), "the request body is longer than 5 bytes");
        Ok::<Answer, Infallible>(Response::builder().status(400).body(Full::from("what?")).unwrap())
    });
    let response = limited(5, inner).oneshot(Request::new(Pieces::of(&[3, 3]))).await.unwrap();
    assert_refused(&response, 5);
}

#[tokio::test]
async fn answers_413_when_the_inner_service_falls_silent_over_the_broken_body() {
    let inner = service_fn(async |request: Request<LimitedBody<Pieces>>| {
        request.into_body().collect().await.unwrap_err();
        std::future::pending::<Result<Answer, Infallible>>().await
    });
    let response = limited(5, inner).oneshot(Request::new(Pieces::of(&[6]))).await.unwrap();
    assert_refused(&response, 5);
}

#[tokio::test]
async fn answers_413_when_another_task_reads_the_body() {
    let (send, receive) = oneshot::channel();
    let mut send = Some(send);
    let inner = service_fn(move |request: Request<LimitedBody<Pieces>>| {
        send.take().unwrap().send(request.into_body()).unwrap();
        std::future::pending::<Result<Answer, Infallible>>()
    });
    let mut response = tokio_test::task::spawn(limited(5, inner).oneshot(Request::new(Pieces::of(&[6]))));
    tokio_test::assert_pending!(response.poll());

    receive.await.unwrap().collect().await.unwrap_err();

    assert!(response.is_woken());
    assert_refused(&tokio_test::assert_ready_ok!(response.poll()), 5);
}

#[tokio::test]
async fn waits_for_the_answer_to_a_body_that_ended_within_the_limit() {
    let inner = service_fn(async |request: Request<LimitedBody<Pieces>>| {
        request.into_body().collect().await.unwrap();
        tokio::task::yield_now().await;
        Ok::<Answer, Infallible>(Response::builder().status(201).body(Full::default()).unwrap())
    });
    let response = limited(5, inner).oneshot(Request::new(Pieces::of(&[5]))).await.unwrap();
    assert_eq!(response.status(), 201);
}

#[tokio::test]
async fn breaks_the_body_alone_once_the_answer_is_there() {
    let (send, receive) = oneshot::channel();
    let mut send = Some(send);
    let inner = service_fn(move |request: Request<LimitedBody<Pieces>>| {
        send.take().unwrap().send(request.into_body()).unwrap();
        std::future::ready(Ok::<Answer, Infallible>(Answer::default()))
    });
    let response = limited(5, inner).oneshot(Request::new(Pieces::of(&[5, 1]))).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = receive.await.unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 5);
    assert!(body.frame().await.unwrap().unwrap_err().is::<LimitExceeded>());
}

#[tokio::test]
async fn gives_no_further_piece_after_it_broke() {
    let mut body = LimitedBody::new(Pieces::of(&[3, 3, 1]), 5, None);
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.frame().await.unwrap().is_err());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn leaves_errors_of_the_client_and_their_answers_alone() {
    let mut pieces = Pieces::of(&[3]);
    pieces.0.push_back(Err("the client left".into()));
    let error = limited(5, service_fn(measure)).oneshot(Request::new(pieces)).await.unwrap_err();
    assert_eq!(error.to_string(), "the client left");
}

#[tokio::test]
async fn does_not_count_trailers() {
    let mut pieces = Pieces::of(&[5]);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    pieces.0.push_back(Ok(Frame::trailers(trailers)));
    let body = LimitedBody::new(pieces, 5, None).collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "1");
}

#[tokio::test]
async fn gives_back_an_unsent_request_unwrapped_and_limits_it_again() {
    let inner = service_fn(async |request: Request<LimitedBody<Pieces>>| {
        let mut response = Answer::default();
        response.extensions_mut().insert(ReturnedRequest::new(request));
        Ok::<Answer, Infallible>(response)
    });
    let response = limited(5, inner).oneshot(Request::new(Pieces::of(&[6]))).await.unwrap();
    let mut request = response.extensions().get::<ReturnedRequest<Pieces>>().unwrap().take().unwrap();
    request.extensions_mut().insert(Resent);

    let response = limited(5, service_fn(measure)).oneshot(request).await.unwrap();
    assert_refused(&response, 5);
}

#[test]
fn a_body_that_cannot_become_too_long_needs_no_signal() {
    let signals = |limit, body| {
        let (send, receive) = std::sync::mpsc::channel();
        let inner = service_fn(move |request: Request<LimitedBody<Hinted>>| {
            send.send(format!("{:?}", request.body()).contains("exceeds: Some")).unwrap();
            std::future::ready(Ok::<Answer, Infallible>(Answer::default()))
        });
        tokio_test::block_on(BodyLimitLayer::new(limit).layer(inner).oneshot(Request::new(body))).unwrap();
        receive.recv().unwrap()
    };
    assert!(!signals(Some(5), Hinted(SizeHint::with_exact(5))));
    assert!(!signals(None, Hinted(SizeHint::new())));
    assert!(signals(Some(5), Hinted(SizeHint::new())));
}

/// A body with this hint.
#[derive(Debug)]
struct Hinted(SizeHint);

impl Body for Hinted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
    }
}

#[test]
fn never_makes_an_unknown_length_known() {
    // A server would frame such a body as empty.
    assert_eq!(LimitedBody::new(Pieces::of(&[]), 0, None).size_hint().exact(), None);
}

#[tokio::test]
async fn is_a_layer_for_an_axum_router() {
    let app = axum::Router::new()
        .route("/", axum::routing::post(async |body: Bytes| body.len().to_string()))
        .layer(BodyLimitLayer::new(Some(5)));
    for (length, status) in [(5, 200), (6, 413)] {
        let body = axum::body::Body::new(Pieces::of(&[length]));
        let request = Request::post("/").body(body).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

#[test]
fn can_be_sent_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let service = limited(5, service_fn(measure::<Pieces>));
    is_send(&service);
    is_send(&service.oneshot(Request::new(Pieces::default())));
}

proptest! {
    #[test]
    fn passes_exactly_the_bodies_within_the_limit(
        lengths in proptest::collection::vec(0_usize..20, 0..10),
        limit in 0_u64..100,
    ) {
        let total: usize = lengths.iter().sum();
        let service = limited(limit, service_fn(measure));
        let response = tokio_test::block_on(service.oneshot(Request::new(Pieces::of(&lengths)))).unwrap();
        let fits = total as u64 <= limit;
        prop_assert_eq!(response.status().as_u16(), if fits { 200 } else { 413 });
    }
}
