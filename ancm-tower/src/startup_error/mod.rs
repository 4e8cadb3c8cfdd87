//! Holds requests while the backend starts; shows why when it failed.

mod failure;
mod gate;
mod resend;

pub use failure::StartFailure;
pub use gate::{Admission, Gate, WatchGate};
pub use resend::{Resent, ReturnedRequest};
