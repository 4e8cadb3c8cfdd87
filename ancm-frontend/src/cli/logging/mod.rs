//! Our own log, on stderr: short lines for a human, or one JSON object per line for everything else.
//!
//! Writing never waits: a reader of stderr that is too slow costs lines, never requests. Lines that were lost are
//! counted, and the log itself says how many.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::cli::{arguments::LogFormat, logging};
//!
//! let logs = logging::start(Some(LogFormat::Json));
//! // {"ts":"2024-01-31T23:59:59.123456Z","level":"INFO","target":"server","message":"listening on …","port":8080}
//! tracing::info!(target: "server", port = 8080, "listening on http://127.0.0.1:8080");
//! drop(logs);
//! ```

mod human;
mod json;
mod stderr;

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use time::OffsetDateTime;
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{self, format},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use self::{human::Human, json::Json};
use super::arguments::LogFormat;

use self::stderr::Worker;
use crate::debug_log::DebugLogs;

/// What is logged unless `RUST_LOG` says otherwise; access lines cost more than they are worth to most.
const DEFAULT_FILTER: &str = "info,access=off";

/// What is logged is written at the latest when this is dropped, unless that takes longer than a few seconds.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct Logs {
    debug: DebugLogs,
    _stderr: Worker,
}

/// How lines look.
#[derive(Clone, Copy, Debug)]
struct Style {
    format: LogFormat,
    colours: bool,
}

/// Begins to log on stderr; what is dropped at the end of `main` writes what is still waiting.
pub fn start(format: Option<LogFormat>) -> Logs {
    let variable = |name: &str| env::var(name).ok();
    let (filter, complaint) = filter(variable("RUST_LOG").as_deref());
    let style = Style::choose(format, io::stderr().is_terminal(), variable);
    let (subscriber, logs) = subscriber(style, filter, io::stderr(), &variable);
    // A program that has a subscriber already keeps it.
    if subscriber.try_init().is_ok() {
        for complaint in complaint.into_iter().chain(DebugLogs::unknown_words(&variable)) {
            tracing::warn!(target: "server", "{complaint}");
        }
    }
    logs
}

/// What logs in this style to `out`, and to the debug logs that this environment and the applications ask for.
fn subscriber(
    style: Style,
    filter: EnvFilter,
    out: impl Write + Send + 'static,
    environment: &dyn Fn(&str) -> Option<String>,
) -> (impl Subscriber + Send + Sync + 'static, Logs) {
    let (writer, worker) = stderr::start(out, style.format);
    let event_log = writer.clone();
    let debug = DebugLogs::new(environment, move |level, application, text| {
        let line = debug_line(style.format, level, application, text);
        // It never fails and never waits: what is too much is dropped and counted.
        let _ = event_log.clone().write_all(line.as_bytes());
    });
    let layer = fmt::layer().with_writer(writer).with_ansi(style.colours).log_internal_errors(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match style.format {
        LogFormat::Human => layer.event_format(Human).boxed(),
        LogFormat::Json => layer.event_format(Json).fmt_fields(format::JsonFields::new()).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter)).with(debug.layer());
    (subscriber, Logs { debug, _stderr: worker })
}

/// A line of a debug log, as one of this log.
fn debug_line(format: LogFormat, level: Level, application: Option<&str>, text: &str) -> String {
    let line = match format {
        LogFormat::Human => human::debug_line(level, application, text),
        LogFormat::Json => json::debug_line(level, application, text),
    };
    // Writing to a string cannot fail.
    line.unwrap_or_default()
}

// === impl Logs ===

impl Logs {
    /// The debug logs of applications.
    pub fn debug(&self) -> &DebugLogs {
        &self.debug
    }
}

impl Drop for Logs {
    /// Those of applications first: they may have something to say in this one.
    fn drop(&mut self) {
        self.debug.finish();
    }
}

fn filter(rust_log: Option<&str>) -> (EnvFilter, Option<String>) {
    let asked = rust_log.map(str::trim).filter(|text| !text.is_empty());
    match EnvFilter::builder().parse(asked.unwrap_or(DEFAULT_FILTER)) {
        Ok(filter) => (filter, None),
        Err(error) => {
            let text = asked.unwrap_or_default();
            let complaint = format!(
                "RUST_LOG={text:?} cannot be understood ({error}), so {DEFAULT_FILTER} is used; \
                 an example is info,access=info,app=off"
            );
            (EnvFilter::new(DEFAULT_FILTER), Some(complaint))
        }
    }
}

/// The time as RFC 3339 has it, in UTC with microseconds.
fn write_time(out: &mut dyn std::fmt::Write, at: OffsetDateTime) -> std::fmt::Result {
    let (date, time) = (at.date(), at.time());
    write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond(),
    )
}

// === impl Style ===

impl Style {
    fn choose(
        format: Option<LogFormat>,
        terminal: bool,
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Self {
        let format = format.unwrap_or(if terminal { LogFormat::Human } else { LogFormat::Json });
        let plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty())
            || variable("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { format, colours: terminal && format == LogFormat::Human && !plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(format: Option<LogFormat>, terminal: bool, set: (&str, &str)) -> (LogFormat, bool) {
        let variable = |name| (name == set.0).then(|| set.1.to_owned());
        let style = Style::choose(format, terminal, variable);
        (style.format, style.colours)
    }

    #[test]
    fn a_terminal_gets_lines_and_everything_else_json() {
        use LogFormat::{Human, Json};
        assert_eq!(style(None, true, ("", "")), (Human, true));
        assert_eq!(style(None, false, ("", "")), (Json, false));
        assert_eq!(style(Some(Json), true, ("", "")), (Json, false));
        assert_eq!(style(Some(Human), false, ("", "")), (Human, false));
    }

    #[test]
    fn colours_can_be_refused() {
        assert!(!style(None, true, ("NO_COLOR", "1")).1);
        assert!(style(None, true, ("NO_COLOR", "")).1);
        assert!(!style(None, true, ("TERM", "dumb")).1);
    }

    #[test]
    fn a_filter_that_is_wrong_is_said_and_replaced() {
        for (rust_log, used) in
            [(None, "access=off,info"), (Some(" "), "access=off,info"), (Some("debug"), "debug")]
        {
            let (filter, complaint) = filter(rust_log);
            assert_eq!((filter.to_string().as_str(), complaint), (used, None));
        }
        let (filter, complaint) = filter(Some("server=loud"));
        assert_eq!(filter.to_string(), "access=off,info");
        assert!(complaint.unwrap().contains("server=loud"));
    }

    #[test]
    fn writes_the_time_with_microseconds() {
        let mut text = String::new();
        write_time(&mut text, OffsetDateTime::from_unix_timestamp_nanos(1_000_000_000_000_042_999).unwrap())
            .unwrap();
        assert_eq!(text, "2001-09-09T01:46:40.000042Z");
    }
}

#[cfg(test)]
mod testing {
    use std::io::{self, Read};

    use super::{EnvFilter, LogFormat, Style, subscriber};

    /// What is logged while `act` runs.
    pub(super) fn logged(format: LogFormat, act: impl FnOnce()) -> String {
        let (mut reader, writer) = io::pipe().unwrap();
        let style = Style { format, colours: false };
        let (subscriber, logs) = subscriber(style, EnvFilter::new("trace"), writer, &|_| None);
        tracing::subscriber::with_default(subscriber, act);
        drop(logs);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }
}
