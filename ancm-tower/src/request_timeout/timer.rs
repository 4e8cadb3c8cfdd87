//! Timers that the requests of one service use one after the other.
//!
//! To register a timer and to take it back costs more than everything else that this layer does, and nearly every
//! request is answered long before the timer would ring. So it stays registered, and rings too early at worst.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::{Instant, Sleep};

use crate::timers::sleep_until;

/// How many timers lie there at most: more requests than these are rarely under way at the same time.
const AT_MOST: usize = 256;

/// Where timers lie that nobody uses. Nobody else ever locks it while a request takes one or puts it back.
#[derive(Clone, Debug, Default)]
pub(super) struct Spare(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

/// A timer, once it has been needed; it goes back when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    home: Option<Spare>,
}

// === impl Timer ===

impl Timer {
    /// Takes its timer from there, if one is needed.
    pub(super) fn new(home: Option<Spare>) -> Self {
        Self { sleep: None, home }
    }

    /// A timer that rings at this time, or earlier.
    pub(super) fn by(&mut self, first: Instant) -> Pin<&mut Sleep> {
        let home = &self.home;
        let sleep = self.sleep.get_or_insert_with(|| {
            // All limits of a service are the same: what an earlier request has set rings earlier.
            let spare = home.as_ref().and_then(|home| home.slot().pop());
            spare.unwrap_or_else(|| Box::pin(sleep_until(first)))
        });
        sleep.as_mut()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some((home, sleep)) = self.home.as_ref().zip(self.sleep.take()) {
            let mut spare = home.slot();
            if spare.len() < AT_MOST {
                spare.push(sleep);
            }
        }
    }
}

// === impl Spare ===

impl Spare {
    fn slot(&self) -> std::sync::MutexGuard<'_, Vec<Pin<Box<Sleep>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt, Empty, Full};
    use tokio::time::{Instant, sleep};
    use tower::{Layer, Service, ServiceExt, service_fn};

    use super::super::{RequestTimeout, RequestTimeoutLayer, WatchedBody, tests::pipe};

    const LIMIT: Duration = Duration::from_secs(10);

    /// A backend that thinks for as many seconds as the path says.
    async fn think(request: Request<WatchedBody<Empty<Bytes>>>) -> Result<Response<Full<Bytes>>, Infallible> {
        let seconds = request.uri().path()[1..].parse().unwrap();
        sleep(Duration::from_secs(seconds)).await;
        Ok(Response::new(Full::default()))
    }

    fn get(path: &str) -> Request<Empty<Bytes>> {
        Request::get(path).body(Empty::new()).unwrap()
    }

    fn rests<S>(service: &RequestTimeout<S>) -> bool {
        service.spare.as_ref().is_some_and(|spare| !spare.slot().is_empty())
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_has_the_whole_time_though_they_share_a_timer() {
        let mut service = RequestTimeoutLayer::new(LIMIT).layer(service_fn(think));
        for path in ["/6", "/9", "/0"] {
            assert!(service.ready().await.unwrap().call(get(path)).await.unwrap().status().is_success());
            assert!(rests(&service), "{path}");
        }
        // The timer was set for the first of them, and rings in the middle of this one.
        let before = Instant::now();
        assert_eq!(service.call(get("/60")).await.unwrap().status(), 504);
        assert_eq!(before.elapsed(), LIMIT);
        // It has rung; and long ago.
        sleep(LIMIT * 3).await;
        assert_eq!(service.call(get("/60")).await.unwrap().status(), 504);
        assert_eq!(before.elapsed(), LIMIT * 5);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_under_way_at_the_same_time_have_each_their_own() {
        let mut service = RequestTimeoutLayer::new(LIMIT).layer(service_fn(think));
        let before = Instant::now();
        let (first, second) = (service.call(get("/60")), service.call(get("/9")));
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.unwrap().status().as_u16(), second.unwrap().status().as_u16()), (504, 200));
        assert_eq!(before.elapsed(), LIMIT);
        assert_eq!(service.spare.unwrap().slot().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_puts_it_back_and_a_clone_has_none() {
        let mut service = RequestTimeoutLayer::new(LIMIT).layer(service_fn(think));
        let mut given_up = tokio_test::task::spawn(service.call(get("/60")));
        tokio_test::assert_pending!(given_up.poll());
        assert!(!rests(&service));
        drop(given_up);
        assert!(rests(&service) && !rests(&service.clone()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_awaited_has_the_timer_of_its_request() {
        let (_silent, body) = pipe();
        let mut body = Some(body);
        let answer = service_fn(move |_: Request<WatchedBody<Empty<Bytes>>>| {
            let body = body.take().unwrap();
            async move {
                sleep(LIMIT / 2).await;
                Ok::<_, Infallible>(Response::new(body))
            }
        });
        let mut service = RequestTimeoutLayer::new(LIMIT).layer(answer);
        let mut body = service.call(get("/")).await.unwrap().into_body();
        assert!(!rests(&service), "it is still in use");
        let before = Instant::now();
        body.frame().await.unwrap().unwrap_err();
        assert_eq!(before.elapsed(), LIMIT);
        drop(body);
        assert!(rests(&service));
    }
}
