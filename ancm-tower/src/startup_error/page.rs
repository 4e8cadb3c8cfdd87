//! What is said about a failed start: the usual causes and steps, where the caller knows no better ones.

use http::StatusCode;

use super::{StartFailure, failure::Kind};
use crate::error_page::{ADVICE_FOR_DETAILS, Content};

/// What is said of each kind, whatever the cause.
struct Wording {
    code: &'static str,
    status: StatusCode,
    title: &'static str,
    intro: &'static str,
    causes: &'static [&'static str],
    advice: &'static [&'static str],
    /// Of use only where there are no details yet.
    advice_for_details: &'static str,
    footer: &'static str,
}

const NOT_STARTED: Wording = Wording {
    code: "502.5",
    status: StatusCode::BAD_GATEWAY,
    title: "The application did not start",
    intro: "This address is served by an application that runs in a process of its own. The process could not be made \
            ready, so there is nobody to answer.",
    // ANCM: aspnetcore's ancm_error_page.htm lists the same three for 502.5; the words are ours.
    causes: &[
        "The process could not be launched: the program is missing, is not executable, or was built for another system.",
        "The process was launched but ended before it was ready, for example by an exception in its start-up code.",
        "The process runs but does not listen on the port that it was given in `ASPNETCORE_PORT`.",
    ],
    advice: &[
        "Look into the log of the server: it tells what was launched, how it ended, and what it printed.",
        "Run the same command by hand in the application's folder, and see whether it starts.",
        "Set `stdoutLogEnabled=\"true\"` in `web.config`, so that the output of the process is kept in a file.",
    ],
    advice_for_details: ADVICE_FOR_DETAILS,
    footer: "The server keeps trying to start the application. Reload this page after a moment.",
};

const MISCONFIGURED: Wording = Wording {
    code: "500.0",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "The application is not configured",
    intro: "This address is served by an application whose configuration cannot be used, so that nothing was started. \
            Other applications of this server are not affected.",
    causes: &[
        "`web.config` is missing, is no XML, or holds a value that is not allowed.",
        "The folder holds sources, not what publishing makes of them.",
    ],
    advice: &[
        "Run `ancm check` on the application's folder: it names every fault, its line and what would be right.",
        "Look into the log of the server, which says the same.",
    ],
    advice_for_details: "On a machine for development start the server with `ASPNETCORE_ENVIRONMENT` set to \
                         `Development`: this page then shows the faults.",
    footer: "The application is started as soon as the file is right. Reload this page then.",
};

/// All there is to say about it.
pub(super) fn content(failure: &StartFailure) -> Content<'_> {
    let wording = match failure.kind {
        Kind::NotStarted => &NOT_STARTED,
        Kind::Misconfigured => &MISCONFIGURED,
    };
    let has_details = failure.details.is_some();
    let mut advice = or_usual(&failure.advice, wording.advice);
    if !has_details {
        advice.push(wording.advice_for_details);
    }
    Content {
        code: wording.code,
        status: wording.status,
        title: wording.title,
        intro: wording.intro,
        summary: if has_details { failure.in_full() } else { failure.summary() }.into(),
        causes: or_usual(&failure.causes, wording.causes),
        advice,
        details: failure.details.as_deref().map(Into::into),
        link: failure.link.as_deref(),
        footer: wording.footer,
    }
}

fn or_usual<'a>(given: &'a [String], usual: &[&'a str]) -> Vec<&'a str> {
    if given.is_empty() { usual.to_vec() } else { given.iter().map(String::as_str).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(failure: &StartFailure) -> String {
        String::from_utf8(failure.page().to_vec()).unwrap()
    }

    #[test]
    fn begins_title_and_heading_as_ancm_does() {
        let page = page(&StartFailure::new("It ended."));
        assert!(page.contains("<title>HTTP Error 502.5 - "));
        assert!(page.contains("<h1>HTTP Error 502.5 - "));
    }

    #[test]
    fn lists_the_usual_causes_where_nobody_knows_better() {
        let page = page(&StartFailure::new("It ended with code 3."));
        assert!(page.contains("It ended with code 3."));
        assert_eq!(page.matches("<li>").count(), NOT_STARTED.causes.len() + NOT_STARTED.advice.len() + 1);
        assert!(!page.contains("<pre") && !page.contains("More information"));
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_told_in_other_words() {
        let page = page(&StartFailure::misconfigured("It is no XML."));
        assert!(page.contains("<h1>HTTP Error 500.0 - ") && page.contains("It is no XML."), "{page}");
        assert!(page.contains("ancm check") && !page.contains("502.5"), "{page}");
    }

    #[test]
    fn advises_to_show_the_details_only_where_there_are_none() {
        for failure in [StartFailure::new("-"), StartFailure::misconfigured("-")] {
            assert!(page(&failure).contains("ASPNETCORE_ENVIRONMENT"));
            assert!(!page(&failure.details("-")).contains("ASPNETCORE_ENVIRONMENT"));
        }
    }

    #[test]
    fn lists_what_the_caller_knows_in_place_of_the_usual() {
        let failure = StartFailure::new("-").cause("app.Urls").cause("app.Run(url)").advice("Remove it.");
        let page = page(&failure.details("-").link("https://help.test"));
        assert_eq!(page.matches("<li>").count(), 3);
        assert!(page.contains("<li>app.Run(url)</li>") && page.contains("<li>Remove it.</li>"));
        assert!(page.contains("More information: <a href=\"https://help.test\""));
    }

    #[test]
    fn tells_everything_only_beside_details() {
        let failure = StartFailure::new("It ended early.").exactly("It ended with code 3.");
        assert_eq!(failure.in_full(), "It ended with code 3.");
        let page_of_all = page(&failure);
        assert!(page_of_all.contains("It ended early.") && !page_of_all.contains("code 3"));
        let page = page(&failure.details("dotnet Site.dll"));
        assert!(page.contains("It ended with code 3.") && page.contains("dotnet Site.dll"));
        assert!(!page.contains("It ended early."));
    }

    #[test]
    fn renders_once() {
        let failure = StartFailure::new("-");
        assert_eq!(failure.page().as_ptr(), failure.page().as_ptr());
        let changed = failure.clone().details("more");
        assert!(page(&changed).contains("more") && !page(&failure).contains("more"));
    }
}
