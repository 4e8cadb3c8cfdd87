//! What the request timeout promises.

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use tokio::{
    sync::mpsc,
    time::{Instant, advance, sleep},
};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{ServiceExt, service_fn};

use super::*;
use crate::{BoxError, refusal::Refusal};

const LIMIT: Duration = Duration::from_secs(10);
const GONE: Refusal = Refusal::RequestTimeout { limit: LIMIT, status: StatusCode::GATEWAY_TIMEOUT };

type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// A body that waits for what a test sends.
#[derive(Debug)]
pub(super) struct Pipe(mpsc::UnboundedReceiver<Bytes>);

impl Body for Pipe {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl From<Bytes> for Pipe {
    fn from(bytes: Bytes) -> Self {
        let (sender, pipe) = pipe();
        sender.send(bytes).unwrap();
        pipe
    }
}

pub(super) fn pipe() -> (mpsc::UnboundedSender<Bytes>, Pipe) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Pipe(receiver))
}

fn layer() -> RequestTimeoutLayer {
    RequestTimeoutLayer::new(LIMIT)
}

fn full(text: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(text.into())
}

/// A backend that never answers.
async fn silence() -> Answer {
    pending().await
}

fn get() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

/// Sends a piece to each pipe after each of these pauses, and then holds the pipe open.
async fn send(sender: mpsc::UnboundedSender<Bytes>, pauses: Vec<Duration>) {
    for pause in pauses {
        sleep(pause).await;
        sender.send(Bytes::from_static(b"piece")).unwrap();
    }
    pending::<()>().await;
}

/// A backend that takes the whole body, lets a while pass after each piece, and never answers.
async fn greedy(body: WatchedBody<Pipe>, rest: Duration) -> Answer {
    let mut body = Box::pin(body);
    while body.frame().await.is_some() {
        sleep(rest).await;
    }
    pending().await
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[tokio::test(start_paused = true)]
async fn answers_504_when_the_backend_is_silent() {
    let silent = service_fn(async |_| silence().await);
    let before = Instant::now();
    let response = layer().layer(silent).oneshot(get()).await.unwrap();
    assert_eq!(before.elapsed(), LIMIT);
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(response.headers()["proxy-status"], "ancm; error=http_response_timeout");
    assert_eq!(response.extensions().get(), Some(&GONE));
}

#[tokio::test(start_paused = true)]
async fn says_502_where_that_is_chosen() {
    let silent = service_fn(async |_| silence().await);
    let layer = layer().status(StatusCode::BAD_GATEWAY);
    let response = layer.layer(silent).oneshot(get()).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test(start_paused = true)]
async fn waits_for_ever_when_the_limit_is_zero_or_beyond_the_clock() {
    for limit in [Duration::ZERO, Duration::MAX] {
        let silent = service_fn(async |_| silence().await);
        let mut waiting = task::spawn(RequestTimeoutLayer::new(limit).layer(silent).oneshot(get()));
        assert_pending!(waiting.poll());
        advance(Duration::from_secs(86_400 * 365)).await;
        assert_pending!(waiting.poll());
    }
}

#[tokio::test(start_paused = true)]
async fn drops_the_inner_future_as_soon_as_the_time_is_over() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    let silent = service_fn(move |_| {
        let flag = Flag(Arc::clone(&flag));
        async move {
            let _flag = flag;
            silence().await
        }
    });
    let mut waiting = task::spawn(layer().layer(silent).call(get()));
    assert_pending!(waiting.poll());
    advance(LIMIT).await;
    assert_ready_ok!(waiting.poll());
    assert!(dropped.load(Ordering::Relaxed), "while the future that was polled is still there");
}

#[test]
fn makes_no_timer_when_everything_is_there_at_once() {
    // There is no runtime here: a timer would panic.
    let quick = service_fn(async |_| Ok::<_, Infallible>(Response::new(full("quick"))));
    let response = assert_ready_ok!(task::spawn(layer().layer(quick).oneshot(get())).poll());
    let body = assert_ready_ok!(task::spawn(response.into_body().collect()).poll());
    assert_eq!(body.to_bytes(), "quick");
}

#[tokio::test]
async fn shares_nothing_with_a_request_that_has_no_body() {
    let tell = service_fn(async |request: Request<WatchedBody<_>>| {
        Ok::<_, Infallible>(Response::new(full(format!("{:?}", request.body()))))
    });
    let response = layer().layer(tell).oneshot(get()).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert!(text.ends_with(b"uploading: None }"), "{text:?}");
}

#[tokio::test(start_paused = true)]
async fn starts_anew_with_every_piece_that_the_backend_takes() {
    let slow = service_fn(async |request: Request<WatchedBody<_>>| {
        let mut body = Box::pin(request.into_body());
        for _ in 0..5 {
            sleep(LIMIT * 9 / 10).await;
            body.frame().await.unwrap().unwrap();
        }
        sleep(LIMIT * 9 / 10).await;
        Ok::<_, Infallible>(Response::new(full("")))
    });
    let (sender, body) = pipe();
    for _ in 0..5 {
        sender.send(Bytes::from_static(b"piece")).unwrap();
    }
    let response = layer().layer(slow).oneshot(Request::new(body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn is_exact_when_the_client_pauses_and_resumes() {
    let plans = [
        vec![0.0],
        vec![25.0],
        vec![9.9, 0.1, 9.9, 10.0, 10.1],
        vec![3.0, 77.7, 0.0, 0.0, 12.5],
        vec![10.0, 10.0],
        vec![0.001, 19.999, 20.001],
    ];
    for plan in plans {
        for rest in [0.0, 0.5, 9.0] {
            let (sender, body) = pipe();
            let pauses: Vec<_> = plan.iter().copied().map(seconds).collect();
            tokio::spawn(send(sender, pauses.clone()));
            let before = Instant::now();
            // After the last piece the client sends no more, so that the clock stands still.
            let service = layer()
                .layer(service_fn(move |request: Request<_>| greedy(request.into_body(), seconds(rest))));
            let mut waiting = task::spawn(service.oneshot(Request::new(body)));
            let outcome = tokio::time::timeout(Duration::from_secs(10_000), &mut waiting).await;
            assert!(
                outcome.is_err(),
                "cut after {:?} although the client had to send ({plan:?})",
                before.elapsed()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn counts_from_the_last_piece_when_the_client_has_paused() {
    for pause in [0.0, 0.1, 9.9, 10.0, 10.1, 19.9, 20.0, 25.3, 1_000.0] {
        let (sender, body) = pipe();
        tokio::spawn(send(sender, vec![seconds(pause), seconds(pause / 3.0)]));
        let silent = service_fn(async |request: Request<WatchedBody<Pipe>>| {
            let mut body = Box::pin(request.into_body());
            body.frame().await.unwrap().unwrap();
            body.frame().await.unwrap().unwrap();
            // Enough: the body stays, but nobody asks the client for more.
            let _body = body;
            silence().await
        });
        let before = Instant::now();
        let response = layer().layer(silent).oneshot(Request::new(body)).await.unwrap();
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        let expected = seconds(pause) + seconds(pause / 3.0) + LIMIT;
        // The clock of the runtime counts whole milliseconds, and rounds up.
        let late = before.elapsed().checked_sub(expected).expect("not too early");
        assert!(late <= Duration::from_millis(3), "{late:?} late after a pause of {pause} s");
    }
}

#[tokio::test(start_paused = true)]
async fn counts_again_when_the_backend_lets_go_of_a_body_that_paused() {
    let (_sender, body) = pipe();
    let silent = service_fn(async |request: Request<WatchedBody<Pipe>>| {
        let mut body = Box::pin(request.into_body());
        let _ = tokio::time::timeout(LIMIT * 3, body.frame()).await;
        drop(body);
        silence().await
    });
    let before = Instant::now();
    layer().layer(silent).oneshot(Request::new(body)).await.unwrap();
    assert_eq!(before.elapsed(), LIMIT * 4);
}

#[tokio::test(start_paused = true)]
async fn ends_an_answer_with_an_error_when_it_stops() {
    let (sender, body) = pipe();
    let mut body = Some(body);
    let service = service_fn(move |_| {
        let body = body.take().unwrap();
        async move {
            sleep(LIMIT / 2).await;
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    let mut body = layer().layer(service).oneshot(get()).await.unwrap().into_body();
    tokio::spawn(send(sender, vec![LIMIT * 9 / 10; 5]));
    for _ in 0..5 {
        body.frame().await.unwrap().unwrap();
    }
    let last = Instant::now();
    let error: BoxError = body.frame().await.unwrap().unwrap_err();
    assert_eq!(last.elapsed(), LIMIT);
    assert_eq!(error.downcast_ref(), Some(&GONE));
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn stands_still_while_nobody_reads_the_answer() {
    let (sender, body) = pipe();
    let mut body =
        TimeoutBody::new(body, Some(Wait::new(LIMIT, StatusCode::GATEWAY_TIMEOUT, None)), Timer::default());
    sender.send(Bytes::from_static(b"1")).unwrap();
    tokio::spawn(send(sender, vec![LIMIT / 2, LIMIT * 10]));
    body.frame().await.unwrap().unwrap();
    body.frame().await.unwrap().unwrap();
    sleep(LIMIT * 9 + LIMIT / 2).await;
    body.frame().await.unwrap().unwrap();
    let last = Instant::now();
    body.frame().await.unwrap().unwrap_err();
    assert_eq!(last.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn stands_still_while_an_answer_in_progress_waits_for_the_client() {
    let (client, body) = pipe();
    let echo = service_fn(async |request: Request<WatchedBody<Pipe>>| {
        Ok::<_, Infallible>(Response::new(Echo(request.into_body())))
    });
    let mut body = layer().layer(echo).oneshot(Request::new(body)).await.unwrap().into_body();
    tokio::spawn(send(client, vec![LIMIT * 3, LIMIT / 2, LIMIT * 20]));
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
}

/// An answer made of the request's pieces.
struct Echo(WatchedBody<Pipe>);

impl Body for Echo {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

impl From<Bytes> for Echo {
    fn from(bytes: Bytes) -> Self {
        Self(WatchedBody::new(Pipe::from(bytes), None))
    }
}

#[tokio::test(start_paused = true)]
async fn leaves_upgraded_connections_alone() {
    let (_sender, body) = pipe();
    let mut body = Some(body);
    let upgrade = service_fn(move |_| {
        let mut response = Response::new(body.take().unwrap());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let mut body = layer().layer(upgrade).oneshot(get()).await.unwrap().into_body();
    let mut frame = task::spawn(body.frame());
    assert_pending!(frame.poll());
    advance(LIMIT * 100).await;
    assert_pending!(frame.poll());
}

#[tokio::test]
async fn unwraps_the_body_of_a_request_that_comes_back() {
    let back = service_fn(async |request: Request<WatchedBody<Full<Bytes>>>| {
        let mut response = Response::new(full(""));
        response.extensions_mut().insert(ReturnedRequest::new(request));
        Ok::<_, Infallible>(response)
    });
    let response = layer().layer(back).oneshot(Request::new(full("body"))).await.unwrap();
    let returned = response.extensions().get::<ReturnedRequest<Full<Bytes>>>().unwrap();
    let body = returned.take().unwrap().into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "body");
}

#[tokio::test]
async fn passes_the_errors_of_the_inner_service() {
    let broken = service_fn(async |_| Err::<Response<Full<Bytes>>, _>("broken"));
    assert_eq!(layer().layer(broken).oneshot(get()).await.unwrap_err(), "broken");
}
