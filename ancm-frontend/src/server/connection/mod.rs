//! One client connection: requests in, answers out, and its clocks.
//!
//! A connection of HTTP/1.1 has one request at a time, so one stack per connection is enough: it is never cloned, and
//! the whole of it is one future that nothing has to be handed to. While it waits for a request it holds no buffer.
//!
//! Nothing is read ahead of the request under way, except by looking whether the client has left.
//!
//! Reading order: here its steps, of which `arriving` and `answering` are the rooms, and `closing` the last; then `alarm`
//! and what is done when it rings.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ancm_tower::{BoxError, client::Client};
use http::Request;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    alarm::{is_awaited, look_by},
    closing::close,
};
use super::{
    body::ClientBody,
    clocks::{Clocks, Limits, Overdue, Phase},
    io::Shared,
    request::About,
    stream::ClientStream,
    trailers::Declared,
    upgrade::Give,
};
use crate::http1::outgoing::{Framing, Outgoing};

mod alarm;
mod answering;
mod arriving;
mod closing;
mod pieces;
mod service;

pub(super) use self::alarm::Alarm;
pub use self::service::ConnectionService;

/// What a client reads whose head does not come to its end.
const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

pin_project! {
    /// Serves one connection until it ends, goes over a limit, or is drained.
    pub struct Connection<T: ClientStream, S: ConnectionService> {
        service: S,
        client: Client,
        shared: Arc<Shared<T>>,
        #[pin]
        step: Step<S>,
        // Of the request under way.
        about: About,
        trailers: Declared,
        keep_alive: bool,
        switch: Option<Give>,
        // It is being answered, and another task reads its body.
        is_body_shared: bool,
        out: Outgoing,
        // The answer may go from socket to socket.
        is_socket: bool,
        // Why there is no more of the answer, while what came before goes out.
        broken: Option<BoxError>,
        alarm: Alarm,
        drain: CancellationToken,
        // When a client that has not sent anything yet is drained, too.
        patience: Option<Instant>,
    }
}

pin_project! {
    #[project = StepProj]
    enum Step<S: ConnectionService> {
        // Waits for a request's head.
        Head,
        // The stack is not ready for it; boxed, so that the usual step is not as large as a request.
        Waiting { request: Option<Box<Request<ClientBody>>> },
        Serving { #[pin] future: <S as ConnectionService>::ResponseFuture },
        Answering { #[pin] body: <S as ConnectionService>::ResponseBody },
        // All has been written, though perhaps not flushed.
        Ending,
        // Tells the client that this is the end, and hears it out.
        Closing,
    }
}

/// Why there is nothing more to do.
enum Over {
    /// The client has left, or the connection was closed in good order.
    Done,
    Broken(io::Error),
    /// The answer broke off.
    Answer(BoxError),
}

// === impl Connection ===

impl<T: ClientStream, S: ConnectionService> Connection<T, S> {
    /// Serves `stream` by `service`; when `drain` is cancelled, the request under way is the last.
    ///
    /// It asks for that when it is polled: whoever polls it sees to it that it is woken by the drain.
    pub fn new(stream: T, client: Client, service: S, limits: Limits, drain: CancellationToken) -> Self {
        Self {
            is_socket: stream.socket().is_some(),
            service,
            client,
            shared: Arc::new(Shared::new(stream, Clocks::new(limits))),
            step: Step::Head,
            about: About::default(),
            trailers: Declared::default(),
            keep_alive: true,
            switch: None,
            is_body_shared: false,
            out: Outgoing::new(Vec::new(), Framing::Close),
            broken: None,
            alarm: Alarm::default(),
            drain,
            patience: None,
        }
    }

    /// Wakes it by this alarm, which the same task has used for another connection with these limits.
    pub(super) fn with_alarm(self, alarm: Alarm) -> Self {
        Self { alarm, ..self }
    }

    /// Its alarm, when it is over.
    pub(super) fn take_alarm(self: Pin<&mut Self>) -> Alarm {
        std::mem::take(self.project().alarm)
    }

    /// Goes as far as possible; ready when there is nothing more to do.
    fn poll_steps(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Over> {
        loop {
            let this = self.as_mut().project();
            let over = match this.step.project() {
                StepProj::Head => ready!(self.as_mut().poll_head(context)),
                StepProj::Waiting { request } => {
                    let Ok(()) = ready!(this.service.poll_ready(context));
                    let request = request.take().expect("called once");
                    let future = this.service.call(*request);
                    self.as_mut().project().step.set(Step::Serving { future });
                    Ok(())
                }
                StepProj::Serving { future } => match future.poll(context) {
                    Poll::Ready(Ok(response)) => {
                        self.as_mut().begin_answer(response, false);
                        Ok(())
                    }
                    Poll::Pending => {
                        ready!(this.shared.lock().poll_broken(&this.shared.clocks, context));
                        Err(Over::Done)
                    }
                },
                StepProj::Answering { .. } => ready!(self.as_mut().poll_answer(context)),
                StepProj::Ending => ready!(self.as_mut().poll_end(context)),
                StepProj::Closing => {
                    ready!(close(this.shared, this.out.is_held(), context));
                    Err(Over::Done)
                }
            };
            if let Err(over) = over {
                return Poll::Ready(over);
            }
        }
    }
}

impl<T: ClientStream, S: ConnectionService> Future for Connection<T, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            // Before the drain: a request that has come already is served.
            if let Poll::Ready(over) = self.as_mut().poll_steps(context) {
                self.shared.lock().cut_body();
                self.log(&over);
                return Poll::Ready(());
            }
            let mut this = self.as_mut().project();
            let clocks = &this.shared.clocks;
            let idle = matches!(this.step.as_mut().project(), StepProj::Head);
            if idle
                && this.drain.is_cancelled()
                && !is_awaited(clocks, this.patience)
                && !this.shared.lock().has_request()
            {
                this.step.set(Step::Closing);
                continue;
            }
            ready!(this.alarm.poll(look_by(clocks, *this.is_body_shared, *this.patience), context));
            if self.as_mut().is_given_up(context) {
                self.shared.lock().cut_body();
                return Poll::Ready(());
            }
        }
    }
}

impl<T: ClientStream, S: ConnectionService> Connection<T, S> {
    /// Whether a clock has run out, or the client has left; if not, the alarm is set anew.
    fn is_given_up(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let mut this = self.project();
        let clocks = &this.shared.clocks;
        match clocks.check() {
            Err(Overdue::Head) => {
                *this.out = Outgoing::new(LATE.to_vec(), Framing::Close);
                let mut io = this.shared.lock();
                // A head is awaited only when nothing of an answer is left to write; whoever reads nothing gets
                // nothing.
                let _ = this.out.poll_write(context, &mut io.stream);
                io.give_up_head();
                clocks.enter(Phase::Busy);
                this.step.set(Step::Closing);
            }
            Err(overdue) => {
                tracing::debug!(target: "server", client = %this.client.address(), ?overdue, "connection closed");
                return true;
            }
            Ok(next) => this.alarm.set(next),
        }
        clocks.unwatched() && this.shared.lock().has_left(clocks)
    }

    fn log(&self, over: &Over) {
        let client = self.client.address();
        match over {
            Over::Done => {}
            Over::Broken(error) => tracing::debug!(target: "server", %client, %error, "connection ended"),
            Over::Answer(error) => tracing::debug!(target: "server", %client, %error, "an answer broke off"),
        }
    }
}

impl<T: ClientStream, S: ConnectionService> fmt::Debug for Connection<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}
