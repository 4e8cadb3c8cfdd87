//! The decoded text of a file, and where in it things are.

use std::{cell::OnceCell, ops::Range};

use super::{error::Excerpt, secrets};

/// Longer lines are shown in part: generated files put everything on one.
const WINDOW: usize = 120;
const BEFORE_CARET: usize = 40;

/// A place in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// Text with positions.
#[derive(Debug)]
pub(super) struct Source {
    text: String,
    starts: Vec<usize>,
    /// The text as it may be shown.
    shown: OnceCell<String>,
}

// === impl Position ===

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

// === impl Source ===

impl Source {
    pub(super) fn new(text: String) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, shown: OnceCell::new() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the byte at this offset is; past the end, where the text ends.
    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = self.boundary(offset);
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts[line - 1];
        Position { line, column: self.text[start..offset].chars().count() + 1 }
    }

    /// The offset of a position that another program gave.
    pub(super) fn offset(&self, line: u32, column: u32) -> usize {
        let start = self.starts.get(line.saturating_sub(1) as usize).copied().unwrap_or(self.text.len());
        let rest = &self.text[start..];
        rest.char_indices()
            .nth(column.saturating_sub(1) as usize)
            .map_or(self.text.len(), |(at, _)| start + at)
    }

    /// The line of the range's start, with what to underline, fit to be shown.
    pub(super) fn excerpt(&self, range: &Range<usize>) -> Excerpt {
        let position = self.position(range.start);
        let end = self.position(range.end.max(range.start));
        let shown = self.shown.get_or_init(|| secrets::hide_in_markup(&self.text));
        let line: Vec<char> = shown
            .split('\n')
            .nth(position.line - 1)
            .unwrap_or_default()
            .trim_end()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();

        let caret = position.column - 1;
        let last = if end.line == position.line { end.column - 1 } else { line.len() };
        let from = if line.len() > WINDOW { caret.saturating_sub(BEFORE_CARET) } else { 0 };
        let to = line.len().min(from + WINDOW);
        let from = from.min(to);
        let cut_before = if from > 0 { "…" } else { "" };
        let cut_after = if to < line.len() { "…" } else { "" };
        let text: String = line[from..to].iter().collect();
        Excerpt {
            line: position.line,
            text: format!("{cut_before}{text}{cut_after}"),
            caret: caret - from + cut_before.chars().count(),
            width: last.min(to).saturating_sub(caret).max(1),
        }
    }

    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        let source = Source::new("ab\nçd\n".into());
        let at = |offset| source.position(offset).to_string();
        assert_eq!([at(0), at(1), at(3), at(5), at(7), at(99)], ["1:1", "1:2", "2:1", "2:2", "3:1", "3:1"]);
    }

    #[test]
    fn shows_a_part_of_a_long_line() {
        let source = Source::new(format!("{}HERE{}", "x".repeat(500), "y".repeat(500)));
        let excerpt = source.excerpt(&(500..504));
        assert_eq!(excerpt.text.chars().skip(excerpt.caret).take(excerpt.width).collect::<String>(), "HERE");
        assert!(excerpt.text.chars().count() <= WINDOW + 2);
    }

    proptest! {
        #[test]
        fn any_range_of_any_text_has_an_excerpt(text in ".{0,60}(\n.{0,300}){0,3}", a in 0usize..900, b in 0usize..900) {
            let source = Source::new(text);
            let excerpt = source.excerpt(&(a..b));
            prop_assert!(excerpt.width >= 1);
        }

        #[test]
        fn offsets_and_positions_agree(text in "[a-zé\n]{0,40}", at in 0usize..60) {
            let source = Source::new(text);
            let position = source.position(at);
            let (line, column) = (u32::try_from(position.line)?, u32::try_from(position.column)?);
            prop_assert_eq!(source.position(source.offset(line, column)), position);
        }
    }
}
