//! What the clients do.

use std::{fmt::Write, ops::Range};

/// One kind of work.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) what: &'static str,
    path: &'static str,
    /// Bytes of the answer's body.
    pub(crate) answer: usize,
    /// Whether it comes in chunks, instead of with its length.
    pub(crate) chunked: bool,
    /// Client connections.
    pub(crate) connections: usize,
    /// Requests that each sends at once; then it awaits their answers.
    pub(crate) pipelined: usize,
    /// Bytes of the request's body.
    upload: usize,
    headers: Headers,
    /// How many requests come on a connection, if it ends by them.
    closes_after: Option<usize>,
}

/// What a request has besides what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Headers {
    None,
    /// Those of a browser.
    Browser,
    /// Those of a browser, and one that is another with each request.
    Traced,
    /// So many that nobody else has.
    Custom(usize),
}

const HELLO: Scenario = Scenario {
    name: "hello",
    what: "12 bytes, 64 connections",
    path: "/",
    answer: 12,
    chunked: false,
    connections: 64,
    pipelined: 1,
    upload: 0,
    headers: Headers::None,
    closes_after: None,
};

/// All of them, in the order in which they are run.
pub(crate) const SCENARIOS: [Scenario; 14] = [
    HELLO,
    Scenario { name: "1k", what: "1 KiB, 64 connections", path: "/1k", answer: 1 << 10, ..HELLO },
    Scenario {
        name: "browser",
        what: "1 KiB, a browser's 14 headers, 64 connections",
        path: "/1k",
        answer: 1 << 10,
        headers: Headers::Browser,
        ..HELLO
    },
    Scenario { name: "64k", what: "64 KiB, 64 connections", path: "/64k", answer: 64 << 10, ..HELLO },
    Scenario { name: "1m", what: "1 MiB, 64 connections", path: "/1m", answer: 1 << 20, ..HELLO },
    Scenario {
        name: "post16k",
        what: "16 KiB up and back, 64 connections",
        path: "/echo",
        answer: 16 << 10,
        upload: 16 << 10,
        ..HELLO
    },
    Scenario { name: "c1", what: "12 bytes, one connection", connections: 1, ..HELLO },
    Scenario { name: "c512", what: "12 bytes, 512 connections", connections: 512, ..HELLO },
    Scenario {
        name: "newconn",
        what: "12 bytes, a connection for each request, 64 at a time",
        closes_after: Some(1),
        ..HELLO
    },
    Scenario {
        name: "headers",
        what: "1 KiB, 40 headers of the client's own, 64 connections",
        path: "/1k",
        answer: 1 << 10,
        headers: Headers::Custom(40),
        ..HELLO
    },
    Scenario {
        name: "traced",
        what: "1 KiB, a browser's 14 headers and a new traceparent each time, 64 connections",
        path: "/1k",
        answer: 1 << 10,
        headers: Headers::Traced,
        ..HELLO
    },
    Scenario {
        name: "chunked",
        what: "64 KiB in chunks of 4 KiB, 64 connections",
        path: "/chunked",
        answer: 64 << 10,
        chunked: true,
        ..HELLO
    },
    Scenario {
        name: "pipelined",
        what: "12 bytes, 8 requests at once, 64 connections",
        pipelined: 8,
        ..HELLO
    },
    Scenario {
        name: "mixed",
        what: "12 bytes, 5 requests to a connection, 64 at a time",
        closes_after: Some(5),
        ..HELLO
    },
];

/// The place of a trace's number, until it has one.
const NO_TRACE: &str = "00000000000000000000000000000000";

/// About 1.1 KB with the host.
const BROWSER: [(&str, &str); 11] = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "de-CH,de;q=0.8,en-US;q=0.5,en;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "https://shop.example/catalogue?page=7&sort=price"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-User", "?1"),
    ("Priority", "u=0, i"),
];

// === impl Scenario ===

impl Scenario {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Whether the connection ends by its request of this number, counted from 1.
    pub(crate) fn closes(&self, number: usize) -> bool {
        self.closes_after == Some(number)
    }

    /// Where in a request its trace has its number, if it has one.
    pub(crate) fn trace(&self, request: &[u8]) -> Option<Range<usize>> {
        let place = (self.headers == Headers::Traced)
            .then(|| request.windows(NO_TRACE.len()).position(|part| part == NO_TRACE.as_bytes()))?;
        place.map(|start| start..start + NO_TRACE.len())
    }

    /// The request, as it is written; `closes` asks for the end of the connection.
    pub(crate) fn request(&self, closes: bool) -> Vec<u8> {
        let method = if self.upload > 0 { "POST" } else { "GET" };
        let mut head = format!("{method} {} HTTP/1.1\r\nHost: shop.example\r\n", self.path);
        let mut field = |name: &str, value: &str| {
            let _ = write!(head, "{name}: {value}\r\n");
        };
        match self.headers {
            Headers::None => {}
            Headers::Browser | Headers::Traced => {
                for (name, value) in BROWSER {
                    field(name, value);
                }
                // What ASP.NET Core's session and antiforgery cookies look like.
                let cookies = [
                    ".AspNetCore.Session=",
                    &"Cf".repeat(110),
                    "; .AspNetCore.Antiforgery=",
                    &"DJ".repeat(70),
                ];
                field("Cookie", &(cookies.concat() + "; theme=dark; consent=all"));
                field("Cache-Control", "max-age=0");
                if self.headers == Headers::Traced {
                    field("traceparent", &["00-", NO_TRACE, "-b7ad6b7169203331-01"].concat());
                }
            }
            Headers::Custom(count) => {
                for number in 1..=count {
                    field(&format!("X-Shop-Setting-{number}"), &format!("what the setting {number} says"));
                }
            }
        }
        if self.upload > 0 {
            field("Content-Type", "application/octet-stream");
            field("Content-Length", &self.upload.to_string());
        }
        if closes {
            field("Connection", "close");
        }
        let mut request = head.into_bytes();
        request.extend_from_slice(b"\r\n");
        request.resize(request.len() + self.upload, b'x');
        request
    }
}
