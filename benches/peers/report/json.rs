//! The report as JSON: everything, each measurement included.

use serde_json::{Value, json};

use super::figures::{Metric, best_peer, to_best_peer, value};
use crate::{
    processes::Memory,
    run::{Results, Sample},
    scenario::Scenario,
};

pub(super) fn text(results: &Results) -> serde_json::Result<String> {
    let machine = &results.machine;
    let absent = |(name, why): &(&str, String)| json!({ "party": name, "why": why });
    let held = results.memory.iter().map(|holding| {
        json!({
            "party": holding.party,
            "connections": holding.connections,
            "at_rest": memory(&holding.idle),
            "holding": memory(&holding.held),
        })
    });
    let after = results.after.iter().map(|(party, after)| json!({ "party": party, "memory": memory(after) }));
    serde_json::to_string_pretty(&json!({
        "version": 1,
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "system": machine.system,
            "kernel": machine.kernel,
            "versions": machine.versions,
            "date": machine.date,
        },
        "rounds": results.rounds,
        "seconds": results.measured.as_secs_f64(),
        "complete": results.complete,
        "steal_seconds": results.steal,
        "parties": results.parties,
        "absent": results.absent.iter().map(absent).collect::<Vec<_>>(),
        "scenarios": results.scenarios.iter().map(|one| summary(results, one)).collect::<Vec<_>>(),
        "memory": { "held": held.collect::<Vec<_>>(), "after": after.collect::<Vec<_>>() },
        "samples": results.samples.iter().map(sample).collect::<Vec<_>>(),
    }))
}

fn summary(results: &Results, scenario: &Scenario) -> Value {
    let metrics = Metric::ALL.into_iter().map(|metric| {
        let figures = results.parties.iter().map(|party| {
            let ratio = to_best_peer(results, metric, scenario.name, party);
            let figures = json!({
                "median": value(results, metric, scenario.name, party),
                "to_best_peer": ratio.map(|ratio| json!({
                    "median": ratio.median, "lowest": ratio.lowest, "highest": ratio.highest,
                })),
            });
            ((*party).to_owned(), figures)
        });
        let best = best_peer(results, metric, scenario.name);
        let figures: serde_json::Map<_, _> = figures.collect();
        (metric.key().to_owned(), json!({ "best_peer": best, "parties": figures }))
    });
    let metrics: serde_json::Map<_, _> = metrics.collect();
    json!({ "name": scenario.name, "what": scenario.what, "metrics": metrics })
}

fn sample(sample: &Sample) -> Value {
    json!({
        "party": sample.party,
        "scenario": sample.scenario,
        "round": sample.round,
        "requests": sample.requests,
        "errors": sample.errors,
        "seconds": sample.seconds,
        "user_seconds": sample.user,
        "system_seconds": sample.system,
        "p50_us": sample.p50,
        "p99_us": sample.p99,
    })
}

fn memory(memory: &Memory) -> Value {
    json!({
        "resident_kib": memory.resident,
        "proportional_kib": memory.proportional,
        "peak_kib": memory.peak,
    })
}
