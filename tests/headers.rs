//! What of a request's head reaches the application, and what of the answer's head reaches the client.

use crate::support::{
    app::App,
    client::{Client, Framing, get, request},
    frontend::Frontend,
    site::Seen,
};

/// The head that a backend got, sent back by itself.
fn recorded(client: &mut Client, request: &str) -> String {
    let response = client.exchange(request);
    assert_eq!(response.status(), 200, "{response:?}");
    response.text()
}

/// The values of a header in recorded bytes.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[test]
fn tells_the_application_who_the_client_is() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let seen = Seen::of(&mut client, "/request/x", &[]);
    assert_eq!(seen.text("remote"), client.local_address().to_string());
    assert_eq!(seen.text("scheme"), "http");
    assert_eq!(seen.text("host"), "example.test");
    assert_eq!(seen.text("path_base"), "");
    assert!(seen.header("x-original-for")[0].starts_with("127.0.0.1:"), "{seen:?}");
    assert!(seen.header("x-forwarded-for").is_empty(), "{seen:?}");
}

#[test]
fn tells_the_truth_whatever_the_client_claims_to_be() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let claims: [&[&str]; 6] = [
        &["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https"],
        &["X-Forwarded-For: \"", "X-Forwarded-Proto: \""],
        &["X-Forwarded-For: \"6.6.6.6", "X-Forwarded-For: 7.7.7.7"],
        &["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 7.7.7.7", "X-Forwarded-For: 8.8.8.8"],
        &["X-Forwarded-For: unknown, , 1.2.3.4:", "X-Forwarded-Proto: https, ht tp"],
        &[
            "X-Original-For: 6.6.6.6",
            "X-Original-Proto: https",
            "X-Original-Host: evil.test",
            "X-Original-Prefix: /e",
        ],
    ];
    for lines in claims {
        let mut client = frontend.connect();
        let seen = Seen::of(&mut client, "/request/x", lines);
        assert_eq!(seen.text("remote"), client.local_address().to_string(), "{lines:?}");
        assert_eq!(seen.text("scheme"), "http", "{lines:?}");
        assert_eq!(seen.text("host"), "example.test", "{lines:?}");
        assert_eq!(seen.header("x-original-proto"), ["http"], "{lines:?}");
        assert!(seen.header("x-original-host").is_empty(), "{lines:?}");
        assert!(seen.header("x-original-prefix").is_empty(), "{lines:?}");
    }
}

#[test]
fn appends_the_client_to_the_addresses_before_it_on_one_line() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    let own = client.local_address();
    let head = recorded(
        &mut client,
        &get(
            "/record",
            &["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2:80", "X-Forwarded-Proto: HTTPS"],
        ),
    );
    assert_eq!(values(&head, "x-forwarded-for"), [format!("1.1.1.1, 2.2.2.2:80, {own}")]);
    assert_eq!(values(&head, "x-forwarded-proto"), ["HTTPS, http"]);
}

#[test]
#[expect(non_snake_case, reason = "a test carries the name of the row that it is about")]
fn V23_filter_out_request_headers_of_the_protocol_in_any_case() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let names = [
        "MS-ASPNETCORE",
        "mS-ASPNETCORE-f",
        "ms-aspnetcore-token",
        "MS-ASPNETCOREwhatever",
        "Ms-AspNetCore-ClientCert",
        "MS-ASPNETCORE-WINAUTHTOKEN",
        "MS-ASPNETCORE-EVENT",
    ];
    let lines: Vec<_> = names.iter().map(|name| format!("{name}: from-the-client")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let head = recorded(&mut frontend.connect(), &get("/record", &lines));
    assert!(!head.contains("from-the-client"), "{head}");
    let token = values(&head, "ms-aspnetcore-token");
    assert_eq!(token.len(), 1, "{head}");
    assert_eq!(token[0].len(), 36, "{head}");
    let protocol = head.lines().filter(|line| line.to_ascii_lowercase().starts_with("ms-aspnetcore"));
    assert_eq!(protocol.count(), 1, "{head}");
}

#[test]
fn a_look_alike_of_the_protocol_passes() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let head =
        recorded(&mut frontend.connect(), &get("/record", &["MS-ASPNETCOR-X: mine", "X-MS-ASPNETCORE: too"]));
    assert_eq!(values(&head, "ms-aspnetcor-x"), ["mine"]);
    assert_eq!(values(&head, "x-ms-aspnetcore"), ["too"]);
}

#[test]
fn removes_what_concerns_only_the_connection_to_the_client() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let lines = [
        "Connection: keep-alive, X-Named, close",
        "X-Named: gone",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: trailers, deflate",
        "Upgrade: h2c",
        "X-Kept: stays",
    ];
    let head = recorded(&mut frontend.connect(), &get("/record", &lines));
    for name in ["connection", "x-named", "keep-alive", "proxy-connection", "upgrade"] {
        assert!(values(&head, name).is_empty(), "{name} in {head}");
    }
    assert!(!head.contains("deflate"), "{head}");
    assert_eq!(values(&head, "x-kept"), ["stays"]);
}

#[test]
fn keeps_repeated_lines_their_values_and_their_order() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let lines = ["X-Many: one", "Cookie: a=1", "X-Many: two, three", "Cookie: b=2", "X-Bytes: \u{e4}\u{f6}"];
    let head = recorded(&mut frontend.connect(), &get("/record", &lines));
    assert_eq!(values(&head, "x-many"), ["one", "two, three"]);
    assert_eq!(values(&head, "cookie"), ["a=1", "b=2"]);
    assert_eq!(values(&head, "x-bytes"), ["\u{e4}\u{f6}"]);
}

#[test]
fn forwards_the_target_byte_for_byte() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for target in [
        "/request/a%2Fb//c?x=%3F",
        "/request/%61%2520b/../c/./d",
        "/request/?",
        "/request/a?b?c=%zz",
        "/request/\u{7e}a;b=c,d&e'f(g)*!$@:",
        "/request/%C3%A4?q=%C3%A4",
        "//request/a",
    ] {
        let response = client.exchange(get(target, &[]));
        if response.status() == 200 {
            assert_eq!(response.json()["raw_target"], target);
        } else {
            // The application has no such path; that it was asked is what matters here.
            assert_eq!((response.status(), response.header("x-site-pid").is_some()), (404, true), "{target}");
        }
    }
}

#[test]
fn turns_the_absolute_form_into_a_path_and_its_host() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let request = "GET http://Other.test:81/record?x=1 HTTP/1.1\r\nHost: example.test\r\n\r\n";
    let head = recorded(&mut frontend.connect(), request);
    assert!(head.starts_with("GET /record?x=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(values(&head, "host"), ["Other.test:81"]);
}

#[test]
fn passes_methods_of_any_name() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get", "X-Custom"] {
        let response = client.exchange(request(method, "/request/m", &["Content-Length: 0"], ""));
        assert_eq!(response.json()["method"], method);
    }
}

#[test]
fn answers_expect_100_continue_when_the_application_reads() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send("hello");
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn passes_interim_answers_by() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    assert_eq!(client.exchange(get("/interim", &[])).text(), "after all");
    assert_eq!(client.exchange(get("/record", &[])).status(), 200);
}

#[test]
fn passes_the_headers_of_an_answer() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let target = "/headers?set=X-One:1&set=Set-Cookie:a%3D1%3B%20Path%3D/&set=Set-Cookie:b%3D2&set=Vary:A&set=Vary:B\
                  &set=Via:x&set=Location:http://elsewhere.test/&set=Server:mine";
    let response = frontend.get(target);
    assert_eq!(response.header("x-one"), Some("1"));
    assert_eq!(response.head.all("set-cookie"), ["a=1; Path=/", "b=2"]);
    assert_eq!(response.head.all("vary").join(","), "A,B");
    assert_eq!(response.header("location"), Some("http://elsewhere.test/"));
    assert_eq!(response.header("server"), Some("mine"));
    assert!(response.header("date").is_some());
    assert_eq!(frontend.get("/HelloWorld").header("server"), Some("Kestrel"));
}

#[test]
fn S5_connection_close_of_the_application_is_not_passed_on() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let response = client.exchange(get("/headers?set=Connection:close&set=Keep-Alive:timeout%3D1", &[]));
    assert_eq!(response.status(), 200);
    assert_eq!((response.header("connection"), response.header("keep-alive")), (None, None));
    assert_eq!(client.exchange(get("/HelloWorld", &[])).status(), 200);
}

#[test]
fn passes_status_codes_and_reasons() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for status in [201, 302, 400, 404, 418, 500, 503, 599, 999] {
        let response = client.exchange(get(&format!("/status/{status}?body=text"), &[]));
        assert_eq!((response.status(), response.text().as_str()), (status, "text"));
    }
    let custom = client.exchange(get("/status/400?reason=Just%20Because", &[]));
    assert_eq!(custom.head.reason, "Just Because");
}

#[test]
fn answers_without_a_body_have_none() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for status in [204, 304] {
        let response = client.exchange(get(&format!("/status/{status}"), &[]));
        assert_eq!(response.status(), status);
        assert_eq!(response.header("transfer-encoding"), None);
        assert_eq!(response.header("content-length"), None, "{response:?}");
    }
    let head = client.exchange("HEAD /bytes/1000 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status(), head.header("content-length"), head.body.len()), (200, Some("1000"), 0));
    let chunked = client.exchange("HEAD /bytes/1000?chunked=true HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((chunked.status(), chunked.header("content-length")), (200, None));
    assert_eq!(client.exchange(get("/HelloWorld", &[])).text(), "Hello World");
}

#[test]
fn keeps_the_length_of_an_answer_and_chunks_one_without() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let known = client.exchange(get("/gzip", &["Accept-Encoding: gzip"]));
    assert!(matches!(known.head.framing(false), Framing::Length(n) if n > 0), "{known:?}");
    assert_eq!(known.head.all("content-encoding"), ["gzip"]);
    let unknown = client.exchange(get("/HelloWorld", &[]));
    assert_eq!(unknown.head.framing(false), Framing::Chunked);
}

#[test]
fn answers_a_client_of_http_1_0() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send("GET /HelloWorld HTTP/1.0\r\nHost: a\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None), "{head:?}");
    assert_eq!(client.rest(), b"Hello World");
}

#[test]
fn keeps_the_connection_of_a_client_of_http_1_0_that_asks_for_it() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let request = "GET /bytes/10 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
    for _ in 0..2 {
        let response = client.exchange(request);
        assert_eq!((response.status(), response.body.len()), (200, 10));
    }
}

#[test]
fn never_reports_upgrades_to_a_client_of_http_1_0() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let request = "GET /raw-upgrade HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: custom\r\n\r\n";
    assert_eq!(frontend.connect().exchange(request).status(), 426);
}
