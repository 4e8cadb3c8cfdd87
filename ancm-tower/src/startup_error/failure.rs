//! Why a backend could not be started.
//!
//! # Example
//!
//! ```
//! use ancm_tower::startup_error::StartFailure;
//!
//! let failure = StartFailure::new("The process ended with code 3 before it listened on port 12345.")
//!     .details("dotnet ./Site.dll\nUnhandled exception: <no database>");
//! let page = failure.page();
//! let page = std::str::from_utf8(&page).unwrap();
//! assert!(page.contains("<h1>HTTP Error 502.5 - "));
//! assert!(page.contains("&lt;no database&gt;"));
//! ```

use std::sync::OnceLock;

use bytes::Bytes;

use super::page;
use crate::{
    error_page::{self, Content},
    refusal::Refusal,
};

/// Why a backend could not be started, ready to be shown.
///
/// Made once for each failure; the page is rendered once too, when it is first asked for. In summary, causes and
/// advice, what stands between two backticks is shown as code.
#[derive(Clone, Debug)]
pub struct StartFailure {
    pub(super) kind: Kind,
    summary: String,
    exact: Option<String>,
    pub(super) causes: Vec<String>,
    pub(super) advice: Vec<String>,
    pub(super) details: Option<String>,
    pub(super) link: Option<String>,
    page: OnceLock<Bytes>,
}

/// How far the start came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A process was to be started: 502.5.
    NotStarted,
    /// What to start is not known: 500.0.
    Misconfigured,
}

// === impl StartFailure ===

impl StartFailure {
    /// A failure in one sentence: what was tried, and what came of it. Everybody sees it.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            kind: Kind::NotStarted,
            summary: summary.into(),
            exact: None,
            causes: Vec::new(),
            advice: Vec::new(),
            details: None,
            link: None,
            page: OnceLock::new(),
        }
    }

    /// A configuration that cannot be used, in one sentence: nothing was started, and clients are told 500.0.
    // ANCM: applicationinfo.cpp answers so where the configuration cannot be loaded.
    pub fn misconfigured(summary: impl Into<String>) -> Self {
        Self { kind: Kind::Misconfigured, ..Self::new(summary) }
    }

    /// Says the same with all that is known: codes, paths, ports. For the log, and on the page beside details.
    pub fn exactly(self, summary: impl Into<String>) -> Self {
        Self { exact: Some(summary.into()), ..self.unrendered() }
    }

    /// Adds a likely cause; without any, the page lists the usual ones.
    pub fn cause(self, cause: impl Into<String>) -> Self {
        let mut changed = self.unrendered();
        changed.causes.push(cause.into());
        changed
    }

    /// Adds a step to take; without any, the page lists the usual ones.
    pub fn advice(self, step: impl Into<String>) -> Self {
        let mut changed = self.unrendered();
        changed.advice.push(step.into());
        changed
    }

    /// Sets what only developers should see (command line, exit code, output), shown as it is, line by line.
    ///
    /// Whoever calls this decides that everybody who sees the page may read it.
    pub fn details(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self.unrendered() }
    }

    /// Adds a link to the foot of the page; what is neither `http:` nor `https:` is shown as text.
    pub fn link(self, url: impl Into<String>) -> Self {
        Self { link: Some(url.into()), ..self.unrendered() }
    }

    /// What happened, in one sentence that everybody may read.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What happened, in one sentence with all that is known, if that has been said.
    pub fn in_full(&self) -> &str {
        self.exact.as_deref().unwrap_or(&self.summary)
    }

    /// What clients are told beside the page.
    pub(super) fn refusal(&self) -> Refusal {
        match self.kind {
            Kind::NotStarted => Refusal::StartFailed,
            Kind::Misconfigured => Refusal::Misconfigured,
        }
    }

    /// The 502.5 page, or that of 500.0: HTML in UTF-8.
    pub fn page(&self) -> Bytes {
        self.page.get_or_init(|| error_page::page(&self.content()).into()).clone()
    }

    pub(crate) fn content(&self) -> Content<'_> {
        page::content(self)
    }

    fn unrendered(self) -> Self {
        Self { page: OnceLock::new(), ..self }
    }
}
