//! The upstream connection by hyper's client.
//!
//! hyper wants a task for each connection, which outlives an exchange but not the connection, and gives back a
//! request of which it has sent nothing.

use std::{
    future::Future,
    io,
    marker::PhantomData,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::TRANSFER_ENCODING};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::AbortHandle};

use super::{Client, ExchangeError, Io, Switch, body::Reclaim, dial, pool::Reuse, switched::Switched};

/// Makes connections by hyper for requests with bodies of type `B`.
pub struct HyperClient<B> {
    _bodies: PhantomData<fn(B)>,
}

/// One connection; its task ends with it.
#[derive(Debug)]
pub struct HyperConnection<B> {
    sender: SendRequest<B>,
    task: AbortOnDrop,
}

/// An answer's body, and the connection that it comes by.
#[derive(Debug)]
pub struct HyperBody<B> {
    inner: Incoming,
    connection: Option<HyperConnection<B>>,
}

#[derive(Debug)]
struct AbortOnDrop(AbortHandle);

// === impl HyperClient ===

impl<B> HyperClient<B> {
    /// A client.
    pub fn new() -> Self {
        Self { _bodies: PhantomData }
    }
}

impl<B> Default for HyperClient<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Clone for HyperClient<B> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<B> std::fmt::Debug for HyperClient<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HyperClient")
    }
}

impl<B> Client<B> for HyperClient<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Connection = HyperConnection<B>;
    type Body = HyperBody<B>;
    type Connect = Pin<Box<dyn Future<Output = io::Result<Self::Connection>> + Send>>;
    type Exchange = Pin<Box<dyn Future<Output = Result<Response<Self::Body>, ExchangeError<B>>> + Send>>;

    fn connect(&self, address: SocketAddr) -> Self::Connect {
        Box::pin(async move {
            let stream = dial(address).await?;
            let (sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
            let task = tokio::spawn(async move {
                // Its errors reach the exchange that they concern.
                let _ = connection.with_upgrades().await;
            });
            Ok(HyperConnection { sender, task: AbortOnDrop(task.abort_handle()) })
        })
    }

    fn reuse(connection: &Self::Connection) -> Reuse {
        if connection.sender.is_closed() {
            Reuse::Closed
        } else if connection.sender.is_ready() {
            Reuse::Ready
        } else {
            Reuse::NotYet
        }
    }

    fn exchange(&self, mut connection: Self::Connection, mut request: Request<B>) -> Self::Exchange {
        if request.body().size_hint().exact().is_none() {
            // Unless it is told, hyper takes the body of a GET for none, and silently sends none.
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Box::pin(async move {
            match connection.sender.try_send_request(request).await {
                Ok(response) => Ok(response.map(|inner| HyperBody { inner, connection: Some(connection) })),
                Err(mut error) => Err(match error.take_message() {
                    Some(request) => ExchangeError::NotSent(Box::new(request)),
                    None => failed(&error.into_error()),
                }),
            }
        })
    }

    fn switch(response: &mut Response<Self::Body>) -> Switch {
        let connection = response.body_mut().connection.take();
        let upgrade = hyper::upgrade::on(response);
        Box::pin(async move {
            let upgraded = upgrade.await.map_err(io::Error::other)?;
            // The task has given the stream away and ends by itself.
            if let Some(connection) = connection {
                connection.task.disarm();
            }
            let parts = upgraded
                .downcast::<TokioIo<TcpStream>>()
                .map_err(|_| io::Error::other("hyper gave back another stream"))?;
            let switched = Switched::new(parts.read_buf.into(), parts.io.into_inner())?;
            Ok(Box::new(switched) as Box<dyn Io>)
        })
    }
}

/// The error type of RFC 9209 and what happened.
fn failed<B>(error: &hyper::Error) -> ExchangeError<B> {
    let kind = if error.is_parse() {
        "http_protocol_error"
    } else if error.is_incomplete_message() {
        "http_response_incomplete"
    } else {
        "connection_terminated"
    };
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    // The one thing of the user's that can fail is the body.
    if error.is_user() { ExchangeError::Broken(text) } else { ExchangeError::Failed((kind, text)) }
}

// === impl HyperBody ===

impl<B> Reclaim for HyperBody<B>
where
    B: Send + 'static,
{
    type Connection = HyperConnection<B>;

    fn reclaim(&mut self) -> Option<Self::Connection> {
        self.connection.take().filter(|connection| !connection.sender.is_closed())
    }
}

impl<B> Body for HyperBody<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

// === impl AbortOnDrop ===

impl AbortOnDrop {
    fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        // A request that nobody waits for any more is aborted now, not when hyper next looks.
        self.0.abort();
    }
}
