//! The backend's end: no token, no answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::PairingToken;
use crate::{contract::header, headers::only};

/// Makes [`RequireToken`] services.
#[derive(Clone, Debug)]
pub struct RequireTokenLayer {
    token: PairingToken,
}

/// Answers 400 with an empty body to every request without the token.
#[derive(Clone, Debug)]
pub struct RequireToken<S> {
    inner: S,
    token: PairingToken,
}

pin_project! {
    /// The future of [`RequireToken`].
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        kind: Kind<F, B>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F, B> {
        Paired { #[pin] future: F },
        Refused { response: Option<Response<B>> },
    }
}

// === impl RequireTokenLayer ===

impl RequireTokenLayer {
    /// Lets only requests with this token through.
    pub fn new(token: PairingToken) -> Self {
        Self { token }
    }
}

impl<S> Layer<S> for RequireTokenLayer {
    type Service = RequireToken<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireToken { inner, token: self.token.clone() }
    }
}

// === impl RequireToken ===

impl<S> RequireToken<S> {
    /// What is wrong with the request's token; nothing if it is the right one.
    fn fault(&self, headers: &HeaderMap) -> Option<&'static str> {
        // Kestrel joins repeated lines, so that even two right ones do not match there.
        match only(headers, &header::TOKEN) {
            Some(value) if self.token.matches(value.as_bytes()) => None,
            Some(_) => Some("wrong"),
            None if headers.contains_key(header::TOKEN) => Some("repeated"),
            None => Some("missing"),
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireToken<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let kind = match self.fault(request.headers()) {
            None => Kind::Paired { future: self.inner.call(request) },
            Some(fault) => {
                // ANCM: IISMiddleware.cs prints the token that it expected; we never do.
                tracing::error!(fault, "refused a request without the right pairing token");
                Kind::Refused { response: Some(refusal()) }
            }
        };
        ResponseFuture { kind }
    }
}

/// No `Proxy-Status`, unlike our other refusals: this end is no proxy.
fn refusal<B: From<Bytes>>() -> Response<B> {
    let mut response = Response::new(B::from(Bytes::new()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

// === impl ResponseFuture ===

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Paired { future } => future.poll(cx),
            KindProjection::Refused { response } => {
                Poll::Ready(Ok(response.take().expect("polled after it was ready")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use http_body::Body;
    use http_body_util::Full;
    use tower_test::mock;

    const TOKEN: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    fn request(tokens: &[&[u8]]) -> Request<()> {
        let mut request = Request::builder();
        for token in tokens {
            request = request.header("MS-ASPNETCORE-TOKEN", *token);
        }
        request.body(()).unwrap()
    }

    /// The answer, if the application was not asked.
    async fn refused(request: Request<()>) -> Response<Full<Bytes>> {
        let layer = RequireTokenLayer::new(PairingToken::new(TOKEN).unwrap());
        let (mut service, mut app) = mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(layer);
        app.allow(1);
        tokio_test::assert_ready_ok!(service.poll_ready());
        let response = service.call(request).await.unwrap();
        drop(service);
        assert!(app.next_request().await.is_none(), "the application was asked");
        response
    }

    #[tokio::test]
    async fn refuses_a_missing_wrong_or_repeated_token_with_an_empty_400() {
        let long = vec![b'a'; 70_000];
        let upper = TOKEN.to_uppercase();
        let cases: [&[&[u8]]; 8] = [
            &[],
            &[b""],
            &[b"0f8fad5b-d9cb-469f-a165-70867728950f"],
            &[upper.as_bytes()],
            &[b"0f8fad5b-d9cb-469f-a165-70867728950\xe9"],
            &[&long],
            &[TOKEN.as_bytes(), TOKEN.as_bytes()],
            &[TOKEN.as_bytes(), b"other"],
        ];
        for tokens in cases {
            let response = refused(request(tokens)).await;
            assert_eq!(response.status(), 400);
            assert_eq!(response.body().size_hint().exact(), Some(0));
            assert!(response.headers().is_empty());
        }
    }

    #[tokio::test]
    async fn passes_a_request_with_the_token_and_its_answer() {
        let layer = RequireTokenLayer::new(PairingToken::new(TOKEN).unwrap());
        let (mut service, mut app) = mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(layer);
        app.allow(1);
        tokio_test::assert_ready_ok!(service.poll_ready());
        let response = tokio_test::task::spawn(service.call(request(&[TOKEN.as_bytes()])));
        let (request, send) = app.next_request().await.unwrap();
        assert_eq!(request.headers()["ms-aspnetcore-token"], TOKEN);
        send.send_response(Response::builder().status(201).body(Full::default()).unwrap());
        assert_eq!(response.await.unwrap().status(), 201);
    }

    #[tokio::test]
    async fn is_ready_only_when_the_application_is() {
        let layer = RequireTokenLayer::new(PairingToken::new(TOKEN).unwrap());
        let (mut service, mut app) = mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(layer);
        app.allow(0);
        tokio_test::assert_pending!(service.poll_ready());
        app.allow(1);
        assert!(service.is_woken());
        tokio_test::assert_ready_ok!(service.poll_ready());
    }

    #[tokio::test]
    async fn logs_what_is_wrong_but_neither_token() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);

        refused(request(&[b"a-guess"])).await;

        let text = log.text();
        assert!(text.contains("ERROR ancm_tower::pairing_token"), "{text}");
        assert!(text.contains("fault=\"wrong\""), "{text}");
        assert!(!text.contains(TOKEN) && !text.contains("a-guess"), "{text}");
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl std::io::Write for Log {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
