//! What the guard accepts and refuses, byte by byte or in one piece.

use super::*;

/// What a stream comes to: the bytes that may go on, and the fault behind them.
pub(super) type Outcome = (usize, Option<(Fault, bool)>);

/// Inspects a stream in pieces; after a request that asks for an upgrade, as if the answer were a refusal.
pub(super) fn outcome<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut guard, mut passed) = (HeadGuard::new(), 0);
    for mut piece in pieces {
        loop {
            match guard.inspect(piece) {
                Verdict::Pass => {
                    passed += piece.len();
                    break;
                }
                Verdict::Hold { at } => {
                    passed += at;
                    piece = &piece[at..];
                    guard.not_switched();
                }
                Verdict::Refuse { at, fault, in_body } => return (passed + at, Some((fault, in_body))),
            }
        }
    }
    (passed, None)
}

fn whole(stream: &str) -> Outcome {
    let outcome_whole = outcome([stream.as_bytes()]);
    let outcome_pieces = outcome(stream.as_bytes().chunks(1));
    assert_eq!(outcome_whole, outcome_pieces, "{stream:?}");
    outcome_whole
}

fn passes(stream: &str) {
    assert_eq!(whole(stream), (stream.len(), None), "{stream:?}");
}

/// `stream` has a `¦` in front of the first bad byte.
fn refuses(stream: &str, fault: Fault) {
    let at = stream.find('¦').unwrap_or_else(|| panic!("no mark in {stream:?}"));
    let in_body = matches!(
        fault,
        Fault::ChunkSize | Fault::ChunkEnd | Fault::ChunkLine | Fault::ChunkExtension | Fault::Trailer
    );
    assert_eq!(whole(&stream.replace('¦', "")), (at, Some((fault, in_body))), "{stream:?}");
}

/// A request with these header lines beside Host, none of which ends the head.
fn head(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}")
}

#[test]
fn passes_ordinary_requests() {
    passes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    passes("GET / HTTP/1.0\r\n\r\n");
    passes("m!#$%&'*+-.^_`|~9 * HTTP/1.1\r\nhOsT:a\r\nempty:\r\ntext:\t \u{e9}\ttext \r\n\r\n");
    passes(
        "POST /a?b=%00 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\r\0cGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    passes("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn passes_one_empty_line_before_a_request() {
    passes("\r\nGET / HTTP/1.0\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    refuses("\r\n¦\r\nGET / HTTP/1.0\r\n\r\n", Fault::EmptyLines);
    refuses("¦\nGET / HTTP/1.0\r\n\r\n", Fault::BareLineFeed);
    refuses("\r¦GET / HTTP/1.0\r\n\r\n", Fault::BareCarriageReturn);
}

#[test]
fn refuses_what_is_no_request_line() {
    refuses("¦ GET / HTTP/1.1\r\n", Fault::Method);
    refuses("¦\0GET / HTTP/1.1\r\n", Fault::Method);
    refuses("G¦\tET / HTTP/1.1\r\n", Fault::Method);
    refuses("GET¦\r\n\r\n", Fault::Method);
    refuses("¦\u{16}\u{3}\u{1}", Fault::Method);
    refuses("GET ¦ / HTTP/1.1\r\n", Fault::Target);
    refuses("GET /¦\t HTTP/1.1\r\n", Fault::Target);
    refuses("GET /¦\0 HTTP/1.1\r\n", Fault::Target);
    refuses("GET /¦\r\n", Fault::Target);
    refuses("GET /a¦#b HTTP/1.1\r\n", Fault::Fragment);
    refuses("GET / ¦ HTTP/1.1\r\n", Fault::Version);
    refuses("GET / ¦b HTTP/1.1\r\n", Fault::Version);
    refuses("GET / HTTP/1.1¦ \r\n", Fault::Version);
    refuses("GET / HTTP/1.1¦\n", Fault::BareLineFeed);
    refuses("GET / HTTP/1.1\r¦\r\n", Fault::BareCarriageReturn);
    refuses("PRI * HTTP/¦2.0\r\n\r\nSM\r\n\r\n", Fault::Version);
    refuses("GET / ¦http/1.1\r\n", Fault::Version);
    refuses("GET / HTTP/1.¦2\r\n", Fault::Version);
    refuses("GET / HTTP/1.1¦1\r\n", Fault::Version);
    refuses("GET / HTTP/¦01.1\r\n", Fault::Version);
}

#[test]
fn refuses_what_is_no_header_line() {
    for (lines, fault) in [
        ("a: b¦\nc: d\r\n", Fault::BareLineFeed),
        ("a: b\r¦c: d\r\n", Fault::BareCarriageReturn),
        ("a: b\r¦\r\n", Fault::BareCarriageReturn),
        ("a: b\r\n¦\n", Fault::BareLineFeed),
        ("\r¦a: b\r\n", Fault::BareCarriageReturn),
        ("a: b\r\n¦ c\r\n", Fault::FoldedLine),
        ("a: b\r\n¦\tc: d\r\n", Fault::FoldedLine),
        ("a: b¦\0\r\n", Fault::ControlCharacter),
        ("a: ¦\u{1}b\r\n", Fault::ControlCharacter),
        ("a: b¦\u{7f}\r\n", Fault::ControlCharacter),
        ("¦: b\r\n", Fault::EmptyName),
        ("a¦ : b\r\n", Fault::BlankInName),
        ("a¦\t: b\r\n", Fault::BlankInName),
        ("a¦ b: c\r\n", Fault::BlankInName),
        ("ab¦\r\n", Fault::NoColon),
        ("ab¦\n", Fault::NoColon),
        ("a¦(b): c\r\n", Fault::Name),
        ("¦\u{e9}: c\r\n", Fault::Name),
        ("a¦\0: c\r\n", Fault::Name),
        ("¦\"a\": c\r\n", Fault::Name),
    ] {
        refuses(&head(lines), fault);
    }
}

#[test]
fn refuses_a_first_line_that_is_folded() {
    refuses("GET / HTTP/1.1\r\n¦ Host: a\r\n\r\n", Fault::FoldedLine);
}

#[test]
fn refuses_what_says_twice_how_long_a_body_is() {
    for (lines, fault) in [
        ("Content-Length: 3\r\ncontent-LENGTH¦: 3\r\n", Fault::LengthRepeated),
        ("Content-Length: 3\r\nTransfer-Encoding¦: chunked\r\n", Fault::LengthAndCoding),
        ("Transfer-Encoding: chunked\r\nContent-Length¦: 3\r\n", Fault::LengthAndCoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding¦: chunked\r\n", Fault::CodingRepeated),
    ] {
        refuses(&head(lines), fault);
    }
}

#[test]
fn refuses_a_length_that_is_not_one_number() {
    for value in [
        "¦\r\n",
        "  ¦\r\n",
        "¦+3\r\n",
        "¦-3\r\n",
        "3¦,3\r\n",
        "3¦, 3\r\n",
        "3 ¦3\r\n",
        "0¦x3\r\n",
        "3¦.0\r\n",
        "¦\"3\"\r\n",
        "3¦;\r\n",
        "1¦e3\r\n",
        "3¦_0\r\n",
        "¦\u{a0}3\r\n",
        "922337203685477580¦8\r\n",
        "1844674407370955161¦6\r\n",
        "00000000000922337203685477580¦8\r\n",
        "¦\u{663}\r\n",
    ] {
        refuses(&head(&format!("Content-Length:{value}")), Fault::Length);
    }
    for length in ["0", " 0", "0 \t", "\t0", "000"] {
        passes(&head(&format!("Content-Length:{length}\r\n\r\nGET / HTTP/1.0\r\n\r\n")));
    }
}

#[test]
fn refuses_every_coding_but_chunked() {
    for value in [
        "¦\r\n",
        "¦gzip\r\n",
        "¦gzip, chunked\r\n",
        "chunked¦, chunked\r\n",
        "chunked¦,\r\n",
        "¦,chunked\r\n",
        "chunk¦\r\n",
        "chunked¦x\r\n",
        "chunked ¦x\r\n",
        "chunked¦;q=1\r\n",
        "¦\"chunked\"\r\n",
        "¦identity\r\n",
        "c ¦hunked\r\n",
        "¦xchunked\r\n",
    ] {
        refuses(&head(&format!("Transfer-Encoding: {value}")), Fault::Coding);
    }
    for coding in ["chunked", "Chunked", " chunked\t"] {
        passes(&head(&format!("Transfer-Encoding:{coding}\r\n\r\n0\r\n\r\n")));
    }
}

#[test]
fn refuses_a_coding_in_http_1_0() {
    refuses("POST / HTTP/1.0\r\nTransfer-Encoding¦: chunked\r\n\r\n", Fault::CodingInOldVersion);
}

#[test]
fn refuses_a_missing_repeated_or_malformed_host() {
    refuses("GET / HTTP/1.1\r\n\r¦\n", Fault::HostMissing);
    refuses("GET / HTTP/1.1\r\nHost: a\r\nHost¦: a\r\n\r\n", Fault::HostRepeated);
    refuses("GET / HTTP/1.0\r\nHost: a\r\nHost¦: a\r\n\r\n", Fault::HostRepeated);
    for host in [
        "a¦/b",
        "¦@b",
        "a¦,b",
        "a ¦b",
        "a:8¦x",
        "a:80¦:80",
        "¦\u{e9}",
        "a¦?b",
        "a¦\\b",
        "[::1¦\r\n",
        "[::1]¦a",
        "[¦x]",
        "[¦]",
        "¦:80",
        "a¦#b",
        "a¦\"b",
        "a¦[::1]",
        "a¦|b",
    ] {
        refuses(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Fault::Host);
    }
    for host in ["", "a.example:8080", "a:", "[::1]", "[2001:db8::1]:80", "a_b", "127.0.0.1:1", "xn--a "] {
        passes(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
}

#[test]
fn follows_a_chunked_body_to_the_next_request() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "0\r\n\r\n",
        "5\r\nab\r\nc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
        "1 \t;a\r\nx\r\n0;\r\n\r\n",
    ] {
        passes(&format!("{post}{body}GET / HTTP/1.0\r\n\r\n"));
    }
    for (body, fault) in [
        ("¦\r\n", Fault::ChunkSize),
        ("¦+5\r\n", Fault::ChunkSize),
        ("¦-5\r\n", Fault::ChunkSize),
        ("¦ 5\r\n", Fault::ChunkSize),
        ("0¦x5\r\n", Fault::ChunkSize),
        ("5¦_0\r\n", Fault::ChunkSize),
        ("¦g\r\n", Fault::ChunkSize),
        ("800000000000000¦0\r\n", Fault::ChunkSize),
        ("5 ¦\r\n", Fault::ChunkExtension),
        ("5 ¦5\r\n", Fault::ChunkExtension),
        ("5;a¦\0\r\n", Fault::ChunkExtension),
        ("5\r\nabcde¦f\r\n", Fault::ChunkEnd),
        ("5\r\nabcde¦\n", Fault::ChunkEnd),
        ("5\r\nabcde\r¦\r\n", Fault::ChunkEnd),
        ("0\r\nHost¦: b\r\n\r\n", Fault::Trailer),
        ("0\r\nContent-Length¦: 1\r\n\r\n", Fault::Trailer),
    ] {
        refuses(&format!("{post}{body}"), fault);
    }
}

#[test]
fn refuses_other_line_ends_between_chunks() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, at, fault) in [
        ("5\n", 1, Fault::BareLineFeed),
        ("5;a\n", 3, Fault::BareLineFeed),
        ("5\r\r", 2, Fault::BareCarriageReturn),
        ("0\r\n\n", 3, Fault::BareLineFeed),
        ("0\r\na: b\n", 7, Fault::BareLineFeed),
    ] {
        assert_eq!(whole(&format!("{post}{body}")), (post.len() + at, Some((fault, true))), "{body:?}");
    }
}

#[test]
fn limits_the_line_with_the_size_of_a_chunk() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    passes(&format!("{post}{}5;{}\r\n", "0".repeat(100), "x".repeat(900)));
    for line in ["0".repeat(2000), format!("5{}", " ".repeat(2000)), format!("5;{}", "x".repeat(2000))] {
        let line = format!("{}¦{}", &line[..1024], &line[1024..]);
        refuses(&format!("{post}{line}"), Fault::ChunkLine);
    }
}

#[test]
fn holds_what_follows_a_request_that_asks_for_an_upgrade() {
    let upgrade = "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab";
    let mut guard = HeadGuard::new();
    let at = upgrade.len();
    assert_eq!(guard.inspect(format!("{upgrade}\0tunnel").as_bytes()), Verdict::Hold { at });
    assert!(guard.awaits_answer());
    guard.not_switched();
    assert_eq!(guard.inspect(b"GET / HTTP/1.0\r\nUpgrade: x\r\n\r\n"), Verdict::Pass);
    assert!(!guard.awaits_answer(), "HTTP/1.0 never switches");
}

#[test]
fn a_head_without_end_costs_nothing() {
    let mut guard = HeadGuard::new();
    assert_eq!(guard.inspect(b"GET / HTTP/1.1\r\nHost: a\r\n"), Verdict::Pass);
    for _ in 0..10_000 {
        assert_eq!(guard.inspect(b"abc: def\r\n"), Verdict::Pass);
    }
    assert!(matches!(guard.inspect(b"\0"), Verdict::Refuse { at: 0, .. }));
    assert!(matches!(guard.inspect(b"GET / HTTP/1.0\r\n\r\n"), Verdict::Refuse { at: 0, .. }));
}
