//! Takes what is logged and is somebody's business.

use std::fmt::{self, Write};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
    registry::LookupSpan,
};

use super::DebugLogs;

/// The levels by their numbers, none first.
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

struct DebugLayer(DebugLogs);

/// Lets through what a sink may want, and nothing while there is none.
struct Gate(DebugLogs);

/// An event's fields, as text, and whose it is.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
    application: Option<String>,
}

pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(logs: DebugLogs) -> impl Layer<S> + use<S> {
    DebugLayer(logs.clone()).with_filter(Gate(logs))
}

pub(super) fn to_number(level: Level) -> usize {
    LEVELS.iter().position(|filter| *filter == level).unwrap_or_default()
}

pub(super) fn from_number(number: usize) -> LevelFilter {
    LEVELS.get(number).copied().unwrap_or(LevelFilter::OFF)
}

// === impl DebugLayer ===

impl<S: Subscriber> Layer<S> for DebugLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { mut message, others, application } = fields;
        message.push_str(&others);
        // A line of the access log has fields only.
        self.0.write(*event.metadata().level(), application.as_deref(), message.trim_start());
    }
}

// === impl Gate ===

impl Gate {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = self.0.level();
        // A line for each request is too much for all but those who want everything.
        let ours = match metadata.target() {
            "access" => level == LevelFilter::TRACE,
            "server" => true,
            target => target.starts_with("ancm"),
        };
        ours && !metadata.is_span() && *metadata.level() <= level
    }
}

impl<S> Filter<S> for Gate {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.level())
    }
}

// === impl Fields ===

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "application" | "site") {
            self.application = Some(value.to_owned());
        }
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => self.message.write_str(value),
            name if value.is_empty() || value.contains(|c: char| c.is_whitespace() || c == '"') => {
                write!(self.others, " {name}={value:?}")
            }
            name => write!(self.others, " {name}={value}"),
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
