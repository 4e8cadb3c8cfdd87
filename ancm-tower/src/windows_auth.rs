//! Forwards a Windows authentication token.
//!
//! A frontend that authenticated its client with Negotiate or NTLM duplicates the client's token into the backend's
//! process and sends the handle's number. The number means something in that process only, and whoever can send one
//! chooses an identity, so that a client's own header never passes.
//!
//! # Example
//!
//! ```
//! use ancm_tower::windows_auth::{WindowsAuthLayer, WindowsAuthToken};
//! use http::Request;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let backend = ServiceBuilder::new().layer(WindowsAuthLayer::new(true)).service(service_fn(
//!     async |request: Request<()>| Ok::<_, std::convert::Infallible>(request.headers().clone()),
//! ));
//!
//! let mut request = Request::builder().header("MS-ASPNETCORE-WINAUTHTOKEN", "1").body(()).unwrap();
//! request.extensions_mut().insert(WindowsAuthToken(1234));
//! let headers = backend.oneshot(request).await.unwrap();
//! assert_eq!(headers["ms-aspnetcore-winauthtoken"], "4d2");
//! assert_eq!(WindowsAuthToken::from_headers(&headers), Some(WindowsAuthToken(1234)));
//! # }
//! ```

use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    contract::header,
    headers::{only, remove_rare},
};

/// A handle of the client's Windows token, valid in the backend's process.
///
/// Who authenticates the client puts it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowsAuthToken(pub u32);

/// Makes [`WindowsAuth`] services.
#[derive(Clone, Copy, Debug)]
pub struct WindowsAuthLayer {
    enabled: bool,
}

/// Removes the client's `MS-ASPNETCORE-WINAUTHTOKEN`, then sets ours if the extensions hold a [`WindowsAuthToken`].
#[derive(Clone, Copy, Debug)]
pub struct WindowsAuth<S> {
    inner: S,
    enabled: bool,
}

// === impl WindowsAuthToken ===

impl WindowsAuthToken {
    /// Reads a header's value: one to eight hexadecimal digits, without sign or `0x`.
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        // `from_str_radix` alone would take a sign.
        if text.is_empty() || text.len() > 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u32::from_str_radix(text, 16).ok().map(Self)
    }

    /// Reads the header of a request; a repeated one counts as none.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::parse(only(headers, &header::WINDOWS_AUTH_TOKEN)?)
    }

    /// The header's value: lower-case hexadecimal digits.
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::try_from(format!("{:x}", self.0)).expect("digits are ASCII")
    }
}

// === impl WindowsAuthLayer ===

impl WindowsAuthLayer {
    /// Forwards tokens, or with `enabled` false only removes what a client sent.
    pub fn new(enabled: bool) -> Self {
        Self { enabled }
    }
}

impl<S> Layer<S> for WindowsAuthLayer {
    type Service = WindowsAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WindowsAuth { inner, enabled: self.enabled }
    }
}

// === impl WindowsAuth ===

impl<S, B> Service<Request<B>> for WindowsAuth<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        remove_rare(request.headers_mut(), &header::WINDOWS_AUTH_TOKEN);
        if self.enabled {
            // The token stays in the extensions: a request that comes back unsent passes here again.
            if let Some(token) = request.extensions().get::<WindowsAuthToken>().copied() {
                request.headers_mut().insert(header::WINDOWS_AUTH_TOKEN, token.header_value());
            }
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::startup_error::Resent;
    use proptest::prelude::*;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    fn sent(enabled: bool, request: Request<()>) -> Request<()> {
        let service = ServiceBuilder::new()
            .layer(WindowsAuthLayer::new(enabled))
            .service(service_fn(async |request| Ok::<_, Infallible>(request)));
        tokio_test::block_on(service.oneshot(request)).unwrap()
    }

    fn forged() -> Request<()> {
        Request::builder()
            .header("MS-ASPNETCORE-WINAUTHTOKEN", "1")
            .header("ms-aspnetcore-winauthtoken", b"\xff".as_slice())
            .header("accept", "*/*")
            .body(())
            .unwrap()
    }

    #[test]
    fn sets_the_token_in_lower_case_hexadecimal_in_place_of_the_clients() {
        let mut request = forged();
        request.extensions_mut().insert(WindowsAuthToken(0xABCD));
        let request = sent(true, request);
        let values: Vec<_> = request.headers().get_all("ms-aspnetcore-winauthtoken").iter().collect();
        assert_eq!(values, ["abcd"]);
        assert_eq!(request.headers()["accept"], "*/*");
    }

    #[test]
    fn removes_the_clients_header_if_there_is_no_token() {
        let request = sent(true, forged());
        assert_eq!(request.headers().len(), 1);
    }

    #[test]
    fn when_off_removes_the_clients_header_and_touches_nothing_else() {
        let mut request = forged();
        request.extensions_mut().insert(WindowsAuthToken(7));
        let request = sent(false, request);
        assert_eq!(request.headers().len(), 1);
        assert_eq!(request.extensions().get(), Some(&WindowsAuthToken(7)));
    }

    #[test]
    fn sends_the_token_again_with_a_request_that_came_back() {
        let mut request = Request::new(());
        request.extensions_mut().insert(WindowsAuthToken(7));
        let mut request = sent(true, request);
        request.extensions_mut().insert(Resent);
        let again = sent(true, request);
        assert_eq!(again.headers().len(), 1);
        assert_eq!(again.headers()["ms-aspnetcore-winauthtoken"], "7");
    }

    #[test]
    fn reads_only_one_to_eight_digits() {
        let parse = |text: &'static [u8]| WindowsAuthToken::parse(&HeaderValue::from_bytes(text).unwrap());
        assert_eq!(parse(b"0"), Some(WindowsAuthToken(0)));
        assert_eq!(parse(b"FfFfFfFf"), Some(WindowsAuthToken(u32::MAX)));
        for text in ["", "0x1", "-1", "+1", "1 2", "g", "123456789", "000000001", "\u{661}"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff"), None);
    }

    #[test]
    fn reads_no_repeated_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(WindowsAuthToken::from_headers(&headers), None);
        headers.append(header::WINDOWS_AUTH_TOKEN, HeaderValue::from_static("1"));
        assert_eq!(WindowsAuthToken::from_headers(&headers), Some(WindowsAuthToken(1)));
        headers.append(header::WINDOWS_AUTH_TOKEN, HeaderValue::from_static("1"));
        assert_eq!(WindowsAuthToken::from_headers(&headers), None);
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(handle: u32) {
            let token = WindowsAuthToken(handle);
            prop_assert_eq!(WindowsAuthToken::parse(&token.header_value()), Some(token));
        }

        #[test]
        fn never_panics(bytes in "[\\x20-\\x7e\u{80}-\u{ff}]{0,12}") {
            WindowsAuthToken::parse(&HeaderValue::from_bytes(bytes.as_bytes()).unwrap());
        }
    }
}
