//! Heads on the wire: ours to the backend, and the backend's to us.

use std::{cell::RefCell, mem::MaybeUninit, ops::Range};

use bytes::{Buf, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};
use hyper::ext::ReasonPhrase;

use crate::http1::{
    chunked::Chunked,
    digits,
    names::Names,
    outgoing::{field, number},
    repeats::Repeats,
    room::{let_go, take},
    spare,
};

/// The longest head of an answer.
// ANCM: forwardinghandler.cpp gives its client library the same limit.
const HEAD_LIMIT: usize = 65_536;
const LINES: usize = 100;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// This much is still to come.
    Length(u64),
    /// It comes in chunks.
    Chunked(Chunked),
    /// It ends with the connection.
    Close,
}

/// An answer's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// Whether another request may follow on the connection.
    pub(super) keep_alive: bool,
}

/// What a head says, whatever it answers.
struct Read {
    status: StatusCode,
    version: Version,
    /// Unless it is the usual one: that costs nothing to say again.
    reason: Option<ReasonPhrase>,
    headers: HeaderMap,
    said: Said,
}

thread_local! {
    static KNOWN: RefCell<Repeats<Read>> = RefCell::new(Repeats::new());
}

/// Writes a request's head. `length` is that of its body, if it is known; without it the body goes in chunks.
pub(super) fn write<B>(request: &Request<B>, length: Option<u64>, out: &mut Vec<u8>) {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    // The empty path of `http://host?query` is `/` in origin form.
    let slash = if target.starts_with(['/', '*']) { "" } else { "/" };
    out.reserve(256 + target.len());
    for piece in [request.method().as_str(), " ", slash, target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
    let mut said_length = false;
    for (name, value) in request.headers() {
        if name == CONTENT_LENGTH {
            said_length = true;
        } else if name != TRANSFER_ENCODING {
            field(out, name.as_str(), value.as_bytes());
        }
    }
    match length {
        Some(0) if !said_length && !needs_length(request.method()) => {}
        Some(length) => {
            out.extend_from_slice(b"content-length: ");
            number(out, length);
            out.extend_from_slice(b"\r\n");
        }
        None => field(out, "transfer-encoding", b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 8.6: the methods that are expected to have a body say so when it is empty; others when they said so.
fn needs_length(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

/// Where a header line's name and value lie in the buffer.
pub(super) type Line = (Range<usize>, Range<usize>);

/// Takes an answer's head out of the buffer, if it is all there; interim answers are skipped. What `lines` holds is of
/// no interest, only its room.
pub(super) fn read(
    buffer: &mut BytesMut,
    method: &Method,
    lines: &mut Vec<Line>,
) -> Result<Option<Head>, String> {
    loop {
        let Some(head) = read_one(buffer, method, lines)? else { return Ok(None) };
        let status = head.response.status();
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some(head));
        }
    }
}

fn read_one(buffer: &mut BytesMut, method: &Method, lines: &mut Vec<Line>) -> Result<Option<Head>, String> {
    let recalled = KNOWN.with_borrow_mut(|known| known.recall(known.last(), buffer));
    let read = match recalled {
        Some((length, read)) => {
            buffer.advance(length);
            let_go(buffer);
            read
        }
        None => match parse(buffer, lines)? {
            Some(read) => read,
            None => return Ok(None),
        },
    };
    finish(read, method).map(Some)
}

fn parse(buffer: &mut BytesMut, lines: &mut Vec<Line>) -> Result<Option<Read>, String> {
    let mut fields = [const { MaybeUninit::uninit() }; LINES];
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let length = match parser.parse_response_with_uninit_headers(&mut parsed, buffer, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_LIMIT => length,
        Ok(httparse::Status::Partial) if buffer.len() < HEAD_LIMIT => return Ok(None),
        Ok(_) => return Err(format!("the head of its answer is longer than {HEAD_LIMIT} bytes")),
        Err(error) => return Err(format!("the head of its answer is malformed: {error}")),
    };
    let (code, minor) = (parsed.code.unwrap_or_default(), parsed.version.unwrap_or_default());
    let status = StatusCode::from_u16(code).map_err(|_| format!("its answer has the status {code}"))?;
    let reason = reason(parsed.reason.unwrap_or_default(), status, buffer);
    // Where they lie, so that the values can share the buffer instead of being copied.
    let start = buffer.as_ptr() as usize;
    let place = |piece: &[u8]| {
        let begin = if piece.is_empty() { 0 } else { piece.as_ptr() as usize - start };
        begin..begin + piece.len()
    };
    lines.clear();
    lines.extend(parsed.headers.iter().map(|line| (place(line.name.as_bytes()), place(line.value))));
    let head = take(buffer, length);
    let version = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let make = |head: &Bytes| {
        let (headers, said) = Names::with(|names| headers(head, lines, status, names))?;
        Ok(Read { status, version, reason, headers, said })
    };
    let read = KNOWN.with_borrow_mut(|known| known.read(&head, lines.len(), false, make));
    read.map(|(read, _)| Some(read))
}

// === impl Read ===

impl Clone for Read {
    fn clone(&self) -> Self {
        Self { headers: spare::copy_headers(&self.headers, 0), reason: self.reason.clone(), ..*self }
    }
}

/// What the headers say of the body and of the connection, noted while they are read.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// How many lines of `Transfer-Encoding`, and whether the last is just `chunked`.
    codings: usize,
    chunked: bool,
    /// How many lines of `Content-Length`, and what the last says.
    lengths: usize,
    length: Option<u64>,
    close: bool,
    keep_alive: bool,
}

impl Said {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        let text = value.as_bytes();
        if name == CONTENT_LENGTH {
            self.lengths += 1;
            self.length = digits(text);
        } else if name == TRANSFER_ENCODING {
            self.codings += 1;
            self.chunked = text.eq_ignore_ascii_case(b"chunked");
        } else if name == CONNECTION {
            let mut options = text.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            self.close |= options.clone().any(|option| option.eq_ignore_ascii_case(b"close"));
            self.keep_alive |= options.any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
        }
    }

    /// RFC 9112 9.3.
    fn persists(&self, version: Version) -> bool {
        !self.close && (version != Version::HTTP_10 || self.keep_alive)
    }
}

fn headers(
    head: &Bytes,
    lines: &[Line],
    status: StatusCode,
    names: &mut Names,
) -> Result<(HeaderMap, Said), String> {
    let mut headers = spare::take_headers(lines.len());
    let mut said = Said::default();
    for (name, value) in lines {
        let name = &head[name.clone()];
        let malformed =
            |what| format!("its answer has a header with the {what} {:?}", String::from_utf8_lossy(name));
        let value = HeaderValue::from_maybe_shared(head.slice(value.clone()))
            .map_err(|_| malformed("malformed value, and the name"))?;
        let name = names.name(name).map_err(|_| malformed("name"))?;
        said.note(&name, &value);
        // ANCM: forwardinghandler.cpp drops the backend's date; what is never put in need not be taken out.
        if name != DATE || status == StatusCode::SWITCHING_PROTOCOLS {
            headers.append(name, value);
        }
    }
    Ok((headers, said))
}

/// The reason phrase, unless it is the usual one.
fn reason(parsed: &str, status: StatusCode, head: &[u8]) -> Option<ReasonPhrase> {
    if Some(parsed) == status.canonical_reason() {
        return None;
    }
    let phrase = if parsed.is_empty() { raw_reason(head) } else { parsed.as_bytes() };
    ReasonPhrase::try_from(phrase).ok()
}

/// The phrase as it stands there: httparse shows none that goes beyond ASCII.
fn raw_reason(head: &[u8]) -> &[u8] {
    let mut lines = head.split(|&byte| byte == b'\n');
    let line = lines.find(|line| line.starts_with(b"HTTP/")).unwrap_or_default();
    let phrase = line.get(b"HTTP/1.1 200".len()..).unwrap_or_default();
    let phrase = phrase.strip_suffix(b"\r").unwrap_or(phrase);
    phrase.strip_prefix(b" ").unwrap_or(phrase)
}

fn finish(read: Read, method: &Method) -> Result<Head, String> {
    let Read { status, version, reason, headers, said } = read;
    let framing = framing(status, version, &said, method)?;
    // A 204 has no body; one that announces it nevertheless may yet send it.
    let announced = said.codings > 0 || (said.lengths > 0 && said.length != Some(0));
    let odd = status == StatusCode::NO_CONTENT && announced;
    let keep_alive = framing != Framing::Close && !odd && said.persists(version);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = version;
    *response.headers_mut() = headers;
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    Ok(Head { response, framing, keep_alive })
}

/// RFC 9112 6.3, refusing what it lets a recipient guess.
fn framing(status: StatusCode, version: Version, said: &Said, method: &Method) -> Result<Framing, String> {
    let empty = status.is_informational() || matches!(status.as_u16(), 204 | 304) || method == Method::HEAD;
    if said.codings > 0 {
        return match (empty, version) {
            (true, _) => Ok(Framing::Length(0)),
            (_, Version::HTTP_10) => {
                Err("its answer has a transfer coding, which HTTP/1.0 does not know".to_owned())
            }
            _ if said.codings == 1 && said.chunked => Ok(Framing::Chunked(Chunked::Size)),
            _ => Err("its answer has a transfer coding that is not just `chunked`".to_owned()),
        };
    }
    match (said.lengths, said.length) {
        (0, _) if empty => Ok(Framing::Length(0)),
        (0, _) => Ok(Framing::Close),
        // The length that a body would have is passed on as well.
        (1, Some(length)) => Ok(Framing::Length(if empty { 0 } else { length })),
        (1, None) => Err("its answer has a length that is no number".to_owned()),
        _ => Err("its answer has more than one length".to_owned()),
    }
}

#[cfg(test)]
mod tests;
