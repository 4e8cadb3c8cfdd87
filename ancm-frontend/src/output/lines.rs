//! Cuts a stream's text into lines and logs each of them.
//!
//! `ancm run` in a container has no other place where the output of the application could be seen.

use std::sync::Arc;

/// The longest line, in bytes; what is longer is logged in pieces.
const LONGEST: usize = 16 * 1024;

/// Whose line it is.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) application: Arc<str>,
    pub(super) stream: &'static str,
    pub(super) pid: Option<u32>,
}

/// The line that has not ended yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: String,
}

// === impl Origin ===

impl Origin {
    /// Logs one line as it is; whoever shows it on a terminal must take the control characters out.
    pub(super) fn log(&self, line: &str) {
        let site = Some(&*self.application).filter(|name| !name.is_empty());
        tracing::info!(target: "app", stream = self.stream, pid = self.pid, site, "{line}");
    }
}

// === impl Lines ===

impl Lines {
    /// Takes more text and gives every line that is complete, without its end.
    pub(super) fn push(&mut self, mut text: &str, mut line: impl FnMut(&str)) {
        while let Some(end) = text.find('\n') {
            self.extend(&text[..end], &mut line);
            let open = std::mem::take(&mut self.open);
            line(open.strip_suffix('\r').unwrap_or(&open));
            text = &text[end + 1..];
        }
        self.extend(text, &mut line);
    }

    /// Gives the last line, if it has no end.
    pub(super) fn finish(&mut self, mut line: impl FnMut(&str)) {
        let open = std::mem::take(&mut self.open);
        if !open.is_empty() {
            line(&open);
        }
    }

    fn extend(&mut self, mut text: &str, line: &mut impl FnMut(&str)) {
        while self.open.len() + text.len() > LONGEST {
            let mut cut = LONGEST - self.open.len();
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            self.open.push_str(&text[..cut]);
            line(&std::mem::take(&mut self.open));
            text = &text[cut..];
        }
        self.open.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&str]) -> Vec<String> {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| all.push(line.to_owned()));
        }
        lines.finish(|line| all.push(line.to_owned()));
        all
    }

    #[test]
    fn joins_the_pieces_of_a_line_and_takes_its_end_off() {
        assert_eq!(cut(&["a\nb", "c\r", "\n\nd"]), ["a", "bc", "", "d"]);
    }

    #[test]
    fn cuts_a_line_that_is_too_long_between_characters() {
        let text = "€".repeat(10_000);
        let lines = cut(&[&text[..9_999], &text[9_999..], "\n", "next\n"]);
        assert_eq!(lines.last().map(String::as_str), Some("next"));
        assert!(lines.iter().all(|line| line.len() <= LONGEST));
        assert_eq!(lines[..lines.len() - 1].concat(), text);
    }
}
