//! What one reading of a file finds, collected with its places.

use std::ops::Range;

use super::{
    error::{Fault, Position},
    note::{Note, NoteKind},
    source::Source,
};

/// A person reads no more faults than this; a file of garbage has a hundred thousand.
const MOST_FAULTS: usize = 100;
/// Large files have hundreds of rules, each worth a note.
const MOST_NOTES: usize = 500;
/// Of each section; a risk is noted whatever else there is.
const MOST_RISKS: usize = 100;

/// Faults and notes so far, and what the readers need.
pub(super) struct Findings<'s> {
    pub(super) environment: &'s dyn Fn(&str) -> Option<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) more_faults: usize,
    pub(super) notes: Vec<Note>,
    pub(super) given: Vec<(&'static str, Position)>,
    source: &'s Source,
}

// === impl Findings ===

impl<'s> Findings<'s> {
    pub(super) fn new(source: &'s Source, environment: &'s dyn Fn(&str) -> Option<String>) -> Self {
        Self { environment, faults: Vec::new(), more_faults: 0, notes: Vec::new(), given: Vec::new(), source }
    }

    /// For a second reading of what has been read; nobody looks at what it finds.
    pub(super) fn unheard(&self) -> Self {
        Self::new(self.source, self.environment)
    }

    /// A fault at a place.
    pub(super) fn fault(&mut self, range: &Range<usize>, mut fault: Fault) {
        if self.faults.len() >= MOST_FAULTS {
            self.more_faults += 1;
            return;
        }
        fault.position = Some(self.source.position(range.start));
        fault.excerpt = Some(self.source.excerpt(range));
        self.faults.push(fault);
    }

    /// A note about a place.
    pub(super) fn note(
        &mut self,
        range: &Range<usize>,
        kind: NoteKind,
        code: &'static str,
        text: impl Into<String>,
    ) {
        self.note_at(Some(self.source.position(range.start)), kind, code, text);
    }

    /// The same, where the place is known already.
    pub(super) fn note_at(
        &mut self,
        position: Option<Position>,
        kind: NoteKind,
        code: &'static str,
        text: impl Into<String>,
    ) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(Note { position, ..Note::new(kind, code, text) });
        }
    }

    /// A note that a section which keeps people out does not do so here.
    pub(super) fn risk(
        &mut self,
        range: &Range<usize>,
        code: &'static str,
        section: &'static str,
        text: impl Into<String>,
    ) {
        // Never too many: were one left out, the site would be served as if it were not there.
        let known = self.notes.iter().filter(|note| note.section == Some(section)).count();
        if known < MOST_RISKS {
            let position = Some(self.source.position(range.start));
            let note = Note::new(NoteKind::Risk, code, text);
            self.notes.push(Note { position, section: Some(section), ..note });
        }
    }

    /// Remembers that an attribute is given, and where.
    pub(super) fn give(&mut self, name: &'static str, range: &Range<usize>) {
        let position = self.source.position(range.start);
        self.given.push((name, position));
    }
}

impl std::fmt::Debug for Findings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Findings")
            .field("faults", &self.faults)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}
