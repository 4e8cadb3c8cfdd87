use proptest::prelude::*;

use super::*;

fn written(request: &Request<()>, length: Option<u64>) -> String {
    let mut out = Vec::new();
    write(request, length, &mut out);
    String::from_utf8(out).unwrap()
}

fn parse(text: &str) -> Result<Option<Head>, String> {
    read(&mut BytesMut::from(text), &Method::GET, &mut Vec::new())
}

fn parsed(text: &str) -> Head {
    parse(text).unwrap().unwrap()
}

#[test]
fn writes_target_and_repeated_headers_as_they_are() {
    let request = Request::builder()
        .uri("/a%2Fb//c?x=%3F?")
        .header("cookie", "a")
        .header("cookie", "b")
        .header("content-length", "7")
        .body(())
        .unwrap();
    let text = "GET /a%2Fb//c?x=%3F? HTTP/1.1\r\ncookie: a\r\ncookie: b\r\ncontent-length: 7\r\n\r\n";
    assert_eq!(written(&request, Some(7)), text);
    let request = Request::options("*").body(()).unwrap();
    assert_eq!(written(&request, Some(0)), "OPTIONS * HTTP/1.1\r\n\r\n");
    let request = Request::get("http://a?b").body(()).unwrap();
    assert_eq!(written(&request, Some(0)), "GET /?b HTTP/1.1\r\n\r\n");
}

#[test]
fn frames_a_body_by_its_length_or_in_chunks() {
    let post = |length| written(&Request::post("/").body(()).unwrap(), length);
    assert!(post(Some(0)).contains("content-length: 0\r\n"));
    assert!(post(None).contains("transfer-encoding: chunked\r\n"));
    assert_eq!(written(&Request::get("/").body(()).unwrap(), Some(0)), "GET / HTTP/1.1\r\n\r\n");
}

#[test]
fn reads_an_answer_byte_by_byte() {
    let text = "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 2\r\n\r\nhi";
    let mut buffer = BytesMut::new();
    for (index, byte) in text.bytes().enumerate() {
        buffer.extend_from_slice(&[byte]);
        let Some(head) = read(&mut buffer, &Method::GET, &mut Vec::new()).unwrap() else { continue };
        assert_eq!(index, text.len() - 3);
        assert_eq!(head.response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(head.response.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), b"Fine");
        assert_eq!((head.framing, head.keep_alive), (Framing::Length(2), true));
        return;
    }
    panic!("never complete");
}

#[test]
fn keeps_a_reason_phrase_of_its_own_and_the_absence_of_one() {
    for (line, reason) in [
        ("200 OK", None),
        ("404 Not Found", None),
        ("404 Gone fishing", Some(&b"Gone fishing"[..])),
        ("404 ", Some(b"")),
        ("404", Some(b"")),
        ("999 ", Some(b"")),
        ("400 \u{e4}\u{f6} ", Some("\u{e4}\u{f6} ".as_bytes())),
    ] {
        let head = parsed(&format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"));
        let found = head.response.extensions().get::<ReasonPhrase>();
        assert_eq!(found.map(ReasonPhrase::as_bytes), reason, "{line:?}");
    }
}

#[test]
fn leaves_the_date_out_but_not_that_of_a_switch_of_protocols() {
    for (status, dated) in [(200, false), (404, false), (101, true)] {
        let head = parsed(&format!("HTTP/1.1 {status} X\r\nDate: then\r\na: b\r\n\r\n"));
        assert_eq!(head.response.headers().contains_key(DATE), dated, "{status}");
        assert_eq!(head.response.headers()["a"], "b");
    }
}

#[test]
fn skips_interim_answers_but_not_a_switch_of_protocols() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(parsed(text).response.status(), 204);
    assert_eq!(parsed("HTTP/1.1 101 Switching Protocols\r\n\r\n").response.status(), 101);
}

#[test]
fn knows_which_answers_have_no_body() {
    for status in [204, 304] {
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(parsed(&text).framing, Framing::Length(0), "{status}");
    }
    let to_head = |text: &str| read(&mut BytesMut::from(text), &Method::HEAD, &mut Vec::new());
    let head = to_head("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").unwrap().unwrap();
    assert_eq!(head.framing, Framing::Length(0));
    assert!(to_head("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n").is_err());
}

#[test]
fn an_answer_without_a_length_ends_with_the_connection() {
    let head = parsed("HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!((head.framing, head.keep_alive), (Framing::Close, false));
}

#[test]
fn keeps_a_connection_only_when_the_backend_does() {
    let persists = |text: &str| parsed(&format!("{text}content-length: 0\r\n\r\n")).keep_alive;
    assert!(persists("HTTP/1.1 200 OK\r\n"));
    assert!(!persists("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n"));
    assert!(!persists("HTTP/1.0 200 OK\r\n"));
    assert!(persists("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"));
    assert!(persists("HTTP/1.1 204 No Content\r\n"));
    assert!(!persists("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n"));
    assert!(!parsed("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n").keep_alive);
}

#[test]
fn refuses_what_could_be_read_in_two_ways() {
    for head in [
        "content-length: 3\r\ncontent-length: 3\r\n",
        "content-length: +3\r\n",
        "content-length: 3, 3\r\n",
        "content-length: \r\n",
        "content-length: 99999999999999999999\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
        "name : value\r\n",
        "name: value\r\n folded\r\n",
    ] {
        assert!(parse(&format!("HTTP/1.1 200 OK\r\n{head}\r\n")).is_err(), "{head:?}");
    }
    assert!(parse("garbage\r\n\r\n").is_err());
    assert!(parse("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    assert!(parse("HTTP/2 200 OK\r\n\r\n").is_err());
}

#[test]
fn refuses_a_head_that_never_ends() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_LIMIT));
    assert!(parse(&endless).unwrap_err().contains("longer than 65536"));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_never_panic(text: Vec<u8>) {
        let _ = read(&mut BytesMut::from(&text[..]), &Method::GET, &mut Vec::new());
    }

    #[test]
    fn lines_of_any_kind_never_panic(lines in "(HTTP/1[.][01] [0-9]{3} [a-z]*\r\n)?([A-Za-z-]{0,9}: ?[ -~]{0,9}\r?\n){0,9}\r\n") {
        let _ = read(&mut BytesMut::from(&lines[..]), &Method::GET, &mut Vec::new());
    }
}

/// What is read, whatever it is, and what of the buffer is left.
fn outcome(text: &str) -> String {
    let mut buffer = BytesMut::from(text);
    let head = read(&mut buffer, &Method::GET, &mut Vec::new());
    format!("{head:?} {buffer:?}")
}

proptest! {
    #[test]
    fn an_answer_that_comes_again_says_the_same(
        answers in proptest::collection::vec(
            (
                proptest::sample::select(vec![
                    "HTTP/1.1 200 OK", "HTTP/1.1 200 Fine", "HTTP/1.0 200 OK", "HTTP/1.1 304 Not Modified",
                    "HTTP/1.1 100 Continue", "HTTP/1.1 101 Switching Protocols", "HTTP/1.1 2000 OK",
                ]),
                proptest::collection::vec(
                    proptest::sample::select(vec![
                        "Content-Length: 3", "content-length: 4", "Transfer-Encoding: chunked", "Connection: close",
                        "Connection: keep-alive", "Date: now", "Server: Kestrel",
                        "A: 1", "B: 2", "C: 3", "D: 4", "E: 5", "A: 6", "X: \u{e9}", "bad line",
                    ]),
                    0..9,
                ),
                proptest::sample::select(vec!["", "abc", "HTTP/1.1 204 No Content\r\n\r\n"]),
            ),
            1..40,
        ),
    ) {
        for (line, lines, behind) in answers {
            let text = [&[line], &lines[..], &["", behind]].concat().join("\r\n");
            // Nobody has read anything on a new thread.
            let new = std::thread::scope(|scope| scope.spawn(|| outcome(&text)).join().unwrap());
            for _ in 0..3 {
                prop_assert_eq!(&outcome(&text), &new);
            }
        }
    }
}

#[test]
fn an_answer_that_comes_again_is_recalled() {
    let value =
        || parsed("HTTP/1.1 200 OK\r\nx: recalled\r\n\r\n").response.headers()["x"].as_bytes().as_ptr();
    let _ = [0; 2].map(|_| value());
    assert_eq!(value(), value());
}
