//! What one reading of a file finds, collected with its places.

use std::ops::Range;

use super::{
    error::{Fault, Position},
    note::{Note, NoteKind},
    source::Source,
};

/// A person reads no more faults than this; a file of garbage has a hundred thousand.
const MOST_FAULTS: usize = 100;
/// Large files have hundreds of rules, each worth a note; a risk is noted whatever else there is.
const MOST_NOTES: usize = 500;

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
        let room = if kind == NoteKind::Risk { 2 * MOST_NOTES } else { MOST_NOTES };
        if self.notes.len() < room {
            let position = Some(self.source.position(range.start));
            self.notes.push(Note { position, ..Note::new(kind, code, text) });
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
