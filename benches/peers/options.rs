//! What the command line asks for.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    load::Order,
    party::PARTIES,
    scenario::{SCENARIOS, Scenario},
};

/// The command line, for people.
pub(crate) const USAGE: &str = "\
usage: cargo bench --bench peers -- [OPTION]...

  --quick             one round of one second each: does it work at all?
  --rounds N          how often everything is measured [5]
  --seconds N         how long each measurement takes [2]
  --scenarios A,B     which of hello 1k browser 64k 1m post16k c1 c512 newconn
                      headers traced chunked pipelined mixed [all]
  --parties A,B       which of ancm nginx nginx-tuned haproxy haproxy-tuned direct [all but direct]
  --held N            idle client connections that memory is measured with; 0 measures none [9800]
  --budget N          seconds after which no further measurement begins [1200]
  --ancm FILE         the program to measure [target/release/ancm]
  --out DIR           where the results go [target/peers]";

/// Which part this process plays.
pub(crate) enum Part {
    /// The comparison.
    Run(Options),
    /// The application behind the proxies.
    Origin,
    /// The clients.
    Load(Order),
    /// How to use it.
    Help,
    /// `cargo test` runs benchmarks too, to see that they start.
    Nothing,
}

/// How the comparison is run.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) measured: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) parties: Vec<&'static str>,
    pub(crate) held: usize,
    pub(crate) budget: Duration,
    pub(crate) ancm: PathBuf,
    pub(crate) out: PathBuf,
}

/// Understands the command line.
pub(crate) fn part(arguments: impl Iterator<Item = String>) -> Result<Part, String> {
    let arguments: Vec<String> = arguments.collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    match arguments.first().map(String::as_str) {
        Some("origin") => Ok(Part::Origin),
        Some("load") => Order::parse(&arguments[1..]).map(Part::Load),
        Some("run") => Options::parse(&arguments[1..]).map(Part::Run),
        _ if has("--help") || has("-h") => Ok(Part::Help),
        // Cargo says `--bench` when it means it.
        _ if !has("--bench") || has("--test") || has("--list") => Ok(Part::Nothing),
        _ => Options::parse(&arguments).map(Part::Run),
    }
}

// === impl Options ===

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::usual()?;
        let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
        while let Some(flag) = arguments.next() {
            if flag == "--quick" {
                (options.rounds, options.held, options.measured) = (1, 200, Duration::from_secs(1));
                continue;
            }
            let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--rounds" => options.rounds = number(flag, value()?)?.max(1),
                "--seconds" => options.measured = seconds(flag, value()?)?,
                "--scenarios" => options.scenarios = pick(value()?, &SCENARIOS, |scenario| scenario.name)?,
                "--parties" => {
                    options.parties = pick(value()?, &PARTIES, |name| name)?.into_iter().copied().collect();
                }
                "--held" => options.held = number(flag, value()?)?,
                "--budget" => options.budget = seconds(flag, value()?)?,
                "--ancm" => options.ancm = PathBuf::from(value()?),
                "--out" => options.out = PathBuf::from(value()?),
                other => return Err(format!("{other}: no such option")),
            }
        }
        Ok(options)
    }

    fn usual() -> Result<Self, String> {
        // cargo puts this program into target/PROFILE/deps.
        let program = std::env::current_exe().map_err(|error| format!("this program's own path: {error}"))?;
        let profile = program.ancestors().nth(2).unwrap_or(Path::new("target/release"));
        let target = profile.parent().unwrap_or(Path::new("target"));
        Ok(Self {
            rounds: 5,
            measured: Duration::from_secs(2),
            warm_up: Duration::from_millis(300),
            scenarios: SCENARIOS.iter().collect(),
            parties: PARTIES.iter().copied().filter(|name| *name != "direct").collect(),
            held: 9_800,
            budget: Duration::from_secs(1_200),
            ancm: profile.join("ancm"),
            out: target.join("peers"),
        })
    }
}

fn number(flag: &str, text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{flag} {text}: expected a whole number"))
}

fn seconds(flag: &str, text: &str) -> Result<Duration, String> {
    let wrong = |_| format!("{flag} {text}: expected seconds, such as 2 or 0.5");
    let number: f64 = text.parse().map_err(wrong)?;
    Duration::try_from_secs_f64(number).map_err(|_| format!("{flag} {text}: out of range"))
}

/// The named ones, in the order of the command line.
fn pick<'a, T>(
    names: &str,
    all: &'a [T],
    name: impl Fn(&'a T) -> &'static str,
) -> Result<Vec<&'a T>, String> {
    let find = |wanted: &str| {
        let known = || all.iter().map(&name).collect::<Vec<_>>().join(" ");
        all.iter().find(|one| name(one) == wanted).ok_or_else(|| format!("{wanted}: not one of {}", known()))
    };
    names.split(',').map(find).collect()
}
