//! A request, from its head to the service that answers it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use ancm_tower::refusal::Refusal;
use bytes::Bytes;
use http::Request;

use super::{Connection, ConnectionService, Over, Step};
use crate::server::{
    body::ClientBody,
    clocks::Phase,
    head_guard::Framing,
    header_lines::HeaderLines,
    io::{Arrival, Io},
    request::{self, About},
    stream::ClientStream,
    target,
    upgrade::OnUpgrade,
};

/// A request whose body is still to come.
struct Arrived {
    request: Request<ClientBody>,
    framing: Framing,
    /// That of its body.
    number: u64,
    may_switch: bool,
}

// === impl Connection ===

impl<T: ClientStream, S: ConnectionService> Connection<T, S> {
    pub(super) fn poll_head(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Over>> {
        let mut this = self.as_mut().project();
        let mut io = this.shared.lock();
        let arrived = match ready!(io.poll_head(&this.shared.clocks, context)) {
            Ok(Arrival::Head(head, lines)) => Arrived::read(head, lines, &mut io, this.about),
            Ok(Arrival::Refused(refusal)) => Err(refusal),
            Ok(Arrival::End) => {
                drop(io);
                // A client that has said all may still want to hear, by TLS, that this is the end.
                this.step.set(Step::Closing);
                return Poll::Ready(Ok(()));
            }
            Err(error) => return Poll::Ready(Err(Over::Broken(error))),
        };
        drop(io);
        this.shared.clocks.enter(Phase::Busy);
        match arrived {
            Ok(arrived) => self.serve(arrived),
            Err(refusal) => self.refuse(refusal),
        }
        Poll::Ready(Ok(()))
    }

    fn serve(self: Pin<&mut Self>, arrived: Arrived) {
        let mut this = self.project();
        let Arrived { mut request, framing, number, may_switch } = arrived;
        if may_switch {
            let (give, upgrade) = OnUpgrade::new();
            *this.switch = Some(give);
            request.extensions_mut().insert(upgrade);
        }
        request.extensions_mut().insert(this.client.clone());
        if framing.has_body() {
            *request.body_mut() = ClientBody::new(Arc::clone(this.shared) as Arc<_>, number, framing);
        }
        // Nearly always ready at once; if not, the next step asks again and leaves its waker.
        let step = match this.service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Step::Serving { future: this.service.call(request) },
            Poll::Pending => Step::Waiting { request: Some(Box::new(request)) },
        };
        this.step.set(step);
    }

    /// Answers what is no request; nothing can be told from what follows it.
    fn refuse(self: Pin<&mut Self>, refusal: Refusal) {
        tracing::info!(target: "server", client = %self.client.address(), %refusal, "refused a request");
        self.begin_answer(refusal.into_response(), true);
    }
}

// === impl Arrived ===

impl Arrived {
    /// Makes a request of a head, and has its body begin.
    fn read<T: ClientStream>(
        head: Bytes,
        lines: Option<HeaderLines>,
        io: &mut Io<T>,
        about: &mut About,
    ) -> Result<Self, Refusal> {
        let lines = lines.map_or_else(|| HeaderLines::read(&head, io.head(), io.habit()), Ok);
        let habit = lines.as_ref().map(|lines| lines.habit).unwrap_or_default();
        let mut read = lines.and_then(|lines| request::request(head, io.head().is_old(), lines));
        let (framing, may_switch) = (io.head().framing(), io.head().may_switch());
        io.forget_head(habit);
        if let Ok((request, of_it)) = &mut read {
            *about = *of_it;
            if let Err(refusal) = target::normalize(request) {
                read = Err(refusal);
            }
        }
        // Also of what is refused: the client may be sending it.
        let number = io.begin_body(framing, about.expects);
        // What of the bytes behind its head were body, and what tunnel, would be anybody's guess.
        let may_switch = may_switch && !framing.has_body();
        read.map(|(request, _)| Self { request, framing, number, may_switch })
    }
}
