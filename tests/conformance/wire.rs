//! The wire tests of the suite that all hosting models share: `RequestResponseTests.cs` of dotnet/aspnetcore.
//!
//! The suite gives them no ids: R1 to R19 are ours, in its order.

mod bodies;
mod heads;
mod leaving;

use super::{Row, Stand};

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "R1",
        original: "Request_WithDoubleSlashes_LeftAlone (RequestResponseTests.cs)",
        asserts: "`//` in a path is two slashes to the application",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::heads::R1_request_with_double_slashes_is_left_alone"],
    },
    Row {
        id: "R2",
        original: "Request_WithNavigation_Removed, Request_WithEscapedNavigation_Removed \
                   (RequestResponseTests.cs)",
        asserts: "the path of `a/b/../c` is `a/c`, of `a/b/./c` it is `a/b/c`; `%2E` counts as a dot",
        stand: Stand::Adapted(
            "Windows normalises the target before the module sees it; here the target goes on byte for \
             byte and Kestrel does it, so that the application sees the same path, and the client's own \
             words as its raw target",
        ),
        tests: &[
            "conformance::wire::heads::R2_request_with_navigation_is_resolved",
            "conformance::wire::heads::R2_request_with_escaped_navigation_is_resolved",
        ],
    },
    Row {
        id: "R3",
        original: "Request_ControlCharacters_400, Request_EscapedControlCharacters_400 \
                   (RequestResponseTests.cs)",
        asserts: "a control character in the target is 400, an escaped one too",
        stand: Stand::Adapted(
            "bare ones, the tab too, are 400 from the frontend; of the escaped ones, which Windows \
             refuses before the module sees them, `%00` is 400 from Kestrel and the others reach the \
             application as they were sent",
        ),
        tests: &[
            "conformance::wire::heads::R3_request_with_control_characters_is_400",
            "conformance::wire::heads::R3_request_with_escaped_control_characters_is_judged_by_kestrel",
        ],
    },
    Row {
        id: "R4",
        original: "ReadAndWriteEcho (RequestResponseTests.cs)",
        asserts: "100,000 bytes come back as they were sent",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::bodies::R4_read_and_write_echo"],
    },
    Row {
        id: "R5",
        original: "ReadAndWriteEchoTwice (RequestResponseTests.cs)",
        asserts: "10,000 bytes, read whole, come back twice",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::bodies::R5_read_and_write_echo_twice"],
    },
    Row {
        id: "R6",
        original: "ReadAndWriteSlowConnection (RequestResponseTests.cs)",
        asserts: "a request of HTTP/1.0 that comes byte by byte gets an answer in a hundred pieces, then \
                  the end",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::bodies::R6_read_and_write_slow_connection"],
    },
    Row {
        id: "R7",
        original: "ConsumePartialBody (RequestResponseTests.cs)",
        asserts: "an application that reads 5 of 100 announced bytes, of which no more come, answers and \
                  the connection ends",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::bodies::R7_consume_partial_body"],
    },
    Row {
        id: "R8",
        original: "AsyncChunkedPostIsAccepted (RequestResponseTests.cs)",
        asserts: "a chunked POST in three writes is read whole, a hundred times, each on a connection \
                  that then ends",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::bodies::R8_async_chunked_post_is_accepted"],
    },
    Row {
        id: "R9",
        original: "AddResponseHeaders_HeaderValuesAreSetCorrectly (RequestResponseTests.cs)",
        asserts: "known and unknown headers of an answer arrive; a repeated one arrives twice, in order",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::heads::R9_response_headers_are_set_correctly"],
    },
    Row {
        id: "R10",
        original: "ErrorCodeIsSetForExceptionDuringRequest (RequestResponseTests.cs)",
        asserts: "an application that throws answers 500 `Internal Server Error`",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::heads::R10_error_code_is_set_for_an_exception_during_a_request"],
    },
    Row {
        id: "R11",
        original: "CustomErrorCodeWorks (RequestResponseTests.cs)",
        asserts: "200, 500, 400 and 999 with their own reasons, with a body, with an empty one and \
                  without one",
        stand: Stand::Adapted(
            "a reason of its own passes with 200, too, which the module loses out-of-process",
        ),
        tests: &["conformance::wire::heads::R11_custom_error_code_works"],
    },
    Row {
        id: "R12",
        original: "TransferEncodingNotSetForStatusCodes (RequestResponseTests.cs)",
        asserts: "204 and 304 carry no Transfer-Encoding",
        stand: Stand::AsItIs,
        tests: &[
            "conformance::wire::heads::R12_transfer_encoding_is_not_set_for_status_codes_without_a_body",
        ],
    },
    Row {
        id: "R13",
        original: "ServerHeaderIsOverriden (RequestResponseTests.cs)",
        asserts: "the application's own Server header is the only one",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::heads::R13_server_header_is_overridden"],
    },
    Row {
        id: "R14",
        original: "LargeResponseBodyTest_CheckAllResponseBodyBytesWritten (RequestResponseTests.cs)",
        asserts: "65,000, 1,000,000, 10,000,000 and 100,000,000 bytes arrive, every one of them",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::bodies::R14_large_response_body"],
    },
    Row {
        id: "R15",
        original: "LargeResponseBodyFromFile_CheckAllResponseBodyBytesWritten (RequestResponseTests.cs)",
        asserts: "a file of 200,000,000 bytes arrives whole",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::bodies::R15_large_response_body_from_a_file"],
    },
    Row {
        id: "R16",
        original: "ServerWorksAfterClientDisconnect (RequestResponseTests.cs)",
        asserts: "after a client has left in the middle of its upload, the next one is served",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::leaving::R16_server_works_after_a_client_disconnect"],
    },
    Row {
        id: "R17",
        original: "RequestAbortedTokenFires (RequestResponseTests.cs)",
        asserts: "a request that waits is aborted in the application when its client leaves",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::leaving::R17_request_aborted_token_fires"],
    },
    Row {
        id: "R18",
        original: "ClientDisconnectStress (RequestResponseTests.cs)",
        asserts: "a hundred clients leave in the middle of their uploads, and the server goes on",
        stand: Stand::AsItIs,
        tests: &["conformance::wire::leaving::R18_client_disconnect_stress"],
    },
    Row {
        id: "R19",
        original: "ReadAndWriteInterleaved (RequestResponseTests.cs)",
        asserts: "the request and its answer take turns on one connection, which ANCM cannot do \
                  out-of-process",
        stand: Stand::AsItIs,
        tests: &["streaming::R19_request_and_answer_take_turns"],
    },
];
