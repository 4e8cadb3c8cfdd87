//! Certificates made for a test, and files of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::tls::TlsSettings;

/// A certificate with its key.
pub(crate) struct Made {
    certificate: Certificate,
    key: KeyPair,
}

/// A certificate and its key in files, and a folder for more.
pub(crate) struct Pair {
    folder: TempDir,
    made: Made,
}

// === impl Made ===

impl Made {
    /// One that vouches for itself.
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, |_| ())
    }

    pub(crate) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    pub(crate) fn authority(name: &str) -> Self {
        Self::with(name, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
        })
    }

    /// Issues a certificate.
    pub(crate) fn issue(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        Self { certificate: params.signed_by(&key, &self.certificate, &self.key).unwrap(), key }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub(crate) fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }
}

// === impl Pair ===

impl Pair {
    pub(crate) fn new(name: &str) -> Self {
        Self::of(Made::new(name))
    }

    pub(crate) fn of(made: Made) -> Self {
        let pair = Self { folder: tempfile::tempdir().unwrap(), made };
        pair.replace(&pair.made);
        pair
    }

    /// What the files held first.
    pub(crate) fn made(&self) -> &Made {
        &self.made
    }

    /// Writes another certificate and its key into the files.
    pub(crate) fn replace(&self, made: &Made) {
        self.write("site.pem", made.pem());
        self.write("site.key", made.key_pem());
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        TlsSettings::new(self.path().join("site.pem"), self.path().join("site.key"))
    }
}
