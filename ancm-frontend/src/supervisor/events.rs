//! The numbers under which the original writes to the event log; ours carry them in the field `event_id`.
//!
//! # Example
//!
//! ```text
//! INFO server: started event_id=1001 application="site" pid=4242 port=21396
//! ```

// ANCM: aspnetcore_msg.mc.

/// One attempt to start a process failed.
pub(super) const ATTEMPT_FAILED: u32 = 1000;
/// A process was started and listens.
pub(super) const STARTED: u32 = 1001;
/// Too many crashes within a minute.
pub(super) const RAPID_FAIL: u32 = 1003;
/// A process had to be killed.
pub(super) const KILLED: u32 = 1005;
/// The shutdown message was sent, and answered.
pub(super) const SHUTDOWN_SENT: u32 = 1006;
/// `app_offline.htm` has come.
pub(super) const OFFLINE: u32 = 1012;
/// A start failed for good.
pub(super) const START_FAILED: u32 = 1020;
/// A new configuration takes over.
pub(super) const RECYCLED: u32 = 1021;
/// A process has ended.
pub(super) const EXITED: u32 = 1030;
/// The configuration cannot be used.
pub(super) const MISCONFIGURED: u32 = 1034;
