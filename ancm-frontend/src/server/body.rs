//! A request's body, read from the client's stream when somebody wants it.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::head_guard::{Fault, Framing};

/// A request's body.
#[derive(Default)]
pub struct ClientBody {
    /// `None` once it has ended; boxed, so that a request without a body has less to move.
    coming: Option<Box<Coming>>,
}

/// What has not ended.
struct Coming {
    source: Arc<dyn Source>,
    number: u64,
    /// What is still to come, if it is known.
    left: Option<u64>,
}

/// Where bodies come from.
pub(super) trait Source: Send + Sync {
    /// The next piece of the body with this number.
    fn poll_frame(
        &self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>;
    /// Nobody wants the rest of it.
    fn dropped(&self, number: u64);
}

/// Why a request's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client left in the middle of it.
    #[error("the client left in the middle of its request")]
    Incomplete,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(io::Error),
    /// Its framing could be read in two ways.
    #[error("{0}")]
    Refused(Fault),
    /// Its framing is malformed.
    #[error("{0}")]
    Malformed(&'static str),
    /// The request has been answered already.
    #[error("the request is over")]
    Over,
}

// === impl ClientBody ===

impl ClientBody {
    pub(super) fn new(source: Arc<dyn Source>, number: u64, framing: Framing) -> Self {
        match framing {
            Framing::Unsaid | Framing::Length(0) => Self::default(),
            Framing::Length(length) => Self::coming(Coming { source, number, left: Some(length) }),
            Framing::Chunked => Self::coming(Coming { source, number, left: None }),
        }
    }

    fn coming(coming: Coming) -> Self {
        Self { coming: Some(Box::new(coming)) }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(coming) = &mut self.coming else { return Poll::Ready(None) };
        let frame = coming.source.poll_frame(coming.number, context);
        let ended = match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                coming.left = coming.left.map(|left| left.saturating_sub(length));
                coming.left == Some(0) || frame.is_trailers()
            }
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        if ended {
            self.coming = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.coming.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let Some(coming) = &self.coming else { return SizeHint::with_exact(0) };
        coming.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if let Some(coming) = &self.coming {
            coming.source.dropped(coming.number);
        }
    }
}

impl fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBody").field("left", &self.size_hint()).finish_non_exhaustive()
    }
}
