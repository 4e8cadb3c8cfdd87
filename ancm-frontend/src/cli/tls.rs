//! The flags for TLS, and what they must have to do with the addresses.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::cli::{listen::ListenAddress, tls::Tls};
//!
//! let addresses: [ListenAddress; 1] = ["https://127.0.0.1:443".parse()?];
//! let error = Tls::default().settings(&addresses).unwrap_err();
//! assert!(error.to_string().contains("--tls-cert"));
//! # Ok::<(), ancm_frontend::cli::listen::ListenAddressError>(())
//! ```

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::listen::ListenAddress;
use crate::tls::{ClientCertificates, TlsSettings};

/// The certificate of all https addresses.
#[derive(Clone, Debug, Default, Args)]
pub struct Tls {
    /// The certificate for https addresses, in PEM, followed by those of its issuers; read anew when it changes
    #[arg(long, value_name = "FILE", env = "ANCM_FRONTEND_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, in PEM, not encrypted; may be the same file
    #[arg(long, value_name = "FILE", env = "ANCM_FRONTEND_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Whether clients are asked for a certificate, which is forwarded to the application; by default off, or request
    /// where --tls-client-ca is given
    #[arg(long, value_enum, value_name = "WHEN", env = "ANCM_FRONTEND_TLS_CLIENT_CERT")]
    pub tls_client_cert: Option<ClientCert>,
    /// Take only client certificates issued by one of these, in PEM; without it any is taken, and the application
    /// decides
    #[arg(long, value_name = "FILE", env = "ANCM_FRONTEND_TLS_CLIENT_CA")]
    pub tls_client_ca: Option<PathBuf>,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClientCert {
    /// They are not.
    Off,
    /// They are, and served without one too.
    Request,
    /// They are, and cannot connect without one.
    Require,
}

/// Flags that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsUsageError {
    /// An https address, and no certificate or no key.
    #[error("an https:// address needs a certificate and its private key: --tls-cert FILE --tls-key FILE")]
    NoCertificate,
    /// A certificate, and no https address.
    #[error("a flag for TLS was given, but no address speaks TLS; for example --listen https://0.0.0.0:443")]
    NoAddress,
    /// Authorities for certificates that nobody is asked for.
    #[error("--tls-client-ca has no effect with --tls-client-cert off: leave one of them out")]
    NotAsked,
}

// === impl Tls ===

impl Tls {
    /// What they mean for these addresses; None for addresses without TLS.
    ///
    /// # Errors
    ///
    /// When something is missing, or would have no effect.
    pub fn settings(&self, addresses: &[ListenAddress]) -> Result<Option<TlsSettings>, TlsUsageError> {
        if !addresses.iter().any(ListenAddress::is_tls) {
            let given = self.tls_cert.is_some()
                || self.tls_key.is_some()
                || self.tls_client_ca.is_some()
                || self.tls_client_cert.is_some_and(|when| when != ClientCert::Off);
            return if given { Err(TlsUsageError::NoAddress) } else { Ok(None) };
        }
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Err(TlsUsageError::NoCertificate);
        };
        let asked = match (self.tls_client_cert, &self.tls_client_ca) {
            (Some(ClientCert::Off), Some(_)) => return Err(TlsUsageError::NotAsked),
            (Some(ClientCert::Off) | None, None) => ClientCertificates::Off,
            (Some(ClientCert::Request), _) | (None, Some(_)) => ClientCertificates::Request,
            (Some(ClientCert::Require), _) => ClientCertificates::Require,
        };
        let settings = TlsSettings::new(certificate, key).client_certificates(asked);
        Ok(Some(match &self.tls_client_ca {
            Some(authorities) => settings.client_ca(authorities),
            None => settings,
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[arg(short)]
        listen: Vec<ListenAddress>,
        #[command(flatten)]
        tls: Tls,
    }

    /// The settings for a command line, as text.
    fn settings(line: &str) -> String {
        let line = Line::parse_from(["ancm"].into_iter().chain(line.split_whitespace()));
        match line.tls.settings(&line.listen) {
            Ok(settings) => format!("{settings:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn plain_addresses_need_nothing() {
        assert_eq!(settings("-l 127.0.0.1:0"), "None");
        assert_eq!(settings("-l 127.0.0.1:0 --tls-client-cert off"), "None");
    }

    #[test]
    fn an_address_with_tls_needs_certificate_and_key() {
        for line in ["", "--tls-cert a.pem", "--tls-key a.key"] {
            let text = settings(&format!("-l https://127.0.0.1:0 {line}"));
            assert!(text.contains("--tls-cert FILE --tls-key FILE"), "{line}: {text}");
        }
    }

    #[test]
    fn a_flag_for_tls_without_an_address_for_it_is_no_silent_wish() {
        for line in
            ["--tls-cert a.pem", "--tls-key a.key", "--tls-client-cert require", "--tls-client-ca a.pem"]
        {
            let text = settings(&format!("-l 127.0.0.1:0 {line}"));
            assert!(text.contains("https://0.0.0.0:443"), "{line}: {text}");
        }
    }

    #[test]
    fn clients_are_asked_when_told_and_when_there_are_authorities() {
        let files = "-l https://127.0.0.1:0 --tls-cert a.pem --tls-key a.key";
        for (line, asked) in [
            ("", "Off"),
            ("--tls-client-cert request", "Request"),
            ("--tls-client-cert require", "Require"),
            ("--tls-client-ca ca.pem", "Request"),
            ("--tls-client-ca ca.pem --tls-client-cert require", "Require"),
        ] {
            let text = settings(&format!("{files} {line}"));
            assert!(text.contains(&format!("clients: {asked}")), "{line}: {text}");
            assert_eq!(text.contains("ca.pem"), line.contains("ca.pem"), "{text}");
        }
        let text = settings(&format!("{files} --tls-client-ca ca.pem --tls-client-cert off"));
        assert!(text.contains("leave one of them out"), "{text}");
    }
}
