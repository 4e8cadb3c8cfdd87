//! Beside hyper's client: what one reads the other reads, too, or ours refuses it.

use proptest::prelude::*;

use super::*;

/// Read by both, and in the same way; or by neither.
const SAME: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nuntil the end",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: ä\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nname : blank\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "garbage\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: y",
    "",
    "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1  200 OK\r\ncontent-length: 0\r\n\r\n",
    "http/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    "\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 000 Zero\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 1000 High\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length:\t5 \r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 05\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5x\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello and more",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx:\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: y\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx y: z\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nx: a\u{7f}b\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 404 Nicht gefunden \u{e4}\r\ncontent-length: 0\r\n\r\n",
];

/// hyper reads these, and has to guess.
const STRICTER: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
];

async fn both(answer: &[u8], piece: usize) -> (Outcome, Outcome) {
    let (address, _task) = in_pieces(answer.to_vec(), piece).await;
    let ours = outcome(Http1Client::new(), address, get()).await;
    let (address, _task) = in_pieces(answer.to_vec(), piece).await;
    let hypers = outcome(HyperClient::new(), address, get()).await;
    (ours, hypers)
}

/// Without what hyper's client learns late or early, as its task happens to run.
fn without_reuse(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Answer { status, headers, body, .. } => {
            Outcome::Answer { status, headers, body, reusable: false }
        }
        other => other,
    }
}

#[tokio::test]
async fn reads_what_hyper_reads_and_refuses_what_hyper_refuses() {
    for answer in SAME {
        for piece in [1, 7, usize::MAX] {
            let (ours, hypers) = both(answer.as_bytes(), piece).await;
            assert_eq!(without_reuse(ours), without_reuse(hypers), "{answer:?} in pieces of {piece}");
        }
    }
}

#[tokio::test]
async fn is_stricter_than_hyper_where_an_answer_could_be_read_in_two_ways() {
    for answer in STRICTER {
        let (ours, hypers) = both(answer.as_bytes(), usize::MAX).await;
        assert_eq!(ours, Outcome::Failed, "{answer:?}");
        assert_ne!(hypers, Outcome::Failed, "{answer:?}");
    }
}

fn answers() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => "HTTP/1[.][01] (200|204|304|404|100|103|500)( [A-Za-z ]{0,5})?",
        1 => "[ -~]{0,20}",
    ];
    let field = prop_oneof![
        "content-length: [0-9]{1,2}",
        "[Tt]ransfer-[Ee]ncoding:[ \t]{0,2}chunked",
        "connection: (close|keep-alive|x)",
        "[a-z]{1,5}:[ -~]{0,9}",
        "[ -~]{0,9}",
    ];
    let end = prop_oneof![6 => Just("\r\n"), 1 => Just("\n")];
    let body = prop_oneof![
        "[a-z]{0,20}",
        "[0-9a-f]{1,2}\r\n[a-z]{0,9}\r\n0\r\n(x: y\r\n)?\r\n[a-z]?",
        "(.|\n){0,9}"
    ];
    (line, proptest::collection::vec((field, end), 0..4), body, prop_oneof![0usize..3, Just(99)]).prop_map(
        |(line, fields, body, cut)| {
            let mut text = format!("{line}\r\n");
            for (field, end) in fields {
                text.extend([field.as_str(), end]);
            }
            let mut bytes = format!("{text}\r\n{body}").into_bytes();
            if cut < 3 {
                bytes.truncate(bytes.len().saturating_sub(cut));
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_it_reads_hyper_reads_in_the_same_way(answer in answers(), piece in prop_oneof![1usize..9, Just(999)]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (ours, hypers) = runtime.block_on(both(&answer, piece));
        let refused = match &ours {
            Outcome::Answer { body, .. } => body.is_none(),
            _ => true,
        };
        prop_assert!(
            refused || without_reuse(ours.clone()) == without_reuse(hypers.clone()),
            "{:?}\nours {ours:?}\nhyper's {hypers:?}", String::from_utf8_lossy(&answer),
        );
    }
}
