//! Replaces secrets in a stream of bytes, also where a secret is cut in two by the border between two reads.
//!
//! A backend that is called with a wrong token prints the right one, and what a backend prints ends up in files, logs
//! and on error pages. So everything it prints goes through here first.
//!
//! What comes out does not depend on how the bytes were cut. At most the beginning of a secret is kept back (less
//! bytes than the secret has), until it is clear whether it is one; a line that has its end is never kept back.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::output::mask::Masker;
//!
//! let mut masker = Masker::new(["0b5e77aa"]);
//! let mut shown = Vec::new();
//! masker.push(b"expected 0b5E", &mut shown);
//! assert_eq!(shown, b"expected ");
//! masker.push(b"77aa\n", &mut shown);
//! masker.finish(&mut shown);
//! assert_eq!(shown, b"expected [pairing token]\n");
//! ```

use std::{fmt, sync::Arc};

/// What is shown in place of a secret.
pub const REPLACEMENT: &str = "[pairing token]";
/// The same, where a secret could be read into [`REPLACEMENT`] itself.
const PLAIN_REPLACEMENT: &str = "\u{2022}\u{2022}\u{2022}";

/// Masks one stream; a clone masks another one, from its beginning.
pub struct Masker {
    secrets: Arc<Secrets>,
    /// The beginning of what may become a secret.
    held: Vec<u8>,
}

struct Secrets {
    /// The longest first.
    texts: Vec<Vec<u8>>,
    /// Whether a secret begins with this byte.
    begins: [bool; 256],
    replacement: &'static str,
}

enum Verdict {
    Secret(usize),
    NotYetKnown,
    Other,
}

/// The text without the secret.
pub(crate) fn masked(secret: &str, text: &str) -> String {
    let (mut masker, mut shown) = (Masker::new([secret]), Vec::with_capacity(text.len()));
    masker.push(text.as_bytes(), &mut shown);
    masker.finish(&mut shown);
    String::from_utf8_lossy(&shown).into_owned()
}

// === impl Masker ===

impl Masker {
    /// Masks these secrets, whatever the case of their ASCII letters; empty ones are left out.
    pub fn new<T: AsRef<[u8]>>(secrets: impl IntoIterator<Item = T>) -> Self {
        Self { secrets: Arc::new(Secrets::new(secrets)), held: Vec::new() }
    }

    /// Takes the next bytes and appends to `shown` what may be shown by now.
    pub fn push(&mut self, bytes: &[u8], shown: &mut Vec<u8>) {
        if self.held.is_empty() {
            let held = self.secrets.mask(bytes, false, shown);
            self.held.extend_from_slice(held);
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(bytes);
            let held = self.secrets.mask(&joined, false, shown);
            self.held.extend_from_slice(held);
        }
    }

    /// Appends what was kept back: the stream has ended.
    pub fn finish(&mut self, shown: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.secrets.mask(&held, true, shown);
    }
}

impl Clone for Masker {
    fn clone(&self) -> Self {
        Self { secrets: Arc::clone(&self.secrets), held: Vec::new() }
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").finish_non_exhaustive()
    }
}

// === impl Secrets ===

impl Secrets {
    fn new<T: AsRef<[u8]>>(secrets: impl IntoIterator<Item = T>) -> Self {
        let mut texts: Vec<_> = secrets.into_iter().map(|text| text.as_ref().to_ascii_lowercase()).collect();
        texts.retain(|text| !text.is_empty());
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let mut begins = [false; 256];
        for text in &texts {
            begins[usize::from(text[0])] = true;
            begins[usize::from(text[0].to_ascii_uppercase())] = true;
        }
        // Without a bracket in it, a secret can only be found in the replacement's inner part, never across its border.
        let confusable = texts.iter().any(|text| {
            text.iter().any(|byte| b"[]".contains(byte))
                || REPLACEMENT.as_bytes().windows(text.len()).any(|part| part == text)
        });
        let replacement = if confusable { PLAIN_REPLACEMENT } else { REPLACEMENT };
        Self { texts, begins, replacement }
    }

    /// Appends the masked bytes to `shown`; gives back the end that must be held until more is known.
    fn mask<'a>(&self, bytes: &'a [u8], ended: bool, shown: &mut Vec<u8>) -> &'a [u8] {
        let (mut copied, mut at) = (0, 0);
        while at < bytes.len() {
            if !self.begins[usize::from(bytes[at])] {
                at += 1;
                continue;
            }
            match self.look(&bytes[at..], ended) {
                Verdict::Secret(length) => {
                    shown.extend_from_slice(&bytes[copied..at]);
                    shown.extend_from_slice(self.replacement.as_bytes());
                    at += length;
                    copied = at;
                }
                Verdict::NotYetKnown => break,
                Verdict::Other => at += 1,
            }
        }
        shown.extend_from_slice(&bytes[copied..at]);
        &bytes[at..]
    }

    /// Whether a secret begins here; of several the longest.
    fn look(&self, bytes: &[u8], ended: bool) -> Verdict {
        for text in &self.texts {
            let known = text.len().min(bytes.len());
            if !bytes[..known].eq_ignore_ascii_case(&text[..known]) {
                continue;
            }
            if known == text.len() {
                return Verdict::Secret(known);
            }
            if !ended {
                return Verdict::NotYetKnown;
            }
        }
        Verdict::Other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "2f0c1e3a-7d54-4b7e-9a51-0c3b8e6f4d21";

    fn masked(secrets: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
        let mut masker = Masker::new(secrets);
        let mut shown = Vec::new();
        for piece in pieces {
            masker.push(piece, &mut shown);
        }
        masker.finish(&mut shown);
        shown
    }

    fn contains(text: &[u8], part: &str) -> bool {
        text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    }

    #[test]
    fn replaces_a_token_in_any_case() {
        let line = format!("expected pairing token '{}', request rejected", TOKEN.to_uppercase());
        let shown = masked(&[TOKEN], &[line.as_bytes()]);
        assert_eq!(shown, b"expected pairing token '[pairing token]', request rejected");
    }

    #[test]
    fn replaces_a_token_that_arrives_byte_by_byte() {
        let pieces: Vec<_> = TOKEN.as_bytes().chunks(1).collect();
        assert_eq!(masked(&[TOKEN], &pieces), REPLACEMENT.as_bytes());
    }

    #[test]
    fn finds_a_secret_that_begins_inside_a_false_start() {
        assert_eq!(masked(&["aab"], &[b"aa", b"ab"]), b"a[pairing token]");
    }

    #[test]
    fn prefers_the_longer_of_two_secrets_with_the_same_beginning() {
        assert_eq!(
            masked(&["1234", "12345678"], &[b"1234", b"5678 1234x"]),
            b"[pairing token] [pairing token]x"
        );
    }

    #[test]
    fn shows_a_line_with_its_end_at_once_and_holds_less_than_a_secret() {
        let mut masker = Masker::new([TOKEN]);
        let mut shown = Vec::new();
        masker.push(b"2f0c1e\n", &mut shown);
        assert_eq!(shown, b"2f0c1e\n");
        masker.push(b"name: 2", &mut shown);
        assert_eq!(shown, b"2f0c1e\nname: ");
        masker.finish(&mut shown);
        assert_eq!(shown, b"2f0c1e\nname: 2");
    }

    #[test]
    fn leaves_everything_alone_without_secrets() {
        assert_eq!(masked(&[], &[b"\xff\0", b"text"]), b"\xff\0text");
        assert_eq!(masked(&[""], &[b"text"]), b"text");
    }

    #[test]
    fn never_shows_a_secret_that_is_part_of_the_replacement() {
        assert!(!contains(&masked(&["token"], &[b"a token"]), "token"));
        assert!(!contains(&masked(&["x["], &[b"xx[["]), "x["));
    }

    #[test]
    fn prints_no_secret_when_debugged() {
        assert!(!format!("{:?}", Masker::new([TOKEN])).contains("2f0c"));
    }

    proptest! {
        #[test]
        fn gives_the_same_output_however_the_input_is_cut(
            // Few letters, so that secrets and false starts are frequent.
            input in "[01xX]{0,60}",
            secrets in proptest::collection::vec("[01x]{1,5}", 0..3),
            cuts in proptest::collection::vec(0usize..60, 0..12),
        ) {
            let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
            let whole = masked(&secrets, &[input.as_bytes()]);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &input.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(&masked(&secrets, &pieces), &whole);
            for secret in secrets {
                prop_assert!(!contains(&whole, secret));
            }
        }
    }
}
