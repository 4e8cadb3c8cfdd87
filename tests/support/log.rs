//! What the program prints on its standard error, line by line as it comes.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use serde_json::Value;

use super::PATIENCE;

/// All lines so far; more arrive by themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Lines>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<Line>,
    ended: bool,
}

/// One line, and what it is if it is JSON.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    json: Option<Value>,
}

// === impl Log ===

impl Log {
    pub(crate) fn read(from: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let shared = Arc::clone(&log.shared);
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut bytes = Vec::new();
            while from.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                let json = serde_json::from_str(&text).ok();
                shared.lines.lock().unwrap().lines.push(Line { text, json });
                shared.arrived.notify_all();
                bytes.clear();
            }
            shared.lines.lock().unwrap().ended = true;
            shared.arrived.notify_all();
        });
        log
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.shared.lines.lock().unwrap().lines.clone()
    }

    /// The lines so far, as they were printed.
    pub(crate) fn text(&self) -> String {
        self.lines().iter().map(|line| line.text.clone() + "\n").collect()
    }

    /// The end of it, without what comes once for each request, for the message of a failed test.
    pub(crate) fn report(&self) -> String {
        let lines = self.lines();
        let ours = |line: &&Line| {
            line.field("target").is_none_or(|target| target != "app" && target != "access")
                && !line.text.contains("request refused")
        };
        let ours: Vec<_> = lines.iter().filter(ours).collect();
        let shown = &ours[ours.len().saturating_sub(40)..];
        shown.iter().map(|line| line.text.chars().take(800).collect::<String>() + "\n").collect()
    }

    /// Waits for the first line of this kind.
    pub(crate) fn first(&self, what: &str, matching: impl Fn(&Line) -> bool) -> Line {
        self.nth(what, 1, matching)
    }

    /// Waits for the nth line of this kind, counted from 1.
    pub(crate) fn nth(&self, what: &str, n: usize, matching: impl Fn(&Line) -> bool) -> Line {
        let find = |lines: &Lines| lines.lines.iter().filter(|line| matching(line)).nth(n - 1).cloned();
        let lines = self.shared.lines.lock().unwrap();
        let (lines, _) = self
            .shared
            .arrived
            .wait_timeout_while(lines, PATIENCE, |lines| !lines.ended && find(lines).is_none())
            .unwrap();
        let found = find(&lines);
        drop(lines);
        found.unwrap_or_else(|| panic!("{what} (number {n}) is not in the log:\n{}", self.report()))
    }

    /// Waits for the first line that holds this text.
    pub(crate) fn says(&self, text: &str) -> Line {
        self.first(text, |line| line.text.contains(text))
    }

    /// Waits for the nth event of this number, counted from 1.
    pub(crate) fn event(&self, id: i64, n: usize) -> Line {
        self.nth(&format!("event {id}"), n, |line| line.is_event(id))
    }

    /// How many lines of this kind there are so far.
    pub(crate) fn count(&self, matching: impl Fn(&Line) -> bool) -> usize {
        self.lines().iter().filter(|line| matching(line)).count()
    }

    /// Waits until nobody can print any more.
    pub(crate) fn ended(&self) {
        let lines = self.shared.lines.lock().unwrap();
        let waited = self.shared.arrived.wait_timeout_while(lines, PATIENCE, |lines| !lines.ended);
        let ended = waited.unwrap().0.ended;
        assert!(ended, "somebody still holds the standard error of the program open:\n{}", self.report());
    }
}

// === impl Line ===

impl Line {
    /// A field of a line of JSON.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        let json = self.json.as_ref()?;
        json.get(name).or_else(|| json.get("fields")?.get(name))
    }

    pub(crate) fn is_event(&self, id: i64) -> bool {
        self.field("event_id").and_then(Value::as_i64) == Some(id)
    }

    /// Whether it tells that an answer broke off.
    pub(crate) fn is_of_cut_answer(&self) -> bool {
        self.text.contains("answer cut")
    }

    /// Whether it speaks of this application of several.
    pub(crate) fn is_about(&self, application: &str) -> bool {
        self.field("application").is_some_and(|name| name == application)
    }

    /// A number that this line must have.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let value = self.field(name).unwrap_or_else(|| panic!("no {name} in {}", self.text));
        let text = || value.as_str().and_then(|text| text.parse().ok());
        value.as_i64().or_else(text).unwrap_or_else(|| panic!("{name} is no number in {}", self.text))
    }
}
