//! Directs the comparison: who is measured when.
//!
//! A machine is never the same from one minute to the next. So within a round every scenario is done by one party right
//! after the other, each round begins with another party, and what is reported are ratios within a round.

use std::{fs, thread, time::Duration};

use crate::{
    Failure, child,
    load::Order,
    machine::Machine,
    memory::{self, Holding},
    options::Options,
    os,
    party::{self, Parties, Party},
    processes::{self, Memory},
    report,
    scenario::Scenario,
};

/// Between two measurements: what one leaves behind is not to be counted as the other's.
const PAUSE: Duration = Duration::from_millis(150);

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) party: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) round: usize,
    pub(crate) requests: f64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    pub(crate) seconds: f64,
    /// CPU time of the party's own processes, in seconds.
    pub(crate) user: f64,
    pub(crate) system: f64,
    /// Latencies, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// All that was found.
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) parties: Vec<&'static str>,
    pub(crate) absent: Vec<(&'static str, String)>,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) rounds: usize,
    pub(crate) measured: Duration,
    pub(crate) samples: Vec<Sample>,
    pub(crate) memory: Vec<Holding>,
    /// The memory of each party at the end.
    pub(crate) after: Vec<(&'static str, Memory)>,
    /// Seconds that the hypervisor kept from us meanwhile.
    pub(crate) steal: f64,
    /// Whether everything was measured that was asked for.
    pub(crate) complete: bool,
}

/// Runs the comparison and writes its results.
#[expect(clippy::disallowed_methods, reason = "the time that passes is what is limited")]
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let end = std::time::Instant::now() + options.budget;
    fs::create_dir_all(&options.out)?;
    let options = &absolute(options)?;
    let files = os::raise_file_limit();
    let mut parties = Parties::start(options, files)?;
    for (name, why) in &parties.absent {
        eprintln!("without {name}: {why}");
    }
    // Each connection takes two files of a proxy that has to have one to the application for each.
    let held = options.held.min(usize::try_from(files / 2)?.saturating_sub(200));
    let proxies = parties.list.iter().filter(|party| party.name != "direct" && held > 0);
    let memory = proxies.map(|party| memory::measure(party, held)).collect();

    let steal = processes::steal();
    let mut samples = Vec::new();
    let mut complete = true;
    'rounds: for round in 0..options.rounds {
        for scenario in &options.scenarios {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, scenario.name);
            for turn in 0..parties.list.len() {
                if std::time::Instant::now() > end {
                    eprintln!("stopped: the time is up (--budget)");
                    complete = false;
                    break 'rounds;
                }
                let place = (turn + round) % parties.list.len();
                let party = &mut parties.list[place];
                let sample = measure(party, scenario, round, options);
                party.check().map_err(|error| format!("{}: {error}", party.name))?;
                samples.push(sample?);
                thread::sleep(PAUSE);
            }
        }
    }
    let after = |party: &Party| (party.name, processes::memory(&processes::family(party.pid)));
    let results = Results {
        machine: Machine::look(party::versions(options)),
        parties: parties.list.iter().map(|party| party.name).collect(),
        absent: std::mem::take(&mut parties.absent),
        scenarios: options.scenarios.clone(),
        rounds: options.rounds,
        measured: options.measured,
        samples,
        memory,
        after: parties.list.iter().map(after).collect(),
        steal: processes::steal() - steal,
        complete,
    };
    drop(parties);
    report::write(&results, &options.out)
}

/// One scenario, by one party, once.
fn measure(
    party: &Party,
    scenario: &'static Scenario,
    round: usize,
    options: &Options,
) -> Result<Sample, Failure> {
    let order = Order {
        address: party.address,
        scenario,
        warm_up: options.warm_up,
        measured: options.measured,
        processes: processes::family(party.pid),
    };
    let output = child::output(&std::env::current_exe()?, &order.arguments())?;
    let said = serde_json::from_slice::<serde_json::Value>(&output.stdout).map_err(|_| {
        format!("the load ended ({}): {}", output.status, String::from_utf8_lossy(&output.stderr))
    })?;
    let number = |name: &str| said[name].as_f64().unwrap_or(0.0);
    Ok(Sample {
        party: party.name,
        scenario: scenario.name,
        round,
        requests: number("requests"),
        errors: said["errors"].as_u64().unwrap_or(0),
        first_error: said["first_error"].as_str().map(str::to_owned),
        seconds: number("seconds"),
        user: number("user_seconds"),
        system: number("system_seconds"),
        p50: number("p50_us"),
        p99: number("p99_us"),
    })
}

/// The paths go into configurations of programs that may not run where we do.
fn absolute(options: &Options) -> Result<Options, Failure> {
    let (out, ancm) = (fs::canonicalize(&options.out)?, std::path::absolute(&options.ancm)?);
    Ok(Options {
        out,
        ancm,
        scenarios: options.scenarios.clone(),
        parties: options.parties.clone(),
        ..*options
    })
}
