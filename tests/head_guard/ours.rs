//! Our server in this process, with a service that keeps what it sees.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use ancm_frontend::server::{ClientBody, Connection, Limits};
use ancm_tower::client::{Client, Scheme};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::seen::{Answers, Seen};

/// A server with nothing behind it.
pub(super) struct Ours {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
}

// === impl Ours ===

impl Ours {
    pub(super) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let address = listener.local_addr().expect("its address");
        Self { runtime, listener, address }
    }

    /// What the service sees of a stream, and what the client gets.
    pub(super) fn read(&self, stream: &[u8]) -> (Vec<Seen>, Answers) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let serving = async {
            let (stream, address) = self.listener.accept().await.expect("a connection");
            let requests = Arc::clone(&seen);
            let service = service_fn(move |request| answer(request, Arc::clone(&requests)));
            let client = Client::new(address, Scheme::Http);
            Connection::new(stream, client, service, Limits::default(), CancellationToken::new()).await;
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

async fn answer(
    request: Request<ClientBody>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(Full::default());
    match body.collect().await {
        Ok(body) => seen.lock().expect("nobody panicked").push(Seen::of(&head, body.to_bytes().len())),
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}
