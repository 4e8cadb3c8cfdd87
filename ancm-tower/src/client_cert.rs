//! Forwards the client's TLS certificate.
//!
//! The frontend ends TLS, so that only it sees the certificate; the backend believes what it is told. A client's own
//! header therefore never passes.
//!
//! # Example
//!
//! ```
//! use ancm_tower::client_cert::{ClientCertificate, ForwardClientCertLayer};
//! use http::Request;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let backend = ServiceBuilder::new().layer(ForwardClientCertLayer::new()).service(service_fn(
//!     async |request: Request<()>| Ok::<_, std::convert::Infallible>(request.headers().clone()),
//! ));
//!
//! // What the TLS handshake gave; made once for a connection.
//! let certificate = ClientCertificate::new(vec![0x30, 0x03, 0x02, 0x01, 0x05]);
//! let mut request = Request::new(());
//! request.extensions_mut().insert(certificate.clone());
//! let headers = backend.oneshot(request).await.unwrap();
//! assert_eq!(headers["ms-aspnetcore-clientcert"], "MAMCAQU=");
//! assert_eq!(ClientCertificate::from_headers(&headers), Some(certificate));
//! # }
//! ```

use std::{
    borrow::Cow,
    fmt,
    task::{Context, Poll},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    contract::header,
    headers::{only, remove_rare},
};

/// The certificate that the client showed, as a server puts it into the extensions of each request.
///
/// Nothing says that it is valid for anything: that is for the TLS end or the application to decide.
#[derive(Clone)]
pub struct ClientCertificate {
    der: Bytes,
    /// Encoded once for a connection, not for each request.
    header: HeaderValue,
}

/// Makes [`ForwardClientCert`] services.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardClientCertLayer {
    _private: (),
}

/// Removes the client's `MS-ASPNETCORE-CLIENTCERT`, then sets ours if the extensions hold a [`ClientCertificate`].
#[derive(Clone, Copy, Debug)]
pub struct ForwardClientCert<S> {
    inner: S,
}

// === impl ClientCertificate ===

impl ClientCertificate {
    /// Takes a certificate in DER.
    pub fn new(der: impl Into<Bytes>) -> Self {
        let der = der.into();
        let header = HeaderValue::try_from(STANDARD.encode(&der)).expect("base64 is ASCII");
        Self { der, header }
    }

    /// Reads a header's value: standard base64 with its padding, blanks allowed, of one DER structure.
    // ANCM: .NET also loads base64 of PEM text and of PKCS#12 here; no frontend sends these.
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let text = without_blanks(value.as_bytes());
        let der = STANDARD.decode(&text).ok()?;
        if !is_one_sequence(&der) {
            return None;
        }
        let header = match text {
            Cow::Borrowed(_) => value.clone(),
            Cow::Owned(text) => HeaderValue::try_from(text).ok()?,
        };
        Some(Self { der: der.into(), header })
    }

    /// Reads the header of a request; a repeated one counts as none.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::parse(only(headers, &header::CLIENT_CERT)?)
    }

    /// The certificate in DER.
    pub fn der(&self) -> &Bytes {
        &self.der
    }

    /// The header's value: base64 on one line.
    pub fn header_value(&self) -> &HeaderValue {
        &self.header
    }
}

impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for ClientCertificate {}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("der_length", &self.der.len()).finish_non_exhaustive()
    }
}

fn without_blanks(text: &[u8]) -> Cow<'_, [u8]> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    if text.iter().any(blank) {
        Cow::Owned(text.iter().copied().filter(|byte| !blank(byte)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether the bytes are one ASN.1 SEQUENCE, neither cut short nor followed by anything (X.690 8.1.3 and 10.1).
fn is_one_sequence(der: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = der else { return false };
    let octets = match length {
        0..=0x7f => return rest.len() == usize::from(*length),
        0x81..=0x84 => usize::from(length & 0x7f),
        // Indefinite, or longer than any certificate.
        _ => return false,
    };
    let Some((length, content)) = rest.split_at_checked(octets) else { return false };
    let length = length.iter().fold(0_u64, |length, octet| length << 8 | u64::from(*octet));
    u64::try_from(content.len()) == Ok(length)
}

// === impl ForwardClientCertLayer ===

impl ForwardClientCertLayer {
    /// Forwards the certificates that it finds in the extensions.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for ForwardClientCertLayer {
    type Service = ForwardClientCert<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ForwardClientCert { inner }
    }
}

// === impl ForwardClientCert ===

impl<S, B> Service<Request<B>> for ForwardClientCert<S>
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
        // ANCM: forwardinghandler.cpp also deletes the header when TLS gave no certificate.
        remove_rare(request.headers_mut(), &header::CLIENT_CERT);
        // The certificate stays in the extensions: a request that comes back unsent passes here again.
        if let Some(certificate) = request.extensions().get::<ClientCertificate>() {
            let value = certificate.header.clone();
            request.headers_mut().insert(header::CLIENT_CERT, value);
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

    fn sent(request: Request<()>) -> Request<()> {
        let service = ServiceBuilder::new()
            .layer(ForwardClientCertLayer::new())
            .service(service_fn(async |request| Ok::<_, Infallible>(request)));
        tokio_test::block_on(service.oneshot(request)).unwrap()
    }

    /// A SEQUENCE with that much content.
    fn sequence(length: u16) -> Vec<u8> {
        let mut der = vec![0x30, 0x82];
        der.extend(length.to_be_bytes());
        der.resize(der.len() + usize::from(length), 0x05);
        der
    }

    fn parse(text: &str) -> Option<Vec<u8>> {
        let value = HeaderValue::from_str(text).unwrap();
        ClientCertificate::parse(&value).map(|certificate| certificate.der().to_vec())
    }

    #[test]
    fn sends_the_certificate_on_one_line_in_place_of_the_clients() {
        let mut request = Request::builder()
            .header("MS-ASPNETCORE-CLIENTCERT", "MAA=")
            .header("MS-ASPNETCORE-CLIENTCERT", "MAA=")
            .body(())
            .unwrap();
        request.extensions_mut().insert(ClientCertificate::new(sequence(3000)));
        let request = sent(request);
        assert_eq!(request.headers().len(), 1);
        let value = request.headers()["ms-aspnetcore-clientcert"].to_str().unwrap();
        assert_eq!(value, STANDARD.encode(sequence(3000)));
        assert_eq!(request.headers().get_all("ms-aspnetcore-clientcert").iter().count(), 1);
    }

    #[test]
    fn removes_the_clients_header_if_there_is_no_certificate() {
        let request = Request::builder().header("MS-ASPNETCORE-CLIENTCERT", "MAA=").body(()).unwrap();
        assert!(sent(request).headers().is_empty());
    }

    #[test]
    fn sends_the_certificate_again_with_a_request_that_came_back() {
        let mut request = Request::new(());
        request.extensions_mut().insert(ClientCertificate::new(sequence(9)));
        let mut request = sent(request);
        let first = request.headers().clone();
        request.extensions_mut().insert(Resent);
        assert_eq!(*sent(request).headers(), first);
    }

    #[test]
    fn encodes_once_for_a_connection() {
        let certificate = ClientCertificate::new(sequence(9));
        let mut request = Request::new(());
        request.extensions_mut().insert(certificate.clone());
        let request = sent(request);
        let sent = request.headers()["ms-aspnetcore-clientcert"].as_bytes().as_ptr();
        assert_eq!(sent, certificate.header_value().as_bytes().as_ptr());
    }

    #[test]
    fn reads_padded_base64_with_blanks_inside() {
        let der = vec![0x30, 0x03, 0x02, 0x01, 0x05];
        for text in ["MAMCAQU=", "MAMC AQU=", "\tMA MC\tAQ U = "] {
            assert_eq!(parse(text), Some(der.clone()), "{text}");
        }
        let value = HeaderValue::from_static("MAMC AQU=");
        assert_eq!(ClientCertificate::parse(&value).unwrap().header_value(), "MAMCAQU=");
    }

    #[test]
    fn reads_nothing_that_is_not_one_der_structure() {
        for (text, why) in [
            ("", "empty"),
            ("MAMCAQU", "no padding"),
            ("MAMCAQU==", "too much padding"),
            ("MA-_", "the alphabet of URLs"),
            ("MAMCAQ==", "cut short"),
            ("MAMCAQUA", "something behind it"),
            ("MA==", "no length"),
            ("MIIC", "half a length"),
            ("MIAFAAAA", "indefinite length"),
            ("MIX/////", "a length of five octets"),
            ("BAEA", "no SEQUENCE"),
            ("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "PEM in base64"),
            ("-----BEGIN CERTIFICATE-----MAMCAQU=-----END CERTIFICATE-----", "PEM"),
        ] {
            assert_eq!(parse(text), None, "{why}");
        }
        assert_eq!(ClientCertificate::parse(&HeaderValue::from_bytes(b"\xffAMC").unwrap()), None);
    }

    #[test]
    fn reads_long_and_short_lengths() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 3000, u16::MAX] {
            assert!(is_one_sequence(&sequence(length)), "{length}");
        }
        assert!(is_one_sequence(&[0x30, 0]));
        assert!(!is_one_sequence(&[]));
        assert!(!is_one_sequence(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]));
    }

    #[test]
    fn reads_no_repeated_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(ClientCertificate::from_headers(&headers), None);
        headers.append(header::CLIENT_CERT, HeaderValue::from_static("MAA="));
        assert!(ClientCertificate::from_headers(&headers).is_some());
        headers.append(header::CLIENT_CERT, HeaderValue::from_static("MAA="));
        assert_eq!(ClientCertificate::from_headers(&headers), None);
    }

    #[test]
    fn shows_only_its_length() {
        let text = format!("{:?}", ClientCertificate::new(sequence(5)));
        assert_eq!(text, "ClientCertificate { der_length: 9, .. }");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(length in 0_u16..4000) {
            let certificate = ClientCertificate::new(sequence(length));
            prop_assert_eq!(ClientCertificate::parse(certificate.header_value()), Some(certificate));
        }

        #[test]
        fn never_panics(text in "M[A-Za-z0-9+/= \t]{0,40}") {
            parse(&text);
        }
    }
}
