//! Holds requests while the backend starts; shows why when it failed.

/// Why a backend could not be started, ready to be shown.
#[derive(Clone, Debug)]
pub struct StartFailure {}
