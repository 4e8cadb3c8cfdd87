//! The answers of the hold layer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use super::{Rules, StartFailure};
use crate::{app_offline::Page, error_page::mark, refusal::Refusal};

/// When a client is asked to come again, in seconds: by then a slow start may be over.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("10");

/// Why the start failed, on the answer that shows it.
#[derive(Clone, Debug)]
pub(crate) struct Failed(pub(crate) Arc<StartFailure>);

/// Why a request did not go in.
#[derive(Debug)]
pub(super) enum Refused {
    /// The application is offline.
    Offline(Page),
    /// The start failed.
    Failed(Arc<StartFailure>),
    /// The application is being stopped.
    Stopped,
    /// The request has waited for so long.
    Late { limit: Duration },
    /// Too many requests wait.
    Full,
}

// === impl Refused ===

impl Refused {
    pub(super) fn to_response<B: From<Bytes>>(&self, rules: &Rules) -> Response<B> {
        match self {
            Self::Offline(page) => page.to_response(),
            Self::Failed(failure) if rules.settings().disable_page => failure.refusal().into_response(),
            Self::Failed(failure) => failed(failure),
            Self::Stopped => stopped(),
            Self::Late { limit } => try_later(Refusal::HoldTimeout { limit: *limit }),
            Self::Full => try_later(Refusal::HoldQueueFull { limit: rules.places.limit() }),
        }
    }
}

fn failed<B: From<Bytes>>(failure: &Arc<StartFailure>) -> Response<B> {
    let mut response = failure.refusal().into_response_with(failure.page());
    // ANCM names no charset here; the page is ours, so it is known.
    mark(&mut response, HeaderValue::from_static("text/html; charset=utf-8"));
    // For a layer that can say it in other words.
    response.extensions_mut().insert(Failed(Arc::clone(failure)));
    response
}

fn stopped<B: From<Bytes>>() -> Response<B> {
    let mut response = Refusal::Stopping.into_response();
    // What comes next on this connection would be refused as well.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn try_later<B: From<Bytes>>(refusal: Refusal) -> Response<B> {
    let mut response = refusal.into_response();
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
