//! Whatever the head guard passes on, hyper and real Kestrel read as the same one request; what it refuses never arrives.
//!
//! A corpus of raw requests, each followed on its connection by a plain one, goes four ways: into our server and into
//! hyper's with a service that tells what it sees, to Kestrel directly, and to Kestrel through `ancm`.

mod corpus;
mod kestrel;
mod readers;
mod seen;
mod variants;

use std::collections::HashSet;

use self::{
    corpus::{Case, TARGET, corpus},
    kestrel::Kestrel,
    readers::Reader,
    seen::{Answers, Seen},
};
use crate::support::{app::App, frontend::Frontend};

/// Follows every request on its connection.
const NEXT: &[u8] = b"GET /request/next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n";

/// Kestrel refuses these, from us as well: they can be read in one way only, so other applications may have them.
const REFUSED_BY_KESTREL: &[&str] = &[
    "target: /request/a%00b",
    "target: /request/\\u{e9}",
    "target: /request/x?\\u{e9}",
    "Host: a:",
    "Host: a%20b",
    "Host: a*b",
    "Host: a+b",
    "Host: a;b",
    "Host: a=b",
    "Host: *",
    "byte in a value: start 0x80",
    "byte in a value: middle 0x80",
    "byte in a value: end 0x80",
    "byte in a value: start 0xa0",
    "byte in a value: middle 0xa0",
    "byte in a value: end 0xa0",
    "byte in a value: start 0xff",
    "byte in a value: middle 0xff",
    "byte in a value: end 0xff",
];

/// Kestrel refuses these if it gets them as they are; we send them on in another form.
const REFUSED_AS_THEY_ARE: &[&str] = &[
    "target: HTTP://a/request/x",
    "target: http://b/request/x",
    "target: http://a:8080/request/x",
    "target: ftp://a/request/x",
    "target: *",
    "chunks: 0000000000000005\\r\\nhello\\r\\n0\\r\\n\\r\\n",
    "chunks: 5 ;x\\r\\nhello\\r\\n0\\r\\n\\r\\n",
];

impl Case {
    fn stream(&self) -> Vec<u8> {
        [&self.bytes, NEXT].concat()
    }

    /// The same for the application's page that reads the body and tells its length; none if the target is special.
    fn upload(&self) -> Option<Vec<u8>> {
        let target = TARGET.as_bytes();
        let at = self.bytes.windows(target.len()).position(|bytes| bytes == target)?;
        Some([&self.bytes[..at], b"/upload", &self.bytes[at + target.len()..], NEXT].concat())
    }
}

#[test]
fn the_corpus_is_large() {
    assert!(corpus().len() >= 300, "{}", corpus().len());
}

#[test]
fn what_is_refused_is_refused_whole() {
    let ours = Reader::ours();
    let (mut passed, mut refused) = (0, 0);
    for case in corpus() {
        let (seen, answers) = ours.read(&case.stream());
        match answers.last_status() {
            Some(200) => passed += 1,
            Some(400 | 405) => {
                refused += 1;
                assert_eq!(seen, [], "{}: nothing of it is served", case.name);
                assert!(answers.closed(), "{}: {answers:?}", case.name);
            }
            other => panic!("{}: {other:?}", case.name),
        }
    }
    println!("{passed} passed, {refused} refused");
    assert!(passed > 100 && refused > 200, "{passed} passed, {refused} refused");
}

#[test]
fn hyper_reads_what_passes_as_we_do_and_takes_more() {
    let (ours, hyper) = (Reader::ours(), Reader::hyper());
    let mut wrong = Vec::new();
    let (mut same, mut repaired) = (0, 0);
    for case in corpus() {
        let (seen, answers) = ours.read(&case.stream());
        let (theirs, their_answers) = hyper.read(&case.stream());
        if answers.last_status() != Some(200) {
            repaired += usize::from(!theirs.is_empty() && their_answers.last_status() == Some(200));
            continue;
        }
        let theirs: Vec<_> = theirs.iter().map(Seen::in_origin_form).collect();
        if seen == theirs {
            same += 1;
        } else {
            wrong.push(format!("{}:\n    {seen:?}\n    {theirs:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    println!("{same} read alike, {repaired} that are refused here are taken by hyper");
    assert!(same > 100 && repaired > 20, "{same} read alike, {repaired} repaired");
}

#[test]
fn kestrel_reads_what_passes_as_we_do() {
    let Some(kestrel) = Kestrel::start() else { return };
    let ours = Reader::ours();
    let mut wrong = Vec::new();
    let mut refused = HashSet::new();
    for case in corpus() {
        let (seen, answers) = ours.read(&case.stream());
        if answers.last_status() != Some(200) {
            continue;
        }
        let theirs = Answers::to(kestrel.address(), &case.stream());
        let upload = case.upload().map(|upload| Answers::to(kestrel.address(), &upload));
        if theirs.refused() || upload.as_ref().is_some_and(Answers::refused) {
            refused.insert(case.name);
            continue;
        }
        if let Err(difference) = seen::same(&seen, &theirs, Seen::as_sent) {
            wrong.push(format!("{}: {difference}", case.name));
        }
        let length = upload.map(|upload| upload.length());
        if length.is_some_and(|length| length != Some(seen[0].body)) {
            wrong.push(format!("{}: we read a body of {}, Kestrel of {length:?}", case.name, seen[0].body));
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    let expected = REFUSED_BY_KESTREL.iter().chain(REFUSED_AS_THEY_ARE).map(ToString::to_string);
    assert_eq!(refused, expected.collect(), "Kestrel refuses");
}

#[test]
fn what_passes_reaches_the_application_unchanged_and_nothing_else_does() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let ours = Reader::ours();
    let mut wrong = Vec::new();
    for case in corpus() {
        let (seen, expected) = ours.read(&case.stream());
        let answers = Answers::to(frontend.address(), &case.stream());
        if expected.last_status() != Some(200) {
            if answers.last_status() != expected.last_status() || !answers.seen().is_empty() {
                wrong.push(format!("{}: refused by us alone, but {answers:?}", case.name));
            }
            continue;
        }
        if REFUSED_BY_KESTREL.contains(&case.name.as_str()) {
            if answers.answers[0].status() != 400 {
                wrong.push(format!("{}: {answers:?}", case.name));
            }
            continue;
        }
        if let Err(difference) = seen::same(&seen, &answers, Seen::as_forwarded) {
            wrong.push(format!("{}: {difference}", case.name));
        }
        let Some(upload) = case.upload() else { continue };
        let length = Answers::to(frontend.address(), &upload).length();
        if length != Some(seen[0].body) {
            wrong.push(format!("{}: a body of {} arrived as {length:?}", case.name, seen[0].body));
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    frontend.assert_sound();
}
