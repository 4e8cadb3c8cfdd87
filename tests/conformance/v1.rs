//! The tests of the module's first version: `FunctionalTest.cs` and `FunctionalTestHelper.cs` of
//! aspnet/AspNetCoreModule.

mod processes;
mod requests;
mod stopping;
mod stress;

use super::{Row, Stand};

pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "V1",
        original: "BasicTest (FunctionalTest.cs)",
        asserts: "a process of the configured program answers, and event 1001 has its pid",
        stand: Stand::Adapted("it is started with the frontend, so that the first request finds it ready"),
        tests: &["conformance::v1::processes::V1_basic_the_configured_program_is_started"],
    },
    Row {
        id: "V2",
        original: "RapidFailsPerMinuteTest (FunctionalTest.cs)",
        asserts: "with a limit of 5, 1 and 0 a process that is killed again and again is replaced so \
                  often, and no more; event 1003 names the limit",
        stand: Stand::AsItIs,
        tests: &["conformance::v1::processes::V2_rapid_fails_per_minute_stops_after_the_limit"],
    },
    Row {
        id: "V3",
        original: "ShutdownTimeLimitTest to ShutdownTimeLimitTest4 (FunctionalTest.cs)",
        asserts: "the old process ends after its own delay, or at the limit if that comes first; event \
                  1006 with 202, or 1005",
        stand: Stand::Adapted(
            "limits and delay are two fifths of ANCM's, 25 s, 0, 5 s and 0 with 20 s; the new process is \
             started before the old one is asked to stop",
        ),
        tests: &["conformance::v1::stopping::V3_shutdown_time_limit_is_waited_for_and_no_longer"],
    },
    Row {
        id: "V4",
        original: "V21_ShutdownTimeLimitTest (FunctionalTest.cs)",
        asserts: "the same by app_offline: 503 while it lasts, a new process after it",
        stand: Stand::Adapted(
            "limit and delay are half of ANCM's, 30 s and 10 s; requests get the page at once",
        ),
        tests: &["conformance::v1::stopping::V4_shutdown_time_limit_holds_for_app_offline"],
    },
    Row {
        id: "V5",
        original: "StartupTimeLimitTest (FunctionalTest.cs)",
        asserts: "an application that takes 3 s to start is 200 with a limit of 10 s, 502 with one of 1 s",
        stand: Stand::AsItIs,
        tests: &["conformance::v1::processes::V5_startup_time_limit_is_waited_for_and_no_longer"],
    },
    Row {
        id: "V6",
        original: "RecycleApplicationAfterBackendProcessBeingKilled (FunctionalTest.cs)",
        asserts: "three times: the process is killed, and the next request is answered by a new one",
        stand: Stand::AsItIs,
        tests: &["conformance::v1::processes::V6_backend_process_that_is_killed_is_replaced"],
    },
    Row {
        id: "V7",
        original: "RecycleApplicationAfterW3WPProcessBeingKilled (FunctionalTest.cs)",
        asserts: "the server's process is killed: the application's end too, its files are free, new \
                  ones are started",
        stand: Stand::Adapted(
            "the frontend is killed, and started again, since no service manager does it here",
        ),
        tests: &["conformance::v1::processes::V7_frontend_that_is_killed_takes_its_processes_along"],
    },
    Row {
        id: "V8",
        original: "RecycleApplicationAfterWebConfigUpdated (FunctionalTest.cs)",
        asserts: "web.config, the parent's too, is renamed away and back: a new process, and its files \
                  are free",
        stand: Stand::AsItIs,
        tests: &[
            "inheritance::V8_an_application_whose_web_config_was_moved_away_and_back_has_a_new_process",
            "inheritance::V8_an_application_whose_parents_web_config_was_moved_away_and_back_has_a_new_process",
        ],
    },
    Row {
        id: "V9",
        original: "RecycleApplicationWithURLRewrite, RecycleParentApplicationWithURLRewrite \
                   (FunctionalTest.cs)",
        asserts: "the same where a file has rewrite rules",
        stand: Stand::Adapted(
            "rewrite rules are reported and not carried out, which is what a server in front is for; a \
             change of the file that holds them is a change",
        ),
        tests: &[
            "conformance::v1::stopping::V9_recycle_of_an_application_with_a_rewrite_rule",
            "inheritance::V9_recycle_below_a_parent_with_a_rewrite_rule",
        ],
    },
    Row {
        id: "V10",
        original: "EnvironmentVariablesTest (FunctionalTest.cs)",
        asserts: "variables of web.config and of the server reach the application, those of the pairing \
                  are there, the integration is named unless the file says otherwise",
        stand: Stand::Adapted(
            "kinds of login are those of IIS, so `ASPNETCORE_IIS_HTTPAUTH` is always `anonymous;`; the \
             list of hosting startup assemblies has no empty first entry",
        ),
        tests: &[
            "conformance::v1::requests::V10_environment_variables_of_file_and_frontend_are_passed",
            "conformance::v1::requests::V10_environment_variables_name_the_integration",
            "conformance::v1::requests::V10_environment_variables_of_the_pairing_are_there",
        ],
    },
    Row {
        id: "V11",
        original: "AppOfflineTestWithRenaming (FunctionalTest.cs)",
        asserts: "three times: a file is renamed to `App_Offline.Htm`, its content is the answer, a \
                  library can be replaced, it is renamed back, and a new process answers",
        stand: Stand::AsItIs,
        tests: &["conformance::v1::stopping::V11_app_offline_by_renaming"],
    },
    Row {
        id: "V12",
        original: "AppOfflineTestWithUrlRewriteAndDeleting (FunctionalTest.cs)",
        asserts: "the same where web.config has a rewrite rule, and the file is written and deleted",
        stand: Stand::Adapted("rewrite rules are reported and not carried out"),
        tests: &["conformance::v1::stopping::V12_app_offline_by_deleting_with_a_rewrite_rule"],
    },
    Row {
        id: "V13",
        original: "PostMethodTest (FunctionalTest.cs)",
        asserts: "forms of one character and of some 600 are echoed",
        stand: Stand::AsItIs,
        tests: &["conformance::v1::requests::V13_post_method_forms_are_echoed"],
    },
    Row {
        id: "V14",
        original: "DisableStartUpErrorPageTest (FunctionalTest.cs)",
        asserts: "a program that does not exist: the server's plain answer with the attribute, the page \
                  without it; event 1000 names the path",
        stand: Stand::AsItIs,
        tests: &[
            "error_pages::V14_a_bogus_process_path_is_answered_with_our_page",
            "error_pages::V14_a_bogus_process_path_is_answered_without_a_page_where_that_is_disabled",
            "error_pages::V14_the_page_can_be_disabled_while_it_is_shown",
        ],
    },
    Row {
        id: "V15",
        original: "ProcessesPerApplicationTest (FunctionalTest.cs)",
        asserts: "20 requests meet exactly 10 processes, or 2, and after a change of the file exactly one",
        stand: Stand::AsItIs,
        tests: &["conformance::v1::processes::V15_processes_per_application_are_as_many_as_configured"],
    },
    Row {
        id: "V16",
        original: "RequestTimeoutTest, V21_RequestTimeoutTest (FunctionalTest.cs)",
        asserts: "an answer that comes before the limit is 200, one that comes later is a failure",
        stand: Stand::Adapted(
            "2 min and 1 min with 65 s are a quarter of that, 20 s and 10 s with 15 s are as they were; \
             the failure is 504, which ANCM does not tell from a bad gateway",
        ),
        tests: &["conformance::v1::processes::V16_request_timeout_is_waited_for_and_no_longer"],
    },
    Row {
        id: "V17",
        original: "StdoutLogEnabledTest (FunctionalTest.cs)",
        asserts: "the folder is made and the file with the start; if the folder cannot be made there is \
                  event 1004 and the application runs",
        stand: Stand::AsItIs,
        tests: &[
            "output::V17_the_log_folder_is_made_and_a_file_in_its_place_is_event_1004_until_a_recycle_finds_it_gone",
        ],
    },
    Row {
        id: "V18",
        original: "ProcessPathAndArgumentsTest (FunctionalTest.cs)",
        asserts: "`dotnet.exe` with `./App.dll`, `dotnet` with `.\\App.dll`, absolute paths with \
                  `%systemdrive%` in both",
        stand: Stand::Adapted(
            "the drive is an empty variable, since there are none; backslashes are as on Windows",
        ),
        tests: &["conformance::v1::processes::V18_process_path_and_arguments_of_windows_are_understood"],
    },
    Row {
        id: "V19",
        original: "ForwardWindowsAuthTokenTest (FunctionalTest.cs)",
        asserts: "the token of a Windows login is passed where that is asked for and somebody has logged \
                  in",
        stand: Stand::Adapted("there are no such logins; what a client sends of that name never arrives"),
        tests: &["conformance::v1::requests::V19_forward_windows_auth_token_never_comes_from_the_client"],
    },
    Row {
        id: "V20",
        original: "RecylingAppPoolTest (FunctionalTest.cs)",
        asserts: "a limit on the pool's memory counts server and application together and recycles both",
        stand: Stand::NotApplicable(
            "such a limit belongs to the service manager (`MemoryMax=`), whose control group holds \
             frontend and processes together; what the kernel kills for it is replaced (V6) or takes \
             everything along (V7)",
        ),
        tests: &[],
    },
    Row {
        id: "V21",
        original: "CompressionTest, CachingTest (FunctionalTest.cs)",
        asserts: "IIS compresses and caches what the application answers",
        stand: Stand::Adapted(
            "the frontend does neither: the application's own compression and its validators pass \
             unchanged, and a changed file is seen by the next request",
        ),
        tests: &[
            "conformance::v1::requests::V21_compression_of_the_application_passes_with_what_belongs_to_it",
            "conformance::v1::requests::V21_caching_is_left_to_the_client",
        ],
    },
    Row {
        id: "V22",
        original: "SendHTTPSRequestTest (FunctionalTest.cs)",
        asserts: "a site with an http and an https binding is reached by both",
        stand: Stand::AsItIs,
        tests: &["tls::V22_http_and_https_both_reach_the_application"],
    },
    Row {
        id: "V23",
        original: "FilterOutMSRequestHeadersTest (FunctionalTest.cs)",
        asserts: "nothing that begins with `MS-ASPNETCORE`, in any case, comes from the client",
        stand: Stand::AsItIs,
        tests: &["headers::V23_filter_out_request_headers_of_the_protocol_in_any_case"],
    },
    Row {
        id: "V24",
        original: "ClientCertificateMappingTest (FunctionalTest.cs)",
        asserts: "`MS-ASPNETCORE-CLIENTCERT` is the client's certificate in base64",
        stand: Stand::AsItIs,
        tests: &["tls::V24_the_header_is_the_certificate_in_base64_and_only_ours"],
    },
    Row {
        id: "V25",
        original: "WebSocketTest (FunctionalTest.cs)",
        asserts: "101 with `Connection: Upgrade`; text, partial frames and pings are answered; either \
                  side closes, the application three times with words, and its process stays",
        stand: Stand::Adapted(
            "the connection is a tunnel: frames keep their sizes, pings reach the application, which \
             answers them; of a client that vanishes it sees the end of the connection, and no close \
             frame with 1011",
        ),
        tests: &[
            "websockets::handshakes::V25_web_socket_handshake_is_answered_with_connection_upgrade",
            "websockets::frames::V25_web_socket_carries_messages_of_every_size_and_kind",
            "websockets::frames::V25_web_socket_carries_partial_frames_with_pings_between_them",
            "websockets::frames::V25_web_socket_carries_the_close_of_the_client",
            "websockets::frames::V25_web_socket_carries_the_close_of_the_application_three_times",
        ],
    },
    Row {
        id: "V26",
        original: "WebSocketErrorhandlingTest (FunctionalTest.cs)",
        asserts: "without WebSockets in the server there is no `Connection: Upgrade`, and HTTP goes on",
        stand: Stand::AsItIs,
        tests: &["websockets::handshakes::V26_web_socket_error_handling_with_the_switch_off_http_goes_on"],
    },
    Row {
        id: "V27",
        original: "V21_WebSocketAppOfflineTest, V21_WebSocketRecycledWithConfigChangeTest \
                   (FunctionalTest.cs)",
        asserts: "a socket is open when app_offline comes, or the file changes: the client gets the \
                  application's own close frame, within its 3 s of 10 s; then 503, or a new process",
        stand: Stand::AsItIs,
        tests: &[
            "websockets::stopping::V27_web_socket_with_app_offline_gets_the_applications_close_frame",
            "websockets::stopping::V27_web_socket_with_a_changed_file_gets_the_applications_close_frame",
        ],
    },
    Row {
        id: "V28",
        original: "V21_StressTest (FunctionalTest.cs)",
        asserts: "HTTP, HTTPS and WebSockets go on while app_offline, renamings, changes of the file, a \
                  wrong path and killed processes are mixed: nothing crashes",
        stand: Stand::Adapted(
            "15 s of trouble instead of 120; for a stopped pool there is a process that is killed, and \
             the stop at the end; no connection may break, and no answer be other than 200, 502 and 503",
        ),
        tests: &["conformance::v1::stress::V28_stress_of_every_kind_at_once_crashes_nothing"],
    },
    Row {
        id: "V29",
        original: "CheckChunkedAsync (FunctionalTestHelper.cs, not called)",
        asserts: "an answer without a length is chunked, and the connection goes on",
        stand: Stand::AsItIs,
        tests: &["conformance::v1::requests::V29_check_chunked_answers_of_unknown_length_are_chunked"],
    },
];
