//! Which values must not be shown, and how they look instead.
//!
//! Explanations quote the configuration, and people paste explanations into tickets. So whatever is printed goes
//! through here: names that sound like a secret, values that carry one, and quoted lines of the file itself.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::config::secrets;
//!
//! assert_eq!(secrets::shown("ASPNETCORE_ENVIRONMENT", "Production"), "Production");
//! assert_eq!(secrets::shown("Payment__ApiKey", "s3cr3t"), "******");
//! assert_eq!(secrets::shown("DATABASE", "Server=db;Password=s3cr3t"), "******");
//! ```

use super::command::split::split;

/// What is shown in place of a secret.
pub const MASK: &str = "******";

const NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "key",
    "credential",
    "connectionstring",
    "connstr",
    "conn_str",
    "connection_string",
    "signature",
    "sas_",
];

const INSIDE_VALUES: &[&str] = &[
    "password=",
    "pwd=",
    "passwd=",
    "secret=",
    "accountkey=",
    "sharedaccesskey=",
    "sharedaccesssignature=",
    "apikey=",
    "token=",
    "bearer ",
    "-----begin",
];

/// Elements whose attributes are settings of ours; those of any other element may hold anything.
const PLAIN_ELEMENTS: &[&str] = &[
    "aspnetcore",
    "requestlimits",
    "requestfiltering",
    "httpplatform",
    "websocket",
    "location",
    "configuration",
    "system.webserver",
    "handlers",
    "file",
    "handlersetting",
    "xml",
];

/// Whether a value of this name is likely to be a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

/// Whether the value itself gives away that it holds a secret.
pub fn holds_secret(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    INSIDE_VALUES.iter().any(|part| value.contains(part)) || has_user_info(&value)
}

/// The value, or the mask if it must not be seen; an empty value is shown as it is.
pub fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    if !value.is_empty() && (is_secret_name(name) || holds_secret(value)) { MASK } else { value }
}

/// Program arguments, those masked that follow or contain an option with a secret-sounding name.
pub fn shown_arguments(arguments: &[String]) -> Vec<String> {
    let mut after_secret_option = false;
    arguments
        .iter()
        .map(|argument| {
            let hidden = after_secret_option && !argument.starts_with('-');
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            after_secret_option = argument.starts_with('-') && value.is_empty() && is_secret_name(name);
            if hidden {
                MASK.to_owned()
            } else if !value.is_empty() && (is_secret_name(name) || holds_secret(argument)) {
                format!("{name}={MASK}")
            } else if holds_secret(argument) {
                MASK.to_owned()
            } else {
                argument.clone()
            }
        })
        .collect()
}

/// The same for arguments in one string; unchanged if none is masked.
pub fn shown_line(line: &str) -> String {
    let arguments = split(line);
    let shown = shown_arguments(&arguments);
    if shown == arguments { line.to_owned() } else { shown.join(" ") }
}

/// The text of a file, character by character the same except for attribute values that may be secrets.
///
/// Works on text that is not well-formed, too: what is shown of it is where it went wrong.
pub(super) fn hide_in_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut element = "";
    while let Some(at) = rest.find(['<', '=']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = after.strip_prefix('<') {
            out.push('<');
            let after_mark = after.trim_start_matches(['?', '/', '!']);
            let end = after_mark.find(|c: char| !is_name_character(c)).unwrap_or(after_mark.len());
            element = &after_mark[..end];
            rest = after;
        } else {
            let attribute = last_name(before);
            rest = copy_value(&after[1..], element, attribute, &mut out);
        }
    }
    out.push_str(rest);
    out
}

/// Copies `="value"` (the equals sign is gone already), masked if need be; gives what follows.
fn copy_value<'a>(text: &'a str, element: &str, attribute: &str, out: &mut String) -> &'a str {
    out.push('=');
    let value = text.trim_start();
    out.push_str(&text[..text.len() - value.len()]);
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = value.find(|c: char| c.is_whitespace() || c == '<' || c == '>').unwrap_or(value.len());
        push_value(&value[..end], element, attribute, out);
        return &value[end..];
    };
    out.push(quote);
    let value = &value[1..];
    let end = value.find(['<', quote]).unwrap_or(value.len());
    push_value(&value[..end], element, attribute, out);
    let Some(after) = value[end..].strip_prefix(quote) else { return &value[end..] };
    out.push(quote);
    // Something right behind the quote: a quote is missing somewhere, and this may be a value.
    let stray = if after.starts_with(|c: char| c.is_whitespace() || matches!(c, '/' | '>' | '<' | '?')) {
        0
    } else {
        after.find(['<', '>']).unwrap_or(after.len())
    };
    push_masked(&after[..stray], out);
    &after[stray..]
}

fn push_value(value: &str, element: &str, attribute: &str, out: &mut String) {
    if may_be_secret(element, attribute, value) { push_masked(value, out) } else { out.push_str(value) }
}

fn push_masked(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if c.is_whitespace() { c } else { '*' }));
}

fn may_be_secret(element: &str, attribute: &str, value: &str) -> bool {
    let plain = PLAIN_ELEMENTS.iter().any(|name| name.eq_ignore_ascii_case(element));
    let naming = ["name", "path", "key", "enabled", "verb", "modules"];
    let naming = naming.iter().any(|name| name.eq_ignore_ascii_case(attribute));
    (!plain && !naming) || (plain && is_secret_name(attribute)) || holds_secret(value)
}

fn last_name(text: &str) -> &str {
    let text = text.trim_end();
    let start = text
        .rfind(|c: char| !is_name_character(c))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ':')
}

/// `scheme://user:password@host`.
fn has_user_info(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_names_that_sound_like_a_secret() {
        for name in ["API_TOKEN", "MySecret", "DB_PASSWORD", "PWD", "ApiKey", "ConnectionStrings__Default"] {
            assert_eq!(shown(name, "x"), MASK, "{name}");
        }
        for name in ["ASPNETCORE_ENVIRONMENT", "DOTNET_gcServer", "ASPNETCORE_PORT"] {
            assert_eq!(shown(name, "x"), "x", "{name}");
        }
    }

    #[test]
    fn masks_values_that_carry_a_secret() {
        for value in ["Server=a;Pwd=x;", "postgres://me:x@db/site", "Bearer abc", "-----BEGIN PRIVATE"] {
            assert_eq!(shown("DATABASE", value), MASK, "{value}");
        }
        assert_eq!(shown("BASE", "https://example.com/@user:1"), "https://example.com/@user:1");
    }

    #[test]
    fn shows_that_a_secret_is_empty() {
        assert_eq!(shown("API_TOKEN", ""), "");
    }

    #[test]
    fn masks_arguments_that_carry_a_secret() {
        let given = ["App.dll", "--api-key", "s3", "--Db:Password=s3", "--urls", "http://u:s3@h", "--port=1"];
        let given: Vec<String> = given.map(str::to_owned).into();
        let shown = shown_arguments(&given).join(" ");
        assert_eq!(shown, "App.dll --api-key ****** --Db:Password=****** --urls ****** --port=1");
    }

    #[test]
    fn leaves_a_line_without_secrets_as_it_is_written() {
        assert_eq!(shown_line(r#"a.dll  "b c""#), r#"a.dll  "b c""#);
        assert_eq!(shown_line(r#"a.dll --password "b c""#), "a.dll --password ******");
    }

    #[test]
    fn hides_values_in_markup_and_keeps_every_column() {
        let text = "<aspNetCore procesPath=\"dotnet\">\n <environmentVariable name='A' value = \"s3 é\" />";
        let hidden = hide_in_markup(text);
        assert_eq!(
            hidden,
            "<aspNetCore procesPath=\"dotnet\">\n <environmentVariable name='A' value = \"** *\" />"
        );
        assert_eq!(hidden.chars().count(), text.chars().count());
    }

    #[test]
    fn hides_values_in_markup_that_is_broken() {
        for text in [
            "<environmentVariable name=\"A\" vlaue=\"s3cr3t",
            "<environmentVariable name=\"A value=\"s3cr3t\"/>",
            "<environmentVariable value=s3cr3t>",
            "<add connectionString='s3cr3t",
            "<aspNetCore arguments=\"--x password=s3cr3t\"",
        ] {
            assert!(!hide_in_markup(text).contains("s3cr3t"), "{text}");
        }
    }
}
