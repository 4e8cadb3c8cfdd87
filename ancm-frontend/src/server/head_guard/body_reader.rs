//! Follows a chunked body with its trailers, ahead of whoever decodes it.

use super::{
    Fault, Offence,
    chunks::Chunks,
    fields::{Fields, Kind},
};

/// A chunked body that is coming in.
#[derive(Debug)]
pub(in crate::server) struct ChunkedGuard {
    state: State,
}

#[derive(Debug)]
enum State {
    Chunks(Chunks),
    Trailers(Fields),
    Done,
}

// === impl ChunkedGuard ===

impl ChunkedGuard {
    pub(in crate::server) fn new() -> Self {
        Self { state: State::Chunks(Chunks::new()) }
    }

    /// Takes the bytes that follow those of the last call; how many of them belong to the body.
    pub(in crate::server) fn follow(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let step = match &mut self.state {
                State::Done => return Ok(at),
                State::Chunks(chunks) => chunks.follow(rest),
                State::Trailers(fields) => fields.follow(rest, &mut ()),
            };
            match step {
                Ok(None) => return Ok(bytes.len()),
                Err(Offence { fault, .. }) => return Err(fault),
                Ok(Some(length)) => {
                    at += length;
                    self.state = match self.state {
                        State::Chunks(_) => State::Trailers(Fields::new(Kind::Trailers)),
                        _ => State::Done,
                    };
                }
            }
        }
    }
}
