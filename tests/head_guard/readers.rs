//! Servers in this process, with a service that keeps what it sees: ours, and hyper's.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use ancm_frontend::server::{Connection, Limits};
use ancm_tower::client::{Client, Scheme};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::seen::{Answers, Seen};

/// A server with nothing behind it.
pub(super) struct Reader {
    kind: Kind,
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
}

#[derive(Clone, Copy)]
enum Kind {
    Ours,
    Hyper,
}

type Requests = Arc<Mutex<Vec<Seen>>>;

// === impl Reader ===

impl Reader {
    /// The server that is tested.
    pub(super) fn ours() -> Self {
        Self::start(Kind::Ours)
    }

    /// That of hyper, which nothing guards.
    pub(super) fn hyper() -> Self {
        Self::start(Kind::Hyper)
    }

    fn start(kind: Kind) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let address = listener.local_addr().expect("its address");
        Self { kind, runtime, listener, address }
    }

    /// What the service sees of a stream, and what the client gets.
    pub(super) fn read(&self, stream: &[u8]) -> (Vec<Seen>, Answers) {
        let seen = Requests::default();
        let serving = async {
            let (stream, address) = self.listener.accept().await.expect("a connection");
            match self.kind {
                Kind::Ours => serve_ours(stream, address, Arc::clone(&seen)).await,
                Kind::Hyper => serve_hyper(stream, Arc::clone(&seen)).await,
            }
        };
        let sending = std::thread::scope(|threads| {
            let client = threads.spawn(|| Answers::to(self.address, stream));
            self.runtime.block_on(serving);
            client.join().expect("no panic")
        });
        let seen = std::mem::take(&mut *seen.lock().expect("nobody panicked"));
        (seen, sending)
    }
}

async fn serve_ours(stream: TcpStream, address: SocketAddr, seen: Requests) {
    let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
    let client = Client::new(address, Scheme::Http);
    Connection::new(stream, client, service, Limits::default(), CancellationToken::new()).await;
}

async fn serve_hyper(stream: TcpStream, seen: Requests) {
    let service = hyper::service::service_fn(move |request| answer(request, Arc::clone(&seen)));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // How it ends is what the client sees.
    let _ = connection.await;
}

async fn answer<B: Body>(request: Request<B>, seen: Requests) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(Full::default());
    match body.collect().await {
        Ok(body) => seen.lock().expect("nobody panicked").push(Seen::of(&head, body.to_bytes().len())),
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}
