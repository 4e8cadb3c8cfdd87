//! What is worth knowing about a file that can be used.

use super::source::Position;

/// A remark about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// How much it matters.
    pub kind: NoteKind,
    /// What it is about; does not change between versions.
    pub code: &'static str,
    /// Where it is; `None` if it is about the file as a whole.
    pub position: Option<Position>,
    /// What there is to know.
    pub text: String,
    /// Of a risk: the section that [`load_ignoring`](super::load_ignoring) can be told to ignore.
    pub section: Option<&'static str>,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NoteKind {
    /// Leaving it out opens the site to people whom IIS would refuse.
    Risk,
    /// Every start of the application fails because of it; what else there is can be served.
    Failure,
    /// Probably not what is wanted.
    Warning,
    /// IIS would do it; we do not.
    NotHonoured,
    /// Does nothing here, and would do nothing for such an application under IIS.
    NoEffect,
    /// Good to know.
    Info,
    /// Holds here as under IIS.
    Honoured,
}

// === impl Note ===

impl Note {
    pub(crate) fn new(kind: NoteKind, code: &'static str, text: impl Into<String>) -> Self {
        Self { kind, code, position: None, text: text.into(), section: None }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}: {}", self.kind, self.text)
    }
}

// === impl NoteKind ===

impl NoteKind {
    /// The name of the kind, as `ancm check --json` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Risk => "risk",
            Self::Failure => "failure",
            Self::Warning => "warning",
            Self::NotHonoured => "not-honoured",
            Self::NoEffect => "no-effect",
            Self::Info => "info",
            Self::Honoured => "honoured",
        }
    }
}

impl std::fmt::Display for NoteKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Risk => "RISK",
            Self::NotHonoured => "not honoured",
            Self::NoEffect => "no effect",
            other => other.name(),
        })
    }
}
