//! Whether a certificate is good for today.

use std::time::Duration;

use time::OffsetDateTime;
use tokio_rustls::rustls::{
    CertificateError, Error, RootCertStore, client::verify_server_cert_signed_by_trust_anchor,
    crypto::CryptoProvider, pki_types::UnixTime, server::ParsedCertificate, sign::CertifiedKey,
};

/// What is renewed by a program is renewed weeks before; so late, something is wrong.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What clients will object to now or soon, in words.
pub(super) fn concern(key: &CertifiedKey, provider: &CryptoProvider) -> Option<String> {
    let now = UnixTime::now();
    let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + SOON);
    let at = |time| objection(key, time, provider);
    at(now).or_else(|| at(soon)).map(|objection| match objection {
        CertificateError::ExpiredContext { not_after, .. } if not_after < now => {
            format!("the certificate has expired on {}: clients will refuse it", day(not_after))
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expires on {}: renew it", day(not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is valid from {} only: clients will refuse it", day(not_before))
        }
        _ => "the certificate is not valid today: clients will refuse it".to_owned(),
    })
}

/// What a client would say of its dates at that time.
fn objection(key: &CertifiedKey, time: UnixTime, provider: &CryptoProvider) -> Option<CertificateError> {
    let certificate = ParsedCertificate::try_from(key.end_entity_cert().ok()?).ok()?;
    let algorithms = provider.signature_verification_algorithms.all;
    // Without a root this always fails; but for its dates before anything else.
    let verified = verify_server_cert_signed_by_trust_anchor(
        &certificate,
        &RootCertStore::empty(),
        &[],
        time,
        algorithms,
    );
    match verified {
        Err(Error::InvalidCertificate(
            objection @ (CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }),
        )) => Some(objection),
        _ => None,
    }
}

fn day(time: UnixTime) -> String {
    let date = i64::try_from(time.as_secs()).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    date.map_or_else(|| "an unknown day".to_owned(), |at| at.date().to_string())
}
