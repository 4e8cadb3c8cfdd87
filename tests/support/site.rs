//! What the application `site` tells of itself and of the requests it sees.

use serde_json::Value;

use super::{
    app::App,
    client::{Client, Response, get},
    eventually,
    frontend::Frontend,
    unix_ms,
};

/// What the application saw of one request.
#[derive(Debug)]
pub(crate) struct Seen(pub(crate) Value);

// === impl Seen ===

impl Seen {
    /// Sends a `GET` with these header lines.
    pub(crate) fn of(client: &mut Client, target: &str, lines: &[&str]) -> Self {
        let response = client.exchange(get(target, lines));
        assert_eq!(response.status(), 200, "{response:?}");
        Self(response.json())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    /// The values of every header line of this name.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers().filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0["headers"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|line| (line[0].as_str().expect("a name"), line[1].as_str().expect("a value")))
    }
}

/// Waits until the application has noticed that the client of the request with this `id` left, and tells how many
/// milliseconds after `left` it did.
pub(crate) fn noticed_leaving(frontend: &Frontend, id: &str, left: i64) -> i64 {
    let mut client = frontend.connect();
    eventually("the application notices that its client left", super::PATIENCE, || {
        let aborted = client.exchange(get("/aborted", &[])).json();
        let found = aborted.as_array().expect("a list").iter().find(|request| request["id"] == id)?;
        Some(found["at_ms"].as_i64().expect("a number") - left)
    })
}

/// Waits until this many requests are in flight in the application, ours not counted.
pub(crate) fn in_flight(client: &mut Client, n: i64) {
    eventually("requests in flight in the application", super::PATIENCE, || {
        let process = client.exchange(get("/process", &[])).json();
        (process["in_flight"].as_i64().expect("a number") == n + 1).then_some(())
    });
}

/// Milliseconds from the stamp of a server-sent event until now.
pub(crate) fn age(event: &str) -> i64 {
    let stamp = event.lines().find_map(|line| line.strip_prefix("data: "));
    unix_ms() - stamp.and_then(|stamp| stamp.parse::<i64>().ok()).expect("a stamp")
}

/// The process that an answer is from, if it is the application's.
pub(crate) fn pid(response: &Response) -> Option<i64> {
    response.header("x-site-pid").map(|pid| pid.parse().expect("a number"))
}

/// Several applications, each in a folder of its own; None if the real ones are not at hand.
pub(crate) fn sites<const N: usize>() -> Option<[App; N]> {
    let apps: Option<Vec<App>> = (0..N).map(|_| App::site()).collect();
    apps?.try_into().ok()
}
