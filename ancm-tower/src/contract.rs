//! Every name, path and number that both sides of the protocol must agree on.
//!
//! Nothing here behaves; the layers and the other crates take their constants from this one file.
//!
//! # Example
//!
//! ```
//! use ancm_tower::contract::{header, limit, variable};
//!
//! assert_eq!(header::TOKEN.as_str(), "ms-aspnetcore-token");
//! assert_eq!(variable::PORT, "ASPNETCORE_PORT");
//! assert_eq!(limit::REQUEST_BODY, 30_000_000);
//! ```

/// Names of HTTP header fields.
pub mod header {
    use http::HeaderName;

    /// Every header whose name begins so (in any case) belongs to the protocol; a client's are removed.
    // ANCM: forwardinghandler.cpp compares the first 13 characters, ignoring case.
    pub const RESERVED_PREFIX: &str = "ms-aspnetcore";
    /// The pairing token, on every request that the frontend sends.
    pub const TOKEN: HeaderName = HeaderName::from_static("ms-aspnetcore-token");
    /// What the frontend tells its backend; the only value is [`SHUTDOWN_EVENT`](super::SHUTDOWN_EVENT).
    pub const EVENT: HeaderName = HeaderName::from_static("ms-aspnetcore-event");
    /// The client's TLS certificate: DER in base64, on one line.
    pub const CLIENT_CERT: HeaderName = HeaderName::from_static("ms-aspnetcore-clientcert");
    /// A handle of the client's Windows token, in lower-case hexadecimal.
    pub const WINDOWS_AUTH_TOKEN: HeaderName = HeaderName::from_static("ms-aspnetcore-winauthtoken");
    /// Client addresses, the nearest last.
    pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    /// Schemes that the client used, the nearest last.
    pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    /// Made by the consuming end only; a client's are removed.
    pub const X_ORIGINAL_PREFIX: &str = "x-original-";
    /// The address that `X-Forwarded-For` replaced.
    pub const X_ORIGINAL_FOR: HeaderName = HeaderName::from_static("x-original-for");
    /// The scheme that `X-Forwarded-Proto` replaced.
    pub const X_ORIGINAL_PROTO: HeaderName = HeaderName::from_static("x-original-proto");
    /// Tells whose error it is (RFC 9209).
    pub const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
}

/// Names of environment variables that a frontend gives to its backend.
pub mod variable {
    /// The port on 127.0.0.1 where the backend must listen, in decimal digits.
    pub const PORT: &str = "ASPNETCORE_PORT";
    /// The pairing token.
    pub const TOKEN: &str = "ASPNETCORE_TOKEN";
    /// The application's path base: `/`, or `/app`.
    pub const APPL_PATH: &str = "ASPNETCORE_APPL_PATH";
    /// Authentication kinds of the frontend, each followed by `;`.
    pub const IIS_HTTPAUTH: &str = "ASPNETCORE_IIS_HTTPAUTH";
    /// `true` or `false`.
    pub const IIS_WEBSOCKETS_SUPPORTED: &str = "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED";
    /// The site root.
    pub const IIS_PHYSICAL_PATH: &str = "ASPNETCORE_IIS_PHYSICAL_PATH";
    /// Addresses for a backend that is not paired.
    pub const URLS: &str = "ASPNETCORE_URLS";
    /// How long the .NET host waits for its requests when it stops, in seconds.
    pub const SHUTDOWN_TIMEOUT_SECONDS: &str = "ASPNETCORE_SHUTDOWNTIMEOUTSECONDS";
    /// The same setting by its other name, which the .NET host reads as well.
    pub const DOTNET_SHUTDOWN_TIMEOUT_SECONDS: &str = "DOTNET_SHUTDOWNTIMEOUTSECONDS";
    /// Assemblies that .NET loads at start, separated by `;`.
    pub const HOSTING_STARTUP_ASSEMBLIES: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
    /// Where the site is served with TLS.
    pub const ANCM_HTTPS_PORT: &str = "ASPNETCORE_ANCM_HTTPS_PORT";
    /// [`PORT`] for applications made for `HttpPlatformHandler`.
    pub const HTTP_PLATFORM_PORT: &str = "HTTP_PLATFORM_PORT";
    /// The port, for applications of any kind.
    pub const GENERIC_PORT: &str = "PORT";
}

/// The path of the shutdown message, below the path base.
pub const SHUTDOWN_PATH: &str = "/iisintegration";
/// The value of [`header::EVENT`] that asks a backend to stop.
pub const SHUTDOWN_EVENT: &str = "shutdown";
/// The file in the site root that takes an application offline.
pub const APP_OFFLINE_FILE: &str = "app_offline.htm";
/// The file in the site root that describes an application.
pub const WEB_CONFIG_FILE: &str = "web.config";
/// The assembly that the frontend adds to [`variable::HOSTING_STARTUP_ASSEMBLIES`].
pub const HOSTING_STARTUP_ASSEMBLY: &str = "Microsoft.AspNetCore.Server.IISIntegration";

/// Numbers that both sides must agree on.
pub mod limit {
    /// The largest request body, in bytes, unless configured otherwise.
    pub const REQUEST_BODY: u64 = 30_000_000;
    /// Header lines in a request head, those that we add included.
    pub const HEADER_LINES: usize = 100;
    /// Bytes of all header lines of a request, line ends included.
    pub const HEADER_BYTES: usize = 32_768;
    /// Bytes of the request line, line end included.
    pub const REQUEST_LINE: usize = 8_192;
    /// Characters of a pairing token: a UUID as text.
    pub const TOKEN_LENGTH: usize = 36;
}
