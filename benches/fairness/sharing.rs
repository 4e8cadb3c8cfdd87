//! Other people's requests beside a burden on the same worker, compared with the same requests alone.
//!
//! The burden also takes the machine's cores from everybody. So its clients, and an application that only it has, stand
//! back where others want to run (nice 19), as if they had cores of their own; and it is measured once more by a
//! frontend beside it, on a worker of its own: what remains then is the machine, not the sharing of a worker.

use std::{fmt::Write as _, net::SocketAddr, thread, time::Duration};

use crate::{
    Failure, Options,
    application::BURDEN,
    child,
    disturbance::{self, KINDS, Kind},
    frontend,
    load::Order,
    scenario::Scenario,
};

/// Who is disturbed: many clients, and one.
const SCENARIOS: [&str; 2] = ["hello", "c1"];
const WARM_UP: Duration = Duration::from_millis(300);
/// Until what the burden has left behind is gone.
const PAUSE: Duration = Duration::from_millis(300);
/// The most that p99 may grow.
const TARGET: f64 = 3.0;

/// Where the burden is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    SameWorker,
    OtherFrontend,
}

/// Latencies, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Latency {
    p50: f64,
    p99: f64,
}

/// What one pair of burden and place did, a value for each round.
struct Row {
    scenario: &'static str,
    kind: Kind,
    place: Place,
    alone: Vec<Latency>,
    beside: Vec<Latency>,
}

/// Measures, and tells.
pub(crate) fn measure(options: &Options) -> Result<String, Failure> {
    let applications = ["/", BURDEN];
    let (_here, address) = frontend::start(1, &options.out.join("site"), &applications)?;
    let (_there, other) = frontend::start(1, &options.out.join("other-site"), &applications)?;
    let mut rows: Vec<Row> = rows().collect();
    for scenario in SCENARIOS {
        // The application is started when it is first needed.
        for address in [address, other] {
            requests(scenario, address, WARM_UP)?;
        }
    }
    for round in 0..options.rounds {
        for row in &mut rows {
            eprintln!(
                "round {} of {}: {} beside {}, {:?}",
                round + 1,
                options.rounds,
                row.scenario,
                row.kind.name,
                row.place
            );
            row.alone.push(requests(row.scenario, address, options.measured)?);
            let burdened = if row.place == Place::SameWorker { address } else { other };
            let burden = disturbance::start(row.kind, burdened)?;
            row.beside.push(requests(row.scenario, address, options.measured)?);
            drop(burden);
            thread::sleep(PAUSE);
        }
    }
    table(&rows).map_err(Failure::from)
}

fn rows() -> impl Iterator<Item = Row> {
    let places = [Place::SameWorker, Place::OtherFrontend];
    SCENARIOS.into_iter().flat_map(move |scenario| {
        KINDS.into_iter().flat_map(move |kind| {
            places.into_iter().map(move |place| Row {
                scenario,
                kind,
                place,
                alone: Vec::new(),
                beside: Vec::new(),
            })
        })
    })
}

fn requests(scenario: &'static str, address: SocketAddr, measured: Duration) -> Result<Latency, Failure> {
    let scenario = Scenario::find(scenario).ok_or("no such scenario")?;
    let order = Order { address, scenario, warm_up: WARM_UP, measured, processes: Vec::new() };
    let output = child::output(&std::env::current_exe()?, &order.arguments())?;
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("the load ended: {}", String::from_utf8_lossy(&output.stderr)))?;
    if said["errors"].as_u64() != Some(0) {
        return Err(format!("requests failed: {said}").into());
    }
    let number = |name: &str| said[name].as_f64().unwrap_or(0.0);
    Ok(Latency { p50: number("p50_us"), p99: number("p99_us") })
}

fn table(rows: &[Row]) -> Result<String, std::fmt::Error> {
    let mut text = String::from("\nOther requests by the same worker:\n\n");
    for kind in KINDS {
        writeln!(text, "- {}: {}", kind.name, kind.what)?;
    }
    writeln!(
        text,
        "\n| requests | beside | carried by | p50 alone | p50 beside | p99 alone | p99 beside | p99 ratio, median (range) | ≤ {TARGET} |\n\
         |---|---|---|---:|---:|---:|---:|---:|---|"
    )?;
    for row in rows {
        let middle = |of: &[Latency], value: fn(&Latency) -> f64| median(of.iter().map(value).collect());
        let mut ratios: Vec<f64> =
            row.alone.iter().zip(&row.beside).map(|(alone, beside)| beside.p99 / alone.p99).collect();
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        let (place, met) = match row.place {
            Place::SameWorker if ratio <= TARGET => ("the same worker", "yes"),
            Place::SameWorker => ("the same worker", "no"),
            Place::OtherFrontend => ("another frontend", ""),
        };
        writeln!(
            text,
            "| {} | {} | {place} | {:.0} µs | {:.0} µs | {:.0} µs | {:.0} µs | {ratio:.2} ({:.2}–{:.2}) | {met} |",
            row.scenario,
            row.kind.name,
            middle(&row.alone, |latency| latency.p50),
            middle(&row.beside, |latency| latency.p50),
            middle(&row.alone, |latency| latency.p99),
            middle(&row.beside, |latency| latency.p99),
            ratios[0],
            ratios[ratios.len() - 1],
        )?;
    }
    Ok(text)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
