//! Tells the owner of a thing when the last user has let go of it.
//!
//! Draining is acknowledged, never guessed: whoever may still use a process or a snapshot holds a clone of its
//! [`Lease`]; the owner awaits [`Released`], which ends when the last clone is gone, wherever that is.
//!
//! # Example
//!
//! ```
//! # tokio_test::block_on(async {
//! let (lease, released) = ancm_frontend::lease::lease();
//! let other = lease.clone();
//! drop(lease);
//! assert!(!released.is_released());
//! drop(other);
//! released.wait().await;
//! # });
//! ```

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

/// Held by a user.
#[derive(Clone, Debug)]
pub struct Lease {
    _guard: Arc<DropGuard>,
}

/// Held by the owner.
#[derive(Clone, Debug)]
pub struct Released {
    token: CancellationToken,
}

/// Makes both ends.
pub fn lease() -> (Lease, Released) {
    let token = CancellationToken::new();
    (Lease { _guard: Arc::new(token.clone().drop_guard()) }, Released { token })
}

// === impl Released ===

impl Released {
    /// Ends when the last [`Lease`] has been dropped.
    pub async fn wait(&self) {
        self.token.cancelled().await;
    }

    /// Whether it has been.
    pub fn is_released(&self) -> bool {
        self.token.is_cancelled()
    }
}
