//! The tests of the module's first version: `FunctionalTest.cs` of aspnet/AspNetCoreModule.

use super::{Row, Stand};

pub(crate) const ROWS: &[Row] = &[Row {
    id: "V22",
    original: "SendHTTPSRequestTest (FunctionalTest.cs)",
    asserts: "a site with an http and an https binding is reached by both",
    stand: Stand::AsItIs,
    tests: &["tls::V22_http_and_https_both_reach_the_application"],
}];
