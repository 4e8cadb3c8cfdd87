//! The program `ancm`.

use std::process::ExitCode;

use ancm_frontend::{
    cli::{self, arguments::Arguments, logging},
    guard,
};
use clap::Parser;

fn main() -> ExitCode {
    // The guard is this program once more, and must stay without threads; so it comes before everything.
    guard::run_if_asked();
    let arguments = Arguments::parse();
    // Flushed when it is dropped, after the last message.
    let logs = logging::start(arguments.log_format);
    cli::execute(&arguments.command, &logs).into()
}
