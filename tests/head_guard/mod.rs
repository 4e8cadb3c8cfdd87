//! Whatever the head guard passes on, real Kestrel reads as the same one request; what it refuses never arrives.
//!
//! A corpus of raw requests, each followed on its connection by a plain one, goes three ways: into our server with a
//! service that tells what it sees, to Kestrel directly, and to Kestrel through `ancm`.

mod corpus;
mod kestrel;
mod ours;
mod seen;

use self::{
    corpus::{Case, TARGET, corpus},
    kestrel::Kestrel,
    ours::Ours,
    seen::{Answers, Seen},
};
use crate::support::{app::App, frontend::Frontend};

/// Follows every request on its connection.
const NEXT: &[u8] = b"GET /request/next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n";

/// Passed on because it is plain what they mean, and refused by Kestrel with 400: nothing is read in two ways.
const REFUSED_BY_KESTREL: &[&str] = &[];

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
    let ours = Ours::start();
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
fn kestrel_reads_what_passes_as_we_do() {
    let Some(kestrel) = Kestrel::start() else { return };
    let ours = Ours::start();
    let mut wrong = Vec::new();
    let mut refused = Vec::new();
    for case in corpus() {
        let (seen, answers) = ours.read(&case.stream());
        if answers.last_status() != Some(200) {
            continue;
        }
        let theirs = Answers::to(kestrel.address(), &case.stream());
        let upload = case.upload().map(|upload| Answers::to(kestrel.address(), &upload));
        if theirs.refused() || upload.as_ref().is_some_and(Answers::refused) {
            refused.push(case.name);
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
    assert_eq!(refused, REFUSED_BY_KESTREL, "{}", refused.join("\n"));
}

#[test]
fn what_passes_reaches_the_application_unchanged_and_nothing_else_does() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let ours = Ours::start();
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
