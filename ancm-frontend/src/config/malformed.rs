//! Says where and why text is not well-formed XML, in words for people who do not read grammars.

use roxmltree::Error;

use super::{
    error::{Fault, quoted},
    source::Source,
    xml::{Misfit, misfit},
};

const REPAIR: &str = "repair the XML at this place";

/// What is wrong, what to do, and where.
type Reason = (String, &'static str, usize);

/// The fault, and its place.
pub(super) fn explain(error: &Error, source: &Source) -> Box<Misfit> {
    let at = error.pos();
    let place = source.offset(at.row, at.col);
    let text = source.text();
    let reason = of_document(error, text, place).or_else(|| of_markup(error, text, place));
    let (message, fix, place) =
        reason.unwrap_or_else(|| (format!("this is not well-formed XML ({error})"), REPAIR, place));
    misfit(Fault::new("not-xml", message).fix(fix), place..place + 1)
}

/// The file as a whole is not what it should be.
fn of_document(error: &Error, text: &str, place: usize) -> Option<Reason> {
    Some(match error {
        Error::DtdDetected => (
            "a document type (DTD) is not read: it could define other text and pull in other files".into(),
            "remove <!DOCTYPE …>",
            text.find("<!DOCTYPE").unwrap_or(0),
        ),
        Error::UnexpectedDeclaration(_) => (
            "the XML declaration is not the first thing in the file".into(),
            "remove what stands before <?xml, blank lines too",
            place,
        ),
        Error::UnknownToken(_) if !text[..place].contains('<') => {
            let stray: String = text[place..].chars().take_while(|c| *c != '<').take(20).collect();
            let message = format!("this is not XML: it begins with {}", quoted(&stray));
            (message, "remove what stands before the first <", place)
        }
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream => (
            "the file ends before everything in it is closed".into(),
            "restore the end of the file, or close what is open",
            text.trim_end().len(),
        ),
        Error::NoRootNode => {
            ("the file has no element, comments at most".into(), "put the settings in <configuration>", 0)
        }
        Error::NodesLimitReached | Error::AttributesLimitReached | Error::NamespacesLimitReached => {
            ("the file has more elements than any web.config".into(), "restore the file", 0)
        }
        Error::UnknownNamespace(prefix, _) => (
            format!("the prefix {} is not declared", quoted(prefix)),
            "remove it; if this is a transform (web.Release.config), put the result of publishing here",
            place,
        ),
        _ => return None,
    })
}

/// Something is wrong at one place.
fn of_markup(error: &Error, text: &str, place: usize) -> Option<Reason> {
    let (message, fix) = match error {
        Error::UnexpectedCloseTag(open, close, _) => (
            format!("</{close}> closes <{open}>, which is still open"),
            "close the elements in the order in which they were opened",
        ),
        Error::DuplicatedAttribute(name, _) => {
            (format!("attribute {} is given twice", quoted(name)), "keep one of the two")
        }
        Error::UnknownEntityReference(..) | Error::MalformedEntityReference(_) => {
            ("an & stands for itself only when written as &amp;".into(), "write &amp; instead of &")
        }
        Error::InvalidAttributeValue(_) | Error::InvalidChar(b'"' | b'\'', b'<', _) => (
            "a < stands in a value, or a quote before it is missing".into(),
            "close the quote, or write &lt;",
        ),
        Error::InvalidComment(_) => ("a comment contains --".into(), "write the comment without --"),
        Error::InvalidChar(expected, found, _) => {
            let expected = quoted(&char::from(*expected).to_string());
            (format!("{expected} is expected here, not {}", one(text, place, *found)), REPAIR)
        }
        Error::InvalidChar2(expected, found, _) => {
            (format!("{expected} is expected here, not {}", one(text, place, *found)), REPAIR)
        }
        Error::InvalidString(expected, _) => (format!("{} is expected here", quoted(expected)), REPAIR),
        Error::NonXmlChar(found, _) => (
            format!("character {} is not allowed in XML", quoted(&found.to_string())),
            "remove it; if there are many, the file is not text",
        ),
        Error::InvalidName(_) => ("a name is expected here".into(), REPAIR),
        Error::UnknownToken(_) => ("this does not belong here".into(), REPAIR),
        _ => return None,
    };
    Some((message, fix, place))
}

/// The whole character at a place; the parser gives its first byte only.
fn one(text: &str, place: usize, byte: u8) -> String {
    let character = text.get(place..).and_then(|rest| rest.chars().next()).unwrap_or(char::from(byte));
    quoted(&character.to_string())
}

#[cfg(test)]
mod tests {
    use super::{super::xml, *};

    fn fault(text: &str) -> String {
        let source = Source::new(text.into());
        let misfit = xml::parse(&source).map(|_| ()).unwrap_err();
        format!("{} {}", source.position(misfit.range.start), misfit.fault.message)
    }

    #[test]
    fn a_stray_byte_before_the_declaration_is_at_the_very_beginning() {
        assert_eq!(
            fault("b<?xml version=\"1.0\"?><configuration/>"),
            "1:1 this is not XML: it begins with \"b\""
        );
        assert!(
            fault("\n<?xml version=\"1.0\"?><configuration/>")
                .starts_with("2:1 the XML declaration is not the")
        );
    }

    #[test]
    fn text_that_is_not_xml_is_said_to_be_none() {
        assert_eq!(
            fault("{ \"Logging\": {} }"),
            "1:1 this is not XML: it begins with \"{ \\\"Logging\\\": {} }\""
        );
    }

    #[test]
    fn a_document_type_is_refused_with_the_reason() {
        let bomb =
            "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"c\">]><configuration>&b;</configuration>";
        assert!(
            fault(bomb).starts_with("2:1 a document type (DTD) is not read: it could"),
            "{}",
            fault(bomb)
        );
    }

    #[test]
    fn broken_markup_is_found_where_it_breaks() {
        for (text, expected) in [
            ("<configuration>\n<a></b>", "2:4 </b> closes <a>, which is still open"),
            ("<configuration>\n<a>", "2:4 the file ends before everything in it is closed"),
            ("<configuration>\n<a b", "2:5 the file ends before everything in it is closed"),
            ("<configuration a=\"1\" a=\"2\"/>", "1:22 attribute \"a\" is given twice"),
            ("<configuration x:a=\"1\"/>", "1:16 the prefix \"x\" is not declared"),
            ("<configuration a=\"b & c\"/>", "1:21 an & stands for itself only when written as &amp;"),
            (
                "<configuration a=\"b <c d=\"\"/>",
                "1:21 a < stands in a value, or a quote before it is missing",
            ),
            ("<configuration a=é/>", "1:18 a quote is expected here, not \"é\""),
            ("<configuration/><b/>", "1:17 this does not belong here"),
            ("<!-- nothing -->", "1:1 the file has no element, comments at most"),
            ("<configuration>\u{1}</configuration>", "1:16 character \"\\u{1}\" is not allowed in XML"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }
}
