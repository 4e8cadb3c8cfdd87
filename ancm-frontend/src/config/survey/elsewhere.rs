//! `configSource`: a section that stands in a file of its own, which is not read.
//!
//! Passed over in silence, it could be the one that keeps people out.

use roxmltree::Node;

use super::{
    super::{
        attributes::ATTRIBUTES,
        error::{Fault, quoted},
        findings::Findings,
        gate::GUARDED_SECTIONS,
        note::NoteKind,
        xml::attribute,
    },
    SECTIONS, Verdict,
};

/// The section of `customHeaders`.
const HTTP_PROTOCOL: &str = "httpProtocol";

/// Remarks on each such section inside of an element.
pub(super) fn look(element: Node<'_, '_>, findings: &mut Findings<'_>) {
    for section in element.descendants().filter(Node::is_element) {
        let Some(source) = attribute(section, "configSource") else { continue };
        let name = section.tag_name().name();
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let text = format!("{name}: its settings are in {}, which is not read", quoted(source.value()));
        let place = source.range();
        if ATTRIBUTES.iter().any(|attribute| is(attribute.element)) {
            // Where it is read, this attribute is none that it has.
        } else if let Some(guarded) = GUARDED_SECTIONS.iter().find(|known| is(known)) {
            findings.risk(&place, "other-file", guarded, text);
        } else if is(HTTP_PROTOCOL) {
            let fault = Fault::new("other-file", text).about(HTTP_PROTOCOL);
            findings.fault(&place, fault.fix("move the settings of that file to here"));
        } else if !says_nothing(name) {
            let text = format!("{text}; what it says of such a section is not known");
            findings.note(&place, NoteKind::NotHonoured, "other-file", text);
        }
    }
}

/// Whether a section makes no difference, whatever is in it.
fn says_nothing(name: &str) -> bool {
    let found = SECTIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    matches!(found, Some((_, Verdict::Silent | Verdict::NoEffect(_))))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{
        super::{ConfigErrors, Loaded, NoteKind, parse},
        tests::assert_notes,
    };

    #[test]
    fn a_section_that_keeps_people_out_does_so_from_another_file_too() {
        for (inside, section) in [
            ("<ipSecurity configSource='ip.config'/>", "ipSecurity"),
            ("<Authorization configSource='who.config'/>", "authorization"),
            (
                "<authentication><windowsAuthentication configsource='w.config'/></authentication>",
                "windowsAuthentication",
            ),
        ] {
            let security = format!("<security>{inside}</security>");
            assert_notes(&security, "", &[(NoteKind::Risk, "which is not read")]);
            let part =
                format!("<location path='a'><system.webServer>{security}</system.webServer></location>");
            assert_notes("", &part, &[(NoteKind::Risk, "which is not read")]);
            assert_eq!(super::super::tests::notes(&security, "")[0].section, Some(section));
        }
    }

    #[test]
    fn what_is_honoured_must_stand_in_the_file() {
        for inside in [
            "<httpProtocol configSource='x.config'/>",
            "<webSocket configSource='x.config'/>",
            "<security><requestFiltering configSource='x.config'/></security>",
        ] {
            let text = parsed(inside).unwrap_err().to_string();
            assert!(text.contains("move the settings of that file to here"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn other_sections_are_named_where_they_may_say_something() {
        let not = NoteKind::NotHonoured;
        assert_notes("<rewrite><rules configSource='r.config'/></rewrite>", "", &[(not, "\"r.config\"")]);
        assert_notes("<httpErrors configSource='e.config'/>", "", &[(not, "\"e.config\"")]);
        assert_notes("<modules configSource='m.config'/>", "", &[]);
    }

    fn parsed(inside: &str) -> Result<Loaded, ConfigErrors> {
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='a'/>{inside}</system.webServer></configuration>"
        );
        parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None)
    }
}
