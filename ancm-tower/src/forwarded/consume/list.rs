//! Entries of comma-separated headers, read as .NET reads them.

use http::{HeaderMap, HeaderName};

/// The entries of all lines of a header, in order: without blanks around them, without empty ones, unquoted.
// ANCM: HttpRequest.Headers.GetCommaSeparatedValues; a quote that is not closed reaches to the end of its line.
pub(super) fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| split(line.as_bytes()))
        .map(|entry| unquoted(entry.trim_ascii()))
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// Splits at the commas that are outside of quotes.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
}

fn unquoted(entry: &[u8]) -> &[u8] {
    match entry {
        [b'"', inner @ .., b'"'] => inner,
        _ => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const NAME: HeaderName = HeaderName::from_static("x-list");

    fn read(lines: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NAME, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        entries(&headers, &NAME).into_iter().map(|entry| String::from_utf8(entry.to_vec()).unwrap()).collect()
    }

    #[test]
    fn reads_entries_of_all_lines_in_order() {
        assert_eq!(read(&["a, b", "c", "d,e"]), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn drops_blanks_and_empty_entries() {
        assert_eq!(read(&[" ,, \ta b\t,", "", "\"\"", ","]), ["a b"]);
    }

    #[test]
    fn unquotes_entries() {
        assert_eq!(read(&["\"a\", \"b,c\",\" d\""]), ["a", "b,c", " d"]);
        assert_eq!(read(&["\"a\"b, c\"d\""]), ["\"a\"b", "c\"d\""]);
    }

    #[test]
    fn a_stray_quote_spoils_the_rest_of_its_line_only() {
        assert_eq!(read(&["a, \", b", "c"]), ["a", "\", b", "c"]);
        assert_eq!(read(&["\""]), ["\""]);
    }

    proptest! {
        #[test]
        fn never_panics(lines in proptest::collection::vec("[a\", \t\u{e9}]{0,20}", 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            prop_assert!(read(&lines).iter().all(|entry| !entry.is_empty()));
        }
    }
}
