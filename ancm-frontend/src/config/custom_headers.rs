//! Reads `customHeaders`: headers that every answer gets.
//!
//! `add`, `remove` and `clear` change the list that is inherited, in the order in which they are written. So `remove`
//! takes back what this or an outer element has added; it never takes away a header that the application sends.

use http::{HeaderName, HeaderValue};
use roxmltree::Node;

use super::{
    Config,
    error::{Fault, quoted},
    findings::Findings,
    note::NoteKind,
    settings::{stray_text, unknown_element},
    xml::{attribute, elements, is, tag, value},
};

/// Headers that frame messages or belong to one connection.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reads one element into the list.
pub(super) fn read(node: Node<'_, '_>, config: &mut Config, findings: &mut Findings<'_>) {
    stray_text(node, findings);
    let mut added = Vec::new();
    for entry in elements(node) {
        let name = value(entry, "name");
        if is(entry, "clear") {
            config.custom_headers.clear();
        } else if is(entry, "remove") {
            remove(entry, name, config, findings);
        } else if is(entry, "add") {
            if let Some(header) = checked(entry, name, config, findings) {
                added.push(quoted(&header.0));
                config.custom_headers.push(header);
            }
        } else {
            let known = ["add", "remove", "clear"];
            findings.fault(&tag(entry), unknown_element("customHeaders", entry.tag_name().name(), &known));
        }
    }
    if !added.is_empty() {
        let text = format!("customHeaders: every answer gets {}", added.join(", "));
        findings.note(&tag(node), NoteKind::Honoured, "custom-headers", text);
    }
}

fn remove(entry: Node<'_, '_>, name: &str, config: &mut Config, findings: &mut Findings<'_>) {
    let before = config.custom_headers.len();
    config.custom_headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    if config.custom_headers.len() == before && name.eq_ignore_ascii_case("Server") {
        let text = "customHeaders: <remove name=\"Server\"> takes back what <add> has added, not the application's own \
                    header; write <requestFiltering removeServerHeader=\"true\"> for that";
        findings.note(&tag(entry), NoteKind::Warning, "remove-server-header", text);
    }
}

/// The header that an `add` adds, if it can be added.
fn checked(
    entry: Node<'_, '_>,
    name: &str,
    config: &Config,
    findings: &mut Findings<'_>,
) -> Option<(String, String)> {
    let place = |name| attribute(entry, name).map_or_else(|| tag(entry), |attribute| attribute.range());
    let text = value(entry, "value");
    let fault = |code, message: String| Fault::new(code, message).about("customHeaders");
    if name.is_empty() {
        findings
            .fault(&tag(entry), fault("missing-attribute", "add has no name".into()).fix("add name=\"…\""));
    } else if HeaderName::from_bytes(name.as_bytes()).is_err() {
        let fault = fault("bad-header", format!("a header cannot have the name {}", quoted(name)));
        findings.fault(&place("name"), fault.fix("write letters, digits and hyphens only"));
    } else if HeaderValue::from_bytes(text.as_bytes()).is_err() {
        let fault = fault("bad-header", format!("the value of {} holds a control character", quoted(name)));
        findings.fault(&place("value"), fault.fix("write it on one line"));
    } else if FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
        let text = format!(
            "customHeaders: {} is not added, as it belongs to the connection; remove it",
            quoted(name)
        );
        findings.note(&tag(entry), NoteKind::NotHonoured, "framing-header", text);
    } else if config.custom_headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
        // IIS: names are unique in the collection, inherited ones too; a second one is error 500.19.
        let message = format!("customHeaders adds {} twice, which IIS refuses", quoted(name));
        let fix = format!("keep one, or write <remove name={} /> between them", quoted(name));
        findings.fault(&place("name"), fault("repeated-entry", message).fix(fix));
    } else {
        return Some((name.to_owned(), text.to_owned()));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{ConfigErrors, Loaded, NoteKind, parse};

    /// With some headers outside of `location`, and some in it.
    fn parsed(outer: &str, here: &str) -> Result<Loaded, ConfigErrors> {
        let section =
            |inside: &str| format!("<httpProtocol><customHeaders>\n{inside}</customHeaders></httpProtocol>");
        let text = format!(
            "<configuration><location path='.'><system.webServer><aspNetCore processPath='a'/>{}</system.webServer>\
             </location><system.webServer>{}</system.webServer></configuration>",
            section(here),
            section(outer)
        );
        parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None)
    }

    fn headers(outer: &str, here: &str) -> Vec<String> {
        let config = parsed(outer, here).unwrap().config;
        config.custom_headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn add_remove_and_clear_count_in_their_order() {
        let outer = "<add name='X-A' value='1'/><add value='2' name='X-B'/><remove name='X-Powered-By'/>";
        assert_eq!(headers(outer, ""), ["X-A: 1", "X-B: 2"]);
        assert_eq!(headers(outer, "<REMOVE name='x-a'/><Add name='x-a' value='3'/>"), ["X-B: 2", "x-a: 3"]);
        assert_eq!(headers(outer, "<add name='X-C' value=''/><clear/><add name='X-D'/>"), ["X-D: "]);
    }

    #[test]
    fn values_are_kept_as_they_are_written() {
        let csp = "<add name='Content-Security-Policy' value=\"default-src 'self';\n\timg-src &quot;*&quot; &amp; >\"/>";
        assert_eq!(headers(csp, ""), ["Content-Security-Policy: default-src 'self';  img-src \"*\" & >"]);
        assert_eq!(headers("<add name='X' value='%PATH% é'/>", ""), ["X: %PATH% é"]);
    }

    #[test]
    fn what_cannot_be_a_header_is_a_fault() {
        for (entry, part) in [
            ("<add value='x'/>", "w:2:1: add has no name"),
            ("<add name='X A' value='x'/>", "w:2:6: a header cannot have the name \"X A\""),
            ("<add name='X' value='a&#10;b'/>", "w:2:15: the value of \"X\" holds a control character"),
            ("<ad name='X' value='a'/>", "w:2:1: customHeaders has no element \"ad\"; fix: write add"),
            ("<add name='X' value='a'/><add name='x' value='b'/>", "adds \"x\" twice"),
        ] {
            let text = parsed("", entry).unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        }
        assert!(parsed("<add name='X'/>", "<add name='X'/>").unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn headers_that_frame_messages_are_not_added() {
        let loaded = parsed("<add name='Transfer-Encoding' value='chunked'/>", "").unwrap();
        assert_eq!(loaded.config.custom_headers, []);
        assert_eq!(loaded.notes[0].kind, NoteKind::NotHonoured);
    }

    #[test]
    fn removing_what_only_the_application_sends_is_warned_of() {
        let loaded = parsed("<remove name='server'/>", "").unwrap();
        assert!(loaded.notes[0].text.contains("removeServerHeader=\"true\""), "{:?}", loaded.notes);
        assert!(
            parsed("<add name='Server' value='x'/><remove name='Server'/>", "")
                .unwrap()
                .notes
                .iter()
                .all(|note| note.kind == NoteKind::Honoured)
        );
        assert_eq!(parsed("<clear/><remove name='X-Powered-By'/>", "").unwrap().notes, []);
    }
}
