//! Secrets that are known letter by letter.

use super::{REPLACEMENT, VALUE_REPLACEMENT};

/// What is shown where a secret could be read into the usual replacements themselves.
const PLAIN_REPLACEMENT: &str = "\u{2022}\u{2022}\u{2022}";

/// The secrets of one process.
pub(super) struct Literals {
    /// The longest first.
    all: Vec<Literal>,
    /// Whether a secret begins with this byte.
    begins: [bool; 256],
    value_replacement: &'static str,
}

struct Literal {
    /// In lower case.
    text: Vec<u8>,
    replacement: &'static str,
}

/// What the bytes at one place are.
pub(super) enum Verdict {
    Secret { length: usize, replacement: &'static str },
    NotYetKnown,
    Other,
}

// === impl Literals ===

impl Literals {
    pub(super) fn new<T: AsRef<[u8]>, V: AsRef<[u8]>>(
        tokens: impl IntoIterator<Item = T>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let literal = |text: &[u8], replacement| Literal { text: text.to_ascii_lowercase(), replacement };
        let tokens = tokens.into_iter().map(|text| literal(text.as_ref(), REPLACEMENT));
        let values = values.into_iter().map(|text| literal(text.as_ref(), VALUE_REPLACEMENT));
        let mut all: Vec<_> = tokens.chain(values).filter(|literal| !literal.text.is_empty()).collect();
        // Of the same text, the token's replacement wins: the sort is stable.
        all.sort_by_key(|literal| std::cmp::Reverse(literal.text.len()));
        let mut value_replacement = VALUE_REPLACEMENT;
        if all.iter().any(Literal::is_confusable) {
            for literal in &mut all {
                literal.replacement = PLAIN_REPLACEMENT;
            }
            value_replacement = PLAIN_REPLACEMENT;
        }
        let mut begins = [false; 256];
        for literal in &all {
            begins[usize::from(literal.text[0])] = true;
            begins[usize::from(literal.text[0].to_ascii_uppercase())] = true;
        }
        Self { all, begins, value_replacement }
    }

    /// What is shown for a secret that is known by its name only.
    pub(super) fn value_replacement(&self) -> &'static str {
        self.value_replacement
    }

    pub(super) fn may_begin(&self, byte: u8) -> bool {
        self.begins[usize::from(byte)]
    }

    /// Whether a secret begins here; of several the longest.
    pub(super) fn look(&self, bytes: &[u8], ended: bool) -> Verdict {
        if !self.may_begin(bytes[0]) {
            return Verdict::Other;
        }
        for Literal { text, replacement } in &self.all {
            let known = text.len().min(bytes.len());
            if !bytes[..known].eq_ignore_ascii_case(&text[..known]) {
                continue;
            }
            if known == text.len() {
                return Verdict::Secret { length: known, replacement };
            }
            if !ended {
                return Verdict::NotYetKnown;
            }
        }
        Verdict::Other
    }
}

// === impl Literal ===

impl Literal {
    /// Without a bracket or an asterisk in it, a secret can only be found in a replacement's inner part, never across
    /// its border.
    fn is_confusable(&self) -> bool {
        let inside = |text: &str| text.as_bytes().windows(self.text.len()).any(|part| part == self.text);
        self.text.iter().any(|byte| b"[]*".contains(byte)) || inside(REPLACEMENT)
    }
}
