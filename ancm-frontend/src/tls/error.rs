//! Why a certificate cannot be served: which file, what is wrong with it, and what to do.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why a certificate, its key or the authorities of clients cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what} {}: {source}", path.display())]
    Read {
        /// What was to be read.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("there is no {what} in {}: {hint}", path.display())]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What there is instead, or what to do.
        hint: &'static str,
    },
    /// The private key needs a passphrase.
    #[error(
        "the private key {} is encrypted, and nobody is there to be asked for its passphrase; write it without one: \
         openssl pkey -in {} -out PLAIN.key", path.display(), path.display()
    )]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key belongs to another certificate.
    #[error(
        "the private key {} does not belong to the first certificate in {}; \
         the site's own certificate must come first, those of its issuers after it",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// What a file holds is damaged, or of a kind that is not understood.
    #[error("the {what} in {} cannot be used: {reason}", path.display())]
    Unusable {
        /// What is in the file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refuses to work, for example for want of random numbers.
    #[error("TLS cannot be set up: {reason}")]
    Library {
        /// What it says.
        reason: String,
    },
}

// === impl TlsError ===

impl TlsError {
    pub(super) fn unusable(what: &'static str, path: &Path, reason: impl fmt::Display) -> Self {
        Self::Unusable { what, path: path.into(), reason: reason.to_string() }
    }
}
