//! What belongs to one connection and must not be passed on to the next.
//!
//! RFC 9110 7.6.1: a proxy removes `Connection` and every header that it names. An upgrade is the exception: it is
//! asked for again on our own connection, because both ends then speak through a tunnel.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::upstream::hop;
//!
//! let mut request = http::Request::builder()
//!     .header("host", "example.com")
//!     .header("connection", "keep-alive, x-mine")
//!     .header("x-mine", "1")
//!     .body(())
//!     .unwrap();
//! assert!(!hop::prepare_request(&mut request));
//! assert_eq!(request.headers().len(), 1);
//! ```

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, Version,
    header::{CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE},
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Which of the headers that matter here are there: one look at all names is cheaper than a search for each.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a header of its own")]
struct Present {
    connection: bool,
    /// `Keep-Alive` or `Proxy-Connection`, which never had a meaning behind the first proxy.
    keep_alive: bool,
    upgrade: bool,
    te: bool,
    expect: bool,
    transfer_encoding: bool,
    host: bool,
    date: bool,
}

/// Makes a client's request one of ours; tells whether it asks for an upgrade that we pass on.
pub fn prepare_request<B>(request: &mut Request<B>) -> bool {
    let version = request.version();
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    let present = Present::among(headers);
    // Both before `strip`: `Connection` names them.
    let is_new = version == Version::HTTP_11;
    let upgrade = if present.upgrade && is_new { upgrade(headers) } else { None };
    let trailers = present.te && is_new && takes_trailers(headers);
    present.strip(headers);
    if present.upgrade {
        headers.remove(UPGRADE);
    }
    if trailers {
        // The only coding that is not the connection's own affair.
        // ANCM: forwardinghandler.cpp passes it without naming it in `Connection`.
        headers.insert(TE, HeaderValue::from_static("trailers"));
    } else if present.te {
        headers.remove(TE);
    }
    if present.expect {
        // The server answers `100 Continue` itself, when the body is first read.
        headers.remove(EXPECT);
    }
    if present.transfer_encoding {
        // The body is framed anew for our own connection.
        headers.remove(TRANSFER_ENCODING);
    }
    if !present.host {
        // Only HTTP/1.0 may leave it out, and we send HTTP/1.1.
        headers.insert(HOST, HeaderValue::from_static(""));
    }
    let Some(protocol) = upgrade else { return false };
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, protocol);
    true
}

/// Makes a backend's answer one of ours.
pub fn prepare_response<B>(response: &mut Response<B>) {
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    let present = Present::among(headers);
    present.strip(headers);
    if present.date {
        // ANCM: forwardinghandler.cpp drops the backend's date; the server writes its own.
        headers.remove(DATE);
    }
    if present.transfer_encoding && headers.remove(TRANSFER_ENCODING).is_some() {
        // RFC 9112 6.3: the transfer coding wins, the length means nothing.
        headers.remove(CONTENT_LENGTH);
    }
}

/// The same, but `Connection` itself is passed on, as `forwardResponseConnectionHeader` asks for.
///
/// So `Connection: close` of the backend ends the client's connection as well.
pub fn prepare_response_keeping_connection<B>(response: &mut Response<B>) {
    let kept: Vec<HeaderValue> = response.headers().get_all(CONNECTION).iter().cloned().collect();
    prepare_response(response);
    for line in kept {
        response.headers_mut().append(CONNECTION, line);
    }
}

/// Makes the answer that switches protocols one of ours.
pub fn prepare_switch<B>(response: &mut Response<B>) {
    let headers = response.headers_mut();
    let protocol = headers.remove(UPGRADE);
    Present::among(headers).strip(headers);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol);
    }
}

/// Takes out of a request's trailers what would be believed if it stood in the head.
///
/// RFC 9110 6.5.1: nothing that frames, routes or authenticates belongs there; nor does what only we may say.
pub fn prepare_trailers(trailers: &mut HeaderMap) {
    let refused: Vec<HeaderName> = trailers.keys().filter(|name| !is_trailer(name)).cloned().collect();
    for name in refused {
        trailers.remove(name);
    }
}

fn is_trailer(name: &HeaderName) -> bool {
    let name = name.as_str();
    let framing =
        ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
    let routing = ["authorization", "cookie", "expect", "forwarded", "host", "max-forwards", "range"];
    !(framing.contains(&name)
        || routing.contains(&name)
        || ["content-", "proxy-", "x-forwarded-", "x-original-"].iter().any(|start| name.starts_with(start))
        || name.starts_with(ancm_tower::contract::header::RESERVED_PREFIX))
}

/// The protocol that the client wants to switch to, when it is one that we tunnel.
fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(UPGRADE).iter();
    let protocol = lines.next().filter(|_| lines.next().is_none())?;
    let asked = headers.get_all(CONNECTION).iter().any(|line| items(line).any(|name| is(name, "upgrade")));
    let mut protocols = items(protocol).peekable();
    let tunnelled = protocols.peek().is_some() && protocols.all(is_tunnelled);
    (asked && tunnelled).then(|| protocol.clone())
}

/// Whether the client reads trailers (RFC 9110 6.5.1).
fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(TE).iter().any(|line| items(line).any(|coding| is(coding, "trailers")))
}

/// A switch to another HTTP would leave the layers behind, and TLS must not begin in the middle.
fn is_tunnelled(protocol: &str) -> bool {
    let protocol = protocol.to_ascii_lowercase();
    protocol != "h2c" && !protocol.starts_with("http/") && !protocol.starts_with("tls/")
}

// === impl Present ===

impl Present {
    fn among(headers: &HeaderMap) -> Self {
        let mut present = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "connection" => present.connection = true,
                "keep-alive" | "proxy-connection" => present.keep_alive = true,
                "upgrade" => present.upgrade = true,
                "te" => present.te = true,
                "expect" => present.expect = true,
                "transfer-encoding" => present.transfer_encoding = true,
                "host" => present.host = true,
                "date" => present.date = true,
                _ => {}
            }
        }
        present
    }

    /// Takes out what is the connection's own: `Connection`, and what it names.
    fn strip(&self, headers: &mut HeaderMap) {
        if self.connection {
            let named: Vec<HeaderName> = headers
                .get_all(CONNECTION)
                .iter()
                .flat_map(items)
                // What it says nearly always names no header.
                .filter(|item| !is(item, "keep-alive") && !is(item, "close"))
                .filter_map(|item| HeaderName::try_from(item).ok())
                .filter(|name| !is_end_to_end(name))
                .collect();
            for name in named {
                headers.remove(name);
            }
            headers.remove(CONNECTION);
        }
        if self.keep_alive {
            headers.remove(KEEP_ALIVE);
            headers.remove(PROXY_CONNECTION);
        }
    }
}

/// Headers that a client must not be able to strike out by naming them in `Connection`.
fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "host" | "content-length" | "transfer-encoding" | "upgrade")
        || name.starts_with("x-forwarded-")
        || name.starts_with(ancm_tower::contract::header::RESERVED_PREFIX)
}

/// The items of a list.
fn items(line: &HeaderValue) -> impl Iterator<Item = &str> {
    let items = line.as_bytes().split(|&byte| byte == b',');
    items.filter_map(|item| std::str::from_utf8(item).ok()).map(str::trim).filter(|item| !item.is_empty())
}

fn is(item: &str, word: &str) -> bool {
    item.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn asks_again_for_a_websocket() {
        let mut request = request(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert!(prepare_request(&mut request));
        assert_eq!(request.headers()[CONNECTION], "Upgrade");
        assert_eq!(request.headers()[UPGRADE], "websocket");
    }

    #[test]
    fn tells_of_a_client_that_reads_trailers_and_of_no_other_coding() {
        for (lines, passed) in [
            (&["trailers"][..], Some("trailers")),
            (&["deflate;q=0.5, Trailers"], Some("trailers")),
            (&["gzip", "trailers"], Some("trailers")),
            (&["gzip"], None),
            (&["trailers;q=0"], None),
            (&[""], None),
        ] {
            let mut request = request(&[("connection", "te")]);
            for line in lines {
                request.headers_mut().append(TE, HeaderValue::from_static(line));
            }
            prepare_request(&mut request);
            let found: Vec<_> = request.headers().get_all(TE).iter().collect();
            assert_eq!(found, passed.into_iter().collect::<Vec<_>>(), "{lines:?}");
        }
    }

    #[test]
    fn http_1_0_reads_no_trailers() {
        let mut request = request(&[("te", "trailers")]);
        *request.version_mut() = Version::HTTP_10;
        prepare_request(&mut request);
        assert!(!request.headers().contains_key(TE));
    }

    #[test]
    fn never_asks_for_another_http_or_tls() {
        for protocol in ["h2c", "HTTP/2.0", "TLS/1.2", "websocket, h2c"] {
            let mut request = request(&[("connection", "upgrade"), ("upgrade", protocol)]);
            assert!(!prepare_request(&mut request), "{protocol}");
            assert!(!request.headers().contains_key(UPGRADE), "{protocol}");
        }
    }

    #[test]
    fn never_asks_on_behalf_of_http_1_0() {
        let mut request = request(&[("connection", "upgrade"), ("upgrade", "websocket")]);
        *request.version_mut() = Version::HTTP_10;
        assert!(!prepare_request(&mut request));
        assert_eq!(request.version(), Version::HTTP_11);
    }

    #[test]
    fn an_upgrade_header_alone_asks_for_nothing() {
        let mut request = request(&[("upgrade", "websocket")]);
        assert!(!prepare_request(&mut request));
        assert!(!request.headers().contains_key(UPGRADE));
    }

    #[test]
    fn asks_for_no_upgrade_that_is_empty_or_said_twice() {
        let mut empty = request(&[("connection", "upgrade"), ("upgrade", "")]);
        assert!(!prepare_request(&mut empty));
        let twice = &[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")];
        let mut twice = request(twice);
        assert!(!prepare_request(&mut twice));
        assert!(!twice.headers().contains_key(UPGRADE));
    }

    #[test]
    fn trailers_lose_what_belongs_into_a_head() {
        let names = [
            "X-Sum",
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "MS-ASPNETCORE-TOKEN",
            "X-Forwarded-For",
        ];
        let mut trailers = HeaderMap::new();
        for name in names {
            trailers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("1"));
        }
        prepare_trailers(&mut trailers);
        assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    }

    #[test]
    fn a_client_cannot_strike_out_our_headers() {
        let mut request = request(&[
            ("connection", "MS-ASPNETCORE-TOKEN, X-Forwarded-For, Host, close"),
            ("ms-aspnetcore-token", "t"),
            ("x-forwarded-for", "192.0.2.1:1"),
            ("host", "example.com"),
        ]);
        prepare_request(&mut request);
        assert_eq!(request.headers().len(), 3);
    }

    #[test]
    fn gives_http_1_0_without_a_host_an_empty_one() {
        let mut request = request(&[]);
        *request.version_mut() = Version::HTTP_10;
        prepare_request(&mut request);
        assert_eq!(request.headers()[HOST], "");
    }

    #[test]
    fn an_answer_loses_its_connection_and_its_date() {
        let mut response = Response::builder()
            .header(CONNECTION, "close, x-hop")
            .header("x-hop", "1")
            .header(DATE, "Thu, 01 Jan 1970 00:00:00 GMT")
            .header("server", "Kestrel")
            .body(())
            .unwrap();
        prepare_response(&mut response);
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.headers()["server"], "Kestrel");
    }

    #[test]
    fn an_answer_keeps_its_connection_where_that_is_asked_for() {
        let mut response =
            Response::builder().header(CONNECTION, "close").header("keep-alive", "1").body(()).unwrap();
        prepare_response_keeping_connection(&mut response);
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.headers()[CONNECTION], "close");
    }
}
