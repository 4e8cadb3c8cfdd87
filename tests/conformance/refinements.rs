//! Where we leave ANCM because it can be done better: logs, secrets, several applications, and what programs read.

use super::Departure;

/// Numbered on from the defects.
pub(crate) const REFINEMENTS: &[Departure] = &[
    Departure {
        id: "D36",
        theirs: "stdout log files grow without limit and are never removed; one in which nothing was printed stays",
        ours: "at 10 MB or 30 days the next is begun, ten are kept (`stdoutLogMaxSize`, `stdoutLogMaxAge`, `stdoutLogMaxFiles`), and an empty one goes with its process",
        why: "a log must not be what fills the disk",
        tests: &[
            "output::log_files_are_ended_by_size_and_the_oldest_are_removed",
            "ancm-frontend/src/output/series.rs::removes_what_is_too_old_of_every_slot",
            "ancm-frontend/src/output/series.rs::removes_a_file_in_which_nothing_was_written",
        ],
    },
    Departure {
        id: "D37",
        theirs: "with a stdout log, event 1020 has no output; if its file cannot be made, the output is lost for good",
        ours: "the event always has it, and the file is made as soon as it can be",
        why: "",
        tests: &[
            "output::a_log_file_is_written_as_soon_as_it_can_be",
            "output::a_full_disk_under_the_log_file_stops_nobody",
            "output::the_token_is_not_in_the_report_of_a_failed_start",
        ],
    },
    Departure {
        id: "D38",
        theirs: "passwords that an application prints are kept as they are",
        ours: "those of its environment, and what stands behind names such as `Password=`, are masked; only owner and group may read a log file",
        why: "logs are sent around",
        tests: &[
            "output::secrets_of_web_config_and_those_that_are_named_are_masked_wherever_they_are_printed",
            "output::secrets_are_not_in_the_report_of_a_failed_start",
            "ancm-frontend/src/output/file.rs::others_cannot_read_it",
        ],
    },
    Departure {
        id: "D39",
        theirs: "a blank in `debugLevel` makes the words behind it unknown, and so is `warn`; nobody is told",
        ours: "blanks and `warn` are understood, and what is not is said",
        why: "the word lists of real files have blanks",
        tests: &[
            "ancm-frontend/src/config/handler_settings.rs::a_debug_log_that_does_not_do_what_it_seems_to_is_a_warning",
            "debug_log::words_of_the_variable_that_nobody_knows_are_said",
        ],
    },
    Departure {
        id: "D40",
        theirs: "the debug log of the first application is that of the whole worker, until it ends; it is appended to whatever file is named",
        ours: "each application has its own, which follows its web.config, and a file that holds something else is left alone",
        why: "a slip in `debugFile` must not spoil web.config",
        tests: &[
            "ancm-frontend/src/debug_log/tests.rs::an_application_has_what_is_about_it_and_what_is_about_none",
            "debug_log::a_changed_web_config_changes_the_debug_log",
            "debug_log::a_file_that_holds_something_else_is_no_debug_log",
        ],
    },
    Departure {
        id: "D41",
        theirs: "a change is looked up by what the path of its file begins with: one of `/app1` recycles `/app10` as well",
        ours: "an application is recycled by its own web.config and by those that it inherits from",
        why: "",
        tests: &[
            "neighbours::a_changed_file_is_that_of_one_path_and_not_of_all_that_begin_like_it",
            "inheritance::a_touched_file_of_the_child_leaves_the_parent_alone",
        ],
    },
    Departure {
        id: "D42",
        theirs: "errors are HTML, whoever asks",
        ours: "a client that prefers JSON gets `application/problem+json`; `*/*`, or no Accept, is HTML",
        why: "programs can read it",
        tests: &[
            "error_pages::an_answer_that_breaks_off_is_explained_as_the_client_prefers",
            "error_pages::a_site_that_is_offline_shows_its_own_file_to_programs_too",
        ],
    },
    Departure {
        id: "D43",
        theirs: "a target may hold what no URL can, which http.sys escapes",
        ours: "`<`, `>`, `#`, a grave accent in the path, a quote in the query and bytes that are no UTF-8 are 400; all else goes on as it came",
        why: "readers differ on them, and browsers escape them",
        tests: &["fidelity::a_target_that_no_url_can_have_is_400_and_any_other_goes_on_as_it_is"],
    },
    Departure {
        id: "D44",
        theirs: "no limit of time runs while a debugger is attached to the process",
        ours: "all of them run; `requestTimeout=\"00:00:00\"` and a long `startupTimeLimit` give a debugger its time",
        why: "the debuggers of .NET attach in a way that nobody outside of the process can see",
        tests: &["bad_answers::a_timeout_of_zero_is_none"],
    },
];
