//! One JSON object per line: `ts`, `level`, `target`, `message`, then the event's own fields, then the spans around it.
//!
//! Everything is written as it comes, without a string in between.

use std::fmt::{self, Write};

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

/// Formats an event as one object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json;

/// Writes each field as a member.
struct Members<'a> {
    out: &'a mut dyn Write,
    result: fmt::Result,
}

/// Escapes what is written through it, for the inside of a JSON string (RFC 8259).
struct Escaping<'a>(&'a mut dyn Write);

// === impl Json ===

impl<S, N> FormatEvent<S, N> for Json
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
        out.write_str("{\"ts\":\"")?;
        super::write_time(&mut out, OffsetDateTime::now_utc())?;
        write!(out, "\",\"level\":\"{}\",\"target\":\"", event.metadata().level())?;
        Escaping(&mut out).write_str(event.metadata().target())?;
        out.write_char('"')?;
        let mut members = Members { out: &mut out, result: Ok(()) };
        event.record(&mut members);
        members.result?;
        write_spans(context, &mut out)?;
        out.write_str("}\n")
    }
}

/// A line of a debug log.
pub(super) fn debug_line(level: Level, application: Option<&str>, text: &str) -> Result<String, fmt::Error> {
    let mut line = String::from("{\"ts\":\"");
    super::write_time(&mut line, OffsetDateTime::now_utc())?;
    write!(line, "\",\"level\":\"{level}\",\"target\":\"server\",\"message\":\"")?;
    Escaping(&mut line).write_str(text)?;
    write!(line, "\",\"event_id\":{}", events::DEBUG_LINE)?;
    if let Some(application) = application {
        line.push_str(",\"application\":\"");
        Escaping(&mut line).write_str(application)?;
        line.push('"');
    }
    line.push_str("}\n");
    Ok(line)
}

/// The outermost first.
fn write_spans<S, N>(context: &FmtContext<'_, S, N>, out: &mut Writer<'_>) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let Some(scope) = context.event_scope() else { return Ok(()) };
    out.write_str(",\"spans\":[")?;
    for (index, span) in scope.from_root().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        write!(out, "{separator}{{\"name\":\"{}\"", span.name())?;
        // Formatted by `JsonFields`, so it is an object.
        if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
            write!(out, ",\"fields\":{fields}")?;
        }
        out.write_char('}')?;
    }
    out.write_char(']')
}

// === impl Members ===

impl Members<'_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut dyn Write) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = self.write(field.name(), value);
        }
    }

    fn write(&mut self, name: &str, value: impl FnOnce(&mut dyn Write) -> fmt::Result) -> fmt::Result {
        self.out.write_str(",\"")?;
        Escaping(self.out).write_str(name)?;
        self.out.write_str("\":")?;
        value(self.out)
    }

    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.member(field, |out| {
            out.write_char('"')?;
            Escaping(out).write_fmt(value)?;
            out.write_char('"')
        });
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.member(field, |out| write!(out, "{value}"));
        } else {
            self.text(field, format_args!("{value}"));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        self.text(field, format_args!("{}", crate::cli::chain(error)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

// === impl Escaping ===

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
            self.0.write_str(&rest[..at])?;
            let mut characters = rest[at..].chars();
            match characters.next() {
                Some('\n') => self.0.write_str("\\n")?,
                Some('\t') => self.0.write_str("\\t")?,
                Some('\r') => self.0.write_str("\\r")?,
                Some(special @ ('"' | '\\')) => write!(self.0, "\\{special}")?,
                Some(control) => write!(self.0, "\\u{:04x}", u32::from(control))?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::testing::logged;
    use super::*;
    use crate::cli::arguments::LogFormat;

    fn parsed(act: impl FnOnce()) -> Value {
        let line = logged(LogFormat::Json, act);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let mut value: Value = serde_json::from_str(&line).unwrap();
        let ts = value.as_object_mut().unwrap().remove("ts").unwrap();
        assert!(ts.as_str().is_some_and(|ts| ts.len() == 27 && ts.ends_with('Z')), "{ts}");
        value
    }

    #[test]
    fn writes_one_object_with_the_fields_beside_the_message() {
        let value = parsed(|| {
            tracing::info!(
                target: "app", stream = "stderr", pid = 42, delta = -1, seconds = 0.25, ok = false,
                none = None::<u8>, shown = ?Some("x"), "\x1b[31mfail\x1b[0m: \"no\"\\\t\u{85}",
            );
        });
        assert_eq!(
            value,
            json!({
                "level": "INFO", "target": "app", "message": "\u{1b}[31mfail\u{1b}[0m: \"no\"\\\t\u{85}",
                "stream": "stderr", "pid": 42, "delta": -1, "seconds": 0.25, "ok": false, "shown": "Some(\"x\")",
            })
        );
    }

    #[test]
    fn tells_an_error_and_its_cause() {
        let value = parsed(|| {
            let error = std::io::Error::other("outer");
            tracing::warn!(target: "server", error = &error as &dyn std::error::Error, "failed");
        });
        assert_eq!(
            value,
            json!({ "level": "WARN", "target": "server", "message": "failed", "error": "outer" })
        );
    }

    #[test]
    fn names_the_spans_from_the_outermost() {
        let value = parsed(|| {
            let _connection = tracing::info_span!("connection").entered();
            let _request = tracing::info_span!("request", path = "/\"x\"").entered();
            tracing::info!(target: "server", "late");
        });
        let spans = json!([{ "name": "connection", "fields": {} }, { "name": "request", "fields": { "path": "/\"x\"" } }]);
        assert_eq!(value["spans"], spans);
    }

    #[test]
    fn writes_numbers_that_json_lacks_as_text() {
        let value = parsed(|| tracing::info!(target: "server", a = f64::NAN, b = f64::INFINITY));
        assert_eq!((&value["a"], &value["b"]), (&json!("NaN"), &json!("inf")));
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            let mut escaped = String::from("\"");
            Escaping(&mut escaped).write_str(&text).unwrap();
            escaped.push('"');
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
