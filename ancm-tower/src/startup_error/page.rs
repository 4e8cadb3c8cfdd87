//! The pages of 502.5 and 500.0: one HTML file without script or foreign parts, in which every text is escaped.

use super::{StartFailure, failure::Kind};

const TEMPLATE: &str = include_str!("page.html");

/// What the page of each kind says, whatever the cause.
struct Wording {
    title: &'static str,
    introduction: &'static str,
    causes: &'static [&'static str],
    advice: &'static [&'static str],
    /// Of use only where there are no details yet.
    advice_for_details: &'static str,
    outlook: &'static str,
}

const NOT_STARTED: Wording = Wording {
    title: "HTTP Error 502.5 - The application did not start",
    introduction: "This address is served by an application that runs in a process of its own. The process could not be made ready, so there is nobody to answer.",
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
    advice_for_details: "On a machine for development set `ASPNETCORE_ENVIRONMENT=Development`: this page then shows the details.",
    outlook: "The server keeps trying to start the application. Reload this page after a moment.",
};

const MISCONFIGURED: Wording = Wording {
    title: "HTTP Error 500.0 - The application is not configured",
    introduction: "This address is served by an application whose configuration cannot be used, so that nothing was started. Other applications of this server are not affected.",
    causes: &[
        "`web.config` is missing, is no XML, or holds a value that is not allowed.",
        "The folder holds sources, not what publishing makes of them.",
    ],
    advice: &[
        "Run `ancm check` on the application's folder: it names every fault, its line and what would be right.",
        "Look into the log of the server, which says the same.",
    ],
    advice_for_details: "On a machine for development start the server with `ASPNETCORE_ENVIRONMENT=Development`: this page then shows the faults.",
    outlook: "The application is started as soon as the file is right. Reload this page then.",
};

/// The page as text.
pub(super) fn render(failure: &StartFailure) -> String {
    let mut page = String::with_capacity(TEMPLATE.len() + 2_048);
    let mut rest = TEMPLATE;
    // Filled in one pass, so that braces in somebody's output are never taken for a place to fill.
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        fill(&mut page, name, failure);
        rest = after;
    }
    page.push_str(rest);
    page
}

fn fill(page: &mut String, name: &str, failure: &StartFailure) {
    let wording = match failure.kind {
        Kind::NotStarted => &NOT_STARTED,
        Kind::Misconfigured => &MISCONFIGURED,
    };
    match name {
        "title" => prose(page, wording.title),
        "introduction" => prose(page, wording.introduction),
        "outlook" => prose(page, wording.outlook),
        "summary" => prose(page, &failure.summary),
        "causes" => items(page, &failure.causes, wording.causes.iter().copied()),
        "advice" => {
            let more = failure.details.is_none().then_some(wording.advice_for_details);
            items(page, &failure.advice, wording.advice.iter().copied().chain(more));
        }
        "details" => details(page, failure.details.as_deref()),
        "link" => link(page, failure.link.as_deref()),
        _ => {}
    }
}

fn items<'a>(page: &mut String, given: &'a [String], usual: impl IntoIterator<Item = &'a str>) {
    let usual = usual.into_iter().filter(|_| given.is_empty());
    for text in given.iter().map(String::as_str).chain(usual) {
        page.push_str("<li>");
        prose(page, text);
        page.push_str("</li>\n");
    }
}

fn details(page: &mut String, text: Option<&str>) {
    if let Some(text) = text {
        // A parser drops the first line end after the tag; this one is there to be dropped.
        page.push_str("<h2>Details</h2>\n<pre tabindex=\"0\">\n");
        escape(page, text);
        page.push_str("</pre>\n");
    }
}

// ANCM: ANCM_ADDITIONAL_ERROR_PAGE_LINK.
fn link(page: &mut String, url: Option<&str>) {
    let Some(url) = url else { return };
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    page.push_str("<p>More information: ");
    if matches!(scheme.as_deref(), Some("http" | "https")) {
        page.push_str("<a href=\"");
        escape(page, url);
        page.push_str("\" rel=\"noreferrer\">");
        escape(page, url);
        page.push_str("</a>");
    } else {
        escape(page, url);
    }
    page.push_str("</p>\n");
}

/// Writes a text in which what stands between two backticks is code.
fn prose(page: &mut String, text: &str) {
    let mut rest = text;
    while let Some((before, (code, after))) =
        rest.split_once('`').and_then(|(before, after)| Some((before, after.split_once('`')?)))
    {
        escape(page, before);
        page.push_str("<code>");
        escape(page, code);
        page.push_str("</code>");
        rest = after;
    }
    escape(page, rest);
}

/// Writes text so that it is text in elements and in quoted attributes alike.
fn escape(page: &mut String, text: &str) {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            // A terminal's colours: ESC, `[`, parameters, and one letter that ends them.
            '\x1b' if chars.as_str().starts_with('[') => {
                chars.by_ref().skip(1).find(|c| ('@'..='~').contains(c));
            }
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            '\n' | '\t' => page.push(c),
            // HTML allows no other control character, not even as a reference.
            '\r' => {}
            c if c.is_control() => page.push('\u{fffd}'),
            c => page.push(c),
        }
    }
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
        assert!(page.ends_with("</html>\n"));
    }

    #[test]
    fn fills_every_place_and_lists_the_usual_causes() {
        let page = page(&StartFailure::new("It ended with code 3."));
        assert!(!page.contains("{{"), "a place was not filled");
        assert!(page.contains("It ended with code 3."));
        assert_eq!(page.matches("<li>").count(), NOT_STARTED.causes.len() + NOT_STARTED.advice.len() + 1);
        assert!(!page.contains("<pre") && !page.contains("More information"));
    }

    #[test]
    fn advises_to_show_the_details_only_where_there_are_none() {
        let failure = StartFailure::new("-");
        assert!(page(&failure).contains("ASPNETCORE_ENVIRONMENT"));
        assert!(!page(&failure.details("-")).contains("ASPNETCORE_ENVIRONMENT"));
    }

    #[test]
    fn lists_what_the_caller_knows_in_place_of_the_usual() {
        let page = page(&StartFailure::new("-").cause("app.Urls").cause("app.Run(url)").advice("Remove it."));
        assert_eq!(page.matches("<li>").count(), 3);
        assert!(page.contains("<li>app.Run(url)</li>") && page.contains("<li>Remove it.</li>"));
    }

    #[test]
    fn sets_what_stands_between_backticks_as_code() {
        let page = page(&StartFailure::new("Run `a <b>` and `c`, not `d"));
        assert!(page.contains("Run <code>a &lt;b&gt;</code> and <code>c</code>, not `d</p>"));
    }

    #[test]
    fn escapes_every_text() {
        let evil = "</pre><script>'\"&{{summary}}";
        let failure = StartFailure::new(evil).cause(evil).advice(evil).details(evil);
        let page = page(&failure.link(format!("https://example.org/{evil}")));
        assert!(!page.contains("<script") && page.matches("</pre>").count() == 1);
        let escaped = "&lt;/pre&gt;&lt;script&gt;&#39;&quot;&amp;{{summary}}";
        assert_eq!(page.matches(escaped).count(), 6, "summary, cause, step, details and the link twice");
    }

    #[test]
    fn links_to_web_addresses_only() {
        let shown = |url| page(&StartFailure::new("-").link(url)).contains("<a href");
        assert!(shown("https://example.org/help"));
        assert!(shown("HTTP://example.org"));
        assert!(!shown("javascript:alert(1)"));
        assert!(!shown("help.htm"));
    }

    #[test]
    fn removes_colours_and_replaces_control_characters() {
        let page = page(&StartFailure::new("-").details("one\r\n\x1b[1;31mtwo\x1b[0m\0\tthree\x1b[3"));
        assert!(page.contains("one\ntwo\u{fffd}\tthree</pre>"));
    }

    #[test]
    fn renders_once() {
        let failure = StartFailure::new("-");
        assert_eq!(failure.page().as_ptr(), failure.page().as_ptr());
        let changed = failure.clone().details("more");
        assert!(page(&changed).contains("more") && !page(&failure).contains("more"));
    }
}
