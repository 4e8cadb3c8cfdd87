//! A client that sends what was planned, reads as it was planned, and knows what must come.

use std::{fmt::Write as _, time::Duration};

use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::watch,
    time::sleep,
};

use super::{
    super::*,
    plan::{Body as SentBody, Exchange, Expects, Plan, content},
};
use crate::http1::chunked::{Chunked, Step};

/// How far the answers have come.
#[derive(Clone, Copy, Default)]
struct Progress {
    answers: usize,
    /// The body of the next request was asked for.
    asked: bool,
    /// No further answer comes.
    over: bool,
}

struct Writer<'a> {
    stream: WriteHalf<DuplexStream>,
    plan: &'a Plan,
    progress: watch::Receiver<Progress>,
    writes: usize,
}

struct Reader<'a> {
    stream: ReadHalf<DuplexStream>,
    plan: &'a Plan,
    progress: watch::Sender<Progress>,
    read: ::bytes::BytesMut,
    reads: usize,
}

/// An answer's head.
struct Head {
    status: u16,
    length: Option<usize>,
    is_chunked: bool,
    is_last: bool,
    number: Option<usize>,
}

/// Plays the client's part; how many reads and writes it took.
pub(super) async fn talk(client: DuplexStream, plan: &Plan) -> usize {
    let (read, write) = tokio::io::split(client);
    let (progress, watched) = watch::channel(Progress::default());
    let mut writer = Writer { stream: write, plan, progress: watched, writes: 0 };
    let mut reader = Reader { stream: read, plan, progress, read: ::bytes::BytesMut::new(), reads: 0 };
    tokio::join!(writer.run(), reader.run());
    writer.writes + reader.reads
}

// === impl Writer ===

impl Writer<'_> {
    async fn run(&mut self) {
        let mut ahead = Vec::new();
        for (number, planned) in self.plan.exchanges.iter().enumerate() {
            ahead.extend_from_slice(head(number, planned).as_bytes());
            if planned.expects == Expects::Patiently && planned.body.is_there() {
                self.write(&std::mem::take(&mut ahead)).await;
                let asked =
                    |now: &Progress| now.over || now.answers > number || now.answers == number && now.asked;
                let _ = self.progress.wait_for(asked).await;
            }
            ahead.extend_from_slice(&body(number, &planned.body));
        }
        ahead.extend_from_slice(self.plan.tunnel.as_deref().unwrap_or_default());
        self.write(&ahead).await;
        // It leaves when the other half has read everything.
        let _ = self.progress.wait_for(|now| now.over).await;
    }

    async fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let pause = self.plan.pauses.get(self.writes).copied().unwrap_or_default();
            sleep(Duration::from_millis(pause)).await;
            let cut = self.plan.cuts[self.writes % self.plan.cuts.len()].min(bytes.len());
            self.writes += 1;
            let mut over = self.progress.clone();
            let written = tokio::select! {
                written = self.stream.write(&bytes[..cut]) => written,
                // Nobody need hear what nobody will answer.
                _ = over.wait_for(|now| now.over) => return,
            };
            let Ok(written) = written else { return };
            bytes = &bytes[written..];
        }
    }
}

/// The head of a request.
fn head(number: usize, planned: &Exchange) -> String {
    let method = if planned.is_head { "HEAD" } else { "POST" };
    let mut head = format!("{method} /{number} HTTP/1.{}\r\nHost: a\r\n", u8::from(!planned.is_old));
    match &planned.body {
        SentBody::None => {}
        SentBody::Length(length) => write!(head, "Content-Length: {length}\r\n").unwrap(),
        SentBody::Chunks { .. } => head.push_str("Transfer-Encoding: chunked\r\n"),
    }
    for (there, line) in [
        (planned.is_old, "Connection: keep-alive\r\n"),
        (planned.upgrade, "Connection: Upgrade\r\nUpgrade: echo\r\n"),
        (planned.expects != Expects::Nothing, "Expect: 100-continue\r\n"),
        (planned.takes_trailers, "TE: trailers\r\n"),
    ] {
        head.push_str(if there { line } else { "" });
    }
    head + "\r\n"
}

/// The body of a request, as it is framed.
fn body(number: usize, planned: &SentBody) -> Vec<u8> {
    let whole = content(number, planned.length());
    let SentBody::Chunks { lengths, extensions, trailers } = planned else { return whole };
    let (mut framed, mut rest) = (Vec::new(), &whole[..]);
    for length in lengths {
        let (chunk, behind) = rest.split_at(*length);
        let extension = if *extensions { " ;name=\"va;lue\"" } else { "" };
        framed.extend_from_slice(format!("{length:x}{extension}\r\n").as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
        rest = behind;
    }
    framed.extend_from_slice(if *trailers { b"0\r\nX-Sum: 9\r\n\r\n" } else { b"000\r\n\r\n" });
    framed
}

// === impl Reader ===

impl Reader<'_> {
    async fn run(&mut self) {
        let mut may_be_over = false;
        for (number, planned) in self.plan.exchanges.iter().enumerate() {
            let Some(head) = self.head(number, planned).await else {
                assert!(may_be_over, "no answer to request {number}");
                break;
            };
            assert_eq!((head.number, head.status), (Some(number), planned.status));
            assert!(!head.is_last || planned.may_be_last(), "no reason to end behind request {number}");
            self.body(number, planned, &head).await;
            self.progress.send_modify(|now| {
                *now = Progress { answers: number + 1, ..Progress::default() };
            });
            if head.is_last {
                assert!(!self.more().await && self.read.is_empty(), "something comes behind the end");
                break;
            }
            may_be_over = planned.is_read_elsewhere();
        }
        self.progress.send_modify(|now| now.over = true);
    }

    /// Reads once; false at the end.
    async fn more(&mut self) -> bool {
        let pause = self.plan.slow.get(self.reads).copied().unwrap_or_default();
        sleep(Duration::from_millis(pause)).await;
        self.reads += 1;
        self.stream.read_buf(&mut self.read).await.unwrap() > 0
    }

    /// Reads heads until one is the answer; `None` at the end.
    async fn head(&mut self, number: usize, planned: &Exchange) -> Option<Head> {
        loop {
            let Some(head) = parse(&mut self.read, planned) else {
                let begun = !self.read.is_empty();
                if self.more().await {
                    continue;
                }
                assert!(!begun, "the end within a head: {:?}", self.read);
                return None;
            };
            if head.status != 100 {
                return Some(head);
            }
            let now = *self.progress.borrow();
            assert!(planned.expects != Expects::Nothing && !now.asked && now.answers == number);
            self.progress.send_modify(|now| now.asked = true);
        }
    }

    async fn body(&mut self, number: usize, planned: &Exchange, head: &Head) {
        let whole = match &self.plan.tunnel {
            Some(said) if planned.status == 101 => said.clone(),
            _ => content(number + 100, planned.pieces.iter().sum()),
        };
        if planned.status != 101 && !planned.has_answer_body() {
            return;
        }
        if head.is_chunked {
            assert!(self.chunks(planned.takes_trailers && planned.trailers).await == whole);
            return;
        }
        if let Some(length) = head.length {
            assert_eq!(length, whole.len());
        } else if planned.status != 101 {
            assert!(head.is_last && planned.is_old);
        }
        while self.read.len() < whole.len() {
            assert!(self.more().await, "{} of {} bytes", self.read.len(), whole.len());
        }
        assert!(self.read.split_to(whole.len()) == whole);
    }

    async fn chunks(&mut self, has_trailers: bool) -> Vec<u8> {
        let (mut chunked, mut body, mut trailers) = (Chunked::Size, Vec::new(), false);
        loop {
            match chunked.step(&mut self.read).unwrap() {
                Step::Data(data) => body.extend_from_slice(&data),
                Step::Trailers(fields) => trailers = fields["x-end"] == "1",
                Step::More => assert!(self.more().await, "the end within the chunks"),
                Step::End => {
                    assert_eq!(trailers, has_trailers);
                    return body;
                }
            }
        }
    }
}

/// Takes a head that is whole.
fn parse(read: &mut ::bytes::BytesMut, planned: &Exchange) -> Option<Head> {
    let mut lines = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Response::new(&mut lines);
    let httparse::Status::Complete(length) = parsed.parse(read).unwrap() else { return None };
    let line = |name: &str| {
        let mut all = parsed.headers.iter().filter(|line| line.name == name);
        let first = all.next().map(|line| std::str::from_utf8(line.value).unwrap());
        assert!(all.next().is_none(), "{name} is repeated");
        first
    };
    let head = Head {
        status: parsed.code.unwrap(),
        length: line("content-length").map(|length| length.parse().unwrap()),
        is_chunked: line("transfer-encoding").is_some(),
        is_last: line("connection") == Some("close"),
        number: line("x-number").map(|number| number.parse().unwrap()),
    };
    assert_eq!(parsed.version == Some(0), planned.is_old);
    assert!(!head.is_chunked || head.length.is_none() && !planned.is_old);
    let _ = read.split_to(length);
    Some(head)
}
