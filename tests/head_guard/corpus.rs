//! Several hundred raw requests: ordinary ones, changed in one place each.

use std::collections::HashSet;

/// One raw request, whole as its sender means it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The target of every request whose target is not what is changed.
pub(crate) const TARGET: &str = "/request/x?y=z";

const LINE_ENDS: &[&str] =
    &["\n", "\r", "\r\r\n", "\n\r", "\r \n", "\n\n", "\r\0\n", "\u{b}\r\n", "\u{2028}"];
const NAME_BYTES: &[u8] = b"\0\x01\t\x0b\x1b \"(),/;<=>?@[\\]{}\x7f\x80\xff:_!#~|'`^*";
const VALUE_BYTES: &[u8] = b"\0\x01\x08\t\x0b\x0c\r\n\x1b\x7f\x80\xa0\xff\"\\,;:";

const LENGTHS: &[&str] = &[
    "5",
    " 5",
    "5 ",
    "\t5\t",
    "05",
    "0000000000000000000000005",
    "+5",
    "-5",
    "5,5",
    "5, 5",
    "5,",
    ",5",
    "5;",
    "0x5",
    "5.0",
    "5e0",
    "",
    " ",
    "\"5\"",
    "5 5",
    "1_0",
    "5\u{b}",
    "\u{a0}5",
    "\u{665}",
    "\u{ff15}",
    "five",
    "5\0",
    "9223372036854775808",
    "18446744073709551621",
    "99999999999999999999999999999999",
    "2147483648000000000000",
    "4294967301 ,5",
];
const CODINGS: &[&str] = &[
    "chunked",
    "Chunked",
    "CHUNKED",
    " chunked",
    "chunked ",
    "\tchunked\t",
    "\u{b}chunked",
    "chunked\u{b}",
    "chunked,chunked",
    "chunked, chunked",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, identity",
    "identity, chunked",
    "identity",
    "gzip",
    ",chunked",
    "chunked,",
    ", chunked ,",
    "chunked;q=1",
    "xchunked",
    "chunkedx",
    "\"chunked\"",
    "",
    "chun ked",
    "chunked\0",
    "ch\u{131}nked",
    "\u{212a}chunked",
    "x-chunked",
    "chunked chunked",
];
const FRAMINGS: &[&str] = &[
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length: 5\r\ncontent-length: 5",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 0\r\nContent-Length: 5",
    "Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 5",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\ntransfer-encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: x\r\nContent-Length: 5",
    "Content-Length: 5\r\nTransfer-Encoding: x",
    "Content-Length : 5",
    "Content-Length\t: 5",
    " Content-Length: 5",
    "Content Length: 5",
    "Transfer-Encoding : chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding\0: chunked",
    "Content-Length\0: 5",
    "Content-Length: 5\r\n Content-Length: 6",
    "X: y\r\n Transfer-Encoding: chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "Content-Length:\r\n 5",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: chunked\r\n , identity",
];
/// Look like framing and are not: the body is empty.
const LOOKALIKES: &[&str] = &[
    "Content_Length: 5",
    "X-Content-Length: 5",
    "Content-Lengthx: 5",
    "Content-Lengt: 5",
    "xContent-Length: 5",
    "Transfer_Encoding: chunked",
    "X-Transfer-Encoding: chunked",
    "Transfer-Encodin: chunked",
    "Transfer-Encodings: chunked",
    "TE: chunked",
    "Content-Encoding: chunked",
    "Trailer: Content-Length",
    "Hostx: a",
    "Hos: a",
    "X-Host: a",
    "Upgrades: x",
];
/// Bodies behind `Transfer-Encoding: chunked`.
const CHUNKS: &[&str] = &[
    "5\r\nhello\r\n0\r\n\r\n",
    "05\r\nhello\r\n0\r\n\r\n",
    "0000000000000005\r\nhello\r\n0\r\n\r\n",
    "a\r\n0123456789\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n000\r\n\r\n",
    "5;x\r\nhello\r\n0\r\n\r\n",
    "5;x=y\r\nhello\r\n0;z\r\n\r\n",
    "5;x=\"y;z\"\r\nhello\r\n0\r\n\r\n",
    "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "0\r\nX: y\r\nX: z\r\n\r\n",
    "5\r\nhello\r\n0\r\nX:\r\n\r\n",
    "2\r\n\r\n\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 ;x\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5h\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5;x\nhello\r\n0\r\n\r\n",
    "5;\0\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "\r\n5\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "8000000000000000\r\nhello\r\n0\r\n\r\n",
    "5_\r\nhello\r\n0\r\n\r\n",
    "\u{ff15}\r\nhello\r\n0\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "0\r\nHost: b\r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\nX\r\n\r\n",
    "0\r\n X: y\r\n\r\n",
    "0\r\nX: \0\r\n\r\n",
    "0\r\nX: y\n\r\n",
    "0\r\n: y\r\n\r\n",
];
const HOSTS: &[&str] = &[
    "a",
    "A.example",
    "a:80",
    "a:",
    ":80",
    "",
    " a ",
    "a:0",
    "a:99999",
    "127.0.0.1:8080",
    "[::1]",
    "[::1]:80",
    "[2001:DB8::1]",
    "a_b",
    "a-b.c",
    "xn--bcher-kva.example",
    "a~b",
    "a!b",
    "a%20b",
    "a$b",
    "a&b",
    "a'b",
    "a(b)",
    "a*b",
    "a+b",
    "a;b",
    "a=b",
    "a.",
    "*",
    "a/b",
    "a/",
    "http://a",
    "u@a",
    "a,b",
    "a, b",
    "a b",
    "a:b",
    "a:8 0",
    "a:80:80",
    "a:-1",
    "[::1",
    "::1",
    "[::1]x",
    "[x]",
    "[]",
    "[::1]:x",
    "a#b",
    "a?b",
    "a\\b",
    "a\"b",
    "a<b",
    "a|b",
    "a^b",
    "a`b",
    "a{b",
    "\u{e9}",
    "a\u{80}",
    "a\0b",
    "a\tb",
];
const TARGETS: &[&str] = &[
    "/request/",
    "/request/a%2Fb",
    "/request/a%2fb?%3F",
    "/request/a//b",
    "//request/x",
    "/request/../request/x",
    "/request/./x",
    "/request/%2e%2e/x",
    "/request/x?",
    "/request/x??a=b?",
    "/request/x?a=b&c=%zz",
    "/request/%zz",
    "/request/%",
    "/request/a%00b",
    "/request/a\\b",
    "/request/a|b",
    "/request/a^b",
    "/request/a`b",
    "/request/a\"b",
    "/request/a<b>",
    "/request/{a}",
    "/request/[a]",
    "/request/a;b=c",
    "/request/a:b@c",
    "/request/a*b",
    "/request/a~b!$&'()+,=",
    "/request/x#y",
    "/request/x?y#z",
    "#",
    "/request/\u{e9}",
    "/request/x?\u{e9}",
    "/request/a\0b",
    "/request/a\u{1}b",
    "/request/a\u{7f}b",
    "/request/a\tb",
    "/request/a b",
    "http://a/request/x",
    "http://a/request/x?y",
    "http://a",
    "http://a?y",
    "HTTP://a/request/x",
    "https://a/request/x",
    "http://b/request/x",
    "http://a:8080/request/x",
    "http://u@a/request/x",
    "http:///request/x",
    "http:/request/x",
    "ftp://a/request/x",
    "request/x",
    "?x",
    "*",
    "a:80",
    "/",
    "",
];
/// Whole request lines, without their end.
const LINES: &[&str] = &[
    "GET /request/x",
    "GET /request/x ",
    "GET  /request/x HTTP/1.1",
    "GET /request/x  HTTP/1.1",
    "GET\t/request/x HTTP/1.1",
    "GET /request/x\tHTTP/1.1",
    "GET /request/x HTTP/1.1 ",
    " GET /request/x HTTP/1.1",
    "\tGET /request/x HTTP/1.1",
    "GET /request/x HTTP/1.1\t",
    "GET\u{b}/request/x HTTP/1.1",
    "GET\u{a0}/request/x HTTP/1.1",
    "GET /request/x HTTP/1.2",
    "GET /request/x HTTP/2.0",
    "GET /request/x HTTP/2",
    "GET /request/x HTTP/0.9",
    "GET /request/x HTTP/1.10",
    "GET /request/x HTTP/1.01",
    "GET /request/x HTTP/01.1",
    "GET /request/x http/1.1",
    "GET /request/x Http/1.1",
    "GET /request/x HTTPS/1.1",
    "GET /request/x HTTP/1",
    "GET /request/x HTTP/1.",
    "GET /request/x HTTP 1.1",
    "GET /request/x HTTP/1,1",
    "GET /request/x HTTP/1.1\0",
    "GET /request/x HTTP/1.1x",
    "GET /request/x HTTP/ 1.1",
    "GET /request/x ICY/1.1",
    "get /request/x HTTP/1.1",
    "Get /request/x HTTP/1.1",
    "PATCH /request/x HTTP/1.1",
    "M-SEARCH /request/x HTTP/1.1",
    "A!#$%&'*+-.^_`|~9 /request/x HTTP/1.1",
    "TRACE /request/x HTTP/1.1",
    "OPTIONS /request/x HTTP/1.1",
    "DEBUG /request/x HTTP/1.1",
    "GE\"T /request/x HTTP/1.1",
    "GE(T /request/x HTTP/1.1",
    "GE,T /request/x HTTP/1.1",
    "GE/T /request/x HTTP/1.1",
    "GE:T /request/x HTTP/1.1",
    "GE@T /request/x HTTP/1.1",
    "G\u{c9}T /request/x HTTP/1.1",
    "GE\0T /request/x HTTP/1.1",
    "\0GET /request/x HTTP/1.1",
    "/request/x HTTP/1.1",
    "CONNECT a:80 HTTP/1.1",
    "CONNECT /request/x HTTP/1.1",
    "GET /request/x HTTP/1.1 HTTP/1.1",
    "\u{feff}GET /request/x HTTP/1.1",
];
/// Header lines that may stand in any request, and mean what they say.
const ORDINARY: &[&str] = &[
    "X:y",
    "X:  y  ",
    "X:",
    "X: \t ",
    "X: y\tz",
    "X: a, b, c",
    "x: 1\r\nX: 2\r\nX: 3",
    "Cookie: a=b; c=\"d\"\r\nCookie: e=f",
    "Accept: */*;q=0.1",
    "X: caf\u{e9}",
    "X: \u{1f980}",
    "X: \"unended",
    "X: \\",
    "X: a:b::c",
    "X-1: 2",
    "1: 2",
    "!#$%&'*+-.^_`|~: token",
    "X_Y: z",
    "x.y: z",
    "Expect: something",
    "Connection: keep-alive",
    "Connection: x",
    "Keep-Alive: timeout=5",
    "Upgrade: h2c",
    "Upgrade: websocket",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA",
    "Proxy-Connection: keep-alive",
    "Range: bytes=0-1",
    "Date: yesterday",
    "Authorization: Basic YTpi",
    "Content-Type: text/plain",
    "Referer: http://a/#b",
    "X-Forwarded-For: 1.2.3.4",
];
/// In front of a request.
const BEFORE: &[&str] =
    &["\r\n", "\r\n\r\n", "\n", "\r", "\r\n\n", "\n\r\n", " ", "\t", "\0", "\u{feff}", "\r\n ", "0\r\n\r\n"];

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
