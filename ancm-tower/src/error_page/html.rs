//! A page about an error: one HTML file without script or foreign parts, in which every text is escaped.

use std::fmt::Write;

use super::Content;

const TEMPLATE: &str = include_str!("page.html");

/// The page as text.
pub(crate) fn render(content: &Content<'_>) -> String {
    let mut page = String::with_capacity(TEMPLATE.len() + 2_048);
    let mut rest = TEMPLATE;
    // Filled in one pass, so that braces in somebody's output are never taken for a place to fill.
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        fill(&mut page, name, content);
        rest = after;
    }
    page.push_str(rest);
    page
}

fn fill(page: &mut String, name: &str, content: &Content<'_>) {
    match name {
        // ANCM: ancm_error_page.htm begins title and heading so; the words behind the number are ours.
        "heading" => {
            page.push_str("HTTP Error ");
            page.push_str(content.code);
            page.push_str(" - ");
            escape(page, content.title);
        }
        "intro" => paragraph(page, content.intro),
        "summary" => prose(page, &content.summary),
        "causes" => list(page, "Likely causes", "ul", &content.causes),
        "advice" => list(page, "What to do next", "ol", &content.advice),
        "details" => details(page, content.details.as_deref()),
        "footer" => footer(page, content),
        _ => {}
    }
}

fn paragraph(page: &mut String, text: &str) {
    if !text.is_empty() {
        page.push_str("<p>");
        prose(page, text);
        page.push_str("</p>\n");
    }
}

fn list(page: &mut String, heading: &str, tag: &str, texts: &[&str]) {
    if texts.is_empty() {
        return;
    }
    let _ = writeln!(page, "<h2>{heading}</h2>\n<{tag}>");
    for text in texts {
        page.push_str("<li>");
        prose(page, text);
        page.push_str("</li>\n");
    }
    let _ = writeln!(page, "</{tag}>");
}

fn details(page: &mut String, text: Option<&str>) {
    if let Some(text) = text {
        // A parser drops the first line end after the tag; this one is there to be dropped.
        page.push_str("<h2>Details</h2>\n<pre tabindex=\"0\">\n");
        escape(page, text);
        page.push_str("</pre>\n");
    }
}

fn footer(page: &mut String, content: &Content<'_>) {
    if content.link.is_none() && content.footer.is_empty() {
        return;
    }
    page.push_str("<footer>\n");
    link(page, content.link);
    paragraph(page, content.footer);
    page.push_str("</footer>\n");
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

    fn content<'a>() -> Content<'a> {
        Content { code: "404.14", title: "Too long", summary: "It is.".into(), ..Content::default() }
    }

    #[test]
    fn fills_every_place_and_leaves_out_what_is_empty() {
        let page = render(&content());
        assert!(!page.contains("{{"), "a place was not filled");
        assert!(page.contains("<title>HTTP Error 404.14 - Too long</title>"));
        assert!(page.contains("<h1>HTTP Error 404.14 - Too long</h1>"));
        assert!(page.ends_with("</html>\n"));
        for part in ["<ul>", "<ol>", "<h2>", "<pre", "<footer>"] {
            assert!(!page.contains(part), "{part}");
        }
    }

    #[test]
    fn sets_what_stands_between_backticks_as_code() {
        let page = render(&Content { summary: "Run `a <b>` and `c`, not `d".into(), ..content() });
        assert!(page.contains("Run <code>a &lt;b&gt;</code> and <code>c</code>, not `d</p>"));
    }

    #[test]
    fn escapes_every_text() {
        let evil = "</pre><script>'\"&{{summary}}";
        let url = format!("https://example.org/{evil}");
        let page = render(&Content {
            summary: evil.into(),
            causes: vec![evil],
            advice: vec![evil],
            details: Some(evil.into()),
            link: Some(&url),
            ..content()
        });
        assert!(!page.contains("<script") && page.matches("</pre>").count() == 1);
        let escaped = "&lt;/pre&gt;&lt;script&gt;&#39;&quot;&amp;{{summary}}";
        assert_eq!(page.matches(escaped).count(), 6, "summary, cause, step, details and the link twice");
    }

    #[test]
    fn links_to_web_addresses_only() {
        let shown = |url| render(&Content { link: Some(url), ..content() }).contains("<a href");
        assert!(shown("https://example.org/help"));
        assert!(shown("HTTP://example.org"));
        assert!(!shown("javascript:alert(1)"));
        assert!(!shown("help.htm"));
    }

    #[test]
    fn removes_colours_and_replaces_control_characters() {
        let details = Some("one\r\n\x1b[1;31mtwo\x1b[0m\0\tthree\x1b[3".into());
        assert!(render(&Content { details, ..content() }).contains("one\ntwo\u{fffd}\tthree</pre>"));
    }
}
