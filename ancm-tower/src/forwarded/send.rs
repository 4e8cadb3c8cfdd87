//! The frontend's end: appends the client to what is already there, if that can be trusted not to spoil it.

use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header::Entry};
use tower_layer::Layer;
use tower_service::Service;

use super::is_scheme_byte;
use crate::{client::Client, contract::header, headers::remove_with_prefix, startup_error::Resent};

/// The longest line that is appended to, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// Makes [`SetForwarded`] services.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetForwardedLayer {
    _private: (),
}

/// Appends the [`Client`] of the request's extensions to `X-Forwarded-For` and `X-Forwarded-Proto`.
///
/// - Each becomes one line, ours last: `10.1.1.1, 192.0.2.7:50123` and `http, https`.
/// - A line of the client's that is no clean list of addresses or schemes is dropped whole.
/// - `X-Original-*` are removed: only the consuming end makes these.
/// - Without a client in the extensions nothing can be vouched for, and all of these headers are removed.
/// - A request that was here before and came back unsent is left as it is.
#[derive(Clone, Copy, Debug)]
pub struct SetForwarded<S> {
    inner: S,
}

// === impl SetForwardedLayer ===

impl SetForwardedLayer {
    /// Forwards the clients that it finds in the extensions.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for SetForwardedLayer {
    type Service = SetForwarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SetForwarded { inner }
    }
}

// === impl SetForwarded ===

impl<S, B> Service<Request<B>> for SetForwarded<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.extensions().get::<Resent>().is_none() {
            set_forwarded(&mut request);
        }
        self.inner.call(request)
    }
}

fn set_forwarded<B>(request: &mut Request<B>) {
    let client = request
        .extensions()
        .get::<Client>()
        .map(|client| (client.forwarded_for().clone(), client.scheme().header_value()));
    let headers = request.headers_mut();
    remove_with_prefix(headers, header::X_ORIGINAL_PREFIX);
    if let Some((address, scheme)) = client {
        append(headers, header::X_FORWARDED_FOR, is_address_byte, address);
        append(headers, header::X_FORWARDED_PROTO, is_scheme_byte, scheme);
    } else {
        headers.remove(header::X_FORWARDED_FOR);
        headers.remove(header::X_FORWARDED_PROTO);
    }
}

// ANCM: forwardinghandler.cpp appends to any old value. But with a stray quote in front of it .NET takes our entry for
// a part of the quoted text, and the application sees 127.0.0.1 and http.
fn append(headers: &mut HeaderMap, name: HeaderName, allowed: fn(u8) -> bool, entry: HeaderValue) {
    let mut present = match headers.entry(name) {
        Entry::Vacant(vacant) => {
            vacant.insert(entry);
            return;
        }
        Entry::Occupied(present) => present,
    };
    let clean = || present.iter().filter(|line| is_clean_list(line.as_bytes(), allowed));
    let length: usize = clean().map(|line| line.len() + ", ".len()).sum();
    let value = if length == 0 {
        entry
    } else {
        let mut list = BytesMut::with_capacity(length + entry.len());
        for line in clean() {
            list.extend_from_slice(line.as_bytes());
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(entry.as_bytes());
        HeaderValue::from_maybe_shared(list.freeze()).unwrap_or(entry)
    };
    present.insert(value);
}

/// Whether every entry between the commas is there and made of allowed characters only.
fn is_clean_list(line: &[u8], allowed: fn(u8) -> bool) -> bool {
    line.len() <= LONGEST_LINE
        && line.split(|byte| *byte == b',').all(|entry| {
            let entry = entry.trim_ascii();
            !entry.is_empty() && entry.iter().all(|byte| allowed(*byte))
        })
}

/// What addresses, ports, zones and the made-up names of RFC 7239 consist of.
fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'_' | b'[' | b']' | b'%' | b'-')
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::client::Scheme;
    use proptest::prelude::*;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    fn client() -> Client {
        Client::new("192.0.2.7:50123".parse().unwrap(), Scheme::Https)
    }

    fn sent(request: Request<()>) -> Request<()> {
        let service = ServiceBuilder::new()
            .layer(SetForwardedLayer::new())
            .service(service_fn(async |request| Ok::<_, Infallible>(request)));
        tokio_test::block_on(service.oneshot(request)).unwrap()
    }

    fn request(client: Option<Client>, lines: &[(&str, &[u8])]) -> Request<()> {
        let mut request = Request::new(());
        for (name, value) in lines {
            let name = HeaderName::try_from(*name).unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        request
    }

    /// The one line of each header after `lines` of it came from the client.
    fn line(name: &str, lines: &[&[u8]]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
        let request = sent(request(Some(client()), &lines));
        assert_eq!(request.headers().len(), 2, "{:?}", request.headers());
        request.headers()[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn sets_both_headers_with_values_that_were_ready() {
        let client = client();
        let request = sent(request(Some(client.clone()), &[("accept", b"*/*")]));
        assert_eq!(request.headers().len(), 3);
        let value = &request.headers()["x-forwarded-for"];
        assert_eq!(value, "192.0.2.7:50123");
        assert_eq!(value.as_bytes().as_ptr(), client.forwarded_for().as_bytes().as_ptr(), "it was copied");
        assert_eq!(request.headers()["x-forwarded-proto"], "https");
    }

    #[test]
    fn writes_ipv6_in_brackets_and_mapped_ipv4_as_ipv4() {
        for (address, expected) in
            [("[2001:db8::1]:50123", "[2001:db8::1]:50123"), ("[::ffff:192.0.2.7]:1", "192.0.2.7:1")]
        {
            let client = Client::new(address.parse().unwrap(), Scheme::Http);
            let request = sent(request(Some(client), &[]));
            assert_eq!(request.headers()["x-forwarded-for"], expected);
            assert_eq!(request.headers()["x-forwarded-proto"], "http");
        }
    }

    #[test]
    fn appends_to_clean_lists() {
        assert_eq!(line("x-forwarded-for", &[b"10.1.1.1"]), "10.1.1.1, 192.0.2.7:50123");
        assert_eq!(
            line("x-forwarded-for", &[b"unknown,[fe80::1%eth0]:80 ,\t_hidden-x"]),
            "unknown,[fe80::1%eth0]:80 ,\t_hidden-x, 192.0.2.7:50123"
        );
        assert_eq!(line("x-forwarded-proto", &[b"HTTP,x+y-z.1"]), "HTTP,x+y-z.1, https");
    }

    #[test]
    fn joins_several_clean_lines_in_their_order() {
        assert_eq!(
            line("x-forwarded-for", &[b"10.1.1.1", b"10.1.1.2, 10.1.1.3", b"10.1.1.4"]),
            "10.1.1.1, 10.1.1.2, 10.1.1.3, 10.1.1.4, 192.0.2.7:50123"
        );
        assert_eq!(line("x-forwarded-proto", &[b"http", b"https"]), "http, https, https");
    }

    #[test]
    fn drops_a_line_that_is_no_clean_list_whole() {
        let long = vec![b'1'; LONGEST_LINE + 1];
        let lines: [&[u8]; 14] = [
            b"",
            b"\"",
            b"10.1.1.1, \"",
            b"\"10.1.1.1\"",
            b"10.1.1.1,",
            b",10.1.1.1",
            b"10.1.1.1,,10.1.1.2",
            b"10.1.1.1, ,10.1.1.2",
            b"10.1.1.1 10.1.1.2",
            b"10.1.1.1;by=me",
            b"10.1.1.1\\",
            b"\xe9",
            "10.1.1.1\u{a0}".as_bytes(),
            &long,
        ];
        for dirty in lines {
            assert_eq!(line("x-forwarded-for", &[dirty]), "192.0.2.7:50123");
            let mixed = line("x-forwarded-for", &[b"10.1.1.1", dirty, b"10.1.1.2"]);
            assert_eq!(mixed, "10.1.1.1, 10.1.1.2, 192.0.2.7:50123");
        }
        for dirty in [b"\"".as_slice(), b"ht:tp", b"http,", b"[http]", b"\xff"] {
            assert_eq!(line("x-forwarded-proto", &[dirty]), "https");
        }
    }

    #[test]
    fn appends_to_a_line_of_the_greatest_length() {
        let long = vec![b'1'; LONGEST_LINE];
        assert_eq!(line("x-forwarded-for", &[&long]).len(), LONGEST_LINE + ", 192.0.2.7:50123".len());
    }

    #[test]
    fn removes_all_original_headers() {
        let lines: [(&str, &[u8]); 5] = [
            ("X-Original-For", b"1"),
            ("X-ORIGINAL-HOST", b"2"),
            ("x-original-host", b"3"),
            ("x-original-prefix", b"\xff"),
            ("x-originally", b"kept"),
        ];
        let request = sent(request(Some(client()), &lines));
        assert_eq!(request.headers().len(), 3);
        assert_eq!(request.headers()["x-originally"], "kept");
    }

    #[test]
    fn vouches_for_nothing_without_a_client() {
        let lines: [(&str, &[u8]); 5] = [
            ("x-forwarded-for", b"10.1.1.1"),
            ("x-forwarded-for", b"10.1.1.2"),
            ("x-forwarded-proto", b"https"),
            ("x-original-for", b"1"),
            ("x-forwarded-host", b"kept.example"),
        ];
        let request = sent(request(None, &lines));
        assert_eq!(request.headers().len(), 1);
        assert_eq!(request.headers()["x-forwarded-host"], "kept.example");
    }

    #[test]
    fn changes_nothing_on_a_request_that_came_back() {
        let mut request = sent(request(Some(client()), &[("x-forwarded-for", b"10.1.1.1")]));
        let first = request.headers().clone();
        request.extensions_mut().insert(Resent);
        assert_eq!(*sent(request).headers(), first);
    }

    proptest! {
        #[test]
        fn our_entry_is_the_last_of_a_clean_line(
            lines in proptest::collection::vec("[\"a0,;:. \t\u{e9}]{0,20}", 0..5),
        ) {
            let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
            let line = line("x-forwarded-for", &lines);
            prop_assert!(line == "192.0.2.7:50123" || line.ends_with(", 192.0.2.7:50123"), "{}", line);
            prop_assert!(is_clean_list(line.as_bytes(), is_address_byte), "{}", line);
        }
    }
}
