//! The figures that a report is made of.

use crate::run::{Results, Sample};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// CPU time per request of the proxy's own processes.
    Cpu,
    /// Requests per second.
    Rate,
    /// The latency that half of the requests do not exceed.
    Median,
    /// The latency that all but one in a hundred do not exceed.
    Slowest,
}

/// How often one is the other, over all rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// The median of all rounds.
pub(crate) fn value(results: &Results, metric: Metric, scenario: &str, party: &str) -> Option<f64> {
    median(samples(results, scenario, party).filter_map(|sample| metric.of(sample)).collect())
}

/// Which peer is best at it, by the median of all rounds.
pub(crate) fn best_peer(results: &Results, metric: Metric, scenario: &str) -> Option<&'static str> {
    let peers = results.parties.iter().copied().filter(|name| !matches!(*name, "ancm" | "direct"));
    let valued = peers.filter_map(|name| Some((name, value(results, metric, scenario, name)?)));
    let best = valued.min_by(|(_, one), (_, other)| {
        let order = one.total_cmp(other);
        if metric == Metric::Rate { order.reverse() } else { order }
    });
    best.map(|(name, _)| name)
}

/// A party's figure by that of the best peer, both of the same round.
pub(crate) fn to_best_peer(results: &Results, metric: Metric, scenario: &str, party: &str) -> Option<Ratio> {
    let best = best_peer(results, metric, scenario)?;
    let ratios = samples(results, scenario, party).filter_map(|sample| {
        let other = samples(results, scenario, best).find(|other| other.round == sample.round)?;
        Some(metric.of(sample)? / metric.of(other)?)
    });
    let ratios: Vec<_> = ratios.filter(|ratio| ratio.is_finite()).collect();
    let lowest = ratios.iter().copied().min_by(f64::total_cmp)?;
    let highest = ratios.iter().copied().max_by(f64::total_cmp)?;
    Some(Ratio { median: median(ratios)?, lowest, highest })
}

fn samples<'a>(results: &'a Results, scenario: &'a str, party: &'a str) -> impl Iterator<Item = &'a Sample> {
    results.samples.iter().filter(move |sample| sample.scenario == scenario && sample.party == party)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

// === impl Metric ===

impl Metric {
    pub(crate) const ALL: [Self; 4] = [Self::Cpu, Self::Rate, Self::Median, Self::Slowest];

    /// Its name in the JSON file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpu_us",
            Self::Rate => "requests_per_second",
            Self::Median => "p50_us",
            Self::Slowest => "p99_us",
        }
    }

    /// Its name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU time of the proxy per request, µs",
            Self::Rate => "Requests per second",
            Self::Median => "Latency, median, µs",
            Self::Slowest => "Latency, 99 % are faster, µs",
        }
    }

    /// What the sample says; nothing if not one request was answered.
    pub(crate) fn of(self, sample: &Sample) -> Option<f64> {
        let value = match self {
            Self::Cpu => (sample.user + sample.system) * 1e6 / sample.requests,
            Self::Rate => sample.requests / sample.seconds,
            Self::Median => sample.p50,
            Self::Slowest => sample.p99,
        };
        (sample.requests > 0.0).then_some(value)
    }
}
