//! The service that layers are put around, and the requests that go through them.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, ready},
};

use ancm_tower::client::{Client, Scheme};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

/// What a browser sends with the request for a page; about 1.1 KB, with the host.
const BROWSER: [(&str, &str); 14] = [
    ("host", "shop.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("accept-language", "de-CH,de;q=0.8,en-US;q=0.5,en;q=0.3"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://shop.example/catalogue?page=7&sort=price"),
    ("cookie", concat!(".AspNetCore.Session=", include_str!("cookie.txt"), "; theme=dark; consent=all")),
    ("upgrade-insecure-requests", "1"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-user", "?1"),
    ("priority", "u=0, i"),
    ("te", "trailers"),
];

/// Made once for each connection, not for each request.
static CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::new(([192, 0, 2, 7], 50_123).into(), Scheme::Https));

/// Reads the request's body to its end, then answers 12 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bare {
    /// Whether it lets the caller wait once first, as a backend does.
    pub(crate) waits: bool,
}

/// The future of [`Bare`].
pub(crate) struct Answer<B> {
    request: Request<B>,
    waits: bool,
}

/// A browser's request for a page, as the server hands it to the stack.
pub(crate) fn browser<B>(body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.uri_mut() = http::Uri::from_static("/catalogue/7?colour=green");
    for (name, value) in BROWSER {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request.extensions_mut().insert(CLIENT.clone());
    request
}

// === impl Bare ===

impl<B> Service<Request<B>> for Bare
where
    B: Body + Unpin,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer<B> {
        Answer { request, waits: self.waits }
    }
}

// === impl Answer ===

impl<B> Future for Answer<B>
where
    B: Body + Unpin,
{
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::take(&mut self.waits) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while let Some(Ok(_)) = ready!(Pin::new(self.request.body_mut()).poll_frame(context)) {}
        Poll::Ready(Ok(Response::new(Full::new(Bytes::from_static(b"Hello World\n")))))
    }
}
