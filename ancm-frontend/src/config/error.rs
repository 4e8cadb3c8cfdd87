//! What is wrong with a `web.config`: all of it at once, each with its place, the allowed range and a fix.
//!
//! A person repairs a file in one go only if the first attempt names every fault. [`ConfigErrors`] prints one line
//! for each (for logs), or renders each with the line of the file and a caret (for a terminal).
//!
//! # Example
//!
//! ```
//! # use std::path::Path;
//! let text = br#"<configuration><system.webServer>
//!   <aspNetCore procesPath="dotnet" startupTimeLimit="4000" />
//! </system.webServer></configuration>"#;
//! let errors = ancm_frontend::config::parse(text, Path::new("web.config"), Path::new("."), &|_| None).unwrap_err();
//! let lines = errors.to_string();
//! assert!(lines.contains("web.config:2:15: aspNetCore has no attribute \"procesPath\"; fix: write processPath"));
//! assert!(lines.contains("web.config:2:35: startupTimeLimit=\"4000\" is out of range; allowed: 0 to 3600 seconds"));
//! assert!(errors.render().contains("^^^^^^^^^^^^^^^^^^^"));
//! ```

use std::{
    fmt::{self, Write as _},
    path::{Path, PathBuf},
};

pub use super::source::Position;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What kind of fault it is; does not change between versions.
    pub code: &'static str,
    /// Where it is; `None` if it is about the file as a whole.
    pub position: Option<Position>,
    /// The attribute or element that it is about.
    pub subject: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub allowed: Option<String>,
    /// What to do.
    pub fix: Option<String>,
    pub(super) excerpt: Option<Excerpt>,
}

/// A line of the file with something to underline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) caret: usize,
    pub(super) width: usize,
}

/// Everything that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    file: PathBuf,
    faults: Vec<Fault>,
    more: usize,
}

// === impl Fault ===

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, position: None, subject: None, message, allowed: None, fix: None, excerpt: None }
    }

    pub(super) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(super) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    fn write_line(&self, file: &Path, f: &mut dyn fmt::Write) -> fmt::Result {
        write!(f, "{}:", file.display())?;
        if let Some(position) = self.position {
            write!(f, "{position}:")?;
        }
        write!(f, " {}", self.message)?;
        if let Some(allowed) = &self.allowed {
            write!(f, "; allowed: {allowed}")?;
        }
        self.fix.iter().try_for_each(|fix| write!(f, "; fix: {fix}"))
    }

    fn write_rendered(&self, file: &Path, f: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        let margin = self.excerpt.as_ref().map_or(1, |excerpt| excerpt.line.to_string().len());
        write!(f, "{:margin$}--> {}", "", file.display())?;
        self.position.iter().try_for_each(|position| write!(f, ":{position}"))?;
        writeln!(f)?;
        if let Some(Excerpt { line, text, caret, width }) = &self.excerpt {
            writeln!(f, "{:margin$} |", "")?;
            writeln!(f, "{line} | {text}")?;
            writeln!(f, "{:margin$} | {:caret$}{}", "", "", "^".repeat(*width))?;
        }
        for (word, text) in [("allowed", &self.allowed), ("fix", &self.fix)] {
            text.iter().try_for_each(|text| writeln!(f, "{:margin$} = {word}: {text}", ""))?;
        }
        Ok(())
    }
}

// === impl ConfigErrors ===

impl ConfigErrors {
    pub(super) fn new(file: impl Into<PathBuf>, mut faults: Vec<Fault>, more: usize) -> Self {
        faults.sort_by_key(|fault| fault.position);
        Self { file: file.into(), faults, more }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The faults, in the order of their places.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// How many more there are than [`faults`](Self::faults) lists; not 0 only for files that are garbage.
    pub fn more(&self) -> usize {
        self.more
    }

    /// For a terminal: each fault with the line of the file, a caret, the allowed range and a fix.
    ///
    /// Values that may be secrets are masked.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            let _ = fault.write_rendered(&self.file, &mut out);
        }
        if self.more > 0 {
            let _ = writeln!(out, "\nand {} more", self.more);
        }
        out
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.write_line(&self.file, f)?;
        }
        if self.more > 0 {
            write!(f, "\n{}: and {} more", self.file.display(), self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Text of the file as it may be printed: quoted, on one line, not endless.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let cut = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    // Quotes of either kind are escaped by `escape_debug`, and people do not write them so.
    format!("\"{}{cut}\"", shown.replace("\\'", "'").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> Fault {
        let excerpt = Excerpt { line: 12, text: "  <aspNetCore x=\"1\">".into(), caret: 14, width: 5 };
        let mut fault = Fault::new("value", "x=\"1\" is out of range").allowed("2 to 3").fix("write 2");
        fault.position = Some(Position { line: 12, column: 15 });
        fault.excerpt = Some(excerpt);
        fault
    }

    #[test]
    fn prints_a_fault_on_one_line() {
        let errors = ConfigErrors::new("/srv/web.config", vec![fault()], 0);
        let expected = "/srv/web.config:12:15: x=\"1\" is out of range; allowed: 2 to 3; fix: write 2";
        assert_eq!(errors.to_string(), expected);
    }

    #[test]
    fn renders_the_line_with_a_caret_below_the_attribute() {
        let expected = "\
error: x=\"1\" is out of range
  --> /srv/web.config:12:15
   |
12 |   <aspNetCore x=\"1\">
   |               ^^^^^
   = allowed: 2 to 3
   = fix: write 2
";
        assert_eq!(ConfigErrors::new("/srv/web.config", vec![fault()], 0).render(), expected);
    }

    #[test]
    fn lists_faults_in_the_order_of_their_places_and_counts_the_rest() {
        let whole = Fault::new("missing", "is missing");
        let errors = ConfigErrors::new("w", vec![fault(), whole], 7);
        assert_eq!(errors.faults()[0].code, "missing");
        assert!(errors.to_string().ends_with("w: and 7 more"));
        assert!(errors.render().ends_with("and 7 more\n"));
    }

    #[test]
    fn quotes_text_so_that_a_terminal_is_safe() {
        assert_eq!(quoted(".\\a'b"), "\".\\a'b\"");
        assert_eq!(quoted("\u{1b}[2J\n"), "\"\\u{1b}[2J\\n\"");
        assert!(quoted(&"x".repeat(500)).chars().count() < 90);
    }
}
