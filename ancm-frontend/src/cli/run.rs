//! `ancm run`.

use super::{Exit, Failure, arguments::Run};

/// Serves the application until a signal comes.
pub fn run(_: &Run) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Failed, "not built"))
}
