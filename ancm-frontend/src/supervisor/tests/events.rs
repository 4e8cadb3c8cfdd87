//! What the thread of a test has logged to the target `server`: levels and event ids, and all text.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use tracing::{Event, Level, Subscriber, field, subscriber::DefaultGuard};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Collects as long as it lives.
pub(super) struct Log {
    lines: Arc<Mutex<Vec<Line>>>,
    _guard: DefaultGuard,
}

#[derive(Default)]
struct Line {
    level: Option<Level>,
    id: Option<u64>,
    text: String,
}

struct Collector(Arc<Mutex<Vec<Line>>>);

// === impl Log ===

impl Log {
    pub(super) fn new() -> Self {
        let lines = Arc::default();
        let subscriber = tracing_subscriber::registry().with(Collector(Arc::clone(&lines)));
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The events that have a number, in their order.
    pub(super) fn ids(&self) -> Vec<(Level, u64)> {
        self.lines.lock().unwrap().iter().filter_map(|line| Some((line.level?, line.id?))).collect()
    }

    /// All fields of the first event with this number.
    pub(super) fn text(&self, id: u64) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().find(|line| line.id == Some(id)).expect("it was logged").text.clone()
    }
}

impl<S: Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "server" {
            let mut line = Line { level: Some(*event.metadata().level()), ..Line::default() };
            event.record(&mut line);
            self.0.lock().unwrap().push(line);
        }
    }
}

impl field::Visit for Line {
    fn record_u64(&mut self, field: &field::Field, value: u64) {
        if field.name() == "event_id" {
            self.id = Some(value);
        }
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        write!(self.text, "{}={value:?} ", field.name()).unwrap();
    }
}
