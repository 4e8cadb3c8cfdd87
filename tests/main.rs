//! The whole program `ancm`, with real processes, real sockets and, where they are at hand, real ASP.NET Core
//! applications (`ANCM_TEST_KESTREL` names their folder).
#![expect(clippy::disallowed_methods, reason = "clients have timers of their own")]
#![expect(non_snake_case, reason = "a test that proves a row of `conformance` carries its id: `P3_…`")]

mod access;
mod applications;
mod backend;
mod bad_answers;
mod configuration;
mod conformance;
mod crashes;
mod debug_log;
mod demo;
mod error_pages;
mod events;
mod fidelity;
mod generations;
mod head_guard;
mod headers;
mod inheritance;
mod lifecycle;
mod neighbours;
mod offline;
mod output;
mod recycling;
mod refusals;
mod security;
mod serve;
mod site_settings;
mod start_failures;
mod streaming;
mod support;
mod tls;
mod websockets;
