//! What takes the place of what only Windows has.

use super::Departure;

pub(crate) const COUNTERPARTS: &[Departure] = &[
    Departure {
        id: "K1",
        theirs: "job object",
        ours: "a guard process, parent of all that is started: nothing outlives the frontend, not even in sessions of its own",
        why: "",
        tests: &[
            "crashes::nothing_survives_a_frontend_that_is_killed",
            "crashes::grandchildren_of_a_crashed_process_end_too",
        ],
    },
    Departure {
        id: "K2",
        theirs: "Ctrl-Break, TerminateProcess",
        ours: "SIGTERM to the launched process and to the one that listens, SIGKILL to the tree at the limit",
        why: "",
        tests: &["lifecycle::a_process_that_ignores_message_and_signal_is_killed_at_the_limit"],
    },
    Departure {
        id: "K3",
        theirs: "table of listeners, every 250 ms",
        ours: "`sock_diag`, or `/proc/net/tcp` with the descriptors of the tree, every few milliseconds",
        why: "",
        tests: &["ancm-frontend/src/process/listeners/mod.rs::tells_our_own_socket_from_a_strangers"],
    },
    Departure {
        id: "K4",
        theirs: "ReadDirectoryChangesW",
        ours: "the folder is looked at several times a second",
        why: "",
        tests: &["ancm-frontend/src/offline/look.rs::follows_every_change_however_quick"],
    },
    Departure {
        id: "K5",
        theirs: "notification of a changed configuration",
        ours: "web.config is looked at twice a second; a touch is a change",
        why: "",
        tests: &["recycling::C1_touched_file_starts_a_new_process"],
    },
    Departure {
        id: "K6",
        theirs: "event log",
        ours: "structured log lines with the same event ids",
        why: "",
        tests: &[
            "ancm-frontend/src/supervisor/tests/starts.rs::logs_a_life_under_the_numbers_of_the_original",
        ],
    },
    Departure {
        id: "K7",
        theirs: "body limit of http.sys",
        ours: "a layer of the frontend",
        why: "",
        tests: &[
            "refusals::a_body_that_is_declared_too_long_is_refused_at_once",
            "refusals::a_body_that_becomes_too_long_is_refused_in_the_middle",
        ],
    },
    Departure {
        id: "K8",
        theirs: "WinHTTP",
        ours: "a pool of HTTP/1.1 connections to each process",
        why: "",
        tests: &["crashes::the_pool_does_not_offer_connections_of_a_dead_process"],
    },
    Departure {
        id: "K9",
        theirs: "Windows and basic authentication",
        ours: "none: ASPNETCORE_IIS_HTTPAUTH is `anonymous;`, the headers of Windows identities are removed",
        why: "",
        tests: &[
            "lifecycle::the_application_gets_its_environment",
            "headers::V23_filter_out_request_headers_of_the_protocol_in_any_case",
        ],
    },
    Departure {
        id: "K10",
        theirs: "paths with backslashes, `.exe`",
        ours: "read as the files that are there",
        why: "",
        tests: &[
            "serve::runs_the_portable_assembly_beside_a_windows_program",
            "serve::runs_the_program_without_exe_of_a_self_contained_site",
            "ancm-frontend/src/config/command/tests.rs::a_name_of_another_case_means_the_only_file_that_there_is",
        ],
    },
    Departure {
        id: "K11",
        theirs: "code page of the console",
        ours: "UTF-8",
        why: "",
        tests: &["ancm-frontend/src/output/capture.rs::replaces_what_is_not_text"],
    },
    Departure {
        id: "K12",
        theirs: "overlapped recycle of the worker",
        ours: "the frontend stays; generations of processes overlap",
        why: "",
        tests: &["recycling::C4_requests_while_the_application_is_started_anew_are_all_answered"],
    },
];
