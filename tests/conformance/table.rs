//! The tests of the module's second version, in dotnet/aspnetcore under `src/Servers/IIS/IIS/test`.

use super::{Row, Stand};

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "P1",
        original: "EnvVarInWebConfig_Valid (OutOfProcess/AspNetCorePortTests.cs)",
        asserts: "the application listens on the port that web.config names",
        stand: Stand::AsItIs,
        tests: &["conformance::ports::P1_configured_port_is_where_the_application_listens"],
    },
    Row {
        id: "P2",
        original: "EnvVarInWebConfig_Empty (OutOfProcess/AspNetCorePortTests.cs)",
        asserts: "an empty value is none: a port from 10000 to 48000 is drawn",
        stand: Stand::AsItIs,
        tests: &["conformance::ports::P2_empty_port_is_drawn_from_the_range"],
    },
    Row {
        id: "H5",
        original: "FailsAndLogsEventLogForMixedHostingModel (MultiApplicationTests.cs)",
        asserts: "a second application of the other hosting model is refused with 500.34",
        stand: Stand::NotApplicable(
            "every application has a process of its own, so that models cannot mix in one",
        ),
        tests: &[],
    },
    Row {
        id: "Z2",
        original: "IISRejectsContentLengthTooLargeByDefault (Inprocess/MaxRequestBodySizeTests.cs)",
        asserts: "Content-Length 30000001 is refused without reading the body",
        stand: Stand::Adapted("413 as newer IIS answers, not 404.13: the code that says it"),
        tests: &[],
    },
];
