//! The next pieces of an answer.

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

/// What the body gave.
pub(super) enum Taken {
    /// As much as there is room for, or its end.
    Enough,
    /// All that there is for now.
    All,
    /// It broke off, perhaps behind pieces that have been taken.
    Broken(BoxError),
}

/// Takes pieces of the answer's body as long as there are any at once and `out` has room, so that they go out
/// together.
pub(super) fn take_pieces<B>(
    mut body: Pin<&mut B>,
    out: &mut Outgoing,
    trailers: &Declared,
    context: &mut Context<'_>,
) -> Taken
where
    B: Body<Data: Into<Piece>, Error: Into<BoxError>>,
{
    while out.has_room() {
        match poll_piece(body.as_mut(), out, trailers, context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Taken::Broken(error),
            Poll::Pending => return Taken::All,
        }
    }
    Taken::Enough
}

fn poll_piece<B>(
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::{http1::outgoing::Framing, server::request::About};

    /// What is taken at once of these, after which nothing comes for a while; and what the client reads of it.
    async fn take(pieces: Vec<Result<&'static str, BoxError>>) -> (Taken, String) {
        let mut pieces = pieces.into_iter();
        let mut body =
            Box::pin(StreamBody::new(futures_util::stream::poll_fn(move |_| match pieces.next() {
                Some(piece) => Poll::Ready(Some(piece.map(|text| Frame::data(Bytes::from(text))))),
                None => Poll::Pending,
            })));
        let mut out = Outgoing::new(b"HEAD\r\n".to_vec(), Framing::Close);
        let trailers = Declared::by(&Response::new(()), About::default());
        let mut context = Context::from_waker(std::task::Waker::noop());
        let taken = take_pieces(body.as_mut(), &mut out, &trailers, &mut context);
        let (mut near, mut far) = tokio::io::duplex(100_000);
        assert!(out.poll_write(&mut context, &mut near).is_ready());
        drop(near);
        let mut read = String::new();
        far.read_to_string(&mut read).await.unwrap();
        (taken, read)
    }

    #[tokio::test]
    async fn takes_all_that_is_there() {
        let (taken, read) = take(vec![Ok("a"), Ok("b"), Ok("c")]).await;
        assert!(matches!(taken, Taken::All));
        assert_eq!(read, "HEAD\r\nabc");
    }

    #[tokio::test]
    async fn takes_no_more_than_there_is_room_for() {
        const PIECE: &str = concat!("0123456789abcdef", "0123456789abcdef");
        let (taken, read) = take((0..10_000).map(|_| Ok(PIECE)).collect()).await;
        assert!(matches!(taken, Taken::Enough));
        assert!(read.len() < 70_000, "{}", read.len());
    }
}
