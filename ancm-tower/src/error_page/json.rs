//! Problem details (RFC 9457): the same as a page says, for programs.

use std::fmt::Write;

use super::Content;

/// Before the number of the error; what people search for.
const TYPE: &str = "urn:problem-type:ancm:";

/// The object as text.
pub(super) fn render(content: &Content<'_>) -> String {
    let mut object = Object(String::from("{"));
    object.text("type", &format!("{TYPE}{}", content.code));
    object.text("title", content.title);
    object.number("status", content.status.as_u16());
    if let Some(sub_status) = content.sub_status() {
        object.number("subStatus", sub_status);
    }
    object.text("detail", &plain(&content.summary));
    if let Some(details) = content.details.as_deref() {
        object.text("details", details);
    }
    if let Some(link) = content.link {
        object.text("link", link);
    }
    object.0.push_str("}\n");
    object.0
}

/// Without the marks of code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// An object in the making.
struct Object(String);

// === impl Object ===

impl Object {
    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        for character in value.chars() {
            match character {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                c if c < ' ' => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn number(&mut self, name: &str, value: u16) {
        self.name(name);
        let _ = write!(self.0, "{value}");
    }

    fn name(&mut self, name: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}\"{name}\":");
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn holds_what_the_page_says() {
        let content = Content {
            code: "502.5",
            status: StatusCode::BAD_GATEWAY,
            title: "It did not start",
            summary: "\"It\" ended `early`.".into(),
            details: Some("a\\b\u{1b}[0m\r\nc".into()),
            link: Some("https://help.test/"),
            ..Content::default()
        };
        assert_eq!(
            render(&content),
            "{\"type\":\"urn:problem-type:ancm:502.5\",\"title\":\"It did not start\",\"status\":502,\"subStatus\":5,\
             \"detail\":\"\\\"It\\\" ended early.\",\"details\":\"a\\\\b\\u001b[0m\\u000d\\nc\",\
             \"link\":\"https://help.test/\"}\n"
        );
    }

    #[test]
    fn leaves_out_what_there_is_not() {
        let content = Content { code: "413", summary: "-".into(), ..Content::default() };
        let text = render(&content);
        for name in ["subStatus", "details", "link"] {
            assert!(!text.contains(name), "{text}");
        }
    }
}
