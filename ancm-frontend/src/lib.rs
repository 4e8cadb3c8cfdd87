//! Serves applications from their `web.config`.

pub mod cli;
pub mod config;
pub mod dispatch;
pub mod guard;
pub mod lease;
pub mod offline;
pub mod output;
pub mod process;
pub mod server;
pub mod spawn;
pub mod stack;
pub mod supervisor;
pub mod upstream;
