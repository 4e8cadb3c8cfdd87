//! A client that writes exactly the bytes it is given, and keeps the order and the repeats of what comes back.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

use super::{PATIENCE, eventually};

/// One connection; requests follow each other on it.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

/// A status line and its header lines.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// An answer that came whole.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// What went wrong with a body whose head came.
#[derive(Debug)]
pub(crate) struct Cut(io::Error);

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

// === impl Client ===

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("connect to {address}: {error}"))
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// A longer wait than the usual one, for a test that is about waiting.
    pub(crate) fn patience(&mut self, limit: Duration) {
        self.stream.set_read_timeout(Some(limit)).expect("not zero");
    }

    /// Waits until the server has taken all that was sent out of its socket.
    pub(crate) fn await_read(&self) {
        let port = |address: io::Result<SocketAddr>| address.expect("a connected socket").port();
        let server = format!(":{:04X} ", port(self.stream.peer_addr()));
        let ends = format!("{server}0100007F:{:04X} ", port(self.stream.local_addr()));
        eventually("the server has read what was sent", PATIENCE, || {
            let table = std::fs::read_to_string("/proc/net/tcp").expect("there is /proc");
            let row = table.lines().find(|row| row.contains(&ends))?;
            // Its fifth column: bytes to send, bytes to read.
            let queues = row.split_whitespace().nth(4)?;
            queues.ends_with(":00000000").then_some(())
        });
    }

    /// Ends what we send; the server may still answer.
    pub(crate) fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("still connected");
    }

    /// Leaves without a goodbye: the server sees a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    }
}

impl<S: Read + Write> Client<S> {
    /// A client over a stream that is more than a socket.
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
        self
    }

    /// Sends a request and reads the answer.
    pub(crate) fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.try_exchange(request).unwrap_or_else(|error| panic!("no whole answer: {error}"))
    }

    pub(crate) fn try_exchange(&mut self, request: impl AsRef<[u8]>) -> io::Result<Response> {
        self.stream.write_all(request.as_ref())?;
        self.try_response(request.as_ref().starts_with(b"HEAD "))
    }

    /// Reads an answer to something that is not HEAD.
    pub(crate) fn response(&mut self) -> Response {
        self.try_response(false).unwrap_or_else(|error| panic!("no whole answer: {error}"))
    }

    pub(crate) fn try_response(&mut self, to_head: bool) -> io::Result<Response> {
        let head = loop {
            let head = self.try_head()?;
            if head.status >= 200 || head.status == 101 {
                break head;
            }
        };
        let body = self.body(head.framing(to_head));
        Ok(Response { body: body.map_err(|error| io::Error::new(error.kind(), Cut(error)))?, head })
    }

    fn body(&mut self, framing: Framing) -> io::Result<Vec<u8>> {
        match framing {
            Framing::Length(length) => self.exactly(usize::try_from(length).expect("a small body")),
            Framing::UntilClose => self.try_rest(),
            Framing::Chunked => {
                let mut body = Vec::new();
                while let Some(chunk) = self.try_chunk()? {
                    body.extend_from_slice(&chunk);
                }
                Ok(body)
            }
        }
    }

    /// Reads the next head, an interim one (100) too.
    pub(crate) fn head(&mut self) -> Head {
        self.try_head().unwrap_or_else(|error| panic!("no head: {error}"))
    }

    pub(crate) fn try_head(&mut self) -> io::Result<Head> {
        let mut lines = Vec::new();
        loop {
            match self.line()?.as_str() {
                "" => return Head::parse(&lines),
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// Reads the next chunk of a chunked body; None is its proper end.
    pub(crate) fn try_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16)
            .map_err(|_| io::Error::other(format!("{line:?} is no chunk size")))?;
        if size == 0 {
            while !self.line()?.is_empty() {}
            return Ok(None);
        }
        let chunk = self.exactly(size)?;
        match self.line()?.as_str() {
            "" => Ok(Some(chunk)),
            more => Err(io::Error::other(format!("{more:?} follows a chunk"))),
        }
    }

    /// How many bytes have been read ahead.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Reads whatever comes until the server ends the connection; a reset counts as an end, too.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.buffer);
        let mut piece = vec![0; 64 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return rest,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return rest,
                Ok(n) => rest.extend_from_slice(&piece[..n]),
                Err(error) => panic!("the server does not end the connection: {error}"),
            }
        }
    }

    fn try_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// Reads this many bytes.
    pub(crate) fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn line(&mut self) -> io::Result<String> {
        let end = loop {
            match self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                Some(end) => break end,
                None => self.fill()?,
            }
        };
        let line = self.exactly(end + 2)?;
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    /// Reads at least one more byte into the buffer.
    fn fill(&mut self) -> io::Result<()> {
        let mut piece = vec![0; 64 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.buffer.extend_from_slice(&piece[..n]);
                Ok(())
            }
        }
    }
}

// === impl Cut ===

impl Cut {
    /// Whether the answer began, and broke off in its body.
    pub(crate) fn is(error: &io::Error) -> bool {
        matches!(error.get_ref(), Some(error) if error.is::<Self>())
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer broke off: {}", self.0)
    }
}

impl std::error::Error for Cut {}

// === impl Head ===

impl Head {
    fn parse(lines: &[String]) -> io::Result<Self> {
        let (first, rest) = lines.split_first().ok_or_else(|| io::Error::other("an empty head"))?;
        let bad = || io::Error::other(format!("bad head: {lines:?}"));
        let mut parts = first.splitn(3, ' ');
        parts.next().filter(|version| version.starts_with("HTTP/1.")).ok_or_else(bad)?;
        let status = parts.next().and_then(|status| status.parse().ok()).ok_or_else(bad)?;
        let reason = parts.next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        for line in rest {
            let (name, value) = line.split_once(':').ok_or_else(bad)?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Self { status, reason, headers })
    }

    /// The value of a header that stands there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands there {} times: {self:?}", all.len());
        all.first().copied()
    }

    /// The values of every line of this name, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// How the body of this answer ends.
    pub(crate) fn framing(&self, to_head: bool) -> Framing {
        if to_head || self.status < 200 || matches!(self.status, 204 | 304) {
            return Framing::Length(0);
        }
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Framing::Chunked;
        }
        let length = self.header("content-length").map(|length| length.parse().expect("a number"));
        length.map_or(Framing::UntilClose, Framing::Length)
    }

    pub(crate) fn closes(&self) -> bool {
        self.all("connection").iter().any(|value| value.eq_ignore_ascii_case("close"))
    }
}

// === impl Response ===

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {:?} {}", self.head, self.text()))
    }
}

/// `GET` of a target, with these header lines besides Host.
pub(crate) fn get(target: &str, lines: &[&str]) -> String {
    request("GET", target, lines, "")
}

/// A request; a body that is not empty gets its length.
pub(crate) fn request(method: &str, target: &str, lines: &[&str], body: &str) -> String {
    let length = (!body.is_empty() || method == "POST").then(|| format!("Content-Length: {}", body.len()));
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: example.test\r\n");
    for line in lines.iter().copied().chain(length.as_deref()) {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}
