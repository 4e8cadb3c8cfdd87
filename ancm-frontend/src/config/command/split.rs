//! One string of arguments into a list, as the C runtime of Windows does it.
//!
//! Files must mean the same on every system, and it is by these rules that their authors quoted.

/// Splits at blanks and tabs outside of double quotes.
///
/// Backslashes are ordinary unless a double quote follows: then each two of them stand for one, and an odd one
/// takes from the quote its meaning. Within quotes, two quotes stand for one.
// ANCM: the command line goes to CreateProcess as it is, and the child's runtime splits it: "Parsing C command-line
// arguments" in the documentation of Visual C++, as of its 2008 version.
pub(in crate::config) fn split(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut quoted = false;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' if !quoted => arguments.extend(current.take()),
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                current.get_or_insert_default().push('"');
            }
            '"' => {
                quoted = !quoted;
                current.get_or_insert_default();
            }
            '\\' => {
                let mut backslashes = 1;
                while rest.next_if_eq(&'\\').is_some() {
                    backslashes += 1;
                }
                let before_quote = rest.peek() == Some(&'"');
                let kept = if before_quote { backslashes / 2 } else { backslashes };
                let argument = current.get_or_insert_default();
                argument.extend(std::iter::repeat_n('\\', kept));
                if before_quote && backslashes % 2 == 1 {
                    rest.next();
                    argument.push('"');
                }
            }
            other => current.get_or_insert_default().push(other),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::split;

    /// The reverse, as Windows programs quote.
    fn join(arguments: &[String]) -> String {
        let quote = |argument: &String| {
            let mut out = String::from("\"");
            let mut backslashes = 0;
            for c in argument.chars() {
                if c == '\\' {
                    backslashes += 1;
                    continue;
                }
                let kept = if c == '"' { 2 * backslashes + 1 } else { backslashes };
                out.extend(std::iter::repeat_n('\\', kept));
                out.push(c);
                backslashes = 0;
            }
            out.extend(std::iter::repeat_n('\\', 2 * backslashes));
            out + "\""
        };
        arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn splits_as_the_documentation_of_windows_shows() {
        for (line, expected) in [
            (r#""a b c" d e"#, vec!["a b c", "d", "e"]),
            (r#""ab\"c" "\\" d"#, vec![r#"ab"c"#, r"\", "d"]),
            (r#"a\\\b d"e f"g h"#, vec![r"a\\\b", "de fg", "h"]),
            (r#"a\\\"b c d"#, vec![r#"a\"b"#, "c", "d"]),
            (r#"a\\\\"b c" d e"#, vec![r"a\\b c", "d", "e"]),
            (r#"a"b"" c d"#, vec![r#"ab" c d"#]),
            (r".\Site.dll --urls http://*:80", vec![r".\Site.dll", "--urls", "http://*:80"]),
            ("  a\t\tb  ", vec!["a", "b"]),
            (r#""" x """"#, vec!["", "x", "\""]),
            (r#""never closed"#, vec!["never closed"]),
            ("'a b'", vec!["'a", "b'"]),
            ("", vec![]),
            (" \t ", vec![]),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_was_quoted_comes_back(arguments in proptest::collection::vec("[ab \\t\"\\\\é]{0,8}", 0..6)) {
            prop_assert_eq!(split(&join(&arguments)), arguments);
        }

        #[test]
        fn any_line_is_split(line in "\\PC{0,60}") {
            let arguments = split(&line);
            prop_assert!(arguments.iter().map(|argument| argument.chars().count()).sum::<usize>() <= line.chars().count());
        }

        #[test]
        fn words_without_quotes_and_backslashes_are_split_at_blanks(line in "[a-z \t./:=-]{0,40}") {
            let words: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            prop_assert_eq!(split(&line), words);
        }
    }
}
