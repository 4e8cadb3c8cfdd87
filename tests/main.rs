//! The whole program `ancm`, with real processes, real sockets and, where they are at hand, real ASP.NET Core
//! applications (`ANCM_TEST_KESTREL` names their folder).

mod support;
mod bad_answers;
mod headers;
mod refusals;
mod serve;
mod start_failures;
mod streaming;
mod websockets;
