//! `ancm check`.

use super::{Exit, Failure, arguments::Check};

/// Explains a `web.config`.
pub fn check(_: &Check) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Failed, "not built"))
}
