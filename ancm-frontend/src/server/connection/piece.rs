//! The next piece of an answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::BoxError;
use http_body::Body;

use crate::{
    http1::{outgoing::Outgoing, piece::Piece},
    server::trailers::Declared,
};

/// Takes the next piece of the answer's body.
pub(super) fn poll_piece<B>(
    mut body: Pin<&mut B>,
    out: &mut Outgoing,
    trailers: &Declared,
    context: &mut Context<'_>,
) -> Poll<Result<(), BoxError>>
where
    B: Body<Data: Into<Piece>, Error: Into<BoxError>>,
{
    let frame = match ready!(body.as_mut().poll_frame(context)) {
        Some(Ok(frame)) => frame,
        Some(Err(error)) => return Poll::Ready(Err(error.into())),
        None => return Poll::Ready(out.end(None).map_err(Into::into)),
    };
    // Asked now: the next poll might have to wait for an end that is known already.
    let last = body.is_end_stream();
    let taken = match frame.into_data() {
        Ok(data) => out.data(data).and_then(|()| if last { out.end(None) } else { Ok(()) }),
        Err(frame) => out.end(frame.into_trailers().ok().and_then(|all| trailers.of(&all)).as_ref()),
    };
    Poll::Ready(taken.map_err(Into::into))
}
