//! A service that does with each request what was planned.

use std::{sync::Mutex, time::Duration};

use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::StreamBody;
use tokio::time::sleep;

use super::{
    super::*,
    plan::{Body as SentBody, Exchange, Plan, Reads, content},
};

/// What it does, and what is left of it afterwards.
#[derive(Clone)]
pub(super) struct Habits {
    exchanges: Arc<Vec<Exchange>>,
    beside: Arc<Mutex<Vec<JoinHandle<()>>>>,
    late: Arc<Mutex<Vec<(usize, ClientBody)>>>,
    echo: Arc<Mutex<Option<JoinHandle<()>>>>,
}

// === impl Habits ===

impl Habits {
    pub(super) fn of(plan: &Plan) -> Self {
        let exchanges = Arc::new(plan.exchanges.clone());
        Self { exchanges, beside: Arc::default(), late: Arc::default(), echo: Arc::default() }
    }

    pub(super) async fn answer(self, mut request: Request<ClientBody>) -> Answer {
        let number: usize = request.uri().path()[1..].parse().unwrap();
        let planned = &self.exchanges[number];
        let upgrade = OnUpgrade::take(&mut request);
        assert_eq!(upgrade.is_some(), planned.upgrade && !planned.is_old && !planned.body.is_there());
        self.read(number, request.into_body()).await;
        sleep(Duration::from_millis(planned.delay)).await;
        if planned.status == 101 {
            let upgrade = upgrade.unwrap();
            *self.echo.lock().unwrap() = Some(tokio::spawn(echo_all(upgrade)));
        }
        Ok(answer(number, planned))
    }

    async fn read(&self, number: usize, mut body: ClientBody) {
        let planned = self.exchanges[number].clone();
        match planned.reads {
            Reads::Nothing => {}
            Reads::Part(pieces) => {
                let whole = content(number, planned.body.length());
                let mut read = 0;
                for _ in 0..pieces {
                    let Some(frame) = body.frame().await else { break };
                    let Ok(data) = frame.unwrap().into_data() else { break };
                    assert_eq!(data, whole[read..read + data.len()]);
                    read += data.len();
                }
            }
            Reads::All => assert!(collect(number, &planned, body).await, "only part of a body came"),
            Reads::Beside => {
                // It may break off, when its answer was the last.
                let reading = async move {
                    collect(number, &planned, body).await;
                };
                self.beside.lock().unwrap().push(tokio::spawn(reading));
            }
            Reads::Late => self.late.lock().unwrap().push((number, body)),
        }
    }

    /// Reads what was left, and waits for what still goes on; how many pieces the answers had.
    pub(super) async fn finish(self, plan: &Plan) -> usize {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        for (number, body) in late {
            let planned = &plan.exchanges[number];
            assert!(
                !collect(number, planned, body).await || !planned.body.is_there(),
                "read when it is over"
            );
        }
        let beside = std::mem::take(&mut *self.beside.lock().unwrap());
        let echo = self.echo.lock().unwrap().take();
        for task in beside.into_iter().chain(echo) {
            task.await.unwrap();
        }
        plan.exchanges.iter().map(|planned| planned.pieces.len()).sum()
    }
}

/// Whether the whole of it came; what came is as it was sent.
async fn collect(number: usize, planned: &Exchange, body: ClientBody) -> bool {
    let Ok(body) = body.collect().await else { return false };
    let trailers = matches!(planned.body, SentBody::Chunks { trailers: true, .. });
    assert_eq!(body.trailers().is_some_and(|all| all["x-sum"] == "9"), trailers);
    assert!(body.to_bytes() == content(number, planned.body.length()));
    true
}

fn answer(number: usize, planned: &Exchange) -> Response<TestBody> {
    let whole = Bytes::from(content(number + 100, planned.pieces.iter().sum()));
    let body = if planned.status == 101 {
        TestBody::from("")
    } else if planned.is_length_known {
        TestBody::from(whole)
    } else {
        pieces(planned.clone(), whole)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(planned.status).unwrap();
    response.headers_mut().insert("x-number", HeaderValue::from(number));
    response.headers_mut().insert(header::TRAILER, HeaderValue::from_static("x-end"));
    response
}

fn pieces(planned: Exchange, whole: Bytes) -> TestBody {
    let frames = stream::unfold((0, planned, whole), |(at, planned, mut whole)| async move {
        sleep(Duration::from_millis(planned.delay)).await;
        let frame = if let Some(&length) = planned.pieces.get(at) {
            Frame::data(whole.split_to(length))
        } else if planned.trailers && at == planned.pieces.len() {
            Frame::trailers(HeaderMap::from_iter([(
                header::HeaderName::from_static("x-end"),
                HeaderValue::from_static("1"),
            )]))
        } else {
            return None;
        };
        Some((Ok(frame), (at + 1, planned, whole)))
    });
    TestBody::new(SyncBody(Mutex::new(Box::pin(StreamBody::new(frames)))))
}

/// Sends everything back.
async fn echo_all(upgrade: OnUpgrade) {
    let (mut read, mut write) = tokio::io::split(upgrade.await.unwrap());
    // A client that has read enough leaves.
    let _ = tokio::io::copy(&mut read, &mut write).await;
}

/// Makes a body `Sync` that is only ever polled by one.
struct SyncBody<B>(Mutex<Pin<Box<B>>>);

impl<B: Body> Body for SyncBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.0.lock().unwrap().as_mut().poll_frame(context)
    }
}
