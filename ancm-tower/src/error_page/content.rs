//! What is said about each refusal, whatever it is written as.

use std::borrow::Cow;

use http::StatusCode;

use super::Explanations;
use crate::refusal::Refusal;

const TRY_AGAIN: &str = "Reload this page after a moment.";
/// Of use only where there are no details yet.
pub(crate) const ADVICE_FOR_DETAILS: &str = "On a machine for development set `ASPNETCORE_ENVIRONMENT` to `Development`: this page then shows the details.";
const READ_THE_LOG: &str = "Look into the log of the server: it tells what happened to this request.";

/// What there is to say.
///
/// In `summary`, `causes` and `advice`, what stands between two backticks is code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content<'a> {
    /// The status with IIS's own number behind it, as people search for it.
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    /// What kind of error this is, for people who have never seen it.
    pub(crate) intro: &'static str,
    /// What happened, in a sentence.
    pub(crate) summary: Cow<'a, str>,
    pub(crate) causes: Vec<&'a str>,
    pub(crate) advice: Vec<&'a str>,
    /// For developers, line by line.
    pub(crate) details: Option<Cow<'a, str>>,
    pub(crate) link: Option<&'a str>,
    /// The last words.
    pub(crate) footer: &'static str,
}

// === impl Content ===

impl<'a> Content<'a> {
    /// What to say about a refusal that was answered with this status; nothing about those that are no news.
    pub(super) fn of(refusal: &Refusal, status: StatusCode, more: Option<&'a Explanations>) -> Option<Self> {
        let mut content = Self { status, ..Self::about(refusal, status)? };
        if let Some(more) = more {
            content.link = more.link.as_deref();
            let is_news = !content.summary.eq_ignore_ascii_case(&sentence(refusal));
            content.details = (more.details && is_news).then(|| refusal.to_string().into());
        }
        if content.details.is_none() && !content.advice.is_empty() {
            content.advice.push(ADVICE_FOR_DETAILS);
        }
        Some(content)
    }

    /// The second half of the number, if it has one.
    pub(super) fn sub_status(&self) -> Option<u16> {
        self.code.split_once('.').and_then(|(_, sub)| sub.parse().ok())
    }

    // ANCM answers 503 without a body while it stops, and so do we; 502.3 is a page of IIS, made of ANCM's words.
    fn about(refusal: &Refusal, status: StatusCode) -> Option<Self> {
        Some(match refusal {
            // These two are told by their `StartFailure`, and if there is none, its page is switched off.
            Refusal::StartFailed
            | Refusal::Misconfigured
            | Refusal::Offline
            | Refusal::Stopping
            | Refusal::BadRequest { .. }
            | Refusal::MethodNotAllowed => return None,
            Refusal::HoldTimeout { .. } | Refusal::HoldQueueFull { .. } => starting(refusal),
            Refusal::RequestTimeout { .. } | Refusal::BadGateway { .. } => no_answer(refusal, status),
            Refusal::TlsRequired | Refusal::ClientCertificateRequired => forbidden(refusal),
            Refusal::BodyTooLarge { .. }
            | Refusal::TargetTooLong { .. }
            | Refusal::PathTooLong { .. }
            | Refusal::QueryTooLong { .. }
            | Refusal::HeadTooLarge { .. }
            | Refusal::NotFound => not_taken(refusal),
        })
    }
}

fn starting<'a>(refusal: &Refusal) -> Content<'a> {
    let summary = if matches!(refusal, Refusal::HoldTimeout { .. }) {
        "The application was not ready in time for this request."
    } else {
        "The application is being started, and too many requests are waiting for it already."
    };
    Content {
        code: "503",
        title: "The application is still starting",
        summary: summary.into(),
        footer: TRY_AGAIN,
        ..Content::default()
    }
}

fn no_answer<'a>(refusal: &Refusal, status: StatusCode) -> Content<'a> {
    let late = matches!(refusal, Refusal::RequestTimeout { .. });
    let (title, summary, advice) = if late {
        (
            "The application did not answer in time",
            "The application has taken this request, and then was silent for longer than `requestTimeout` allows.",
            "If such requests need their time, let the application send something, or raise `requestTimeout`.",
        )
    } else {
        (
            "The application gave no proper answer",
            "The application runs, but its answer to this request broke off, or was none that HTTP knows.",
            "If others are answered, look at what the application does with this request: it may have crashed.",
        )
    };
    Content {
        code: if status == StatusCode::GATEWAY_TIMEOUT { "504" } else { "502.3" },
        title,
        summary: summary.into(),
        advice: vec![READ_THE_LOG, advice],
        footer: TRY_AGAIN,
        ..Content::default()
    }
}

fn forbidden<'a>(refusal: &Refusal) -> Content<'a> {
    let (code, title, summary) = if *refusal == Refusal::TlsRequired {
        ("403.4", "This address needs https", "It is not served over plain http. Ask again with `https://`.")
    } else {
        (
            "403.7",
            "This address needs a client certificate",
            "It is served only to clients that show a certificate when they connect.",
        )
    };
    Content { code, title, summary: summary.into(), ..Content::default() }
}

/// What the client has asked for in a way that cannot be served.
fn not_taken<'a>(refusal: &Refusal) -> Content<'a> {
    let (code, title) = match refusal {
        Refusal::BodyTooLarge { .. } => ("413", "The request is too large"),
        Refusal::TargetTooLong { .. } => ("414", "The address is too long"),
        Refusal::PathTooLong { .. } => ("404.14", "The address is too long"),
        Refusal::QueryTooLong { .. } => ("404.15", "The query of the address is too long"),
        Refusal::HeadTooLarge { .. } => ("431", "The headers of the request are too large"),
        _ => ("404", "There is nothing at this address"),
    };
    Content { code, title, summary: sentence(refusal).into(), ..Content::default() }
}

/// What a refusal says of itself.
fn sentence(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of<'a>(refusal: &Refusal, more: Option<&'a Explanations>) -> Option<Content<'a>> {
        Content::of(refusal, refusal.status(), more)
    }

    #[test]
    fn each_refusal_has_its_number_or_no_page() {
        let limit = Duration::from_secs(1);
        let timeout = |status| Refusal::RequestTimeout { limit, status };
        for (refusal, expected) in [
            (Refusal::Offline, None),
            (Refusal::StartFailed, None),
            (Refusal::Stopping, None),
            (Refusal::BadRequest { reason: "-" }, None),
            (Refusal::MethodNotAllowed, None),
            (Refusal::HoldTimeout { limit }, Some("503")),
            (Refusal::HoldQueueFull { limit: 1 }, Some("503")),
            (timeout(StatusCode::GATEWAY_TIMEOUT), Some("504")),
            (timeout(StatusCode::BAD_GATEWAY), Some("502.3")),
            (Refusal::BadGateway { error: "-", detail: String::new() }, Some("502.3")),
            (Refusal::Misconfigured, None),
            (Refusal::TlsRequired, Some("403.4")),
            (Refusal::ClientCertificateRequired, Some("403.7")),
            (Refusal::BodyTooLarge { limit: 1 }, Some("413")),
            (Refusal::TargetTooLong { limit: 1 }, Some("414")),
            (Refusal::PathTooLong { limit: 1 }, Some("404.14")),
            (Refusal::QueryTooLong { limit: 1 }, Some("404.15")),
            (Refusal::HeadTooLarge { what: "bytes", limit: 1 }, Some("431")),
            (Refusal::NotFound, Some("404")),
        ] {
            let content = of(&refusal, None);
            assert_eq!(content.as_ref().map(|content| content.code), expected, "{refusal}");
            if let Some(content) = content {
                assert!(content.code.starts_with(refusal.status().as_str()), "{refusal}");
                assert!(!content.title.is_empty() && content.summary.ends_with('.'), "{refusal}");
                assert_eq!(content.details, None, "{refusal}");
            }
        }
    }

    #[test]
    fn what_happened_is_for_developers() {
        let refusal =
            Refusal::BadGateway { error: "-", detail: "connection to 127.0.0.1:9 was reset".into() };
        let public = Explanations::new().link("https://help.test");
        let content = of(&refusal, Some(&public)).unwrap();
        assert_eq!((content.details, content.link), (None, Some("https://help.test")));
        assert!(!content.summary.contains("127.0.0.1"));
        assert_eq!(content.advice.last(), Some(&ADVICE_FOR_DETAILS));
        let all = Explanations::new().details(true);
        let content = of(&refusal, Some(&all)).unwrap();
        assert!(content.details.unwrap().contains("127.0.0.1:9"));
        assert!(!content.advice.contains(&ADVICE_FOR_DETAILS));
        let known = of(&Refusal::BodyTooLarge { limit: 5 }, Some(&all)).unwrap();
        assert_eq!(known.summary, "The request body is longer than 5 bytes.");
        assert_eq!(known.details, None, "it would say the same again");
    }
}
