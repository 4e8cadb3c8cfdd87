//! Serves an application from its `web.config`: starts it, pairs with it, proxies to it, keeps it alive.
//!
//! This is the library behind the program `ancm`. Use it to build a frontend of your own, with layers of yours around
//! the application ([`frontend`]), or to run the same stack in memory ([`stack`]).
//!
//! ```text
//!  server      sockets, worker threads, connections and their clocks
//!  tls         the certificate that they show
//!  stack       the layers, outer and inner
//!  dispatch    which process gets the request
//!  upstream    the request on its way to the process, and the answer
//!
//!  binding     where an application is served: host and path base
//!  application one application: its supervisor and the files it obeys
//!  supervisor  starts, watches, recycles and stops processes
//!  spawn guard how a process is started so that it does not outlive us
//!  process     facts about processes, asked of the kernel
//!  output      what processes print: masked, kept, logged
//!  offline     app_offline.htm
//!  config      web.config
//!  debug_log   what we do for an application, in detail
//!  events      the numbers of what is logged
//!
//!  frontend    all of it, assembled
//!  cli         the program `ancm`
//! ```

#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "tests have timers of their own"))]

pub mod application;
pub mod binding;
pub mod cli;
pub mod config;
pub mod debug_log;
pub mod dispatch;
pub mod events;
pub mod frontend;
pub mod guard;
mod http1;
pub mod lease;
pub mod offline;
pub mod output;
pub mod process;
pub mod server;
pub mod spawn;
pub mod stack;
pub mod supervisor;
pub mod tls;
pub mod upstream;
