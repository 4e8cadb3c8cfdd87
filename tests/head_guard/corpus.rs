//! Several hundred raw requests: ordinary ones, changed in one place each.

use std::collections::HashSet;

use super::variants::{
    BEFORE, CHUNKS, CODINGS, FRAMINGS, HOSTS, LENGTHS, LINE_ENDS, LINES, LOOKALIKES, NAME_BYTES, ORDINARY,
    TARGETS, VALUE_BYTES,
};

/// One raw request, whole as its sender means it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The target of every request whose target is not what is changed.
pub(crate) const TARGET: &str = "/request/x?y=z";

/// The whole corpus.
pub(crate) fn corpus() -> Vec<Case> {
    let mut cases = Vec::new();
    lines(&mut cases);
    fields(&mut cases);
    framing(&mut cases);
    let names: HashSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "every case has a name of its own");
    cases
}

fn lines(cases: &mut Vec<Case>) {
    for line in LINES {
        add(cases, "line", line, format!("{line}\r\nHost: a\r\n\r\n"));
    }
    for target in TARGETS {
        add(cases, "target", target, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    for before in BEFORE {
        add(cases, "before", before, format!("{before}{}", get("")));
    }
    for end in LINE_ENDS {
        add(cases, "end of the request line", end, format!("GET {TARGET} HTTP/1.1{end}Host: a\r\n\r\n"));
        add(cases, "end of a header", end, format!("GET {TARGET} HTTP/1.1\r\nHost: a{end}X: y\r\n\r\n"));
        add(cases, "end of the last header", end, format!("GET {TARGET} HTTP/1.1\r\nHost: a{end}\r\n"));
        add(cases, "end of the head", end, format!("GET {TARGET} HTTP/1.1\r\nHost: a\r\n{end}"));
    }
    for old in [
        "",
        "Host: a\r\n",
        "Connection: keep-alive\r\n",
        "Host: a\r\nHost: a\r\n",
        "Upgrade: x\r\nConnection: upgrade\r\n",
    ] {
        add(cases, "HTTP/1.0", old, format!("GET {TARGET} HTTP/1.0\r\n{old}\r\n"));
    }
}

fn fields(cases: &mut Vec<Case>) {
    for line in ORDINARY.iter().chain(LOOKALIKES) {
        add(cases, "header", line, get(&format!("{line}\r\n")));
    }
    for host in HOSTS {
        add(cases, "Host", host, format!("GET {TARGET} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
    for hosts in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host : a\r\n",
        " Host: a\r\n",
        "Host\r\n",
        "host:a\r\n",
    ] {
        add(cases, "hosts", hosts, format!("GET {TARGET} HTTP/1.1\r\n{hosts}\r\n"));
    }
    for fold in [" ", "\t", "  ", " y", "\ty: z", " \t"] {
        add(
            cases,
            "fold of the request line",
            fold,
            format!("GET {TARGET} HTTP/1.1\r\n{fold}\r\nHost: a\r\n\r\n"),
        );
        add(cases, "fold of a header", fold, get(&format!("X: y\r\n{fold}\r\nZ: z\r\n")));
        add(cases, "fold of the last header", fold, get(&format!("X: y\r\n{fold}\r\n")));
    }
    for line in ["X", ":", ": y", "X y", "X;y", "=", "X : y", "X\t: y"] {
        add(cases, "line without a name", line, get(&format!("{line}\r\nZ: z\r\n")));
    }
    let head = format!("GET {TARGET} HTTP/1.1\r\nHost: a\r\n");
    for byte in NAME_BYTES {
        for (place, name) in [("start", ["", "ab"]), ("middle", ["a", "b"]), ("end", ["ab", ""])] {
            let line = [name[0].as_bytes(), &[*byte], name[1].as_bytes(), b": y\r\n\r\n"].concat();
            add(cases, "byte in a name", &format!("{place} {byte:#04x}"), [head.as_bytes(), &line].concat());
        }
    }
    for byte in VALUE_BYTES {
        for (place, value) in [("start", ["", "yz"]), ("middle", ["y", "z"]), ("end", ["yz", ""])] {
            let line = [b"X: ", value[0].as_bytes(), &[*byte], value[1].as_bytes(), b"\r\n\r\n"].concat();
            add(cases, "byte in a value", &format!("{place} {byte:#04x}"), [head.as_bytes(), &line].concat());
        }
    }
    add(cases, "header", "ninety lines", get(&"X: y\r\n".repeat(90)));
    add(cases, "header", "a long line", get(&format!("X: {}\r\n", "y".repeat(20_000))));
}

fn framing(cases: &mut Vec<Case>) {
    for length in LENGTHS {
        add(cases, "Content-Length", length, post("HTTP/1.1", &format!("Content-Length:{length}"), "hello"));
        add(
            cases,
            "Content-Length in 1.0",
            length,
            post("HTTP/1.0", &format!("Content-Length: {length}"), "hello"),
        );
    }
    for coding in CODINGS {
        let chunks = "5\r\nhello\r\n0\r\n\r\n";
        add(
            cases,
            "Transfer-Encoding",
            coding,
            post("HTTP/1.1", &format!("Transfer-Encoding:{coding}"), chunks),
        );
    }
    add(cases, "Transfer-Encoding", "in 1.0", post("HTTP/1.0", "Transfer-Encoding: chunked", "0\r\n\r\n"));
    for lines in FRAMINGS {
        add(cases, "framing", lines, post("HTTP/1.1", lines, "0\r\n\r\n"));
    }
    for chunks in CHUNKS {
        add(cases, "chunks", chunks, post("HTTP/1.1", "transfer-encoding: chunked", chunks));
    }
    let requests = get("").repeat(2);
    let length = format!("Content-Length: {}", requests.len());
    add(cases, "body", "with requests in it", post("HTTP/1.1", &length, &requests));
    let chunks = format!("{:x}\r\n{requests}\r\n0\r\n\r\n", requests.len());
    add(cases, "body", "with requests in a chunk", post("HTTP/1.1", "Transfer-Encoding: chunked", &chunks));
    add(cases, "body", "of a GET", get("Content-Length: 5\r\n") + "hello");
    add(cases, "body", "none", post("HTTP/1.1", "X: y", ""));
    add(cases, "body", "awaited", post("HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 5", "hello"));
}

fn add(cases: &mut Vec<Case>, family: &str, variant: &str, bytes: impl Into<Vec<u8>>) {
    cases.push(Case { name: format!("{family}: {}", variant.escape_default()), bytes: bytes.into() });
}

fn get(lines: &str) -> String {
    format!("GET {TARGET} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

fn post(version: &str, lines: &str, body: &str) -> String {
    format!("POST {TARGET} {version}\r\nHost: a\r\n{lines}\r\n\r\n{body}")
}
