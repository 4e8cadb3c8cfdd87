//! The report as Markdown.

use std::fmt::Write;

use super::figures::{Metric, best_peer, to_best_peer, value};
use crate::run::Results;

pub(super) fn text(results: &Results) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = head(&mut text, results);
    for metric in Metric::ALL {
        let _ = table(&mut text, results, metric);
    }
    let _ = memory(&mut text, results);
    let _ = remarks(&mut text, results);
    text
}

fn head(text: &mut String, results: &Results) -> std::fmt::Result {
    let machine = &results.machine;
    writeln!(text, "# ancm and its peers\n")?;
    writeln!(
        text,
        "{}, {} cores, {}, Linux {}",
        machine.processor, machine.cores, machine.system, machine.kernel
    )?;
    writeln!(text, "({}), {}.", machine.versions.join(", "), machine.date)?;
    writeln!(
        text,
        "{} rounds of {} s; medians of all rounds, and in the last column the median of the ratios within each round \
         (lowest to highest). Load, proxy and application share the cores.\n",
        results.rounds,
        results.measured.as_secs_f64(),
    )
}

fn table(text: &mut String, results: &Results, metric: Metric) -> std::fmt::Result {
    writeln!(text, "## {}\n", metric.title())?;
    writeln!(text, "| | {} | ancm to the best peer |", results.parties.join(" | "))?;
    writeln!(text, "|---|{}---|", "---:|".repeat(results.parties.len()))?;
    for scenario in &results.scenarios {
        write!(text, "| {} |", scenario.name)?;
        for party in &results.parties {
            match value(results, metric, scenario.name, party) {
                Some(value) if value < 1_000.0 => write!(text, " {value:.1} |")?,
                Some(value) => write!(text, " {value:.0} |")?,
                None => write!(text, " - |")?,
            }
        }
        let best = best_peer(results, metric, scenario.name).unwrap_or("-");
        match to_best_peer(results, metric, scenario.name, "ancm") {
            Some(ratio) => {
                let (median, lowest, highest) = (ratio.median, ratio.lowest, ratio.highest);
                writeln!(text, " **{median:.2}** ({lowest:.2}-{highest:.2}) {best} |")?;
            }
            None => writeln!(text, " - |")?,
        }
    }
    writeln!(text)
}

fn memory(text: &mut String, results: &Results) -> std::fmt::Result {
    let mebibytes = |kibibytes: u64| kibibytes as f64 / 1_024.0;
    writeln!(text, "## Memory, resident, MiB\n")?;
    writeln!(
        text,
        "| | at rest | holding idle clients (what is shared counted once) | after the load | peak |"
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|")?;
    for (party, after) in &results.after {
        write!(text, "| {party} |")?;
        match results.memory.iter().find(|holding| holding.party == *party) {
            Some(holding) => write!(
                text,
                " {:.1} | {:.1} ({:.1}) with {} |",
                mebibytes(holding.idle.resident),
                mebibytes(holding.held.resident),
                mebibytes(holding.held.proportional),
                holding.connections,
            )?,
            None => write!(text, " - | - |")?,
        }
        writeln!(text, " {:.1} | {:.1} |", mebibytes(after.resident), mebibytes(after.peak))?;
    }
    writeln!(text)
}

/// Whatever casts doubt on the figures.
fn remarks(text: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(text, "## Remarks\n")?;
    for scenario in &results.scenarios {
        writeln!(text, "- {}: {}", scenario.name, scenario.what)?;
    }
    for (name, why) in &results.absent {
        writeln!(text, "- {name} did not take part: {}", why.lines().next().unwrap_or_default())?;
    }
    for sample in results.samples.iter().filter(|sample| sample.errors > 0) {
        let (party, scenario, round) = (sample.party, sample.scenario, sample.round + 1);
        let first = sample.first_error.as_deref().unwrap_or("unknown");
        writeln!(text, "- {party}, {scenario}, round {round}: {} errors, the first: {first}", sample.errors)?;
    }
    if !results.complete {
        writeln!(text, "- the time was up before everything was measured")?;
    }
    writeln!(text, "- the hypervisor kept {:.1} s of CPU time from this machine meanwhile", results.steal)
}
