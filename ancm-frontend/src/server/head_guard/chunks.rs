//! Follows a chunked body up to its last, empty chunk.

use super::{Fault, Offence, Step, scan};

/// The most that a line with the size of a chunk may have, extensions included.
const LINE_LIMIT: usize = 1024;

/// A chunked body that is coming in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    place: Place,
    /// Of the chunk that is coming in; what is left of it.
    size: u64,
    /// How much of the line with its size has come.
    line: usize,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The first digit.
    Start,
    Size,
    /// Blanks between a size and its extension, which RFC 9112 7.1.1 has us accept.
    Blank,
    Extension,
    /// The LF after the size.
    SizeLineFeed,
    Data,
    DataEnd,
    DataLineFeed,
}

// === impl Chunks ===

impl Chunks {
    pub(super) fn new() -> Self {
        Self { place: Place::Start, size: 0, line: 0 }
    }

    /// Ends where trailers may begin.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let refuse = |fault| Offence { at, fault };
            match self.place {
                Place::Data => {
                    let left = usize::try_from(self.size).unwrap_or(usize::MAX);
                    let length = left.min(bytes.len() - at);
                    at += length;
                    self.size -= length as u64;
                    if self.size == 0 {
                        self.place = Place::DataEnd;
                    }
                    continue;
                }
                Place::DataEnd if byte == b'\r' => self.place = Place::DataLineFeed,
                Place::DataLineFeed if byte == b'\n' => *self = Self::new(),
                Place::DataEnd | Place::DataLineFeed => return Err(refuse(Fault::ChunkEnd)),
                Place::SizeLineFeed if byte != b'\n' => return Err(refuse(Fault::BareCarriageReturn)),
                Place::SizeLineFeed if self.size == 0 => return Ok(Some(at + 1)),
                Place::SizeLineFeed => self.place = Place::Data,
                Place::Start | Place::Size | Place::Blank | Place::Extension => {
                    self.place = self.line(byte).map_err(refuse)?;
                }
            }
            at += 1;
        }
        Ok(None)
    }

    /// Takes a byte of the line with the size.
    fn line(&mut self, byte: u8) -> Result<Place, Fault> {
        self.line += 1;
        if self.line > LINE_LIMIT {
            return Err(Fault::ChunkLine);
        }
        match (self.place, byte) {
            (Place::Start | Place::Size, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map(u64::from);
                let larger = self.size.checked_mul(16).zip(digit).map(|(sixteens, digit)| sixteens + digit);
                self.size = larger.filter(|&size| i64::try_from(size).is_ok()).ok_or(Fault::ChunkSize)?;
                Ok(Place::Size)
            }
            (Place::Size | Place::Extension, b'\r') => Ok(Place::SizeLineFeed),
            (Place::Size | Place::Blank, b';') => Ok(Place::Extension),
            (Place::Size | Place::Blank, b' ' | b'\t') => Ok(Place::Blank),
            (Place::Extension, byte) if scan::text(&[byte]) == 1 => Ok(Place::Extension),
            (_, b'\n') => Err(Fault::BareLineFeed),
            (Place::Start | Place::Size, _) => Err(Fault::ChunkSize),
            _ => Err(Fault::ChunkExtension),
        }
    }
}
