//! What the threads of a test have logged.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Condvar, Mutex, OnceLock},
    time::Duration,
};

use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The fields of one event, its message, level and target among them.
pub(super) type Event = BTreeMap<&'static str, String>;

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());
static ARRIVED: Condvar = Condvar::new();

struct Collector;

struct Fields<'a>(&'a mut Event);

/// Begins to collect. The output thread logs from threads of its own, so only a global subscriber hears it.
pub(super) fn collect() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Collector);
        tracing::subscriber::set_global_default(subscriber).expect("no other test of this process has one");
    });
}

/// Those that have arrived.
pub(super) fn all(matching: impl Fn(&Event) -> bool) -> Vec<Event> {
    EVENTS.lock().unwrap().iter().filter(|event| matching(event)).cloned().collect()
}

/// Waits for the first.
pub(super) fn first(matching: impl Fn(&Event) -> bool) -> Event {
    let events = EVENTS.lock().unwrap();
    let (events, _) = ARRIVED
        .wait_timeout_while(events, Duration::from_secs(20), |events| !events.iter().any(&matching))
        .unwrap();
    events.iter().find(|event| matching(event)).cloned().expect("the event arrives")
}

impl<S: tracing::Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Event::new();
        fields.insert("level", event.metadata().level().to_string());
        fields.insert("target", event.metadata().target().to_owned());
        event.record(&mut Fields(&mut fields));
        EVENTS.lock().unwrap().push(fields);
        ARRIVED.notify_all();
    }
}

impl tracing::field::Visit for Fields<'_> {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
