//! The backend's end: takes the client from the headers of a proxy that is known.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::{ForwardedScheme, Peer, is_scheme_byte};
use crate::{
    client::{Client, Scheme},
    contract::header,
};

mod endpoint;
mod list;
mod options;

pub use options::ForwardedHeadersOptions;

/// Makes [`ForwardedHeaders`] services.
#[derive(Clone, Debug, Default)]
pub struct ForwardedHeadersLayer {
    options: Arc<ForwardedHeadersOptions>,
}

/// Replaces the [`Client`] of the request's extensions, which is the peer, by the client that the peer forwards.
///
/// - The entries are read from right to left, each believed only if the one who wrote it is known.
/// - What is believed is cut from `X-Forwarded-For` and `X-Forwarded-Proto`; `X-Original-For` and `X-Original-Proto`
///   say what it replaced, and [`Peer`] keeps the peer.
/// - An address that cannot be read ends the reading; a scheme that cannot be read is passed over.
/// - Without a [`Client`] in the extensions nobody is known, and nothing changes.
#[derive(Clone, Debug)]
pub struct ForwardedHeaders<S> {
    inner: S,
    options: Arc<ForwardedHeadersOptions>,
}

/// What a request's headers say, as far as it is believed.
struct Forwarded {
    address: SocketAddr,
    addresses_left: Option<HeaderValue>,
    scheme: Option<ForwardedScheme>,
    schemes_left: Option<HeaderValue>,
}

// === impl ForwardedHeadersLayer ===

impl ForwardedHeadersLayer {
    /// Believes what the options say.
    pub fn new(options: ForwardedHeadersOptions) -> Self {
        Self { options: Arc::new(options) }
    }
}

impl<S> Layer<S> for ForwardedHeadersLayer {
    type Service = ForwardedHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ForwardedHeaders { inner, options: Arc::clone(&self.options) }
    }
}

// === impl ForwardedHeaders ===

impl<S, B> Service<Request<B>> for ForwardedHeaders<S>
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
        // ANCM: for a peer without an address ASP.NET Core 10 believes anybody; we believe nobody.
        if let Some(peer) = request.extensions().get::<Client>()
            && let Some(forwarded) = Forwarded::read(&self.options, request.headers(), peer)
        {
            let peer = peer.clone();
            forwarded.apply(peer, &mut request);
        }
        self.inner.call(request)
    }
}

// === impl Forwarded ===

impl Forwarded {
    // ANCM: ForwardedHeadersMiddleware.cs, with the check of every entry that 8.0.17 and 9.0.6 brought.
    fn read(options: &ForwardedHeadersOptions, headers: &HeaderMap, peer: &Client) -> Option<Self> {
        let addresses = list::entries(headers, &header::X_FORWARDED_FOR);
        let schemes = list::entries(headers, &header::X_FORWARDED_PROTO);
        if options.symmetry && addresses.len() != schemes.len() {
            return None;
        }
        let entries = addresses.len().max(schemes.len()).min(options.limit.unwrap_or(usize::MAX));

        let (mut address, mut scheme, mut read) = (None, None, 0);
        while read < entries {
            let from = address.unwrap_or(peer.address());
            if !options.believes(from.ip()) {
                tracing::debug!(%from, "ignored forwarded headers of an unknown proxy");
                break;
            }
            if let Some(text) = from_right(&addresses, read) {
                let Some(parsed) = endpoint::parse(text) else {
                    tracing::debug!("ignored a forwarded address that cannot be read");
                    break;
                };
                address = Some(parsed);
            }
            match from_right(&schemes, read).filter(|text| text.iter().all(|byte| is_scheme_byte(*byte))) {
                Some(text) => scheme = Some(text),
                None if options.symmetry => return None,
                None => {}
            }
            read += 1;
        }
        if address.is_none() && scheme.is_none() {
            return None;
        }
        Some(Self {
            address: address.unwrap_or(peer.address()),
            addresses_left: left(&addresses, read),
            scheme: scheme.and_then(|text| HeaderValue::from_bytes(text).ok()).map(ForwardedScheme),
            schemes_left: left(&schemes, read),
        })
    }

    fn apply<B>(self, peer: Client, request: &mut Request<B>) {
        let headers = request.headers_mut();
        headers.insert(header::X_ORIGINAL_FOR, peer.forwarded_for().clone());
        set_or_remove(headers, header::X_FORWARDED_FOR, self.addresses_left);
        if self.scheme.is_some() {
            headers.insert(header::X_ORIGINAL_PROTO, peer.scheme().header_value());
            set_or_remove(headers, header::X_FORWARDED_PROTO, self.schemes_left);
        }

        let known = self.scheme.as_ref().and_then(ForwardedScheme::known);
        let extensions = request.extensions_mut();
        extensions.insert(Client::new(self.address, known.unwrap_or(peer.scheme())));
        extensions.insert(Peer(peer));
        if let Some(scheme) =
            self.scheme.filter(|scheme| known.is_none_or(|known| scheme.0 != known.as_str()))
        {
            extensions.insert(scheme);
        }
    }
}

fn from_right<'a>(entries: &[&'a [u8]], at: usize) -> Option<&'a [u8]> {
    entries.iter().nth_back(at).copied()
}

/// The entries without the last `read` ones, on one line; none if none is left.
fn left(entries: &[&[u8]], read: usize) -> Option<HeaderValue> {
    let left = &entries[..entries.len().saturating_sub(read)];
    if left.is_empty() { None } else { HeaderValue::try_from(left.join(b",".as_slice())).ok() }
}

fn set_or_remove(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}

// === impl ForwardedScheme ===

impl ForwardedScheme {
    /// The scheme that it names in whatever case, if it is one of the two.
    fn known(&self) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|scheme| self.0.as_bytes().eq_ignore_ascii_case(scheme.as_str().as_bytes()))
    }
}

#[cfg(test)]
mod tests;
