//! Reads certificates and a private key out of PEM files, and says what is wrong if there are none.

use std::{fs, path::Path};

use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::TlsError;

/// How PEM marks keys that need a passphrase, in PKCS#8 and in the older form.
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// Every certificate in a file; at least one.
pub(super) fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| TlsError::unusable(what, path, error))?;
    if found.is_empty() {
        return Err(TlsError::Missing { what, path: path.into(), hint: hint(&text) });
    }
    Ok(found)
}

/// The first private key in a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let what = "private key";
    let text = read(what, path)?;
    if ENCRYPTED.iter().any(|mark| contains(&text, mark)) {
        return Err(TlsError::EncryptedKey { path: path.into() });
    }
    match PrivateKeyDer::pem_slice_iter(&text).next() {
        Some(found) => found.map_err(|error| TlsError::unusable(what, path, error)),
        None => Err(TlsError::Missing { what, path: path.into(), hint: hint(&text) }),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { what, path: path.into(), source })
}

/// What may have been meant by a file without the PEM that was looked for.
fn hint(text: &[u8]) -> &'static str {
    if text.is_empty() {
        "the file is empty"
    } else if text[0] == 0x30 {
        // An ASN.1 SEQUENCE, as DER and PKCS#12 begin.
        "it is binary, and PEM is wanted; convert a .cer with `openssl x509 -inform der`, a .pfx with `openssl pkcs12 -nodes`"
    } else if contains(text, "PRIVATE KEY-----") {
        "it holds a private key only"
    } else if contains(text, "-----BEGIN CERTIFICATE-----") {
        "it holds certificates only"
    } else {
        "PEM is wanted, which begins with a line such as -----BEGIN CERTIFICATE-----"
    }
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}
