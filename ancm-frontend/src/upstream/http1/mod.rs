//! The upstream connection by a client of our own: HTTP/1.1 and nothing else.
//!
//! One task does everything: the head goes out of one reused buffer by one call, together with what is there of the
//! body; the answer's head is parsed once, its values sharing the buffer they were read into; its body is read
//! straight from the socket. There is no channel, and no second task that would have to be woken.
//!
//! The exception is a request that is still being sent when the head of its answer comes. Whoever reads the answer
//! may stop for long (the client does not read on), and the request must not stop with it: a task of its own sends
//! the rest.
//!
//! Reading order: `pump` sends, `head` reads from a `wire`, `body` is what remains when the head has
//! been read.

mod body;
mod head;
mod pump;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    fmt,
    future::Future,
    io,
    marker::PhantomData,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

pub use self::body::Http1Body;
use self::{
    head::Head,
    pump::{Pump, PumpError},
    wire::{Stream, Wire},
};
use super::{Client, ExchangeError, Io, Switch, dial, pool::Reuse, switched::Switched};
use crate::http1::spare;

/// Makes connections for requests with bodies of type `B`.
pub struct Http1Client<B> {
    _bodies: PhantomData<fn(B)>,
}

/// A connection that is idle.
#[derive(Debug)]
pub struct Http1Connection {
    wire: Box<Wire>,
}

/// A request on its way, until the head of its answer has come.
pub struct Exchange<B> {
    wire: Option<Box<Wire>>,
    sending: Sending<B>,
    method: Method,
}

/// What is left to send.
struct Sending<B> {
    /// There as long as nothing of it has been written: it can still be given back.
    request: Option<Request<B>>,
    pump: Option<Pump<B>>,
    /// The backend took only part of the request.
    broken: bool,
}

// === impl Http1Client ===

impl<B> Http1Client<B> {
    /// A client.
    pub fn new() -> Self {
        Self { _bodies: PhantomData }
    }
}

impl<B> Default for Http1Client<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Clone for Http1Client<B> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<B> fmt::Debug for Http1Client<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http1Client")
    }
}

impl<B> Client<B> for Http1Client<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Connection = Http1Connection;
    type Body = Http1Body;
    type Connect = Pin<Box<dyn Future<Output = io::Result<Http1Connection>> + Send>>;
    /// Boxed, since a request is large, and all the layers' futures around it would be as large.
    type Exchange = Box<Exchange<B>>;

    fn connect(&self, address: SocketAddr) -> Self::Connect {
        Box::pin(async move { Ok(Http1Connection { wire: Box::new(Wire::new(dial(address).await?)) }) })
    }

    fn reuse(connection: &Http1Connection) -> Reuse {
        // Asks the kernel only if something has happened on the socket: it was closed, or talks out of turn.
        match connection.wire.stream.tcp().try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Reuse::Ready,
            _ => Reuse::Closed,
        }
    }

    fn exchange(&self, connection: Http1Connection, request: Request<B>) -> Box<Exchange<B>> {
        let method = request.method().clone();
        let sending = Sending { request: Some(request), pump: None, broken: false };
        Box::new(Exchange { wire: Some(connection.wire), sending, method })
    }

    fn switch(response: &mut Response<Http1Body>) -> Switch {
        let switched = match response.body_mut().take_wire().map(|wire| *wire) {
            Some(Wire { stream: Stream::Whole(stream), read, .. }) => Switched::new(read, stream),
            // The request is still being sent: it was none that can switch.
            _ => Err(io::ErrorKind::NotConnected.into()),
        };
        Box::pin(std::future::ready(switched.map(|switched| Box::new(switched) as Box<dyn Io>)))
    }
}

// === impl Http1Connection ===

impl Http1Connection {
    fn idle(mut wire: Box<Wire>) -> Self {
        wire.shrink();
        Self { wire }
    }
}

// === impl Sending ===

impl<B> Sending<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Sends what can be sent. A connection that takes no more is no error yet: there may be an answer.
    fn poll(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Result<(), ExchangeError<B>> {
        if self.pump.is_none()
            && let Some(request) = &self.request
        {
            let length = request.body().size_hint().exact();
            let mut head = std::mem::take(&mut wire.head);
            head::write(request, length, &mut head);
            // Without a body, kept until something has been written, so that it can be given back.
            let is_kept = request.body().is_end_stream();
            let sent = self.request.take_if(|_| !is_kept);
            let body = sent.map(|request| Box::pin(request.into_body()));
            self.pump = Some(Pump::new(head, body, if is_kept { Some(0) } else { length }));
        }
        let Some(pump) = &mut self.pump else { return Ok(()) };
        let Stream::Whole(stream) = &mut wire.stream else { return Ok(()) };
        let sent = pump.poll(context, stream);
        if pump.has_begun()
            && let Some(mut request) = self.request.take()
        {
            spare::keep_headers(std::mem::take(request.headers_mut()));
            spare::keep_extensions(std::mem::take(request.extensions_mut()));
        }
        match sent {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(PumpError::Body(error))) => {
                return Err(ExchangeError::Broken(error.to_string()));
            }
            Poll::Ready(Err(PumpError::Write)) => {
                if let Some(request) = self.request.take() {
                    return Err(ExchangeError::NotSent(Box::new(request)));
                }
                self.broken = true;
            }
        }
        wire.head = pump.take_buffer();
        self.pump = None;
        Ok(())
    }
}

// === impl Exchange ===

// A request's body is never polled in here: it is boxed first.
impl<B> Unpin for Exchange<B> {}

impl<B> Future for Exchange<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<Http1Body>, ExchangeError<B>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { wire, sending, method } = &mut *self;
        let open = wire.as_mut().expect("polled after it was ready");
        sending.poll(context, open)?;
        if sending.request.is_some() {
            // As long as nothing has been written there is nothing to read.
            return Poll::Pending;
        }
        let head = ready!(poll_head(context, open, method))?;
        let wire = wire.take().expect("it was there");
        let keep_alive = head.keep_alive && !sending.broken;
        let body = match sending.pump.take() {
            None => Http1Body::new(wire, head.framing, keep_alive),
            Some(pump) => Http1Body::sending(wire, pump, head.framing),
        };
        Poll::Ready(Ok(head.response.map(|()| body)))
    }
}

impl<B> fmt::Debug for Exchange<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("wire", &self.wire).finish_non_exhaustive()
    }
}

/// Reads the head of the answer.
fn poll_head<B>(
    context: &mut Context<'_>,
    wire: &mut Wire,
    method: &Method,
) -> Poll<Result<Head, ExchangeError<B>>> {
    loop {
        if !wire.read.is_empty() {
            match head::read(&mut wire.read, method, &mut wire.lines) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(detail) => return Poll::Ready(Err(failed("http_protocol_error", detail))),
            }
        }
        match ready!(wire.poll_fill(context)) {
            Ok(0) if wire.read.is_empty() => {
                let detail = "it closed the connection before it answered";
                return Poll::Ready(Err(failed("connection_terminated", detail)));
            }
            Ok(0) => {
                let detail = "it closed the connection within the head of its answer";
                return Poll::Ready(Err(failed("http_response_incomplete", detail)));
            }
            Ok(_) => {}
            Err(error) => {
                let detail = format!("the connection broke: {error}");
                return Poll::Ready(Err(failed("connection_terminated", detail)));
            }
        }
    }
}

fn failed<B>(kind: &'static str, detail: impl Into<String>) -> ExchangeError<B> {
    ExchangeError::Failed((kind, detail.into()))
}
