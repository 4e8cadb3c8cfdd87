//! Keeps an application's processes running.

pub mod snapshot;
mod state;
