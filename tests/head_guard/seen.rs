//! What a reader makes of the bytes of a connection.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Write},
    net::SocketAddr,
    time::Duration,
};

use http::request::Parts;

use crate::support::client::{Client, Response};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    method: String,
    target: String,
    /// None if it does not matter.
    version: Option<String>,
    headers: BTreeMap<String, Vec<String>>,
    pub(super) body: usize,
}

/// What came back on one connection until it was closed.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) answers: Vec<Response>,
    /// By the server, not because it waits for more.
    closed: bool,
}

/// Headers that belong to a connection or are made anew by whoever passes a request on.
const OF_A_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "upgrade",
    "expect",
    "transfer-encoding",
    "content-length",
    "http2-settings",
];
/// What `ancm` adds, and what the application makes of it.
const OURS: &[&str] =
    &["x-forwarded-for", "x-forwarded-proto", "x-original-for", "x-original-proto", "ms-aspnetcore-token"];

/// Compares what we have read with what the application `site` tells that it has read.
pub(super) fn same(ours: &[Seen], theirs: &Answers, reading: impl Fn(&Seen) -> Seen) -> Result<(), String> {
    // The end of an answer to HTTP/1.0 can be the end of the connection.
    let old = ours[0].version.as_deref() == Some("HTTP/1.0");
    let fewer = old && theirs.closed && theirs.last_status() == Some(200);
    if ours.len() < theirs.answers.len() || ours.len() > theirs.answers.len() && !fewer {
        return Err(format!("we read {} requests, and the answers are {theirs:?}", ours.len()));
    }
    for (ours, answer) in ours.iter().zip(&theirs.answers) {
        let Some(theirs) = Seen::told(answer) else {
            // The application has no such page; it has read the request all the same.
            if matches!(answer.status(), 200 | 404 | 405) {
                continue;
            }
            return Err(format!("{ours:?} was answered with {answer:?}"));
        };
        let (ours, theirs) = (reading(ours), reading(&theirs));
        if ours != theirs {
            return Err(format!("\n    {ours:?}\n    {theirs:?}"));
        }
    }
    Ok(())
}

// === impl Seen ===

impl Seen {
    /// What our service has got.
    pub(super) fn of(head: &Parts, body: usize) -> Self {
        let mut headers = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in &head.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.entry(name.to_string()).or_default().push(value);
        }
        Self {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            version: Some(format!("{:?}", head.version)),
            headers,
            body,
        }
    }

    /// What the application tells of a request; it does not tell how long a body is.
    fn told(answer: &Response) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let mut headers = BTreeMap::<_, Vec<_>>::new();
        for line in json["headers"].as_array()? {
            headers.entry(line[0].as_str()?.to_lowercase()).or_default().push(line[1].as_str()?.to_owned());
        }
        Some(Self {
            method: text("method")?,
            target: text("raw_target")?,
            version: text("protocol"),
            headers,
            body: 0,
        })
    }

    /// For a reader of the same bytes.
    pub(super) fn as_sent(&self) -> Self {
        let mut seen = self.clone();
        seen.body = 0;
        // Kestrel writes these two in its own way.
        seen.headers.remove("connection");
        if let Some(lengths) = seen.headers.get_mut("content-length") {
            for length in lengths {
                *length = length.trim_start_matches('0').to_owned();
            }
        }
        // We have put an absolute target into origin form already, with its authority as Host.
        if let Some((_, rest)) = self.target.split_once("://") {
            seen.target = rest.find(['/', '?']).map_or(String::new(), |at| rest[at..].to_owned());
        }
        seen
    }

    /// With an absolute target as we pass it on: its authority is the Host, without credentials.
    pub(super) fn in_origin_form(&self) -> Self {
        let mut seen = self.clone();
        if let Some((_, rest)) = self.target.split_once("://") {
            let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            seen.target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
            let host = authority.rsplit('@').next().unwrap_or_default();
            seen.headers.insert("host".to_owned(), vec![host.to_owned()]);
        }
        seen
    }

    /// For a reader of what we send on.
    pub(super) fn as_forwarded(&self) -> Self {
        let mut seen = self.as_sent();
        seen.version = None;
        let named: Vec<_> = self.headers.get("connection").into_iter().flatten().cloned().collect();
        seen.headers.retain(|name, _| {
            let named = named
                .iter()
                .any(|names| names.split(',').any(|other| other.trim().eq_ignore_ascii_case(name)));
            !named && !OF_A_CONNECTION.contains(&name.as_str()) && !OURS.contains(&name.as_str())
        });
        // Ours is made for the backend, where HTTP/1.0 has none.
        seen.headers.entry("host".to_owned()).or_insert_with(|| vec![String::new()]);
        seen
    }
}

// === impl Answers ===

impl Answers {
    /// Sends the bytes and reads until the connection ends, or the server waits for more.
    pub(super) fn to(address: SocketAddr, bytes: &[u8]) -> Self {
        let mut client = Client::connect(address);
        client.patience(Duration::from_secs(3));
        // The server may have refused before it has read all.
        let _ = client.stream().write_all(bytes);
        let mut answers = Vec::new();
        loop {
            match client.try_response(false) {
                Ok(answer) => {
                    let closed = answer.head.closes();
                    answers.push(answer);
                    if closed {
                        return Self { answers, closed };
                    }
                }
                Err(error) => {
                    let closed =
                        matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
                    return Self { answers, closed };
                }
            }
        }
    }

    pub(super) fn last_status(&self) -> Option<u16> {
        self.answers.last().map(Response::status)
    }

    /// Whether the server has read all that it wants to read.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// Whether the server has refused the last request that it answered: by 400, or by 405 for a strange target.
    pub(super) fn refused(&self) -> bool {
        matches!(self.last_status(), Some(400 | 405)) && self.closed
    }

    /// The requests that the application tells of.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.answers.iter().filter_map(Seen::told).collect()
    }

    /// The length of the first request's body, if it was sent to the page that reads it.
    pub(super) fn length(&self) -> Option<usize> {
        let json: serde_json::Value = serde_json::from_slice(&self.answers.first()?.body).ok()?;
        json["length"].as_u64().and_then(|length| usize::try_from(length).ok())
    }
}
