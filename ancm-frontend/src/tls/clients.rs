//! Which client certificates are taken.

use std::sync::Arc;

use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{ClientCertificates, TlsError, TlsSettings, pem};

/// What the settings ask for.
pub(super) fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mandatory = settings.clients == ClientCertificates::Require;
    match &settings.client_ca {
        _ if settings.clients == ClientCertificates::Off => Ok(WebPkiClientVerifier::no_client_auth()),
        None => {
            Ok(Arc::new(AnyCertificate { mandatory, algorithms: provider.signature_verification_algorithms }))
        }
        Some(path) => {
            let what = "certificate of an authority";
            let unusable = |error: &dyn std::fmt::Display| TlsError::unusable(what, path, error);
            let mut roots = RootCertStore::empty();
            for certificate in pem::certificates(what, path)? {
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
            let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
            let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
            builder.build().map_err(|error| unusable(&error))
        }
    }
}

/// Takes every certificate whose private key the client has, whoever issued it and however old it is.
// ANCM: forwardinghandler.cpp forwards what http.sys has, which asks nobody's opinion by default.
#[derive(Debug)]
struct AnyCertificate {
    mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

// === impl AnyCertificate ===

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
