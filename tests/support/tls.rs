//! Certificates, and a client that speaks TLS.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};

use super::{
    app::App,
    client::Client,
    frontend::{Frontend, Start},
};

/// A client whose connection is encrypted.
pub(crate) type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A certificate with its key.
pub(crate) struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

/// The files that the command line names.
pub(crate) struct Files {
    folder: TempDir,
    pub(crate) site: Identity,
}

// === impl Identity ===

impl Identity {
    /// One that vouches for itself.
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        Self { certificate: params(name).self_signed(&key).expect("a certificate"), key }
    }

    /// One that can issue others.
    pub(crate) fn authority(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).expect("a certificate"), key }
    }

    pub(crate) fn issue(&self, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(name).signed_by(&key, &self.certificate, &self.key);
        Self { certificate: certificate.expect("a certificate"), key }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub(crate) fn der(&self) -> &[u8] {
        self.certificate.der()
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

// === impl Files ===

impl Files {
    /// A certificate and its key.
    pub(crate) fn new() -> Self {
        let files =
            Self { folder: tempfile::tempdir().expect("a folder"), site: Identity::new("ancm test site") };
        files.replace(&files.site);
        files
    }

    /// Puts another certificate and its key in place, one after the other.
    pub(crate) fn replace(&self, identity: &Identity) {
        self.write("site.pem", identity.pem());
        self.write("site.key", identity.key_pem());
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let new = self.path("new");
        std::fs::write(&new, content).expect("a file");
        std::fs::rename(new, self.path(name)).expect("a file");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `ancm run DIR -l 127.0.0.1:0 -l https://127.0.0.1:0` with these files.
    pub(crate) fn run(&self, app: &App) -> Start {
        self.add_to(Start::run(app))
    }

    /// Adds `-l https://127.0.0.1:0` with these files.
    pub(crate) fn add_to(&self, start: Start) -> Start {
        let argument = |start: Start, flag: &str, path: &Path| {
            start.argument(flag).argument(path.to_str().expect("its name is text"))
        };
        let start = start.argument("-l").argument("https://127.0.0.1:0");
        let start = argument(start, "--tls-cert", &self.path("site.pem"));
        argument(start, "--tls-key", &self.path("site.key"))
    }

    /// Connects with TLS, and shows a certificate if asked for one.
    pub(crate) fn connect(&self, frontend: &Frontend, shows: Option<&Identity>) -> TlsClient {
        connect(address(frontend), &self.site, shows).expect("a handshake")
    }
}

/// Where the frontend speaks TLS.
pub(crate) fn address(frontend: &Frontend) -> SocketAddr {
    let line = frontend.log.says("listening on https://").text;
    let (_, address) = line.split_once("listening on https://").expect("it says so");
    address.trim().parse().expect("an address")
}

/// Shakes hands with a server that must show this certificate.
pub(crate) fn connect(
    address: SocketAddr,
    server: &Identity,
    shows: Option<&Identity>,
) -> io::Result<TlsClient> {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.der().clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let config = match shows {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
            let chain = vec![identity.certificate.der().clone()];
            config.with_client_auth_cert(chain, key).expect("a certificate and its key")
        }
    };
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(super::PATIENCE))?;
    socket.set_write_timeout(Some(super::PATIENCE))?;
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(Client::over(stream))
}
