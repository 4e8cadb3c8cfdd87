//! How long `ancm` takes until it serves: from its start, and from the application's.
//!
//!     cargo build --release -p ancm-frontend && cargo bench --bench startup
//!
//! Each run starts the real program with a `web.config` whose application is this very benchmark, which listens at once
//! and answers any request with the time since it listens. `--runs N` (30), `--ancm FILE` and `--out DIR` may follow
//! behind `--`. Everything is on the loopback interface; all that was started is stopped.

mod application;
#[path = "../peers/child.rs"]
mod child;
#[path = "../support/machine.rs"]
mod machine;
#[path = "../peers/os.rs"]
#[expect(dead_code, reason = "the comparison with the peers uses more of it")]
mod os;
#[path = "../support/port.rs"]
mod port;
#[path = "../peers/processes.rs"]
#[expect(dead_code, reason = "the comparison with the peers uses more of it")]
mod processes;
mod run;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use machine::Machine;
use run::Run;

type Failure = Box<dyn std::error::Error>;

/// How the benchmark is run.
struct Options {
    runs: usize,
    ancm: PathBuf,
    out: PathBuf,
}

/// One figure of every run, in milliseconds.
struct Figure {
    what: &'static str,
    target: f64,
    values: Vec<f64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("application") => application::main(),
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
    let out = fs::canonicalize(&options.out)?;
    let runs: Vec<Run> = (0..options.runs)
        .map(|number| {
            eprint!("\rrun {} of {}", number + 1, options.runs);
            Run::make(&options.ancm, &out)
        })
        .collect::<Result<_, _>>()?;
    eprintln!();
    let figure = |what, target, value: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        Figure { what, target, values }
    };
    let figures = [
        figure("from exec until a client can connect", 20.0, |run| run.accepts),
        figure("from the application's listening until it gets a request that was held", 10.0, |run| {
            run.known
        }),
        figure("what the first answer of a ready application takes longer than from itself", 1.0, |run| {
            run.first_by_us - run.first_direct
        }),
        figure("the same for the second answer", 1.0, |run| run.second_by_us - run.second_direct),
    ];
    let text = table(&figures, &Machine::look(vec![version(&options.ancm)?]))?;
    fs::write(out.join("results.md"), &text)?;
    let values = figures.iter().map(|figure| (figure.what.to_owned(), figure.values.clone().into()));
    let json = serde_json::Value::Object(values.collect());
    fs::write(out.join("results.json"), serde_json::to_string_pretty(&json)?)?;
    println!("{text}");
    Ok(())
}

fn table(figures: &[Figure], machine: &Machine) -> Result<String, std::fmt::Error> {
    let runs = figures.first().map_or(0, |figure| figure.values.len());
    let mut text = format!(
        "{machine} {runs} runs.\n\n\
         | milliseconds | target | median | worst |\n|---|---:|---:|---:|\n"
    );
    for Figure { what, target, values } in figures {
        let (median, worst) = (values[values.len() / 2], values[values.len() - 1]);
        writeln!(text, "| {what} | {target:.0} | {median:.2} | {worst:.2} |")?;
    }
    Ok(text)
}

fn version(ancm: &Path) -> Result<String, Failure> {
    let output = child::output(ancm, &["--version"])?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

// === impl Options ===

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        // cargo puts this program into target/PROFILE/deps.
        let program = std::env::current_exe()?;
        let profile = program.ancestors().nth(2).unwrap_or(Path::new("target/release"));
        let target = profile.parent().unwrap_or(Path::new("target"));
        let mut options = Self { runs: 30, ancm: profile.join("ancm"), out: target.join("startup") };
        let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
        while let Some(flag) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--runs" => options.runs = value.parse::<usize>()?.clamp(1, 1_000),
                "--ancm" => options.ancm = PathBuf::from(value),
                "--out" => options.out = PathBuf::from(value),
                _ => return Err(format!("{flag}: no such option; there are --runs, --ancm and --out").into()),
            }
        }
        if options.ancm.exists() {
            return Ok(options);
        }
        let build = "build it with `cargo build --release -p ancm-frontend`";
        Err(format!("{} is not there: {build}", options.ancm.display()).into())
    }
}
