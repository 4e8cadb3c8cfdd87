//! How much of a request's body is still to come.

use bytes::BytesMut;

use crate::{
    http1::{
        chunked::{Chunked, Step},
        room::take,
    },
    server::{
        body::BodyError,
        head_guard::{ChunkedGuard, Framing},
    },
};

/// A request's body.
#[derive(Debug)]
pub(super) enum Incoming {
    Done,
    Length(u64),
    /// `guarded` is how much of what has been read is known to be well-formed.
    Chunked {
        guard: ChunkedGuard,
        decoder: Chunked,
        guarded: usize,
    },
    Broken,
}

// === impl Incoming ===

impl Incoming {
    pub(super) fn framed(framing: Framing) -> Self {
        match framing {
            Framing::Unsaid | Framing::Length(0) => Self::Done,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => {
                Self::Chunked { guard: ChunkedGuard::new(), decoder: Chunked::Size, guarded: 0 }
            }
        }
    }

    /// What the buffer holds of the body.
    pub(super) fn step(&mut self, read: &mut BytesMut) -> Result<Step, BodyError> {
        let step = match self {
            Self::Done => return Ok(Step::End),
            Self::Broken => return Err(BodyError::Over),
            Self::Length(_) if read.is_empty() => Step::More,
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                *left -= length as u64;
                Step::Data(take(read, length))
            }
            Self::Chunked { guard, decoder, guarded } => {
                *guarded += guard.follow(&read[*guarded..]).map_err(BodyError::Refused)?;
                let before = read.len();
                let step = decoder.step(read).map_err(BodyError::Malformed)?;
                *guarded -= before - read.len();
                step
            }
        };
        let over = match (&*self, &step) {
            (Self::Length(left), _) => *left == 0,
            (_, step) => matches!(step, Step::End | Step::Trailers(_)),
        };
        if over {
            *self = Self::Done;
        }
        Ok(step)
    }
}
