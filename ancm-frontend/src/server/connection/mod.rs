//! One client connection: requests in, answers out, and its clocks.
//!
//! A connection of HTTP/1.1 has one request at a time, so one stack per connection is enough: it is never cloned, and
//! the whole of it is one future that nothing has to be handed to. While it waits for a request it holds no buffer.
//!
//! Nothing is read ahead of the request under way, except by looking whether the client has left.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use ancm_tower::{BoxError, client::Client, refusal::Refusal};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use self::{
    alarm::{Alarm, is_awaited, look_by},
    closing::close,
    piece::poll_piece,
};
use super::{
    answer::{self, Plan},
    body::ClientBody,
    clocks::{Clocks, Limits, Overdue, Phase},
    io::{Arrival, Shared},
    request::{self, About},
    spare,
    stream::ClientStream,
    target,
    trailers::Declared,
    upgrade::{Give, OnUpgrade, Upgraded},
};
use crate::http1::outgoing::{Framing, Outgoing};

mod alarm;
mod closing;
mod piece;
mod service;

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
        #[pin]
        alarm: Alarm,
        drain: CancellationToken,
        #[pin]
        drained: WaitForCancellationFutureOwned,
        begun: bool,
        // When a client that has not sent anything yet is drained, too.
        patience: Option<Instant>,
    }
}

pin_project! {
    #[project = StepProj]
    enum Step<S: ConnectionService> {
        // Waits for a request's head.
        Head,
        // The stack is not ready for it.
        Waiting { request: Option<Request<ClientBody>> },
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
    pub fn new(stream: T, client: Client, service: S, limits: Limits, drain: CancellationToken) -> Self {
        Self {
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
            alarm: Alarm::new(limits.idle),
            drained: drain.clone().cancelled_owned(),
            begun: false,
            drain,
            patience: None,
        }
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
                    let future = this.service.call(request);
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
                    ready!(close(this.shared, context));
                    Err(Over::Done)
                }
            };
            if let Err(over) = over {
                return Poll::Ready(over);
            }
        }
    }

    fn poll_head(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Over>> {
        let mut this = self.as_mut().project();
        let mut io = this.shared.lock();
        let head = match ready!(io.poll_head(&this.shared.clocks, context)) {
            Ok(Arrival::Head(head)) => head,
            Ok(Arrival::End) => {
                drop(io);
                // A client that has said all may still want to hear, by TLS, that this is the end.
                this.step.set(Step::Closing);
                return Poll::Ready(Ok(()));
            }
            Err(error) => return Poll::Ready(Err(Over::Broken(error))),
            Ok(Arrival::Refused(refusal)) => {
                drop(io);
                self.refuse(refusal);
                return Poll::Ready(Ok(()));
            }
        };
        this.shared.clocks.enter(Phase::Busy);
        let read = request::request(&head, io.head());
        let (framing, may_switch) = (io.head().framing(), io.head().may_switch());
        io.forget_head();
        let read = read.and_then(|(mut request, about)| {
            *this.about = about;
            target::normalize(&mut request).map(|()| request)
        });
        let number = io.begin_body(framing, this.about.expects);
        let mut request = match read {
            Ok(request) => request,
            Err(refusal) => {
                drop(io);
                self.refuse(refusal);
                return Poll::Ready(Ok(()));
            }
        };
        drop(io);
        // What of the bytes behind its head were body, and what tunnel, would be anybody's guess.
        if may_switch && !framing.has_body() {
            let (give, upgrade) = OnUpgrade::new();
            *this.switch = Some(give);
            request.extensions_mut().insert(upgrade);
        }
        request.extensions_mut().insert(this.client.clone());
        let body = if framing.has_body() {
            ClientBody::new(Arc::clone(this.shared) as Arc<_>, number, framing)
        } else {
            ClientBody::default()
        };
        let request = request.map(|()| body);
        // Nearly always ready at once; if not, the next step asks again and leaves its waker.
        let step = match this.service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Step::Serving { future: this.service.call(request) },
            Poll::Pending => Step::Waiting { request: Some(request) },
        };
        self.project().step.set(step);
        Poll::Ready(Ok(()))
    }

    /// Answers what is no request; nothing can be told from what follows it.
    fn refuse(self: Pin<&mut Self>, refusal: Refusal) {
        tracing::info!(target: "server", client = %self.client.address(), %refusal, "refused a request");
        self.shared.clocks.enter(Phase::Busy);
        self.begin_answer(refusal.into_response(), true);
    }

    fn begin_answer(self: Pin<&mut Self>, response: Response<S::ResponseBody>, last: bool) {
        let mut this = self.project();
        let status = response.status();
        let mut head = spare::take_head();
        let last = {
            let mut io = this.shared.lock();
            // Who was not asked for a body may send it or not.
            let uninvited = io.withdraw_invitation(&mut head);
            last || uninvited || io.is_broken() || io.is_cut_short() || this.drain.is_cancelled()
        };
        *this.trailers = Declared::by(&response, *this.about);
        let Plan { framing, keep_alive } = answer::write(&response, *this.about, last, &mut head);
        *this.keep_alive = keep_alive;
        *this.out = Outgoing::new(head, framing.unwrap_or(Framing::Close));
        if status != StatusCode::SWITCHING_PROTOCOLS {
            *this.switch = None;
        }
        if framing.is_none() {
            // Cannot fail: it is not framed.
            let _ = this.out.end(None);
        }
        this.step.set(Step::Answering { body: response.into_body() });
    }

    fn poll_answer(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Over>> {
        let mut this = self.project();
        loop {
            let StepProj::Answering { body } = this.step.as_mut().project() else {
                return Poll::Ready(Ok(()));
            };
            let mut waiting = false;
            if this.out.has_room() {
                match poll_piece(body, this.out, this.trailers, context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Over::Answer(error))),
                    Poll::Pending => waiting = true,
                }
            }
            let mut io = this.shared.lock();
            let before = this.out.count();
            let written = this.out.poll_write(context, &mut io.stream);
            if this.out.count() != before {
                this.shared.clocks.wrote();
            }
            this.shared.clocks.awaits_room(written.is_pending());
            match written {
                Poll::Ready(Ok(())) if this.out.has_ended() => break,
                Poll::Ready(Ok(())) if !waiting => continue,
                Poll::Ready(Ok(())) => {
                    if let Poll::Ready(Err(error)) = Pin::new(&mut io.stream).poll_flush(context) {
                        return Poll::Ready(Err(Over::Broken(error)));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Over::Broken(error))),
                Poll::Pending => {}
            }
            *this.is_body_shared = !io.is_body_read();
            ready!(io.poll_broken(&this.shared.clocks, context));
            return Poll::Ready(Err(Over::Done));
        }
        *this.is_body_shared = false;
        spare::keep_head(this.out.take_buffer());
        this.step.set(Step::Ending);
        Poll::Ready(Ok(()))
    }

    fn poll_end(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Over>> {
        let mut this = self.project();
        let mut io = this.shared.lock();
        let flushed = Pin::new(&mut io.stream).poll_flush(context);
        this.shared.clocks.awaits_room(flushed.is_pending());
        if let Err(error) = ready!(flushed) {
            return Poll::Ready(Err(Over::Broken(error)));
        }
        if let Some(switch) = this.switch.take() {
            this.shared.clocks.enter(Phase::Tunnel);
            drop(io);
            // Whoever waited for it may have gone meanwhile.
            let _ = switch.send(Box::new(Upgraded::new(Arc::clone(this.shared))));
            return Poll::Ready(Err(Over::Done));
        }
        let next = *this.keep_alive && (io.is_body_read() || io.discard());
        if next {
            io.next();
            *this.about = About::default();
            this.shared.clocks.enter(Phase::Idle);
        } else {
            io.cut_body();
        }
        drop(io);
        this.step.set(if next { Step::Head } else { Step::Closing });
        Poll::Ready(Ok(()))
    }
}

impl<T: ClientStream, S: ConnectionService> Future for Connection<T, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        if !std::mem::replace(this.begun, true) {
            // Polled once: a task keeps its waker, and the flag is cheaper to ask.
            let _ = this.drained.poll(context);
        }
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
                && !this.shared.lock().head().has_begun()
                && !is_awaited(clocks, this.patience)
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
