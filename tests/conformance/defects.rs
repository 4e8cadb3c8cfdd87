//! Where we leave ANCM on purpose, because of what its users met and what its source shows.

use super::Departure;

/// What nobody would miss.
pub(crate) const DEFECTS: &[Departure] = &[
    Departure {
        id: "D1",
        theirs: "one page for every cause of 502.5",
        ours: "the page says what kind of failure it was and what usually causes it; in Development, and in the log, what happened: not found, not executable, ended with a code, did not listen, listens elsewhere",
        why: "the real cause was in the event log only, if anywhere",
        tests: &[
            "start_failures::a_process_path_that_does_not_exist_is_named",
            "start_failures::an_application_that_exits_at_once_has_its_code_and_its_words_in_the_log",
            "start_failures::an_asp_net_core_application_that_listens_elsewhere_is_told_where",
        ],
    },
    Departure {
        id: "D2",
        theirs: "the page names no charset, and text of the application is not escaped",
        ours: "`text/html; charset=utf-8`, everything escaped",
        why: "an application that fails must not be able to write the markup of the page",
        tests: &[
            "start_failures::in_development_the_page_shows_the_words_of_the_application",
            "ancm-tower/src/error_page/html.rs::escapes_every_text",
        ],
    },
    Departure {
        id: "D3",
        theirs: "details of an error are for whoever asks",
        ours: "the page shows details in Development only; the log always has them",
        why: "strangers learn nothing of the machine",
        tests: &[
            "error_pages::strangers_learn_nothing_of_a_start_that_failed",
            "error_pages::developers_learn_everything_of_a_start_that_failed",
            "error_pages::no_page_holds_the_pairing_token_whoever_asks",
            "ancm-frontend/src/supervisor/tests/starts.rs::keeps_output_and_command_line_from_strangers",
        ],
    },
    Departure {
        id: "D4",
        theirs: "requestTimeout ends in 502.3",
        ours: "504",
        why: "it is what HTTP has for it, and nobody looks for a broken gateway",
        tests: &["bad_answers::a_silent_application_is_504_and_sees_an_abort"],
    },
    Departure {
        id: "D5",
        theirs: "requestTimeout is kept in one place for the whole worker, so that applications pick up each other's",
        ours: "a time limit belongs to the configuration it was read from",
        why: "",
        tests: &[
            "recycling::new_settings_hold_for_new_requests",
            "neighbours::the_time_limit_of_one_is_not_that_of_the_others",
        ],
    },
    Departure {
        id: "D6",
        theirs: "two starts can draw one port: it is looked at, not reserved, and drawn from the range of outgoing connections too",
        ours: "starts of one frontend never share a port, and the ephemeral range is left out",
        why: "what Windows gives out by itself begins above the range, what Linux gives out begins inside of it",
        tests: &[
            "ancm-frontend/src/process/port.rs::never_gives_a_port_twice_as_long_as_it_is_reserved",
            "ancm-frontend/src/process/port.rs::leaves_out_the_ephemeral_range",
        ],
    },
    Departure {
        id: "D7",
        theirs: "an application that listens on IPv6 is never ready",
        ours: "one on `[::]` that takes IPv4 as well is",
        why: "connections to 127.0.0.1 reach it",
        tests: &["ancm-frontend/src/process/listeners/mod.rs::counts_all_of_ipv6_only_if_ipv4_is_included"],
    },
    Departure {
        id: "D8",
        theirs: "that a client has left is passed on with the next byte of somebody, or never",
        ours: "the application sees the abort within a second",
        why: "",
        tests: &[
            "bad_answers::the_application_hears_within_a_second_that_its_client_left",
            "bad_answers::the_application_hears_it_in_the_middle_of_an_answer",
        ],
    },
    Departure {
        id: "D9",
        theirs: "answers go out in steps of 8 KB, and IIS may hold the last event back",
        ours: "every piece goes on when it comes",
        why: "",
        tests: &["streaming::delivers_every_event_within_50_ms"],
    },
    Departure {
        id: "D10",
        theirs: "the answer is read after the whole request has been sent",
        ours: "both flow at the same time; an early answer is passed on at once",
        why: "",
        tests: &[
            "streaming::R19_request_and_answer_take_turns",
            "streaming::passes_an_early_answer_and_the_next_request_is_served",
        ],
    },
    Departure {
        id: "D11",
        theirs: "trailers of a request are lost",
        ours: "they reach the application",
        why: "",
        tests: &["ancm-frontend/src/upstream/http1/tests/sending.rs::sends_chunks_and_trailers_as_they_come"],
    },
    Departure {
        id: "D12",
        theirs: "`%2F` is decoded, and a double escape loses a level",
        ours: "the target goes on byte for byte",
        why: "",
        tests: &["headers::forwards_the_target_byte_for_byte"],
    },
    Departure {
        id: "D13",
        theirs: "of repeated lines of a header that http.sys knows, the last survives",
        ours: "all of them do, in their order",
        why: "",
        tests: &["headers::passes_the_headers_of_an_answer"],
    },
    Departure {
        id: "D14",
        theirs: "headers of the connection are passed on: Keep-Alive, TE, Upgrade, what Connection names",
        ours: "they are taken away; `Expect` is answered when the application reads, and 103 and other interim answers of it go no further here either",
        why: "they are for the next hop only, and let requests be smuggled",
        tests: &[
            "headers::removes_what_concerns_only_the_connection_to_the_client",
            "headers::answers_expect_100_continue_when_the_application_reads",
            "fidelity::expect_is_answered_here_and_not_passed_on",
            "headers::passes_interim_answers_by",
        ],
    },
    Departure {
        id: "D15",
        theirs: "X-Forwarded-For is appended to whatever stands there",
        ours: "a line that is no clean list is dropped first",
        why: "behind a stray quote .NET would take our entry for part of the client's",
        tests: &["headers::tells_the_truth_whatever_the_client_claims_to_be"],
    },
    Departure {
        id: "D16",
        theirs: "what frames a request in two ways is left to http.sys and to the application",
        ours: "400, and the connection ends",
        why: "one reader's body is the other's next request",
        tests: &[
            "refusals::refuses_a_body_whose_length_is_in_doubt",
            "security::a_request_hidden_in_a_body_stays_a_body",
        ],
    },
    Departure {
        id: "D17",
        theirs: "WebSockets only, taken apart and put together on both sides; no other upgrade",
        ours: "bytes of any protocol pass as they are, pings and fragments included; the connection ends with either side",
        why: "nothing is lost on the way; a client that vanishes is a connection that ends, not a close with 1011",
        tests: &["websockets::carries_any_protocol", "websockets::ends_when_the_client_vanishes"],
    },
    Departure {
        id: "D18",
        theirs: "the first request starts the process, and waits for it",
        ours: "it starts with the frontend, and again at once when it crashed or is online again",
        why: "background work goes on, and nobody pays for the start",
        tests: &[
            "offline::O4_file_that_comes_and_goes_stops_the_application_and_starts_it",
            "lifecycle::an_application_keeps_its_fixed_port_across_restarts",
        ],
    },
    Departure {
        id: "D19",
        theirs: "an application that cannot start is started anew, twice, by every request",
        ours: "after a failed start the page is there at once; the frontend tries again by itself, after pauses",
        why: "a crowd of visitors is no reason to start a crowd of processes",
        tests: &[
            "start_failures::every_request_of_a_failing_application_is_answered",
            "start_failures::a_failed_start_is_tried_again_by_itself",
            "ancm-frontend/src/supervisor/state/tests/starts.rs::requests_cut_a_pause_short_at_most_once_a_second",
        ],
    },
    Departure {
        id: "D20",
        theirs: "processes take turns, and whoever meets one that must be started waits, under a lock that holds all",
        ours: "the process with the fewest requests in flight is taken, among those that are ready",
        why: "",
        tests: &[
            "ancm-frontend/src/dispatch/tests.rs::takes_the_slot_with_the_fewest_requests_in_flight",
            "ancm-frontend/src/supervisor/state/tests/starts.rs::serves_from_the_slots_that_are_ready_while_another_one_fails",
        ],
    },
    Departure {
        id: "D21",
        theirs: "processes are stopped one after another, each with its whole time limit",
        ours: "all at the same time",
        why: "",
        tests: &[
            "ancm-frontend/src/supervisor/state/tests/ends.rs::stops_all_slots_at_the_same_time_and_finishes_with_the_last",
        ],
    },
    Departure {
        id: "D22",
        theirs: "a request that waited for the lock can start a process in an application that has been stopped",
        ours: "nothing starts after the stop; whoever waits is answered with 503",
        why: "",
        tests: &["lifecycle::stopping_answers_the_requests_that_are_held"],
    },
    Departure {
        id: "D23",
        theirs: "where a launcher has ended, the crash of what it launched goes unnoticed",
        ours: "the process that listens is the one that is watched",
        why: "",
        tests: &[
            "ancm-frontend/src/supervisor/tests/starts.rs::a_launcher_may_end_before_what_it_has_launched_listens",
        ],
    },
    Departure {
        id: "D24",
        theirs: "a changed configuration stops the old process, and the first request waits for the new one",
        ours: "the new one is ready before the old one drains",
        why: "",
        tests: &[
            "recycling::C4_requests_while_the_application_is_started_anew_are_all_answered",
            "recycling::a_request_under_way_keeps_its_process",
        ],
    },
    Departure {
        id: "D25",
        theirs: "a new configuration that does not work takes the site down",
        ours: "what runs goes on, and the reason is logged",
        why: "",
        tests: &[
            "configuration::what_runs_goes_on_when_its_file_breaks",
            "recycling::a_new_application_that_does_not_start_leaves_the_old_one_in_place",
        ],
    },
    Departure {
        id: "D26",
        theirs: "requests that come while `app_offline.htm` stops the application wait until it has stopped",
        ours: "they get the page at once",
        why: "",
        tests: &["offline::a_request_under_way_is_finished"],
    },
    Departure {
        id: "D27",
        theirs: "a name that `app_offline.htm` begins with, like `app`, stops the application; so does a lost notification",
        ours: "the whole name counts, and what is there, not what is said to have happened",
        why: "",
        tests: &[
            "offline::the_name_counts_in_any_case_and_whole",
            "ancm-frontend/src/offline/look.rs::follows_every_change_however_quick",
            "offline::O6_files_that_flap_under_load_cost_no_request_and_no_connection",
        ],
    },
    Departure {
        id: "D28",
        theirs: "503 has neither Retry-After nor Cache-Control",
        ours: "it has both",
        why: "a proxy or a browser must not keep the page, and robots come again",
        tests: &["offline::O1_file_that_is_there_before_the_start_is_answered_with_503"],
    },
    Departure {
        id: "D29",
        theirs: "ASPNETCORE_IIS_PHYSICAL_PATH is the id of the IIS application",
        ours: "it is the root of the site",
        why: "",
        tests: &["lifecycle::the_application_gets_its_environment"],
    },
    Departure {
        id: "D30",
        theirs: "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES always gets one more entry, and may begin with a semicolon",
        ours: "the entry is there once, and nothing is in front of it",
        why: "",
        tests: &[
            "ancm-frontend/src/supervisor/environment/tests.rs::appends_the_integration_to_inherited_assemblies_once",
        ],
    },
    Departure {
        id: "D31",
        theirs: "without an https port, ASPNETCORE_ANCM_HTTPS_PORT is empty",
        ours: "it is not there",
        why: "",
        tests: &["tls::S3_two_https_ports_are_no_port"],
    },
    Departure {
        id: "D32",
        theirs: "an invalid configuration is 500.0, with an empty page",
        ours: "of the only application: the frontend does not start and prints every fault with its line and a fix; of one of several: 500.0, with a page that says so, until the file is right",
        why: "nobody deploys a site that cannot be served without noticing",
        tests: &[
            "configuration::all_faults_are_reported_at_once_with_place_range_and_fix",
            "neighbours::one_that_is_configured_wrongly_is_answered_500_while_the_others_are_served",
        ],
    },
    Departure {
        id: "D33",
        theirs: "a body that is too large is 404.13 where IIS is old",
        ours: "413 always",
        why: "",
        tests: &["refusals::Z2_declared_body_of_30_million_and_1_bytes_is_413_unread"],
    },
    Departure {
        id: "D34",
        theirs: "a stop that the application does not understand is often a kill",
        ours: "SIGTERM follows the message, after the requests under way",
        why: "",
        tests: &[
            "serve::stops_an_application_that_knows_nothing_of_the_pairing_by_signal",
            "ancm-frontend/src/supervisor/tests/stops.rs::lets_requests_end_before_it_terminates_what_would_die_with_them",
        ],
    },
    Departure {
        id: "D35",
        theirs: "the first 30,000 characters of what a process printed are kept, and the token may be among them",
        ours: "the last are as well, each line is in the log, and the token nowhere",
        why: "the end of an output is where the exception is",
        tests: &[
            "ancm-frontend/src/output/capture.rs::keeps_the_first_and_the_last_characters",
            "ancm-frontend/src/output/tests.rs::shows_the_token_nowhere",
        ],
    },
];
