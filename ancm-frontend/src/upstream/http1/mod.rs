//! The upstream connection by a client of our own: HTTP/1.1 and nothing else.
//!
//! One task does everything: the head goes out of one reused buffer by one call, together with what is there of the
//! body; the answer's head is parsed once, its values sharing the buffer they were read into; its body is read
//! straight from the socket. There is no channel, and no second task that would have to be woken.
//!
//! Reading order: `pump` sends, `head` and `chunked` read, `body` is what remains when the head has been read.

mod body;
mod chunked;
mod head;
mod pump;
#[cfg(test)]
mod tests;

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
use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, Request, Response, request::Parts};
use http_body::Body;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::io::poll_read_buf;

pub use self::body::Http1Body;
use self::{
    head::Head,
    pump::{Pump, PumpError},
};
use super::{Client, ExchangeError, Io, Switch, pool::Reuse};

/// Read at once at first; doubled as long as the backend fills it.
const FIRST_READ: usize = 8 * 1024;
const LARGEST_READ: usize = 256 * 1024;

/// Makes connections for requests with bodies of type `B`.
pub struct Http1Client<B> {
    _bodies: PhantomData<fn(B)>,
}

/// A connection that is idle.
#[derive(Debug)]
pub struct Http1Connection {
    wire: Wire,
}

/// A socket and its buffers.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    read: BytesMut,
    /// How much to read at once.
    room: usize,
    /// The buffer of the last request's head.
    head: Vec<u8>,
}

/// A request on its way, until the head of its answer has come.
pub struct Exchange<B> {
    wire: Option<Wire>,
    /// There as long as nothing of it has been written: it can still be given back.
    request: Option<(Parts, B)>,
    pump: Option<Pump<B>>,
    method: Method,
    /// The backend took only part of the request.
    broken: bool,
}

/// A stream of which some bytes have been read already.
struct Switched {
    read: BytesMut,
    stream: TcpStream,
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
    type Body = Http1Body<B>;
    type Connect = Pin<Box<dyn Future<Output = io::Result<Http1Connection>> + Send>>;
    type Exchange = Exchange<B>;

    fn connect(&self, address: SocketAddr) -> Self::Connect {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let wire = Wire { stream, read: BytesMut::new(), room: FIRST_READ, head: Vec::new() };
            Ok(Http1Connection { wire })
        })
    }

    fn reuse(connection: &Http1Connection) -> Reuse {
        // Asks the kernel only if something has happened on the socket: it was closed, or talks out of turn.
        match connection.wire.stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Reuse::Ready,
            _ => Reuse::Closed,
        }
    }

    fn exchange(&self, connection: Http1Connection, request: Request<B>) -> Exchange<B> {
        let method = request.method().clone();
        let request = Some(request.into_parts());
        Exchange { wire: Some(connection.wire), request, pump: None, method, broken: false }
    }

    fn switch(response: &mut Response<Http1Body<B>>) -> Switch {
        let wire = response.body_mut().take_wire();
        Box::pin(async move {
            let Wire { stream, read, .. } = wire.ok_or(io::ErrorKind::NotConnected)?;
            Ok(Box::new(Switched { read, stream }) as Box<dyn Io>)
        })
    }
}

// === impl Http1Connection ===

impl Http1Connection {
    fn idle(mut wire: Wire) -> Self {
        // What a large answer needed is not kept for small ones.
        if wire.room > FIRST_READ {
            wire.read = BytesMut::new();
            wire.room = FIRST_READ;
        }
        Self { wire }
    }
}

// === impl Wire ===

impl Wire {
    /// Reads once into the buffer; 0 is the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read.reserve(self.room);
        let mut buffer = (&mut self.read).limit(self.room);
        let count = ready!(poll_read_buf(Pin::new(&mut self.stream), context, &mut buffer))?;
        if count == self.room {
            self.room = (self.room * 2).min(LARGEST_READ);
        }
        Poll::Ready(Ok(count))
    }
}

// === impl Exchange ===

// A request's body is never polled in here: it is boxed first.
impl<B> Unpin for Exchange<B> {}

impl<B> Exchange<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Sends what can be sent. A connection that takes no more is no error yet: there may be an answer.
    fn poll_send(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Result<(), ExchangeError<B>> {
        if self.pump.is_none()
            && let Some((parts, body)) = self.request.take()
        {
            let length = body.size_hint().exact();
            let mut head = std::mem::take(&mut wire.head);
            head::write(&parts, length, &mut head);
            if body.is_end_stream() {
                self.pump = Some(Pump::new(head, None, false));
                // Kept until something has been written, so that it can be given back.
                self.request = Some((parts, body));
            } else {
                self.pump = Some(Pump::new(head, Some(Box::pin(body)), length.is_none()));
            }
        }
        let Some(pump) = &mut self.pump else { return Ok(()) };
        let sent = pump.poll(context, &mut wire.stream);
        if pump.has_begun() {
            self.request = None;
        }
        match sent {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(PumpError::Body(error))) => {
                return Err(failed("connection_terminated", format!("the request broke off: {error}")));
            }
            Poll::Ready(Err(PumpError::Write)) => {
                if let Some((parts, body)) = self.request.take() {
                    return Err(ExchangeError::NotSent(Box::new(Request::from_parts(parts, body))));
                }
                self.broken = true;
            }
        }
        wire.head = pump.take_buffer();
        self.pump = None;
        Ok(())
    }

    /// Reads the head of the answer.
    fn poll_head(&self, context: &mut Context<'_>, wire: &mut Wire) -> Poll<Result<Head, ExchangeError<B>>> {
        loop {
            if !wire.read.is_empty() {
                match head::read(&mut wire.read, &self.method) {
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
}

impl<B> Future for Exchange<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<Http1Body<B>>, ExchangeError<B>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut wire = this.wire.take().expect("polled after it was ready");
        this.poll_send(context, &mut wire)?;
        // As long as nothing has been written there is nothing to read.
        let head = if this.request.is_some() { Poll::Pending } else { this.poll_head(context, &mut wire) };
        let head = match head {
            Poll::Ready(head) => head?,
            Poll::Pending => {
                this.wire = Some(wire);
                return Poll::Pending;
            }
        };
        let keep_alive = head.keep_alive && !this.broken;
        let body = Http1Body::new(wire, this.pump.take(), head.framing, keep_alive);
        Poll::Ready(Ok(head.response.map(|()| body)))
    }
}

impl<B> fmt::Debug for Exchange<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("wire", &self.wire).finish_non_exhaustive()
    }
}

fn failed<B>(kind: &'static str, detail: impl Into<String>) -> ExchangeError<B> {
    ExchangeError::Failed((kind, detail.into()))
}

// === impl Switched ===

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Switched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
