//! The last touches to an answer: where hyper, left alone, would say something else than we mean.

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH},
};
use http_body::Body;
use hyper::ext::ReasonPhrase;

use super::{body::Length, clocks::Clocks};

/// What of a request its answer depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// By HTTP/1.0.
    old: bool,
    head: bool,
}

// === impl Asked ===

impl Asked {
    pub(super) fn by<B>(request: &Request<B>) -> Self {
        Self { old: request.version() == Version::HTTP_10, head: request.method() == Method::HEAD }
    }

    /// Touches up the answer; tells what hyper is to know of the body's length.
    pub(super) fn finish<B: Body>(self, response: &mut Response<B>, clocks: &Clocks) -> Length {
        if response.status().canonical_reason().is_none() {
            // hyper would write `<none>`.
            response.extensions_mut().get_or_insert_with(|| ReasonPhrase::from_static(b""));
        }
        if clocks.has_broken_off() {
            close(response.headers_mut());
        }
        if self.old {
            self.finish_old(response);
        }
        let keeps_length = response.status() == StatusCode::NOT_MODIFIED && !self.head;
        if keeps_length && has_one_length(response.headers()) { Length::Hidden } else { Length::Told }
    }

    /// hyper promises any client of HTTP/1.0 that asks for it to keep the connection, even where it is the only end
    /// that the body has, and even beside our own `close`.
    fn finish_old<B: Body>(self, response: &mut Response<B>) {
        let has_body = !self.head && !matches!(response.status().as_u16(), 101 | 204 | 304);
        let has_end =
            response.headers().contains_key(CONTENT_LENGTH) || response.body().size_hint().exact().is_some();
        if has_body && !has_end {
            close(response.headers_mut());
        }
        let closes = |option: &HeaderValue| option.as_bytes().eq_ignore_ascii_case(b"close");
        if response.headers().get(CONNECTION).is_some_and(closes) {
            *response.version_mut() = Version::HTTP_10;
        }
    }
}

fn close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Whether there is a length that hyper can read; it breaks off the connection over any other.
fn has_one_length(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(length), None) = (lengths.next(), lengths.next()) else { return false };
    length.as_bytes().iter().all(u8::is_ascii_digit)
        && length.to_str().is_ok_and(|length| length.parse::<u64>().is_ok())
}
