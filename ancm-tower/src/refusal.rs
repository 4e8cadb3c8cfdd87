//! Why a layer answered in the application's place.
//!
//! A layer never errs: it answers. The typed reason travels in the response's extensions, where the trace layer
//! finds it, and in short form in `Proxy-Status` (RFC 9209), where a person finds it.
//!
//! # Example
//!
//! ```
//! use ancm_tower::refusal::Refusal;
//! use bytes::Bytes;
//! use http_body_util::Full;
//!
//! let response = Refusal::BodyTooLarge { limit: 10 }.into_response::<Full<Bytes>>();
//! assert_eq!(response.status(), 413);
//! assert_eq!(response.headers()["proxy-status"], "ancm; error=http_request_denied");
//! assert_eq!(response.extensions().get(), Some(&Refusal::BodyTooLarge { limit: 10 }));
//! ```

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use crate::contract::header;

/// The reason of an answer that did not come from the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// `app_offline.htm` is there.
    Offline,
    /// The application could not be started.
    StartFailed,
    /// The application's configuration cannot be used.
    Misconfigured,
    /// The application did not become ready while the request was held.
    HoldTimeout {
        /// How long the request waited.
        limit: Duration,
    },
    /// Too many requests are being held already.
    HoldQueueFull {
        /// How many may be held.
        limit: usize,
    },
    /// The application is being stopped for good.
    Stopping,
    /// The backend fell silent.
    RequestTimeout {
        /// How long it may be silent.
        limit: Duration,
        /// What the client is told: 504, or 502 as ANCM does.
        status: StatusCode,
    },
    /// The request's body is longer than allowed.
    BodyTooLarge {
        /// How many bytes are allowed.
        limit: u64,
    },
    /// The request line is longer than the backend reads.
    TargetTooLong {
        /// How many bytes are allowed.
        limit: usize,
    },
    /// The path of the URL is longer than the site allows.
    PathTooLong {
        /// How many bytes are allowed.
        limit: u32,
    },
    /// The query of the URL is longer than the site allows.
    QueryTooLong {
        /// How many bytes are allowed.
        limit: u32,
    },
    /// The request has more header lines, or longer ones, than the backend reads.
    HeadTooLarge {
        /// What there is too much of: `lines` or `bytes`.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The request is malformed.
    BadRequest {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The method or the form of the target is not served.
    MethodNotAllowed,
    /// No application is configured for the host and path.
    NotFound,
    /// The client speaks plain HTTP where TLS is asked for.
    TlsRequired,
    /// The client has shown no certificate where one is asked for.
    ClientCertificateRequired,
    /// The backend refused the connection, closed it, or sent no proper answer.
    BadGateway {
        /// The error type of RFC 9209.
        error: &'static str,
        /// What happened, in words.
        detail: String,
    },
}

// === impl Refusal ===

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Offline | Self::HoldTimeout { .. } | Self::HoldQueueFull { .. } | Self::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::StartFailed | Self::BadGateway { .. } => StatusCode::BAD_GATEWAY,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RequestTimeout { status, .. } => *status,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            // IIS: 403.4 and 403.7.
            Self::TlsRequired | Self::ClientCertificateRequired => StatusCode::FORBIDDEN,
            // IIS: 404.14 and 404.15, not 414.
            Self::PathTooLong { .. } | Self::QueryTooLong { .. } | Self::NotFound => StatusCode::NOT_FOUND,
        }
    }

    /// The error type that RFC 9209 has for it.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Offline | Self::StartFailed | Self::HoldTimeout { .. } | Self::Stopping => {
                "destination_unavailable"
            }
            Self::Misconfigured => "proxy_configuration_error",
            Self::HoldQueueFull { .. } => "connection_limit_reached",
            Self::RequestTimeout { .. } => "http_response_timeout",
            Self::BodyTooLarge { .. }
            | Self::PathTooLong { .. }
            | Self::QueryTooLong { .. }
            | Self::MethodNotAllowed
            | Self::NotFound
            | Self::TlsRequired
            | Self::ClientCertificateRequired => "http_request_denied",
            Self::TargetTooLong { .. } | Self::HeadTooLarge { .. } | Self::BadRequest { .. } => {
                "http_request_error"
            }
            Self::BadGateway { error, .. } => error,
        }
    }

    /// An answer with an empty body that carries this reason.
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        self.into_response_with(Bytes::new())
    }

    /// An answer with this body that carries this reason.
    pub fn into_response_with<B: From<Bytes>>(self, body: Bytes) -> Response<B> {
        let mut response = Response::new(B::from(body));
        *response.status_mut() = self.status();
        let status = format!("ancm; error={}", self.error_type());
        response
            .headers_mut()
            .insert(header::PROXY_STATUS, HeaderValue::try_from(status).expect("error types are ASCII"));
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("the application is offline (app_offline.htm)"),
            Self::StartFailed => f.write_str("the application could not be started"),
            Self::Misconfigured => f.write_str("the application's configuration cannot be used"),
            Self::HoldTimeout { limit } => {
                write!(f, "the application was not ready within {} s", limit.as_secs_f64())
            }
            Self::HoldQueueFull { limit } => {
                write!(f, "the application is starting and {limit} requests wait for it already")
            }
            Self::Stopping => f.write_str("the application is being stopped"),
            Self::RequestTimeout { limit, .. } => {
                write!(f, "the application was silent for {} s", limit.as_secs_f64())
            }
            Self::BodyTooLarge { limit } => write!(f, "the request body is longer than {limit} bytes"),
            Self::TargetTooLong { limit } => write!(f, "the request line is longer than {limit} bytes"),
            Self::PathTooLong { limit } => {
                write!(f, "the path of the URL is longer than {limit} bytes (maxUrl)")
            }
            Self::QueryTooLong { limit } => {
                write!(f, "the query of the URL is longer than {limit} bytes (maxQueryString)")
            }
            Self::HeadTooLarge { what, limit } => {
                write!(f, "the request head has more than {limit} header {what}")
            }
            Self::BadRequest { reason } => write!(f, "malformed request: {reason}"),
            Self::MethodNotAllowed => f.write_str("the method or form of the request target is not served"),
            Self::NotFound => f.write_str("no application is configured for this host and path"),
            Self::TlsRequired => f.write_str("plain http is not served here (sslFlags)"),
            Self::ClientCertificateRequired => f.write_str("the client has shown no certificate (sslFlags)"),
            Self::BadGateway { detail, .. } => write!(f, "no answer from the application: {detail}"),
        }
    }
}

impl std::error::Error for Refusal {}
