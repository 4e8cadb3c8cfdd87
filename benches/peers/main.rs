//! Compares `ancm` with nginx and haproxy on the same work, on this machine.
//!
//!     bash benches/peers/run
//!
//! One program plays all the parts that are ours: `run` directs, `load` is the clients, `origin` is the application
//! behind every proxy. In reading order: [`options`], [`run`], [`scenario`], [`party`], [`load`], [`origin`], [`report`].

#![expect(clippy::disallowed_methods, reason = "clients have timers of their own")]
#![expect(clippy::cast_precision_loss, reason = "these are figures for people")]

mod check;
mod child;
mod load;
#[path = "../support/machine.rs"]
mod machine;
mod memory;
mod options;
mod origin;
#[expect(dead_code, reason = "the benchmark of fairness uses all of it")]
mod os;
mod party;
#[path = "../support/port.rs"]
mod port;
mod processes;
mod report;
mod run;
mod scenario;
mod wire;

use std::process::ExitCode;

use options::{Options, Part};

/// What ends the comparison: always something to tell a person, never something to recover from.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let part = match options::part(std::env::args().skip(1)) {
        Ok(part) => part,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let done = match part {
        Part::Nothing => Ok(()),
        Part::Help => {
            println!("{}", options::USAGE);
            Ok(())
        }
        Part::Origin => origin::main(),
        Part::Load(order) => load::main(&order),
        Part::Run(options) => compare(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Failure> {
    if cfg!(target_os = "linux") {
        run::run(options)
    } else {
        Err("the comparison reads /proc: it runs on Linux only".into())
    }
}
