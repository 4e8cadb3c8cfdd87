//! Whether a client reads JSON rather than HTML, by its header `Accept`.

use http::{HeaderMap, HeaderValue, header};

/// How much a client wants something: how exactly it asks for it, and the weight that it gives to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wish {
    /// 0: not at all, 1: `*/*`, 2: `text/*` or `application/*`, 3: by name.
    exactness: u8,
    /// In thousandths.
    weight: u16,
}

/// Whether JSON is preferred to HTML; where nothing says so, it is not.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    // Nearly all requests end here: browsers do not mention JSON, and others take anything.
    headers.get_all(header::ACCEPT).iter().any(may_mean_json) && weigh(headers)
}

fn may_mean_json(value: &HeaderValue) -> bool {
    const ANY_APPLICATION: &[u8] = b"application/*";
    let bytes = value.as_bytes();
    if bytes.get(..ANY_APPLICATION.len()).is_some_and(|start| start.eq_ignore_ascii_case(ANY_APPLICATION)) {
        return true;
    }
    // Without an early end, so that it is a few instructions for a whole line. A `j` is rare there.
    let found = bytes.iter().fold(0, |found, byte| found | u8::from(byte | 0x20 == b'j'));
    found != 0 && bytes.windows(4).any(|word| word.eq_ignore_ascii_case(b"json"))
}

fn weigh(headers: &HeaderMap) -> bool {
    let (mut json, mut html) = (Wish::default(), Wish::default());
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in lines.flat_map(|line| line.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(weight).unwrap_or(1_000);
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let (for_json, for_html) = if is("*/*") {
            (1, 1)
        } else {
            let json = if is_json(name) { 3 } else { 2 * u8::from(is("application/*")) };
            let html = if is("text/html") { 3 } else { 2 * u8::from(is("text/*")) };
            (json, html)
        };
        json.refine(for_json, weight);
        html.refine(for_html, weight);
    }
    json.weight > html.weight
        || json.weight == html.weight && json.weight > 0 && json.exactness > html.exactness
}

/// Whether it is JSON, or something that is written in it.
fn is_json(name: &str) -> bool {
    let end = name.len().checked_sub("/json".len()).and_then(|begin| name.as_bytes().get(begin..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(b"/json") || end.eq_ignore_ascii_case(b"+json"))
}

/// The weight that a parameter gives, in thousandths; none if it is another parameter.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths: u16 = match whole {
        // What is no weight weighs nothing.
        _ if !digits(fraction) => 0,
        "1" => 1_000,
        "0" => fraction.bytes().zip([100, 10, 1]).map(|(digit, unit)| u16::from(digit - b'0') * unit).sum(),
        _ => 0,
    };
    Some(thousandths)
}

// === impl Wish ===

impl Wish {
    /// Takes in a range: the most exact counts, and of equals the heaviest.
    fn refine(&mut self, exactness: u8, weight: u16) {
        if exactness > self.exactness || exactness > 0 && exactness == self.exactness && weight > self.weight
        {
            *self = Self { exactness, weight };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, HeaderValue::from_str(line).unwrap());
        }
        prefers_json(&headers)
    }

    #[test]
    fn html_is_for_browsers_and_for_whoever_does_not_say() {
        for accept in [
            "",
            "*/*",
            "application/*;q=0.5, text/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "image/jpeg, image/jxl",
            "text/html, application/json",
            "application/json;q=0.9, text/html",
            "application/json;q=0.5, text/*;q=0.8",
            "application/json;q=0.4, */*;q=0.5",
            "application/json;q=0",
            "application/json;q=0, */*;q=0",
            "application/json;q=nonsense",
            "application/jsonp, text/plain",
        ] {
            assert!(!of(&[accept]), "{accept}");
        }
        assert!(!of(&[]));
    }

    #[test]
    fn json_is_for_whoever_prefers_it() {
        for accept in [
            "application/json",
            "Application/Problem+JSON",
            "application/vnd.api+json",
            "text/json",
            "application/*",
            // As axios asks.
            "application/json, text/plain, */*",
            "text/html;q=0.9, application/json",
            "text/html; level=1; q=0.4 , application/json ; Q=0.5",
            "*/*;q=0.1, application/json;q=0.2",
            "text/html;q=0.001, application/json;q=0.01",
            "text/html;q=0, application/*, application/problem+json;q=0.1",
        ] {
            assert!(of(&[accept]), "{accept}");
        }
        assert!(of(&["text/html;q=0.5", "application/json"]));
    }

    proptest! {
        #[test]
        fn every_line_has_an_answer(line in "[ -~]{0,60}") {
            of(&[&line, "application/json;q=0.5"]);
        }
    }
}
