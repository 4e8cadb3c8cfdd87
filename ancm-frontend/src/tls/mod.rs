//! TLS in front: one certificate for every `https://` address, read from files and read anew when they change.
//!
//! What a handshake needs is made once, here, and handed to the workers through a watch channel: a new pair of files
//! replaces it for new connections, a broken one changes nothing, and no connection notices. rustls does the rest,
//! with *ring*, TLS 1.2 and 1.3, and HTTP/1.1 as the only protocol above.
//!
//! Clients can be asked for certificates. Without a list of authorities any certificate is taken whose private key
//! the client proves to have, and is forwarded: whether to believe it is for the application to decide, as behind
//! IIS. With a list, only certificates that lead to one of it are taken.
//!
//! # Example
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use ancm_frontend::{config, frontend::{Frontend, Options}, tls::{ClientCertificates, TlsSettings}};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let tls = TlsSettings::new("site.pem", "site.key").client_certificates(ClientCertificates::Request);
//! let loaded = config::load("site".as_ref())?;
//! let options = Options::new(Arc::new(loaded.config)).listen_tls("0.0.0.0:443".parse()?).tls(tls);
//! let running = Frontend::new(options).start()?;
//! # Ok(())
//! # }
//! ```

mod clients;
mod error;
mod expiry;
mod follow;
mod pem;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::watch;
use tokio_rustls::rustls::{
    self, InconsistentKeys, ServerConfig,
    crypto::{CryptoProvider, ring},
    sign::{CertifiedKey, SingleCertAndKey},
};

pub use self::error::TlsError;
pub(crate) use self::follow::Source;

/// What is spoken inside of TLS.
const PROTOCOL: &[u8] = b"http/1.1";

/// Which files, and what is asked of clients.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    certificate: PathBuf,
    key: PathBuf,
    clients: ClientCertificates,
    client_ca: Option<PathBuf>,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    Off,
    /// They are; a client without one is served as well.
    Request,
    /// They are; a client without one cannot connect.
    Require,
}

/// What a listening socket shows its clients: the newest certificate that could be used.
#[derive(Clone, Debug)]
pub struct Certificates {
    changes: watch::Receiver<Arc<ServerConfig>>,
    current: Arc<ServerConfig>,
}

// === impl TlsSettings ===

impl TlsSettings {
    /// PEM files: the site's certificate followed by those of its issuers, and its private key, not encrypted.
    ///
    /// Both may be the same file. Clients are not asked for certificates.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            clients: ClientCertificates::Off,
            client_ca: None,
        }
    }

    /// Asks clients for certificates, or does not.
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients = clients;
        self
    }

    /// Takes only client certificates that lead to one in this PEM file, and are valid today for that use.
    ///
    /// Has no effect while clients are not asked.
    pub fn client_ca(mut self, authorities: impl Into<PathBuf>) -> Self {
        self.client_ca = Some(authorities.into());
        self
    }

    /// Whether clients are asked for certificates.
    pub(crate) fn asks_clients(&self) -> bool {
        self.clients != ClientCertificates::Off
    }

    /// Reads the files.
    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let key = self.certified_key(&provider)?;
        let clients = clients::verifier(self, &provider)?;
        if let Some(concern) = expiry::concern(&key, &provider) {
            tracing::warn!(target: "server", file = %self.certificate.display(), "{concern}");
        }
        let impossible = |error: rustls::Error| TlsError::Library { reason: error.to_string() };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(impossible)?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Sessions are resumed by tickets: they need no store that the workers would have to share, and die with
        // this configuration, so that a client is verified anew by the next one.
        config.ticketer = ring::Ticketer::new().map_err(impossible)?;
        Ok(Arc::new(config))
    }

    fn certified_key(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain = pem::certificates("certificate", &self.certificate)?;
        let key = provider.key_provider.load_private_key(pem::key(&self.key)?);
        let key = key.map_err(|error| TlsError::unusable("private key", &self.key, error))?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(key),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsError::Mismatch { certificate: self.certificate.clone(), key: self.key.clone() })
            }
            Err(error) => Err(TlsError::unusable("certificate", &self.certificate, error)),
        }
    }

    /// All files, for what watches them.
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let authorities = self.client_ca.as_ref().filter(|_| self.asks_clients());
        [&self.certificate, &self.key].into_iter().chain(authorities)
    }
}

// === impl Certificates ===

impl Certificates {
    fn new(mut changes: watch::Receiver<Arc<ServerConfig>>) -> Self {
        let current = Arc::clone(&changes.borrow_and_update());
        Self { changes, current }
    }

    /// For the next handshake; takes no lock unless there is a new one.
    pub(crate) fn current(&mut self) -> Arc<ServerConfig> {
        if self.changes.has_changed().unwrap_or(false) {
            self.current = Arc::clone(&self.changes.borrow_and_update());
        }
        Arc::clone(&self.current)
    }
}

#[cfg(test)]
pub(crate) mod tests;
