//! Whether one client's load spoils another's requests, how connections spread over the workers, and what slow clients
//! cost in memory.
//!
//!     cargo bench --bench fairness
//!
//! The frontend is the library in a process of its own, with one worker where it is about sharing one. Behind `--` may
//! follow `--rounds N` (5), `--seconds N` (2) for each measurement, `--only fairness|balance|memory`, and `--out DIR`.
//! Everything is on the loopback interface and bounded in time; what was started ends with this program.
//!
//! In reading order: [`sharing`], [`disturbance`], [`balance`], [`slow`], [`frontend`], [`application`].

#![expect(clippy::disallowed_methods, reason = "clients have timers of their own")]
#![expect(clippy::cast_precision_loss, reason = "these are figures for people")]

mod application;
mod balance;
#[path = "../peers/child.rs"]
#[expect(dead_code, reason = "the comparison with the peers uses more of it")]
mod child;
mod disturbance;
mod frontend;
#[path = "../peers/load/mod.rs"]
mod load;
#[path = "../support/machine.rs"]
mod machine;
#[path = "../peers/os.rs"]
#[expect(dead_code, reason = "the comparison with the peers uses more of it")]
mod os;
mod part;
#[path = "../peers/processes.rs"]
#[expect(dead_code, reason = "the comparison with the peers uses more of it")]
mod processes;
#[path = "../peers/scenario.rs"]
#[expect(dead_code, reason = "the comparison with the peers uses more of it")]
mod scenario;
mod sharing;
mod slow;
#[path = "../peers/wire.rs"]
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use machine::Machine;

type Failure = Box<dyn std::error::Error>;

/// How the benchmark is run.
struct Options {
    rounds: usize,
    measured: Duration,
    only: Option<String>,
    out: PathBuf,
}

fn main() -> ExitCode {
    // A frontend of the library starts its guard by this very program.
    ancm_frontend::guard::run_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let done = match arguments.first().map(String::as_str) {
        Some("application") => application::main(rest),
        Some("frontend") => frontend::main(rest),
        Some("load") => load::Order::parse(rest).map_err(Failure::from).and_then(|order| load::main(&order)),
        Some("disturb") => disturbance::main(rest),
        // `cargo test` runs benchmarks too.
        _ if !arguments.iter().any(|argument| argument == "--bench") => Ok(()),
        _ => Options::parse(&arguments).and_then(|options| measure(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), Failure> {
    fs::create_dir_all(&options.out)?;
    os::raise_file_limit();
    let mut text = format!("{}\n", Machine::look(Vec::new()));
    let wanted = |part: &str| options.only.as_ref().is_none_or(|only| only == part);
    if wanted("fairness") {
        text += &sharing::measure(options)?;
    }
    if wanted("balance") {
        text += &balance::measure(options)?;
    }
    if wanted("memory") {
        text += &slow::measure(options)?;
    }
    let file = options.out.join("results.md");
    fs::write(&file, &text)?;
    println!("{text}");
    eprintln!("written: {}", file.display());
    Ok(())
}

// === impl Options ===

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        // cargo puts this program into target/PROFILE/deps.
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(3).unwrap_or(Path::new("target"));
        let out = target.join("fairness");
        let mut options = Self { rounds: 5, measured: Duration::from_secs(2), only: None, out };
        let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match (flag.as_str(), value.as_str()) {
                ("--rounds", value) => options.rounds = value.parse::<usize>()?.clamp(1, 100),
                ("--seconds", value) => {
                    options.measured = Duration::from_secs_f64(value.parse::<f64>()?.clamp(0.1, 20.0));
                }
                ("--only", part @ ("fairness" | "balance" | "memory")) => {
                    options.only = Some(part.to_owned());
                }
                ("--out", value) => options.out = PathBuf::from(value),
                _ => return Err(format!("{flag} {value}: no such option").into()),
            }
        }
        Ok(options)
    }
}
