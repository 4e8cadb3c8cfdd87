//! An answer, from its head to what becomes of the connection behind it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};

use super::{
    Connection, ConnectionService, Over, Step, StepProj,
    pieces::{Taken, take_pieces},
};
use crate::{
    http1::{
        self,
        outgoing::{Framing, Outgoing},
        pipe::offering,
        turn::{self, TURN},
    },
    server::{
        answer::{self, Plan},
        clocks::Phase,
        request::About,
        spare,
        stream::ClientStream,
        trailers::Declared,
        upgrade::Upgraded,
    },
};

// === impl Connection ===

impl<T: ClientStream, S: ConnectionService> Connection<T, S> {
    pub(super) fn begin_answer(self: Pin<&mut Self>, response: Response<S::ResponseBody>, last: bool) {
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
        if !keep_alive && this.switch.is_none() {
            this.out.be_last();
        }
        if framing.is_none() {
            // Cannot fail: it is not framed.
            let _ = this.out.end(None);
        }
        let (parts, body) = response.into_parts();
        http1::spare::keep_headers(parts.headers);
        this.step.set(Step::Answering { body });
    }

    pub(super) fn poll_answer(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Over>> {
        let mut this = self.project();
        let begun = this.out.count();
        loop {
            let StepProj::Answering { body } = this.step.as_mut().project() else {
                return Poll::Ready(Ok(()));
            };
            let mut waiting = false;
            if this.broken.is_none() {
                match offering(*this.is_socket, || take_pieces(body, this.out, this.trailers, context)) {
                    Taken::Enough => {}
                    Taken::All => waiting = true,
                    // What came before goes out first.
                    Taken::Broken(error) if this.out.has_begun() || this.out.has_data() => {
                        *this.broken = Some(error);
                    }
                    Taken::Broken(error) => return Poll::Ready(Err(Over::Answer(error))),
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
                Poll::Ready(Ok(())) if this.broken.is_some() => {
                    let is_flushed = Pin::new(&mut io.stream).poll_flush(context).is_ready();
                    this.shared.clocks.awaits_room(!is_flushed);
                    if let Some(error) = this.broken.take_if(|_| is_flushed) {
                        return Poll::Ready(Err(Over::Answer(error)));
                    }
                }
                Poll::Ready(Ok(())) if this.out.has_ended() => break,
                Poll::Ready(Ok(())) if !waiting && this.out.count() - begun >= TURN => {
                    turn::end(context);
                    return Poll::Pending;
                }
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

    pub(super) fn poll_end(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Over>> {
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
