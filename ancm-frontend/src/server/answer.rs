//! An answer's head on its way to the client.

use http::{
    HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};
use http_body::Body;
use hyper::ext::ReasonPhrase;

use super::{
    date,
    request::{self, About},
};
use crate::http1::{
    digits,
    outgoing::{Framing, field, number},
};

/// How an answer goes on behind its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// None: there is no body.
    pub(super) framing: Option<Framing>,
    /// Another request may follow.
    pub(super) keep_alive: bool,
}

/// The lengths that an answer says it has.
enum Lengths {
    None,
    One(u64),
    /// More than one, or no number.
    Unclear,
}

/// Writes the head. `last` says that no further request is wanted.
pub(super) fn write<B: Body>(response: &Response<B>, about: About, last: bool, out: &mut Vec<u8>) -> Plan {
    let status = response.status();
    status_line(response, about.is_old, out);
    let (mut lengths, mut said_close, mut dated) = (Lengths::None, false, false);
    for (name, value) in response.headers() {
        if name == CONTENT_LENGTH {
            lengths = lengths.and(value);
        } else if name == TRANSFER_ENCODING {
            // The connection's own business.
        } else {
            if name == CONNECTION {
                said_close |= request::has(value, "close");
            }
            dated |= name == DATE;
            field(out, name.as_str(), value.as_bytes());
        }
    }
    let length = lengths.only();
    let framing = framing(response, about, length);
    // A service has no interim answers to give: behind one there would be another, which belongs to nothing.
    let last = last || said_close || status.is_informational() || framing == Some(Framing::Close);
    let keep_alive = about.keep_alive && !last;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        // `Connection: Upgrade` is there already.
    } else if !keep_alive && !said_close {
        out.extend_from_slice(b"connection: close\r\n");
    } else if keep_alive && about.is_old {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    match (framing, length) {
        (Some(Framing::Length(length)), _) => length_line(out, length),
        (Some(Framing::Chunked), _) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // What a body would have: the answer to a HEAD request says so, and so does a 304.
        (None, Some(length)) if says_length(status) => length_line(out, length),
        (None, None) if about.is_head && says_length(status) => {
            if let Some(length) = response.body().size_hint().exact().filter(|&length| length > 0) {
                length_line(out, length);
            }
        }
        (Some(Framing::Close) | None, _) => {}
    }
    if !dated {
        date::append(out);
    }
    out.extend_from_slice(b"\r\n");
    Plan { framing, keep_alive }
}

fn status_line<B>(response: &Response<B>, is_old: bool, out: &mut Vec<u8>) {
    let status = response.status();
    let reason = response.extensions().get::<ReasonPhrase>();
    if status == StatusCode::OK && !is_old && reason.is_none() {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(if is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" ");
    let canonical = || status.canonical_reason().unwrap_or_default().as_bytes();
    out.extend_from_slice(reason.map_or_else(canonical, ReasonPhrase::as_bytes));
    out.extend_from_slice(b"\r\n");
}

/// RFC 9112 6: the length that was said; else the one that is known; else chunks, or the end of the connection.
fn framing<B: Body>(response: &Response<B>, about: About, said: Option<u64>) -> Option<Framing> {
    let status = response.status();
    if about.is_head || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return None;
    }
    Some(match said.or_else(|| response.body().size_hint().exact()) {
        Some(length) => Framing::Length(length),
        None if about.is_old => Framing::Close,
        None => Framing::Chunked,
    })
}

/// RFC 9110 8.6: these never have one.
fn says_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT
}

impl Lengths {
    fn and(self, value: &HeaderValue) -> Self {
        match (self, digits(value.as_bytes())) {
            (Self::None, Some(length)) => Self::One(length),
            _ => Self::Unclear,
        }
    }

    fn only(self) -> Option<u64> {
        if let Self::One(length) = self { Some(length) } else { None }
    }
}

fn length_line(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    number(out, length);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};

    use super::*;

    type TestBody = BoxBody<Bytes, std::convert::Infallible>;

    const NEW: About =
        About { is_head: false, is_old: false, keep_alive: true, trailers: false, expects: false };
    const OLD: About = About { is_old: true, ..NEW };
    const HEAD: About = About { is_head: true, ..NEW };

    fn known(text: &'static str) -> Response<TestBody> {
        Response::new(Full::from(text).boxed())
    }

    fn unknown() -> Response<TestBody> {
        let frames =
            futures_util::stream::empty::<Result<http_body::Frame<Bytes>, std::convert::Infallible>>();
        Response::new(BodyExt::boxed(http_body_util::StreamBody::new(frames)))
    }

    /// The head without its date, and what follows.
    fn written(response: &Response<TestBody>, about: About) -> (String, Plan) {
        let mut out = Vec::new();
        let plan = write(response, about, false, &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect();
        (lines, plan)
    }

    #[test]
    fn frames_a_body_by_its_length_or_in_chunks_or_by_the_end() {
        let (text, plan) = written(&known("abc"), NEW);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
        assert_eq!(plan, Plan { framing: Some(Framing::Length(3)), keep_alive: true });
        let (text, plan) = written(&unknown(), NEW);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(plan, Plan { framing: Some(Framing::Chunked), keep_alive: true });
        let (text, plan) = written(&unknown(), OLD);
        assert_eq!(text, "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n");
        assert_eq!(plan, Plan { framing: Some(Framing::Close), keep_alive: false });
    }

    #[test]
    fn an_old_client_is_told_that_its_connection_is_kept() {
        let (text, plan) = written(&known("abc"), OLD);
        assert_eq!(text, "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\n");
        assert!(plan.keep_alive);
    }

    #[test]
    fn answers_without_a_body_say_what_they_may_of_its_length() {
        let mut response = known("abc");
        assert_eq!(written(&response, HEAD).0, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
        assert_eq!(written(&unknown(), HEAD).0, "HTTP/1.1 200 OK\r\n\r\n");
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
        assert_eq!(
            written(&response, NEW),
            ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), written(&response, NEW).1)
        );
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let (text, plan) = written(&response, NEW);
        assert_eq!(text, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(plan.framing, None);
    }

    #[test]
    fn a_length_that_was_said_counts() {
        let mut response = unknown();
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("7"));
        response.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        let (text, plan) = written(&response, NEW);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
        assert_eq!(plan.framing, Some(Framing::Length(7)));
    }

    #[test]
    fn closes_when_the_answer_says_so() {
        let mut response = Response::new(Empty::new().boxed());
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("x, Close"));
        let (text, plan) = written(&response, NEW);
        assert_eq!(text, "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n");
        assert!(!plan.keep_alive);
        let mut out = Vec::new();
        assert!(!write(&known(""), NEW, true, &mut out).keep_alive);
        assert!(String::from_utf8(out).unwrap().contains("connection: close\r\n"));
    }

    #[test]
    fn writes_reasons_and_odd_statuses() {
        let mut response = known("");
        *response.status_mut() = StatusCode::from_u16(999).unwrap();
        assert!(written(&response, NEW).0.starts_with("HTTP/1.1 999 \r\n"));
        response.extensions_mut().insert(ReasonPhrase::from_static(b"My Reason"));
        assert!(written(&response, OLD).0.starts_with("HTTP/1.0 999 My Reason\r\n"));
    }

    #[test]
    fn a_date_that_is_there_is_kept() {
        let mut response = known("");
        response.headers_mut().insert(DATE, HeaderValue::from_static("then"));
        let mut out = Vec::new();
        write(&response, NEW, false, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("date: ").count(), 1, "{text}");
    }
}
