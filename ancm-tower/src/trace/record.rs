//! What is known of a request, and the lines that it becomes.

use std::{
    fmt::{self, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{Method, Request, StatusCode, uri::PathAndQuery};
use http_body::Body;
use tokio::time::Instant;
use tracing::{Level, field};

use super::{ACCESS, SERVER};
use crate::{BoxError, refusal::Refusal};

/// As much of a path or a reason as goes into a line.
const LONGEST: usize = 512;

/// What every line says of a request. Making one copies no text.
#[derive(Debug)]
pub(super) struct Head {
    method: Method,
    path: Option<PathAndQuery>,
    log_query: bool,
}

/// Follows a request to its end.
#[derive(Debug)]
pub(super) enum Watch {
    /// There is no access log; something may still go wrong.
    Quiet(Head),
    /// Boxed, so that it costs nothing where there is no access log.
    Loud(Box<Record>),
}

/// What goes into the access log, when it is dropped.
#[derive(Debug)]
pub(super) struct Record {
    head: Head,
    client: Option<SocketAddr>,
    started: Instant,
    received: Option<Arc<AtomicU64>>,
    status: StatusCode,
    sent: u64,
    /// How long the answer is, if it said so.
    expected: Option<u64>,
    refused: bool,
    /// `None`: whoever drops the record does so before its end.
    outcome: Option<&'static str>,
}

/// Foreign text made fit for one line of a log: of bounded length, without control characters.
pub(super) struct Shown<'a>(&'a str);

// === impl Head ===

impl Head {
    pub(super) fn new<B>(request: &Request<B>, log_query: bool) -> Self {
        Self { method: request.method().clone(), path: request.uri().path_and_query().cloned(), log_query }
    }

    pub(super) fn method(&self) -> Shown<'_> {
        Shown(self.method.as_str())
    }

    pub(super) fn path(&self) -> Shown<'_> {
        Shown(self.path.as_ref().map_or("", PathAndQuery::path))
    }

    fn query(&self) -> Option<Shown<'_>> {
        self.path.as_ref().filter(|_| self.log_query)?.query().map(Shown)
    }

    fn refused(&self, refusal: &Refusal) {
        let status = refusal.status();
        if status.is_server_error() {
            tracing::warn!(
                target: SERVER,
                method = %self.method(),
                path = %self.path(),
                status = status.as_u16(),
                reason = %Shown(&refusal.to_string()),
                "request refused",
            );
        } else {
            tracing::info!(
                target: SERVER,
                method = %self.method(),
                path = %self.path(),
                status = status.as_u16(),
                reason = %Shown(&refusal.to_string()),
                "request refused",
            );
        }
    }

    fn cut(&self, error: &BoxError) {
        tracing::warn!(
            target: SERVER,
            method = %self.method(),
            path = %self.path(),
            reason = %Shown(&error.to_string()),
            "answer cut",
        );
    }
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(head: Head, client: Option<SocketAddr>, has_body: bool) -> Self {
        if !tracing::enabled!(target: ACCESS, Level::INFO) {
            return Self::Quiet(head);
        }
        Self::Loud(Box::new(Record {
            head,
            client,
            started: Instant::now(),
            received: has_body.then(Arc::default),
            status: StatusCode::from_u16(499).expect("it is a status"),
            sent: 0,
            expected: None,
            refused: false,
            outcome: None,
        }))
    }

    /// Where the request's bytes are counted.
    pub(super) fn counter(&self) -> Option<Arc<AtomicU64>> {
        self.record()?.received.clone()
    }

    /// The inner service erred.
    pub(super) fn failed(mut self) {
        if let Self::Loud(record) = &mut self {
            record.status = StatusCode::INTERNAL_SERVER_ERROR;
            record.outcome = Some("failed");
        }
    }

    /// The head of the answer is there. `None`: and that was all.
    pub(super) fn answered<B: Body>(
        mut self,
        status: StatusCode,
        body: &B,
        refusal: Option<&Refusal>,
    ) -> Option<Self> {
        if let Some(refusal) = refusal {
            self.head().refused(refusal);
        }
        let upgraded = status == StatusCode::SWITCHING_PROTOCOLS;
        let bodiless = self.head().method == Method::HEAD
            || upgraded
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED;
        if let Self::Loud(record) = &mut self {
            record.status = status;
            record.refused = refusal.is_some();
            record.expected = body.size_hint().exact();
            record.outcome = upgraded.then_some("upgraded");
        }
        if bodiless || body.is_end_stream() {
            self.complete();
            return None;
        }
        Some(self)
    }

    /// A piece of the answer went out.
    pub(super) fn sent(&mut self, bytes: u64) {
        if let Self::Loud(record) = self {
            record.sent += bytes;
        }
    }

    /// The answer has ended: as it should, unless it was cut.
    pub(super) fn complete(&mut self) {
        if let Self::Loud(record) = self {
            record.complete();
        }
    }

    /// The answer broke off.
    pub(super) fn cut(&mut self, error: &BoxError) {
        self.head().cut(error);
        if let Self::Loud(record) = self {
            record.outcome = Some("cut");
        }
    }

    fn head(&self) -> &Head {
        match self {
            Self::Quiet(head) => head,
            Self::Loud(record) => &record.head,
        }
    }

    fn record(&self) -> Option<&Record> {
        match self {
            Self::Quiet(_) => None,
            Self::Loud(record) => Some(record),
        }
    }
}

// === impl Record ===

impl Record {
    fn complete(&mut self) {
        let outcome = if self.refused { "refused" } else { "complete" };
        self.outcome.get_or_insert(outcome);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // A server that knows the length does not ask for the end.
        if self.expected == Some(self.sent) {
            self.complete();
        }
        tracing::info!(
            target: ACCESS,
            method = %self.head.method(),
            path = %self.head.path(),
            query = self.head.query().map(field::display),
            status = self.status.as_u16(),
            duration_s = self.started.elapsed().as_secs_f64(),
            req_bytes = self.received.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed)),
            resp_bytes = self.sent,
            client_addr = self.client.map(field::display),
            outcome = self.outcome.unwrap_or("client_left"),
        );
    }
}

// === impl Shown ===

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, c) in self.0.char_indices() {
            if at >= LONGEST {
                return f.write_char('…');
            }
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}
