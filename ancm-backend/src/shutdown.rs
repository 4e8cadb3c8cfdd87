//! Stopping: who asks for it, and who hears of it.
//!
//! One [`Shutdown`] stands in every request's extensions. A handler that never ends by itself (a WebSocket, a
//! stream of events) awaits it and says goodbye, so that the process need not be killed.
//!
//! # Example
//!
//! ```
//! use ancm_backend::Shutdown;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let shutdown = Shutdown::new();
//! let handler = tokio::spawn({
//!     let shutdown = shutdown.clone();
//!     async move {
//!         shutdown.requested().await;
//!         "goodbye"
//!     }
//! });
//! shutdown.request();
//! assert_eq!(handler.await.unwrap(), "goodbye");
//! # }
//! ```

use tokio_util::sync::CancellationToken;

/// A request to stop, and everybody's view of it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

// === impl Shutdown ===

impl Shutdown {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop. Asking again changes nothing.
    pub fn request(&self) {
        self.0.cancel();
    }

    /// Whether somebody has asked.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until somebody asks.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }
}
