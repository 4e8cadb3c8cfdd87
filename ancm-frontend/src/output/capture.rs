//! Keeps the beginning and the end of what a process printed, for the report of its failure.
//!
//! The beginning says why a start failed, the end why a running process died. Both are kept in characters, as the
//! original keeps them, and masked. A [`Capture`] is also the owner's handle on the two pipes: it says when reading
//! may begin and when it must end.
//!
//! # Example
//!
//! ```
//! use std::io::Write;
//!
//! use ancm_frontend::output::{Output, Sink};
//!
//! # tokio_test::block_on(async {
//! let output = Output::start()?;
//! let pipes = output.pipes(Sink::default())?;
//! std::fs::File::from(pipes.stdout).write_all(b"listening\n")?;
//! drop(pipes.stderr);
//! pipes.capture.started(4242);
//! pipes.capture.ended().await;
//! assert_eq!(pipes.capture.text(), "listening\n");
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::lease::Released;

/// Characters (Unicode scalar values) that are kept of the beginning, and again of the end.
// ANCM: serverprocess.cpp keeps the first 30,000 characters and drops the rest.
pub const LIMIT: usize = 30_000;

/// What one process printed, on both streams in the order of arrival.
///
/// When the last clone is dropped, the pipes are closed as by [`close`](Self::close).
#[derive(Clone)]
pub struct Capture {
    kept: Arc<Mutex<Kept>>,
    phase: Arc<watch::Sender<Phase>>,
    ended: Released,
}

/// How far a process has come, as its pipes are concerned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Phase {
    /// Its process id, once it was started.
    pub(super) pid: Option<u32>,
    /// Whether nobody waits for the end of the streams any more.
    pub(super) closed: bool,
}

/// The first and the last characters of a text of any length.
#[derive(Default)]
pub(super) struct Kept {
    first: String,
    first_count: usize,
    last: String,
    last_count: usize,
}

/// Turns the pieces of one stream into text.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a character that is not whole yet.
    carry: Vec<u8>,
}

// === impl Capture ===

impl Capture {
    pub(super) fn new(kept: Arc<Mutex<Kept>>, phase: watch::Sender<Phase>, ended: Released) -> Self {
        Self { kept, phase: Arc::new(phase), ended }
    }

    /// Tells the process's id and lets the reading of its pipes begin.
    ///
    /// Until then its output waits in the pipes, so that every line of it is logged with the right id.
    pub fn started(&self, pid: u32) {
        self.phase.send_modify(|phase| phase.pid = Some(pid));
    }

    /// The first 30,000 characters.
    pub fn text(&self) -> String {
        lock(&self.kept).first.clone()
    }

    /// The last 30,000 characters.
    pub fn tail(&self) -> String {
        lock(&self.kept).tail().to_owned()
    }

    /// Ends the reading: what is in the pipes by now is still taken, then they are closed.
    ///
    /// Without it, reading ends when the last writer is gone. That can be a grandchild that outlives the process.
    pub fn close(&self) {
        self.phase.send_modify(|phase| phase.closed = true);
    }

    /// Waits until both streams have ended and all that they brought has been taken.
    pub async fn ended(&self) {
        self.ended.wait().await;
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("phase", &*self.phase.borrow()).finish_non_exhaustive()
    }
}

// === impl Kept ===

impl Kept {
    pub(super) fn push(&mut self, text: &str) {
        let room = LIMIT - self.first_count;
        if room > 0 {
            let end = text.char_indices().nth(room).map_or(text.len(), |(index, _)| index);
            self.first.push_str(&text[..end]);
            self.first_count += text[..end].chars().count();
        }
        self.last.push_str(text);
        self.last_count += text.chars().count();
        // Cut seldom: each cut moves all that stays.
        if self.last_count > 2 * LIMIT {
            let cut = self.last.len() - self.tail().len();
            self.last.drain(..cut);
            self.last_count = LIMIT;
        }
    }

    fn tail(&self) -> &str {
        let start = self.last.char_indices().nth(self.last_count.saturating_sub(LIMIT));
        &self.last[start.map_or(self.last.len(), |(index, _)| index)..]
    }
}

/// A pump that panicked leaves a text that is still worth reading.
pub(super) fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Decoder ===

impl Decoder {
    /// Appends the text of these bytes; a character that is cut at their end waits for its rest.
    pub(super) fn push(&mut self, bytes: &[u8], text: &mut String) {
        if self.carry.is_empty() {
            let rest = decode(bytes, text);
            self.carry.extend_from_slice(rest);
        } else {
            let mut joined = std::mem::take(&mut self.carry);
            joined.extend_from_slice(bytes);
            let rest = decode(&joined, text);
            self.carry.extend_from_slice(rest);
        }
    }

    /// Appends what is left at the end of the stream.
    pub(super) fn finish(&mut self, text: &mut String) {
        if !std::mem::take(&mut self.carry).is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Appends valid text and a replacement for each invalid part; gives back an incomplete character.
fn decode<'a>(bytes: &'a [u8], text: &mut String) -> &'a [u8] {
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        let incomplete = std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
        if incomplete && chunks.peek().is_none() {
            return &bytes[bytes.len() - chunk.invalid().len()..];
        }
        text.push(char::REPLACEMENT_CHARACTER);
    }
    &[]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(pieces: &[&[u8]]) -> String {
        let (mut decoder, mut text) = (Decoder::default(), String::new());
        for piece in pieces {
            decoder.push(piece, &mut text);
        }
        decoder.finish(&mut text);
        text
    }

    #[test]
    fn joins_a_character_that_was_cut() {
        assert_eq!(decoded(&[b"gr\xc3", b"\xbc\xc3", b"\x9fe \xf0\x9f", b"\xa6", b"\x80"]), "grüße 🦀");
    }

    #[test]
    fn replaces_what_is_not_text() {
        assert_eq!(decoded(&[b"a\xff\xfeb", b"\xc3(", b"\xe2\x82"]), "a\u{fffd}\u{fffd}b\u{fffd}(\u{fffd}");
    }

    #[test]
    fn keeps_the_first_and_the_last_characters() {
        let mut kept = Kept::default();
        for number in 0..40_000 {
            kept.push(&format!("ü{}", number % 10));
        }
        assert_eq!(kept.first.chars().count(), LIMIT);
        assert_eq!(kept.first, "ü0ü1ü2ü3ü4ü5ü6ü7ü8ü9".repeat(LIMIT / 20));
        assert_eq!(kept.tail(), "ü0ü1ü2ü3ü4ü5ü6ü7ü8ü9".repeat(LIMIT / 20));
    }

    #[test]
    fn keeps_the_ends_of_one_enormous_piece() {
        let mut kept = Kept::default();
        kept.push(&format!("{}{}", "é".repeat(100_000), "b".repeat(LIMIT)));
        assert_eq!(kept.first, "é".repeat(LIMIT));
        assert_eq!(kept.tail(), "b".repeat(LIMIT));
    }

    #[test]
    fn keeps_a_short_text_whole_twice() {
        let mut kept = Kept::default();
        kept.push("");
        assert_eq!((kept.first.as_str(), kept.tail()), ("", ""));
        kept.push("short");
        assert_eq!((kept.first.as_str(), kept.tail()), ("short", "short"));
    }

    proptest! {
        #[test]
        fn decodes_as_the_standard_library_does_however_the_bytes_are_cut(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xc3), Just(0xe2), Just(0x82)], 0..40),
            size in 1usize..7,
        ) {
            let pieces: Vec<_> = bytes.chunks(size).collect();
            prop_assert_eq!(decoded(&pieces), String::from_utf8_lossy(&bytes));
        }
    }
}
