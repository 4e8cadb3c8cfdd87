//! Targets, status lines and headers on the wire.

use crate::support::{
    app::App,
    client::{Client, get},
    frontend::Frontend,
    site::Seen,
};

/// The path that the application sees for this target, and that nothing of the target was lost on the way.
fn path(client: &mut Client, target: &str) -> String {
    let seen = Seen::of(client, target, &[]);
    assert_eq!(seen.text("raw_target"), target);
    seen.text("path").to_owned()
}

#[test]
fn R1_request_with_double_slashes_is_left_alone() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(path(&mut frontend.connect(), "/request//a/b//c"), "/request//a/b//c");
}

#[test]
fn R2_request_with_navigation_is_resolved() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    assert_eq!(path(&mut client, "/request/a/b/../c"), "/request/a/c");
    assert_eq!(path(&mut client, "/request/a/b/./c"), "/request/a/b/c");
}

#[test]
fn R2_request_with_escaped_navigation_is_resolved() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    assert_eq!(path(&mut client, "/request/a/b/%2E%2E/c"), "/request/a/c");
    assert_eq!(path(&mut client, "/request/a/b/%2E/c"), "/request/a/b/c");
}

#[test]
fn R3_request_with_control_characters_is_400() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    for byte in (0..32).chain([127]) {
        // A line feed ends the line, and with it the request line.
        let mut client = frontend.connect();
        client.send(b"GET /").send([byte]).send(b" HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status(), 400, "{byte:#04x}");
        assert!(client.rest().is_empty(), "{byte:#04x}: nothing follows");
    }
}

#[test]
fn R3_request_with_escaped_control_characters_is_judged_by_kestrel() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/request/%00").status(), 400);
    let mut client = frontend.connect();
    for byte in 1..32_u8 {
        let expected = format!("/request/{}", char::from(byte));
        assert_eq!(path(&mut client, &format!("/request/%{byte:02X}")), expected);
    }
}

#[test]
fn R9_response_headers_are_set_correctly() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let target = "/headers?set=UnknownHeader:test123%3Dfoo&set=Content-Type:text/plain&set=MultiHeader:1\
                  &set=MultiHeader:2";
    let response = frontend.get(target);
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    assert_eq!(response.header("unknownheader"), Some("test123=foo"));
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.head.all("multiheader"), ["1", "2"]);
}

#[test]
fn R10_error_code_is_set_for_an_exception_during_a_request() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let head = frontend.get("/throw").head;
    assert_eq!((head.status, head.reason.as_str()), (500, "Internal Server Error"));
}

#[test]
fn R11_custom_error_code_works() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for (status, reason, expected) in [
        (200, "custom", "custom"),
        (500, "", "Internal Server Error"),
        (400, "custom", "custom"),
        (400, "", "Bad Request"),
        (999, "", ""),
    ] {
        for body in [None, Some("Custom body"), Some("")] {
            let body_query =
                body.map(|body| format!("&body={}", body.replace(' ', "%20"))).unwrap_or_default();
            let target = format!("/status/{status}?reason={reason}{body_query}");
            let response = client.exchange(get(&target, &[]));
            assert_eq!((response.status(), response.text().as_str()), (status, body.unwrap_or_default()));
            assert_eq!(response.head.reason, expected, "{target}");
        }
    }
}

#[test]
fn R12_transfer_encoding_is_not_set_for_status_codes_without_a_body() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for status in [204, 304] {
        let response = client.exchange(get(&format!("/status/{status}"), &[]));
        assert_eq!((response.status(), response.header("transfer-encoding")), (status, None));
    }
    assert_eq!(client.exchange(get("/HelloWorld", &[])).text(), "Hello World");
}

#[test]
fn R13_server_header_is_overridden() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let response = frontend.get("/headers?set=Server:MyServer/7.8");
    assert_eq!(response.head.all("server"), ["MyServer/7.8"]);
}
