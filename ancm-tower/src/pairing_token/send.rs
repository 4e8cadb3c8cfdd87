//! The frontend's end: what a client claims goes, the token comes.

use std::task::{Context, Poll};

use http::{Extensions, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::PairingToken;
use crate::{contract::header, headers::remove_with_prefix};

/// Knows the token of the backend that a request goes to.
///
/// A function from a request's extensions does, so that the choice of a backend can travel there.
pub trait TokenSource {
    /// The token for the request with these extensions; none if its backend is not paired.
    fn token(&self, extensions: &Extensions) -> Option<HeaderValue>;
}

/// The same token for every request.
#[derive(Clone, Debug)]
pub struct FixedToken(HeaderValue);

/// Makes [`SendToken`] services.
#[derive(Clone, Debug)]
pub struct SendTokenLayer<T> {
    source: T,
}

/// Removes every header of the protocol that the client sent, then adds the backend's token.
///
/// Must stand outside the layers that add other headers of the protocol.
#[derive(Clone, Debug)]
pub struct SendToken<S, T> {
    inner: S,
    source: T,
}

// === impl TokenSource ===

impl<F> TokenSource for F
where
    F: Fn(&Extensions) -> Option<HeaderValue>,
{
    fn token(&self, extensions: &Extensions) -> Option<HeaderValue> {
        self(extensions)
    }
}

// === impl FixedToken ===

impl FixedToken {
    /// Takes a copy of `token` for the header.
    pub fn new(token: &PairingToken) -> Self {
        Self(token.header_value())
    }
}

impl TokenSource for FixedToken {
    fn token(&self, _: &Extensions) -> Option<HeaderValue> {
        Some(self.0.clone())
    }
}

// === impl SendTokenLayer ===

impl<T: TokenSource> SendTokenLayer<T> {
    /// Sends the tokens that `source` knows.
    pub fn new(source: T) -> Self {
        Self { source }
    }
}

impl<S, T: Clone> Layer<S> for SendTokenLayer<T> {
    type Service = SendToken<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        SendToken { inner, source: self.source.clone() }
    }
}

// === impl SendToken ===

impl<S, T, B> Service<Request<B>> for SendToken<S, T>
where
    S: Service<Request<B>>,
    T: TokenSource,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // ANCM: forwardinghandler.cpp deletes only names that http.sys does not know; it knows none of these.
        remove_with_prefix(request.headers_mut(), header::RESERVED_PREFIX);
        if let Some(token) = self.source.token(request.extensions()) {
            request.headers_mut().insert(header::TOKEN, token);
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

    /// Sends the request and shows it as the backend would get it.
    fn sent<T: TokenSource + Clone>(source: T, request: Request<()>) -> Request<()> {
        let service = ServiceBuilder::new()
            .layer(SendTokenLayer::new(source))
            .service(service_fn(async |request| Ok::<_, Infallible>(request)));
        tokio_test::block_on(service.oneshot(request)).unwrap()
    }

    fn fixed() -> FixedToken {
        FixedToken::new(&PairingToken::new("ours").unwrap())
    }

    #[test]
    fn sets_the_token() {
        let request = sent(fixed(), Request::new(()));
        assert_eq!(request.headers().len(), 1);
        assert_eq!(request.headers()["ms-aspnetcore-token"], "ours");
        assert!(request.headers()["ms-aspnetcore-token"].is_sensitive());
    }

    #[test]
    fn removes_every_header_of_the_protocol_that_the_client_sent() {
        let request = Request::builder()
            .header("MS-ASPNETCORE-TOKEN", "theirs")
            .header("ms-aspnetcore-token", "theirs again")
            .header("MS-ASPNETCORE", "1")
            .header("mS-ASPNETCORE-f", "2")
            .header("Ms-AspNetCoreAnything", b"\xff\xfe".as_slice())
            .header("MS-ASPNETCORE-EVENT", "shutdown")
            .header("MS-ASPNETCORE-CLIENTCERT", "MAA=")
            .header("MS-ASPNETCORE-WINAUTHTOKEN", "4d2")
            .header("MS-ASPNETCOR", "kept")
            .header("X-MS-ASPNETCORE", "kept")
            .body(())
            .unwrap();
        let request = sent(fixed(), request);
        let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(request.headers().get_all("ms-aspnetcore-token").iter().count(), 1);
        assert_eq!(request.headers()["ms-aspnetcore-token"], "ours");
        assert_eq!(request.headers()["ms-aspnetcor"], "kept");
        assert_eq!(request.headers()["x-ms-aspnetcore"], "kept");
    }

    #[test]
    fn removes_the_clients_token_also_if_there_is_none_to_send() {
        let request = Request::builder().header("ms-aspnetcore-token", "theirs").body(()).unwrap();
        let request = sent(|_: &Extensions| None, request);
        assert!(request.headers().is_empty());
    }

    #[test]
    fn takes_the_token_of_the_backend_that_the_request_goes_to() {
        let mut request = Request::new(());
        request.extensions_mut().insert(HeaderValue::from_static("of slot 2"));
        let request = sent(|extensions: &Extensions| extensions.get().cloned(), request);
        assert_eq!(request.headers()["ms-aspnetcore-token"], "of slot 2");
    }

    #[test]
    fn gives_a_request_that_is_sent_again_the_token_of_its_new_backend() {
        let mut request = sent(fixed(), Request::new(()));
        request.extensions_mut().insert(Resent);
        let again = sent(FixedToken::new(&PairingToken::new("other").unwrap()), request);
        assert_eq!(again.headers().len(), 1);
        assert_eq!(again.headers()["ms-aspnetcore-token"], "other");
    }

    proptest! {
        #[test]
        fn whatever_the_client_sends_only_our_token_bears_the_prefix(
            names in proptest::collection::vec("([mM][sS]-[aA][sS][pP]NETCORE)?[-a-zA-Z0-9]{1,12}", 0..40),
        ) {
            let mut request = Request::new(());
            for name in &names {
                let name = http::HeaderName::try_from(name.as_str()).unwrap();
                request.headers_mut().append(name, HeaderValue::from_static("x"));
            }
            let others = names.iter().filter(|name| !name.to_lowercase().starts_with("ms-aspnetcore")).count();
            let request = sent(fixed(), request);
            prop_assert_eq!(request.headers().len(), others + 1);
            prop_assert_eq!(&request.headers()["ms-aspnetcore-token"], "ours");
        }
    }
}
