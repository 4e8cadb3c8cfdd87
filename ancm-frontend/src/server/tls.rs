//! A connection that begins with a TLS handshake: after it, it is served like any other.
//!
//! The handshake has the time that a request head has. What the client has shown of itself is made ready once, and
//! travels in the extensions of each of its requests.

use std::{
    io,
    net::TcpListener as StdListener,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ancm_tower::{
    client::Client,
    client_cert::ClientCertificate,
    timers::{sleep, timeout},
};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::{
    clocks::Limits,
    connection::{Connection, ConnectionService},
    stream::ClientStream,
};
use crate::{http1::recipient::Recipient, tls::Certificates};

/// The answer to a client that does not begin with a handshake but with a method.
const PLAIN_TEXT: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 61\r\nConnection: close\r\n\r\n\
    This port speaks HTTPS: the address must begin with https://\n";
/// How much of such a client's request is read so that it gets the answer.
const PLAIN_TEXT_READ: u64 = 64 * 1024;

/// How long a handshake may take once the drain has begun: browsers connect in advance, and then say nothing.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// A listening socket of one worker.
#[derive(Debug)]
pub struct Socket {
    /// The socket.
    pub listener: StdListener,
    /// With these its clients speak TLS.
    pub tls: Option<Certificates>,
}

/// Puts the client's certificate into the extensions of each request.
#[derive(Clone, Debug)]
struct Identify<S> {
    inner: S,
    certificate: Option<ClientCertificate>,
}

/// Serves one connection, handshake first.
pub(super) async fn serve<S: ConnectionService>(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    client: Client,
    service: S,
    limits: Limits,
    drain: CancellationToken,
) {
    let handshake = timeout(limits.head, shake_hands(stream, config));
    let over = async {
        drain.cancelled().await;
        sleep(DRAIN_PATIENCE).await;
    };
    let handshake = tokio::select! {
        biased;
        handshake = handshake => handshake,
        () = over => return,
    };
    let stream = match handshake {
        Ok(Ok(Some(stream))) => stream,
        Ok(Ok(None)) => {
            tracing::debug!(target: "server", client = %client.address(), "no TLS from this client");
            return;
        }
        Ok(Err(error)) => {
            tracing::debug!(target: "server", client = %client.address(), %error, "the TLS handshake failed");
            return;
        }
        Err(_) => {
            tracing::debug!(target: "server", client = %client.address(), "the TLS handshake took too long");
            return;
        }
    };
    let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = leaf.map(|leaf| ClientCertificate::new(leaf.to_vec()));
    let service = Identify { inner: service, certificate };
    Connection::new(stream, client, service, limits, drain).await;
}

/// None for a client that does not speak TLS.
async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Ok(None),
        // A record of a handshake begins with 22.
        _ if first[0].is_ascii_alphabetic() => refuse_plain_text(stream).await.map(|()| None),
        _ => TlsAcceptor::from(config).accept(stream).await.map(Some),
    }
}

async fn refuse_plain_text(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_TEXT.as_bytes()).await?;
    stream.shutdown().await?;
    // A socket that is closed over unread bytes takes back what it has sent.
    tokio::io::copy(&mut stream.take(PLAIN_TEXT_READ), &mut tokio::io::sink()).await?;
    Ok(())
}

// === impl ClientStream ===

impl Recipient for TlsStream<TcpStream> {}

impl ClientStream for TlsStream<TcpStream> {
    fn has_left(&self) -> bool {
        self.get_ref().0.has_left()
    }

    fn has_sent(&self) -> bool {
        self.get_ref().0.has_sent()
    }
}

// === impl Identify ===

impl<S, B> Service<Request<B>> for Identify<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests;
