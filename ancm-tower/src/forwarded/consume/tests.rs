use std::convert::Infallible;

use super::*;
use crate::forwarded::send::SetForwardedLayer;
use proptest::prelude::*;
use tower::{ServiceBuilder, ServiceExt, service_fn};

const PEER: &str = "127.0.0.1:40000";

/// What the application sees.
fn consumed(options: ForwardedHeadersOptions, request: Request<()>) -> Request<()> {
    let service = ServiceBuilder::new()
        .layer(ForwardedHeadersLayer::new(options))
        .service(service_fn(async |request| Ok::<_, Infallible>(request)));
    tokio_test::block_on(service.oneshot(request)).unwrap()
}

fn request_from(peer: &str, lines: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in lines {
        request.headers_mut().append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request.extensions_mut().insert(Client::new(peer.parse().unwrap(), Scheme::Http));
    request
}

fn seen_from(
    peer: &str,
    options: ForwardedHeadersOptions,
    lines: &[(&'static str, &str)],
) -> (String, Scheme, HeaderMap) {
    let request = consumed(options, request_from(peer, lines));
    let client: &Client = request.extensions().get().unwrap();
    (client.address().to_string(), client.scheme(), request.headers().clone())
}

fn seen(options: ForwardedHeadersOptions, lines: &[(&'static str, &str)]) -> (String, Scheme, HeaderMap) {
    seen_from(PEER, options, lines)
}

/// Changes nothing at all.
fn assert_untouched(peer: &str, options: ForwardedHeadersOptions, lines: &[(&'static str, &str)]) {
    let before = request_from(peer, lines);
    let after = consumed(options, before.clone());
    assert_eq!(after.headers(), before.headers());
    assert_eq!(after.extensions().get::<Client>().unwrap().address(), peer.parse().unwrap());
    assert!(after.extensions().get::<Peer>().is_none());
}

fn defaults() -> ForwardedHeadersOptions {
    ForwardedHeadersOptions::default()
}

fn unlimited() -> ForwardedHeadersOptions {
    defaults().clear_known().limit(None)
}

#[test]
fn takes_client_and_scheme_and_keeps_what_they_replaced() {
    let request = consumed(
        defaults(),
        request_from(PEER, &[("x-forwarded-for", "192.0.2.7:50123"), ("x-forwarded-proto", "https")]),
    );
    let client: &Client = request.extensions().get().unwrap();
    assert_eq!(client.address(), "192.0.2.7:50123".parse().unwrap());
    assert_eq!(client.scheme(), Scheme::Https);
    let Peer(peer) = request.extensions().get().unwrap();
    assert_eq!(peer.address(), PEER.parse().unwrap());
    assert_eq!(peer.scheme(), Scheme::Http);
    assert_eq!(request.extensions().get::<ForwardedScheme>(), None);
    assert_eq!(request.headers().len(), 2);
    assert_eq!(request.headers()["x-original-for"], PEER);
    assert_eq!(request.headers()["x-original-proto"], "http");
}

#[test]
fn leaves_a_request_without_forwarded_headers_as_it_is() {
    assert_untouched(PEER, defaults(), &[("accept", "*/*"), ("x-original-for", "theirs")]);
}

#[test]
fn overwrites_original_headers_of_the_client() {
    let lines = [
        ("x-original-for", "theirs"),
        ("x-original-for", "theirs"),
        ("x-original-proto", "theirs"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
    ];
    let (_, _, headers) = seen(defaults(), &lines);
    assert_eq!(headers.len(), 2);
    assert_eq!(headers["x-original-for"], PEER);
    assert_eq!(headers["x-original-proto"], "http");
}

#[test]
fn reads_from_right_to_left_up_to_the_limit_and_leaves_the_rest() {
    let lines = [("x-forwarded-for", "10.0.0.1, 10.0.0.2"), ("x-forwarded-for", "10.0.0.3 ,,\"10.0.0.4:4\"")];
    for (limit, address, rest) in [
        (Some(0), PEER, Some("10.0.0.1, 10.0.0.2")),
        (Some(1), "10.0.0.4:4", Some("10.0.0.1,10.0.0.2,10.0.0.3")),
        (Some(2), "10.0.0.3:0", Some("10.0.0.1,10.0.0.2")),
        (Some(3), "10.0.0.2:0", Some("10.0.0.1")),
        (Some(10), "10.0.0.1:0", None),
        (None, "10.0.0.1:0", None),
    ] {
        let (seen, _, headers) = seen(defaults().clear_known().limit(limit), &lines);
        assert_eq!(seen, address);
        assert_eq!(headers.get("x-forwarded-for").map(|value| value.to_str().unwrap()), rest);
    }
}

#[test]
fn believes_no_entry_that_an_unknown_proxy_wrote() {
    let lines = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https")];
    assert_untouched("10.0.0.1:1", defaults(), &lines);
    assert_untouched("[2001:db8::1]:1", defaults(), &lines);
    // Nor its scheme alone.
    assert_untouched("10.0.0.1:1", defaults(), &lines[1..]);
}

#[test]
fn believes_known_proxies_and_networks_also_when_ipv4_is_mapped() {
    let lines = [("x-forwarded-for", "192.0.2.7")];
    let options = || {
        defaults()
            .known_proxy("::ffff:10.0.0.1".parse().unwrap())
            .known_network("2001:db8::".parse().unwrap(), 32)
    };
    for peer in [
        "127.9.9.9:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
        "10.0.0.1:1",
        "[::ffff:10.0.0.1]:1",
        "[2001:db8:1::]:1",
    ] {
        assert_eq!(seen_from(peer, options(), &lines).0, "192.0.2.7:0", "{peer}");
    }
    assert_untouched("10.0.0.2:1", options(), &lines);
}

#[test]
fn follows_a_chain_of_known_proxies_to_the_first_unknown_address() {
    let options = defaults().limit(None).known_network("10.0.0.0".parse().unwrap(), 8);
    let lines = [
        ("x-forwarded-for", "1.1.1.1, 192.0.2.7, 10.0.0.2, ::ffff:10.0.0.1"),
        ("x-forwarded-proto", "a, wss, https, http"),
    ];
    let (address, _, headers) = seen(options, &lines);
    assert_eq!(address, "192.0.2.7:0");
    assert_eq!(headers["x-forwarded-for"], "1.1.1.1");
    assert_eq!(headers["x-forwarded-proto"], "a");
}

#[test]
fn stops_at_an_address_that_cannot_be_read_and_ignores_its_scheme() {
    for bad in ["unknown", ":99999", "1.2.3.4:", "\"", "\", 9.9.9.9", "\u{e9}", "[1.2.3.4]"] {
        let lines = [("x-forwarded-for", bad), ("x-forwarded-proto", "https")];
        assert_untouched(PEER, defaults(), &lines);
    }
    let lines = [("x-forwarded-for", "10.0.0.1, unknown, 10.0.0.3"), ("x-forwarded-proto", "a,b,c")];
    let (address, _, headers) = seen(unlimited(), &lines);
    assert_eq!(address, "10.0.0.3:0");
    assert_eq!(headers["x-forwarded-for"], "10.0.0.1,unknown");
    assert_eq!(headers["x-forwarded-proto"], "a,b");
}

#[test]
fn a_stray_quote_spoils_its_own_line_only() {
    let lines = [("x-forwarded-for", "10.0.0.1, \""), ("x-forwarded-for", "192.0.2.7")];
    let (address, _, headers) = seen(defaults(), &lines);
    assert_eq!(address, "192.0.2.7:0");
    assert_eq!(headers["x-forwarded-for"], "10.0.0.1,\"");
}

#[test]
fn takes_a_scheme_without_an_address() {
    let (address, scheme, headers) = seen(defaults(), &[("x-forwarded-proto", "https")]);
    assert_eq!(address, PEER);
    assert_eq!(scheme, Scheme::Https);
    assert_eq!(headers.len(), 2);
    assert_eq!(headers["x-original-for"], PEER);
    assert_eq!(headers["x-original-proto"], "http");
}

#[test]
fn takes_an_address_without_a_scheme() {
    let (address, scheme, headers) = seen(defaults(), &[("x-forwarded-for", "192.0.2.7")]);
    assert_eq!(address, "192.0.2.7:0");
    assert_eq!(scheme, Scheme::Http);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["x-original-for"], PEER);
}

#[test]
fn passes_over_a_scheme_that_is_none_and_leaves_it_in_the_header() {
    for bad in ["ht:tp", "http://", "h t", "\"", "\u{e9}"] {
        let lines = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", bad)];
        let (address, scheme, headers) = seen(defaults(), &lines);
        assert_eq!(address, "192.0.2.7:0");
        assert_eq!(scheme, Scheme::Http);
        assert_eq!(headers["x-forwarded-proto"].as_bytes(), bad.as_bytes());
        assert!(!headers.contains_key("x-original-proto"));
    }
}

#[test]
fn takes_the_scheme_as_it_is_written() {
    for (text, scheme, kept) in [
        ("https", Scheme::Https, None),
        ("http", Scheme::Http, None),
        ("HTTPS", Scheme::Https, Some("HTTPS")),
        ("wss", Scheme::Http, Some("wss")),
        ("+.-1", Scheme::Http, Some("+.-1")),
    ] {
        let request = consumed(defaults(), request_from(PEER, &[("x-forwarded-proto", text)]));
        assert_eq!(request.extensions().get::<Client>().unwrap().scheme(), scheme, "{text}");
        let written = request.extensions().get::<ForwardedScheme>();
        assert_eq!(written.map(|scheme| scheme.0.to_str().unwrap()), kept);
        assert!(!request.headers().contains_key("x-forwarded-proto"));
    }
}

#[test]
fn counts_the_entries_of_the_longer_header() {
    let lines = [("x-forwarded-for", "10.0.0.2"), ("x-forwarded-proto", "a,b,https")];
    let (address, _, headers) = seen(unlimited().limit(Some(2)), &lines);
    assert_eq!(address, "10.0.0.2:0");
    assert!(!headers.contains_key("x-forwarded-for"));
    assert_eq!(headers["x-forwarded-proto"], "a");
}

#[test]
fn with_symmetry_believes_all_or_nothing() {
    let options = || unlimited().require_symmetry(true);
    let good = [("x-forwarded-for", "10.0.0.1, 10.0.0.2"), ("x-forwarded-proto", "https, http")];
    let (address, scheme, headers) = seen(options(), &good);
    assert_eq!((address.as_str(), scheme, headers.len()), ("10.0.0.1:0", Scheme::Https, 2));

    for (addresses, schemes) in [("10.0.0.1, 10.0.0.2", "https"), ("10.0.0.1", ""), ("10.0.0.1", "ht:tp")] {
        let lines = [("x-forwarded-for", addresses), ("x-forwarded-proto", schemes)];
        assert_untouched(PEER, options(), &lines);
    }
}

#[test]
fn believes_nobody_without_a_peer() {
    let mut request = request_from(PEER, &[("x-forwarded-for", "192.0.2.7")]);
    request.extensions_mut().remove::<Client>();
    let request = consumed(unlimited(), request);
    assert!(request.extensions().get::<Client>().is_none());
    assert_eq!(request.headers()["x-forwarded-for"], "192.0.2.7");
}

#[test]
fn a_client_cannot_hide_behind_a_stray_quote() {
    let client = through_both(&["\""], &["\""]);
    assert_eq!(client, ("192.0.2.7:50123".to_owned(), Scheme::Https));
}

/// Whom the application sees when a client sends these lines to the frontend.
fn through_both(addresses: &[&str], schemes: &[&str]) -> (String, Scheme) {
    let service = ServiceBuilder::new()
        .layer(SetForwardedLayer::new())
        .map_request(|mut request: Request<()>| {
            request.extensions_mut().insert(Client::new(PEER.parse().unwrap(), Scheme::Http));
            request
        })
        .layer(ForwardedHeadersLayer::default())
        .service(service_fn(async |request: Request<()>| Ok::<_, Infallible>(request)));
    let lines: Vec<_> = addresses
        .iter()
        .map(|line| ("x-forwarded-for", *line))
        .chain(schemes.iter().map(|line| ("x-forwarded-proto", *line)))
        .collect();
    let mut request = request_from(PEER, &lines);
    request.extensions_mut().insert(Client::new("192.0.2.7:50123".parse().unwrap(), Scheme::Https));
    let request = tokio_test::block_on(service.oneshot(request)).unwrap();
    let client: &Client = request.extensions().get().unwrap();
    (client.address().to_string(), client.scheme())
}

proptest! {
    #[test]
    fn whatever_the_client_sends_the_application_sees_the_client(
        addresses in proptest::collection::vec("[\"1f,;:.\\[\\] \tx\u{e9}]{0,24}", 0..4),
        schemes in proptest::collection::vec("[\"htps,:/+ \t\u{e9}]{0,12}", 0..4),
    ) {
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let schemes: Vec<&str> = schemes.iter().map(String::as_str).collect();
        let seen = through_both(&addresses, &schemes);
        prop_assert_eq!(seen, ("192.0.2.7:50123".to_owned(), Scheme::Https));
    }

    #[test]
    fn reading_everything_never_panics(
        addresses in "[\"1f,:.\\[\\] \tx]{0,60}",
        schemes in "[\"htps,:+ \t]{0,30}",
        limit in proptest::option::of(0_usize..5),
        symmetry: bool,
    ) {
        let options = unlimited().limit(limit).require_symmetry(symmetry);
        seen(options, &[("x-forwarded-for", &addresses), ("x-forwarded-proto", &schemes)]);
    }
}
