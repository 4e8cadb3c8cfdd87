//! Why a backend could not be started.

use std::sync::OnceLock;

use bytes::Bytes;

/// Why a backend could not be started, ready to be shown.
///
/// Made once for each failure; the page is rendered once too, when it is first asked for.
#[derive(Clone, Debug)]
pub struct StartFailure {
    summary: String,
    causes: Vec<String>,
    advice: Vec<String>,
    details: Option<String>,
    link: Option<String>,
    page: OnceLock<Bytes>,
}

// === impl StartFailure ===

impl StartFailure {
    /// A failure in one sentence: what was tried, and what came of it.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            causes: Vec::new(),
            advice: Vec::new(),
            details: None,
            link: None,
            page: OnceLock::new(),
        }
    }

    /// Adds a likely cause; without any, the page lists the usual ones.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a step to take; without any, the page lists the usual ones.
    pub fn advice(mut self, step: impl Into<String>) -> Self {
        self.advice.push(step.into());
        self
    }

    /// Sets a preformatted text for developers: command line, exit code, output. Only what a stranger may see.
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Adds a link to the foot of the page.
    pub fn link(mut self, url: impl Into<String>) -> Self {
        self.link = Some(url.into());
        self
    }

    /// What happened, in one sentence.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The 502.5 page: HTML in UTF-8.
    pub fn page(&self) -> Bytes {
        self.page.get_or_init(Bytes::new).clone()
    }
}
