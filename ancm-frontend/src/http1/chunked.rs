//! Reads a body in chunks (RFC 9112 7.1), out of a buffer that is filled elsewhere.
//!
//! Strict where leniency could make one message look like two: a line ends with CRLF, a size is hexadecimal digits
//! and nothing else, and a size that does not fit 64 bits is refused.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::room::{let_go, take};

/// The longest line of sizes and extensions that we read.
const LINE_LIMIT: usize = 4096;
/// The longest trailer section.
const TRAILERS_LIMIT: usize = 16 * 1024;
const TRAILER_LINES: usize = 64;
/// What follows the last data of nearly every body.
const END: &[u8] = b"\r\n0\r\n\r\n";

/// Where in the body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// Before a size.
    Size,
    /// Inside of a chunk: this much of it is still to come.
    Data(u64),
    /// Between a chunk and the line end after it.
    DataEnd,
    /// Behind the last chunk.
    Trailers,
    /// All of it has been read.
    Done,
}

/// What the buffer held.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing that is complete: read more.
    More,
    /// A piece of the body.
    Data(Bytes),
    /// The fields behind the body; the end.
    Trailers(HeaderMap),
    /// The end.
    End,
}

// === impl Chunked ===

impl Chunked {
    /// Takes the next piece out of the buffer.
    pub(crate) fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, &'static str> {
        loop {
            match *self {
                Self::Done => return Ok(Step::End),
                Self::Size => {
                    let Some(line) = line(buffer, LINE_LIMIT)? else { return Ok(Step::More) };
                    *self = match size(&line)? {
                        0 => Self::Trailers,
                        size => Self::Data(size),
                    };
                }
                Self::Data(left) => {
                    if buffer.is_empty() {
                        return Ok(Step::More);
                    }
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                    let left = left - length as u64;
                    let data = take(buffer, length);
                    *self = match left {
                        // What is known to be the last goes out with the end.
                        0 if buffer.starts_with(END) => {
                            buffer.advance(END.len());
                            let_go(buffer);
                            Self::Done
                        }
                        0 => Self::DataEnd,
                        _ => Self::Data(left),
                    };
                    return Ok(Step::Data(data));
                }
                Self::DataEnd => {
                    if !starts_with_line_end(buffer)? {
                        return Ok(Step::More);
                    }
                    buffer.advance(2);
                    let_go(buffer);
                    *self = Self::Size;
                }
                Self::Trailers => return self.trailers(buffer),
            }
        }
    }

    fn trailers(&mut self, buffer: &mut BytesMut) -> Result<Step, &'static str> {
        let Some(length) = section(buffer)? else { return Ok(Step::More) };
        let section = take(buffer, length);
        *self = Self::Done;
        if length == 2 {
            return Ok(Step::End);
        }
        let mut lines = [httparse::EMPTY_HEADER; TRAILER_LINES];
        let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(&section, &mut lines)
        else {
            return Err("its trailers are malformed");
        };
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name =
                HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| "a trailer's name is malformed")?;
            let value = HeaderValue::from_bytes(field.value).map_err(|_| "a trailer's value is malformed")?;
            trailers.append(name, value);
        }
        Ok(Step::Trailers(trailers))
    }
}

/// Takes a line without its end, if it is all there.
fn line(buffer: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, &'static str> {
    let Some(end) = buffer.iter().position(|&byte| byte == b'\n') else {
        return if buffer.len() > limit { Err("a chunk's size line is too long") } else { Ok(None) };
    };
    if end == 0 || buffer[end - 1] != b'\r' {
        return Err("a chunk's size line does not end with CRLF");
    }
    if end > limit {
        return Err("a chunk's size line is too long");
    }
    let line = buffer.split_to(end - 1);
    buffer.advance(2);
    let_go(buffer);
    Ok(Some(line))
}

/// The size of a chunk; what follows a semicolon is an extension, which means nothing to us.
fn size(line: &[u8]) -> Result<u64, &'static str> {
    const MALFORMED: &str = "a chunk's size is malformed";
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line[digits..].trim_ascii_start();
    if digits == 0 || !matches!(rest.first(), None | Some(b';')) || rest.contains(&b'\r') {
        return Err(MALFORMED);
    }
    let text = std::str::from_utf8(&line[..digits]).map_err(|_| MALFORMED)?;
    u64::from_str_radix(text, 16).map_err(|_| "a chunk is larger than 64 bits can say")
}

fn starts_with_line_end(buffer: &[u8]) -> Result<bool, &'static str> {
    match buffer {
        [] | [b'\r'] => Ok(false),
        [b'\r', b'\n', ..] => Ok(true),
        _ => Err("a chunk is longer than its size says"),
    }
}

/// The length of the trailer section with the empty line that ends it, if it is all there.
fn section(buffer: &[u8]) -> Result<Option<usize>, &'static str> {
    if buffer.starts_with(b"\r\n") {
        return Ok(Some(2));
    }
    match buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
        Some(end) if end <= TRAILERS_LIMIT => Ok(Some(end + 4)),
        None if buffer.len() <= TRAILERS_LIMIT => Ok(None),
        _ => Err("its trailers are too long"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds the text in pieces of this size; what came out, and what was left over.
    fn read(text: &[u8], piece: usize) -> Result<(Vec<u8>, HeaderMap, Vec<u8>), &'static str> {
        let (mut chunked, mut buffer) = (Chunked::Size, BytesMut::new());
        let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
        let mut pieces = text.chunks(piece);
        loop {
            match chunked.step(&mut buffer)? {
                Step::Data(data) => body.extend_from_slice(&data),
                Step::Trailers(fields) => trailers = fields,
                Step::End => {
                    let rest = buffer.iter().copied().chain(pieces.flatten().copied()).collect();
                    return Ok((body, trailers, rest));
                }
                Step::More => match pieces.next() {
                    Some(piece) => buffer.extend_from_slice(piece),
                    None => return Err("incomplete"),
                },
            }
        }
    }

    #[test]
    fn reads_chunks_extensions_and_trailers_in_pieces_of_any_size() {
        let text = b"4;name=value\r\nWiki\r\n5 \r\npedia\r\n0\r\nX-Sum: 9\r\n\r\nHTTP/1.1";
        for piece in 1..text.len() {
            let (body, trailers, rest) = read(text, piece).unwrap();
            assert_eq!(body, b"Wikipedia");
            assert_eq!(trailers["x-sum"], "9");
            assert_eq!(rest, b"HTTP/1.1");
        }
    }

    #[test]
    fn knows_with_the_last_data_that_they_are_the_last() {
        for (rest, done) in
            [("\r\n0\r\n\r\n", true), ("\r\n0\r\n\r", false), ("\r\n0\r\na: b\r\n\r\n", false)]
        {
            let (mut chunked, mut buffer) = (Chunked::Size, BytesMut::from(&*format!("4\r\nWiki{rest}")));
            assert!(matches!(chunked.step(&mut buffer), Ok(Step::Data(data)) if data == "Wiki"));
            assert_eq!((chunked == Chunked::Done, buffer.is_empty()), (done, done), "{rest:?}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for text in [
            "4\nWiki\r\n0\r\n\r\n",
            "+4\r\nWiki\r\n0\r\n\r\n",
            "0x4\r\nWiki\r\n0\r\n\r\n",
            " 4\r\nWiki\r\n0\r\n\r\n",
            "4\r\nWiki5\r\n0\r\n\r\n",
            "4\r\nWiki\n0\r\n\r\n",
            "\r\n\r\n",
            "10000000000000000\r\n",
            "4 4\r\nWiki\r\n0\r\n\r\n",
            "0\r\nno colon\r\n\r\n",
        ] {
            assert!(read(text.as_bytes(), 1000).is_err(), "{text:?}");
            assert!(read(text.as_bytes(), 1).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic(text: Vec<u8>, piece in 1usize..9) {
            let _ = read(&text, piece);
        }

        #[test]
        fn what_was_chunked_is_read_back(chunks: Vec<Vec<u8>>, piece in 1usize..9) {
            let mut text = Vec::new();
            for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                text.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(&text, piece).unwrap().0, chunks.concat());
        }
    }
}
