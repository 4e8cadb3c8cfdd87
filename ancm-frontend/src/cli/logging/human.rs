//! Short lines for a terminal; nothing in them can move its cursor or pass for another line.
//!
//! ```text
//! 12:34:56.789Z INFO  listening on http://127.0.0.1:8080
//! 12:34:57.012Z app   4242 | Application started.
//! 12:35:01.345Z WARN  the application crashed pid=4242 code=139
//! ```

use std::fmt::{self, Write as _};

use time::OffsetDateTime;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

use crate::events;

/// What stands before each further line of a message.
const INDENT: &str = "                    ";

/// Formats an event as one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Human;

/// An event's fields, as text.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
    pid: String,
}

/// Takes out of a text what a terminal would obey.
struct Cleaned<'a>(&'a str);

// === impl Human ===

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (level, target) = (event.metadata().level(), event.metadata().target());
        dimmed(&mut out, |out| write_clock(out, OffsetDateTime::now_utc()))?;
        if target == "app" && *level == Level::INFO {
            return write_app_line(&mut out, &fields);
        }
        coloured(&mut out, colour(*level), &format!(" {level:<5} "))?;
        // What has no well-known target comes from the inside; whoever wants to see it wants to know from where.
        if !matches!(target, "server" | "access" | "app") {
            dimmed(&mut out, |out| write!(out, "{target}: "))?;
        }
        write!(out, "{}", Cleaned(&fields.message))?;
        dimmed(&mut out, |out| out.write_str(&fields.others))?;
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.fields.as_str());
            dimmed(&mut out, |out| write!(out, " in {}{{{}}}", span.name(), Cleaned(fields)))?;
        }
        out.write_char('\n')
    }
}

fn write_app_line(out: &mut Writer<'_>, fields: &Fields) -> fmt::Result {
    coloured(out, "36", " app   ")?;
    if !fields.pid.is_empty() {
        write!(out, "{} ", fields.pid)?;
    }
    writeln!(out, "| {}", Cleaned(&fields.message))
}

/// A line of a debug log.
pub(super) fn debug_line(level: Level, application: Option<&str>, text: &str) -> Result<String, fmt::Error> {
    let mut line = String::new();
    write_clock(&mut line, OffsetDateTime::now_utc())?;
    write!(line, " {level:<5} {} event_id={}", Cleaned(text), events::DEBUG_LINE)?;
    if let Some(application) = application.filter(|name| !name.is_empty()) {
        write!(line, " application={}", Cleaned(application))?;
    }
    line.push('\n');
    Ok(line)
}

/// The time of the day in UTC; a terminal's owner knows the date.
pub(super) fn write_clock(out: &mut dyn fmt::Write, at: OffsetDateTime) -> fmt::Result {
    let time = at.time();
    write!(out, "{:02}:{:02}:{:02}.{:03}Z", time.hour(), time.minute(), time.second(), time.millisecond())
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "34",
    }
}

fn coloured(out: &mut Writer<'_>, colour: &str, text: &str) -> fmt::Result {
    if out.has_ansi_escapes() { write!(out, "\x1b[{colour}m{text}\x1b[0m") } else { out.write_str(text) }
}

fn dimmed<'a>(out: &mut Writer<'a>, write: impl FnOnce(&mut Writer<'a>) -> fmt::Result) -> fmt::Result {
    if !out.has_ansi_escapes() {
        return write(out);
    }
    out.write_str("\x1b[2m")?;
    write(out)?;
    out.write_str("\x1b[0m")
}

// === impl Fields ===

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "pid" {
            value.clone_into(&mut self.pid);
        }
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => self.message.write_str(value),
            name if value.is_empty() || value.contains(|c: char| c.is_whitespace() || c == '"') => {
                write!(self.others, " {name}={value:?}")
            }
            name => write!(self.others, " {name}={}", Cleaned(value)),
        };
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        self.add(field, &crate::cli::chain(error));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

// === impl Cleaned ===

impl fmt::Display for Cleaned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_obeyed) {
            f.write_str(&rest[..at])?;
            rest = &rest[at..];
            if let Some(length) = escape_sequence(rest) {
                rest = &rest[length..];
                continue;
            }
            let mut characters = rest.chars();
            match characters.next() {
                Some('\n') => write!(f, "\n{INDENT}")?,
                Some(other) => write!(f, "{}", other.escape_default())?,
                None => {}
            }
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

/// Control characters, and those that turn the direction of the text or end a line unseen.
fn is_obeyed(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The length of a colour or another control sequence (ECMA-48) that begins here and is whole.
fn escape_sequence(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if !bytes.starts_with(b"\x1b[") {
        return None;
    }
    let parameters = bytes[2..].iter().take_while(|byte| (0x20..0x40).contains(*byte)).count();
    let end = 2 + parameters;
    bytes.get(end).is_some_and(|byte| (0x40..0x7f).contains(byte)).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::testing::logged, *};
    use crate::cli::arguments::LogFormat;

    fn human(act: impl FnOnce()) -> String {
        let line = logged(LogFormat::Human, act);
        // The time differs.
        assert!(line.is_char_boundary(13) && line[..13].ends_with('Z'), "{line}");
        line[13..].to_owned()
    }

    #[test]
    fn writes_the_message_first_and_then_the_fields() {
        let line = human(|| {
            tracing::warn!(target: "server", pid = 42, path = "/a b", reason = %"disk full", ok = true, "no log");
        });
        assert_eq!(line, " WARN  no log pid=42 path=\"/a b\" reason=\"disk full\" ok=true\n");
    }

    #[test]
    fn writes_what_the_application_prints_beside_its_process() {
        let line =
            human(|| tracing::info!(target: "app", stream = "stdout", pid = 42, "\x1b[32minfo\x1b[0m: hi"));
        assert_eq!(line, " app   42 | info: hi\n");
    }

    #[test]
    fn tells_where_a_message_from_the_inside_comes_from() {
        let line = human(|| tracing::info!(target: "hyper::proto", "hello"));
        assert_eq!(line, " INFO  hyper::proto: hello\n");
    }

    #[test]
    fn tells_the_span_and_its_fields() {
        let line = human(|| {
            let _span = tracing::info_span!("request", path = "/x").entered();
            tracing::info!(target: "server", "late");
        });
        assert_eq!(line, " INFO  late in request{path=\"/x\"}\n");
    }

    #[test]
    fn indents_the_further_lines_of_a_message() {
        let line = human(|| tracing::error!(target: "server", "two faults\nline 1\nline 2"));
        assert_eq!(line, format!(" ERROR two faults\n{INDENT}line 1\n{INDENT}line 2\n"));
    }

    #[test]
    fn shows_what_a_terminal_would_obey() {
        let text = "a\x1b[1;31mred\x1b[0m\x1b]0;title\x07\x1b[2Jb\r\u{9b}31mc\u{202e}d\x1b[";
        let shown = "ared\\u{1b}]0;title\\u{7}b\\r\\u{9b}31mc\\u{202e}d\\u{1b}[";
        assert_eq!(Cleaned(text).to_string(), shown);
        let line = human(|| tracing::info!(target: "server", name = "x\x1b[2J", other = "\x1b[2J y", "z"));
        assert_eq!(line, " INFO  z name=x other=\"\\u{1b}[2J y\"\n");
    }

    proptest! {
        #[test]
        fn leaves_nothing_to_obey(text in "(\\PC|[\x1b\\[\\]m0-9;\n\r\u{9b}\u{202e}]){0,40}") {
            let shown = Cleaned(&text).to_string();
            prop_assert!(!shown.contains(|c| is_obeyed(c) && c != '\n'));
            prop_assert!(shown.split('\n').skip(1).all(|line| line.starts_with(INDENT)));
        }
    }
}
