//! The wire tests of the suite that all hosting models share: `RequestResponseTests.cs` of dotnet/aspnetcore.
//!
//! Their ids, R1 to R19, are ours, in this order: `Request_WithDoubleSlashes_LeftAlone`, `Request_WithNavigation_Removed`,
//! `Request_ControlCharacters_400`, `ReadAndWriteEcho`, `ReadAndWriteEchoTwice`, `ReadAndWriteSlowConnection`,
//! `ConsumePartialBody`, `AsyncChunkedPostIsAccepted`, `AddResponseHeaders_HeaderValuesAreSetCorrectly`,
//! `ErrorCodeIsSetForExceptionDuringRequest`, `CustomErrorCodeWorks`, `TransferEncodingNotSetForStatusCodes`,
//! `ServerHeaderIsOverriden`, `LargeResponseBodyTest`, `LargeResponseBodyFromFile`, `ServerWorksAfterClientDisconnect`,
//! `RequestAbortedTokenFires`, `ClientDisconnectStress`, `ReadAndWriteInterleaved`.

use super::{Row, Stand};

pub(crate) const ROWS: &[Row] = &[Row {
    id: "R19",
    original: "ReadAndWriteInterleaved (RequestResponseTests.cs)",
    asserts: "the request and its answer take turns on one connection, which ANCM cannot do out-of-process",
    stand: Stand::AsItIs,
    tests: &["streaming::R19_request_and_answer_take_turns"],
}];
