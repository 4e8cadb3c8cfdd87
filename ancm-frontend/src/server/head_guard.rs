//! Refuses what hyper would silently repair in a request's head.
//!
//! hyper drops a length that stands beside chunks, drops repeated lengths, reads any list of codings that ends with
//! `chunked`, and takes a bare LF for a line end. Each is allowed, and each is how one request is made to look like
//! two to somebody else on the way. The guard reads along, line by line, while the bytes are handed to hyper, and
//! steps over bodies by the same rules.
//!
//! It looks at lines and keeps nothing but the beginning of the one that has not ended.

use super::clocks::{Clocks, Phase, Upgrade};

/// How much of a line is kept: the lines that are looked into are shorter, or refused.
const KEPT: usize = 64;

/// Reads along with hyper.
#[derive(Debug)]
pub(super) struct HeadGuard {
    at: At,
    line: Line,
    framing: Framing,
    upgrade: bool,
}

/// What is refused, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The place of the line end after which it was certain.
    pub(super) offset: usize,
    /// Whether it is in a head, so that a 400 can be given; else it is between the chunks of a body.
    pub(super) in_head: bool,
    pub(super) reason: &'static str,
}

/// Where in the stream we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a request line.
    Start,
    Head,
    /// So much of a body with a length is still to come.
    Body(u64),
    /// Before the size of a chunk.
    Size,
    /// So much of a chunk and the line end behind it is still to come.
    Chunk(u64),
    Trailers,
    /// Behind a request that asked for an upgrade: what comes is a request or not, as the answer will say.
    Undecided,
    /// In a tunnel.
    Off,
}

/// How the head that is being read frames its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// A line as far as it has come, without its LF.
#[derive(Debug)]
struct Line {
    start: [u8; KEPT],
    length: usize,
    last: u8,
}

// === impl HeadGuard ===

impl HeadGuard {
    pub(super) fn new() -> Self {
        Self { at: At::Start, line: Line::new(), framing: Framing::None, upgrade: false }
    }

    /// Whether the client is in the middle of a request.
    pub(super) fn is_within_request(&self) -> bool {
        match self.at {
            At::Start => self.line.length > 0,
            At::Undecided | At::Off => false,
            _ => true,
        }
    }

    /// Looks at the next bytes of the stream.
    pub(super) fn check(&mut self, bytes: &[u8], clocks: &Clocks) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.at {
                At::Off => return Ok(()),
                At::Undecided if clocks.is_upgrade_open() => {
                    clocks.set_upgrade(Upgrade::Overtaken);
                    return Ok(());
                }
                At::Undecided if clocks.phase() == Phase::Tunnel => self.at = At::Off,
                At::Undecided => self.at = At::Start,
                At::Body(left) => self.at = step_over(&mut rest, left).map_or(At::Start, At::Body),
                At::Chunk(left) => self.at = step_over(&mut rest, left).map_or(At::Size, At::Chunk),
                at @ (At::Start | At::Head | At::Size | At::Trailers) => {
                    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                        self.line.push(rest);
                        return Ok(());
                    };
                    self.line.push(&rest[..end]);
                    let line = std::mem::replace(&mut self.line, Line::new());
                    let offset = bytes.len() - rest.len() + end;
                    let in_head = matches!(at, At::Start | At::Head);
                    self.end_line(&line, clocks).map_err(|reason| Fault { offset, in_head, reason })?;
                    rest = &rest[end + 1..];
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self, line: &Line, clocks: &Clocks) -> Result<(), &'static str> {
        if line.last != b'\r' {
            return Err("a line ends with LF alone");
        }
        match self.at {
            At::Start if line.is_empty() => {}
            At::Start => (self.at, self.framing, self.upgrade) = (At::Head, Framing::None, false),
            At::Head if line.is_empty() => self.end_head(clocks),
            At::Head => self.field(line)?,
            // The line end behind the chunk is hyper's to look at.
            At::Size => self.at = line.size()?.map_or(At::Trailers, |size| At::Chunk(size.saturating_add(2))),
            At::Trailers if line.is_empty() => self.at = At::Start,
            _ => {}
        }
        Ok(())
    }

    fn field(&mut self, line: &Line) -> Result<(), &'static str> {
        let kept = line.kept();
        if kept[0].is_ascii_whitespace() {
            return Err("a line is folded");
        }
        // Nearly every line ends here.
        if !matches!(kept[0] | 0x20, b'c' | b't' | b'u') {
            return Ok(());
        }
        let Some(colon) = kept.iter().position(|&byte| byte == b':') else { return Ok(()) };
        let (name, value) = (&kept[..colon], kept[colon + 1..].trim_ascii());
        let framing = if name.eq_ignore_ascii_case(b"content-length") {
            Framing::Length(length(value).ok_or("Content-Length is no number")?)
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err("Transfer-Encoding is not just chunked");
            }
            Framing::Chunked
        } else {
            self.upgrade |= name.eq_ignore_ascii_case(b"upgrade");
            return Ok(());
        };
        if line.length > KEPT {
            return Err("the line that frames the body is too long");
        }
        match std::mem::replace(&mut self.framing, framing) {
            Framing::None => Ok(()),
            _ => Err("Content-Length or Transfer-Encoding is repeated, or both are there"),
        }
    }

    fn end_head(&mut self, clocks: &Clocks) {
        self.at = match self.framing {
            Framing::Length(length) if length > 0 => At::Body(length),
            Framing::Chunked => At::Size,
            _ if self.upgrade => {
                clocks.set_upgrade(Upgrade::Asked);
                At::Undecided
            }
            _ => At::Start,
        };
    }
}

/// Steps over what is there of `left` bytes; how much of it is still to come.
fn step_over(rest: &mut &[u8], left: u64) -> Option<u64> {
    let step = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    *rest = &rest[step..];
    Some(left - step as u64).filter(|left| *left > 0)
}

fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

// === impl Line ===

impl Line {
    fn new() -> Self {
        Self { start: [0; KEPT], length: 0, last: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.last = last;
        if let Some(room) = self.start.get_mut(self.length..) {
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
        }
        self.length = self.length.saturating_add(bytes.len());
    }

    fn kept(&self) -> &[u8] {
        &self.start[..self.length.min(KEPT)]
    }

    fn is_empty(&self) -> bool {
        self.kept() == b"\r"
    }

    /// The size of a chunk; none is that of the last one.
    fn size(&self) -> Result<Option<u64>, &'static str> {
        let kept = self.kept();
        let digits = kept.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&kept[..digits]).ok();
        let size = size.and_then(|size| u64::from_str_radix(size, 16).ok());
        match size {
            Some(size) if digits < KEPT => Ok(Some(size).filter(|size| *size > 0)),
            _ => Err("a chunk's size is malformed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server::Limits;

    /// Checks the text in pieces of this size; the place in the text and the reason.
    fn check(text: &[u8], piece: usize) -> Result<HeadGuard, (usize, &'static str)> {
        let (mut guard, clocks) = (HeadGuard::new(), Clocks::new(Limits::default()));
        for (index, piece_of) in text.chunks(piece).enumerate() {
            let fault = guard.check(piece_of, &clocks);
            fault.map_err(|fault| (index * piece + fault.offset, fault.reason))?;
        }
        Ok(guard)
    }

    fn tokio() -> tokio::runtime::EnterGuard<'static> {
        // The clocks ask tokio for the time, which needs no runtime that runs.
        static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
        RUNTIME.get_or_init(|| tokio::runtime::Builder::new_current_thread().build().unwrap()).enter()
    }

    #[test]
    fn passes_ordinary_requests_in_a_row_however_they_are_cut() {
        let _tokio = tokio();
        let text = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\
            POST / HTTP/1.1\r\ncontent-length: 11\r\nHost: a\r\n\r\n\nany\n\nbody\n\
            POST / HTTP/1.1\r\nTRANSFER-encoding:\tChunked \r\n\r\n3;x=y\r\n\n\n\n\r\n0A\r\n0123456789\r\n0\r\nsum: 1\r\n\r\n\
            GET /last HTTP/1.1\r\nCookie: c\r\nTE: trailers\r\nUser-Agent: u\r\n\r\n";
        for piece in 1..text.len() {
            let guard = check(text, piece).unwrap();
            assert_eq!(guard.at, At::Start, "{piece}");
            assert!(!guard.is_within_request());
        }
    }

    #[test]
    fn refuses_what_hyper_would_repair_however_it_is_cut() {
        let _tokio = tokio();
        for head in [
            "Host: a\n",
            "content-length: 3\r\ncontent-length: 3\r\n",
            "content-length: 3\r\nTransfer-Encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: identity\r\n",
            "content-length: +3\r\n",
            "content-length: 3, 3\r\n",
            "content-length: \r\n",
            "content-length: 99999999999999999999\r\n",
            "content-length: 3                                                                     4\r\n",
            "x: y\r\n folded: z\r\n",
        ] {
            for body in ["", "POST /first HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\n"] {
                let text = format!("{body}POST / HTTP/1.1\r\n{head}");
                for piece in 1..=text.len() {
                    let (offset, _) = check(text.as_bytes(), piece).unwrap_err();
                    assert_eq!(offset, text.len() - 1, "{text:?} in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn refuses_chunks_that_hyper_might_read_in_another_way() {
        let _tokio = tokio();
        let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for body in ["\r\n", "x\r\n", "10000000000000000\r\n", "0\r\na: b\n", "1\n"] {
            let error = check(format!("{head}{body}").as_bytes(), 7);
            assert!(error.is_err(), "{body:?}");
        }
    }

    #[test]
    fn knows_whether_the_client_is_within_a_request() {
        let _tokio = tokio();
        let head = "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n";
        for (text, within) in [("", false), ("POST", true), (head, true)] {
            assert_eq!(check(text.as_bytes(), 100).unwrap().is_within_request(), within, "{text:?}");
        }
        assert!(!check(format!("{head}abc").as_bytes(), 100).unwrap().is_within_request());
    }

    #[test]
    fn what_follows_an_upgrade_is_looked_at_only_when_it_was_declined() {
        let _tokio = tokio();
        let (mut guard, clocks) = (HeadGuard::new(), Clocks::new(Limits::default()));
        let request = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        guard.check(request, &clocks).unwrap();
        assert_eq!(clocks.upgrade(), Upgrade::Asked);
        guard.check(b"\n\n", &clocks).unwrap();
        assert!(clocks.decline_upgrade(), "bytes have come that nobody has looked at");
        guard.check(request, &clocks).unwrap();
        assert!(!clocks.decline_upgrade());
        assert!(guard.check(b"\n\n", &clocks).is_err());

        let mut guard = HeadGuard::new();
        guard.check(request, &clocks).unwrap();
        clocks.enter(Phase::Tunnel);
        guard.check(b"\n\n", &clocks).unwrap();
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic(text: Vec<u8>, piece in 1usize..9) {
            let _tokio = tokio();
            let _ = check(&text, piece);
        }

        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(
            text in "(POST / HTTP/1[.]1\r\n((content-length|transfer-encoding|x): ([0-9]|chunked)\r?\n){0,3}\r\n[0-9]?\r\n[a-z\n]{0,4}\r\n0\r\n\r\n){1,3}",
            piece in 1usize..9,
        ) {
            let _tokio = tokio();
            let whole = check(text.as_bytes(), text.len()).map(|guard| guard.at);
            prop_assert_eq!(check(text.as_bytes(), piece).map(|guard| guard.at), whole);
        }
    }
}
