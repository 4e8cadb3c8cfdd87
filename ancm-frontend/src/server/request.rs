//! A head that has been read, as a request; and what its answer will have to know of it.

use std::ops::Range;

use bytes::{Buf, Bytes};
use http::{HeaderValue, Method, Request, Uri, Version};

use ancm_tower::refusal::Refusal;

use super::{
    body::ClientBody,
    header_lines::{HeaderLines, Said},
};
use crate::http1::spare;

/// What outlives the request.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    /// The answer has no body.
    pub(super) is_head: bool,
    /// It is of HTTP/1.0.
    pub(super) is_old: bool,
    /// Another request may follow.
    pub(super) keep_alive: bool,
    /// The client takes trailers.
    pub(super) trailers: bool,
    /// The client waits to be asked for its body.
    pub(super) expects: bool,
}

/// What of a head tells its request apart from others with the same header lines: method and target.
pub(super) fn method_and_target(head: &[u8]) -> &[u8] {
    places(head).map_or(head, |(_, target)| &head[..target.end])
}

/// Where the method is, and the target; nothing need follow that.
fn places(head: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let blank = |from: usize| head[from..].iter().position(|&byte| byte == b' ').map(|at| from + at);
    let start = if head.starts_with(b"\r\n") { 2 } else { 0 };
    let method_end = blank(start)?;
    let target = method_end + 1;
    Some((start..method_end, target..blank(target).unwrap_or(head.len())))
}

/// Makes a request of a head whose bytes have passed the guard, or of its method and target; it has no body yet.
pub(super) fn request(
    mut head: Bytes,
    is_old: bool,
    lines: HeaderLines,
) -> Result<(Request<ClientBody>, About), Refusal> {
    const LINE: Refusal = Refusal::BadRequest { reason: "the request line is malformed" };
    let (method, target) = places(&head).ok_or(LINE)?;
    let mut request = Request::new(ClientBody::default());
    *request.extensions_mut() = spare::take_extensions();
    *request.method_mut() = Method::from_bytes(&head[method]).map_err(|_| LINE)?;
    let target = if target.end == head.len() {
        // Nobody else needs it: a slice would have to be shared.
        head.advance(target.start);
        head
    } else {
        head.slice(target)
    };
    *request.uri_mut() = Uri::from_maybe_shared(target)
        .map_err(|_| Refusal::BadRequest { reason: "the target is malformed" })?;
    if is_old {
        *request.version_mut() = Version::HTTP_10;
    }
    *request.headers_mut() = lines.headers;
    let about = About::new(&request, lines.said);
    Ok((request, about))
}

impl About {
    fn new<B>(request: &Request<B>, said: Said) -> Self {
        let is_old = request.version() == Version::HTTP_10;
        Self {
            is_head: request.method() == Method::HEAD,
            is_old,
            // RFC 9112 9.3.
            keep_alive: !said.close && (!is_old || said.keep_alive),
            trailers: !is_old && said.trailers,
            expects: !is_old && said.expects,
        }
    }
}

/// Whether a line of a list has this item.
pub(super) fn has(line: &HeaderValue, item: &str) -> bool {
    line.as_bytes()
        .split(|&byte| byte == b',')
        .any(|each| each.trim_ascii().eq_ignore_ascii_case(item.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{head_guard::HeadReader, header_lines::Habit};

    fn read(text: &str) -> Result<(Request<ClientBody>, About), Refusal> {
        let mut reader = HeadReader::new();
        assert_eq!(reader.follow(text.as_bytes(), |_| None), Ok(Some(text.len())), "{text}");
        let head = Bytes::copy_from_slice(text.as_bytes());
        let lines = HeaderLines::read(&head, &reader, Habit::default())?;
        request(head, reader.is_old(), lines)
    }

    fn about(lines: &str) -> About {
        read(&format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).unwrap().1
    }

    #[test]
    fn takes_a_head_as_it_is() {
        let text =
            "GET /a%2Fb?c=%3F? HTTP/1.1\r\nHost: a\r\nCookie:\t x=1 \r\nempty:\r\ncookie: y\t2\r\n\r\n";
        let (request, _) = read(text).unwrap();
        assert_eq!((request.method(), request.version()), (&Method::GET, Version::HTTP_11));
        assert_eq!(request.uri(), "/a%2Fb?c=%3F?");
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["x=1", "y\t2"]);
        assert_eq!(request.headers()["empty"], "");
    }

    #[test]
    fn takes_the_empty_line_before_a_request() {
        let (request, about) = read("\r\nHEAD * HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!((request.method(), request.version()), (&Method::HEAD, Version::HTTP_10));
        assert!(about.is_head && about.is_old && !about.keep_alive);
    }

    #[test]
    fn method_and_target_are_enough_of_a_head() {
        let head = |text: &str| {
            let head = Bytes::copy_from_slice(text.as_bytes());
            let lines = HeaderLines::read(&head, &HeadReader::new(), Habit::default()).unwrap();
            request(head, false, lines).map(|(request, _)| (request.method().clone(), request.uri().clone()))
        };
        for (text, needed) in [("GET /a?b HTTP/1.1\r\n", "GET /a?b"), ("\r\nPUT * HTTP/1.1\r\n", "\r\nPUT *")]
        {
            assert_eq!(method_and_target(text.as_bytes()), needed.as_bytes());
            assert_eq!(head(needed), head(text));
            assert!(head(needed).is_ok());
        }
        assert!(head("GET").is_err() && head("GET ").is_err());
    }

    #[test]
    fn keeps_a_connection_as_the_client_asks_for() {
        assert!(about("").keep_alive);
        assert!(!about("Connection: x, Close\r\n").keep_alive);
        assert!(read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap().1.keep_alive);
    }

    #[test]
    fn knows_what_the_client_takes_and_waits_for() {
        assert!(about("TE: deflate, trailers\r\n").trailers && !about("").trailers);
        assert!(about("Expect: 100-Continue\r\n").expects && !about("Expect: else\r\n").expects);
    }

    #[test]
    fn refuses_a_target_that_is_none() {
        let refusal = read("GET a|b HTTP/1.1\r\nHost: a\r\n\r\n").unwrap_err();
        assert_eq!(refusal.status(), 400);
    }
}
