//! Tower layers for the protocol between the ASP.NET Core Module (ANCM) and its backend.

pub mod app_offline;
pub mod body_limit;
pub mod client;
pub mod client_cert;
pub mod contract;
pub mod forwarded;
pub mod head_limit;
mod headers;
pub mod pairing_token;
pub mod refusal;
pub mod request_timeout;
pub mod startup_error;
pub mod trace;
pub mod windows_auth;

/// The error of a body that one of our layers watches.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
