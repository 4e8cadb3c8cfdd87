//! guard.

/// Stub.
pub fn run_if_asked() {}
