//! Replaces secrets in a stream of bytes, also where a secret is cut in two by the border between two reads.
//!
//! A backend that is called with a wrong token prints the right one, and what a backend prints ends up in files, logs
//! and on error pages. So everything it prints goes through here first. This is masked, whatever the case of its
//! ASCII letters:
//!
//! | what | is shown as |
//! |---|---|
//! | the pairing token of the process | `[pairing token]` |
//! | the value of an environment variable of the process, inherited or of `web.config`, whose name sounds like a secret (`password`, `secret`, `token`, `key`, `credential`, `connectionstring` and the like somewhere in it), or that carries one (a connection string with a password, a URL with one, `Bearer …`, a PEM block); and the password inside of it by itself; each if it has 6 bytes or more | `******` |
//! | what follows `Password=`, `Pwd=`, `Passwd=`, `AccountKey=`, `SharedAccessKey=`, `SharedAccessSignature=`, `ClientSecret=`, `client_secret=`, `ApiKey=`, `api_key=`, `api-key=`, `access_token=`, `refresh_token=` up to the next `;`, `"`, `'`, `<` or the end of the line; in quotation marks, up to the closing one. The same after `"password":` and so on, as JSON has it | `******` |
//! | what follows `Authorization:` or `Authorization=`, up to a quotation mark or the end of the line | `******` |
//! | 16 or more characters of a token after `Bearer ` | `******` |
//!
//! Nothing else is: a secret that the application has from somewhere else and prints without such a name is shown.
//!
//! What comes out does not depend on how the bytes were cut. At most the beginning of a secret is kept back (less
//! bytes than the secret has), until it is clear whether it is one; a line that has its end is never kept back, unless
//! a secret has several lines.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::output::mask::Masker;
//!
//! let mut masker = Masker::new(["0b5e77aa"], ["hunter2"]);
//! let mut shown = Vec::new();
//! masker.push(b"expected 0b5E", &mut shown);
//! assert_eq!(shown, b"expected ");
//! masker.push(b"77aa\nlogin: hunter2 (Server=db;Password=x;User=y)\n", &mut shown);
//! masker.finish(&mut shown);
//! let text = String::from_utf8(shown)?;
//! assert_eq!(text, "expected [pairing token]\nlogin: ****** (Server=db;Password=******;User=y)\n");
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```

mod literals;
mod patterns;

use std::{fmt, sync::Arc};

use self::{
    literals::{Literals, Verdict},
    patterns::{Found, Value},
};

/// What is shown in place of a pairing token.
pub const REPLACEMENT: &str = "[pairing token]";
/// What is shown in place of any other secret.
pub const VALUE_REPLACEMENT: &str = crate::config::secrets::MASK;

/// Masks one stream; a clone masks another one, from its beginning.
pub struct Masker {
    literals: Arc<Literals>,
    /// The beginning of what may become a secret.
    held: Vec<u8>,
    /// The secret that the stream is in the middle of.
    value: Option<Value>,
}

// === impl Masker ===

impl Masker {
    /// Masks these tokens and these other values; empty ones are left out.
    pub fn new<T: AsRef<[u8]>, V: AsRef<[u8]>>(
        tokens: impl IntoIterator<Item = T>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self { literals: Arc::new(Literals::new(tokens, values)), held: Vec::new(), value: None }
    }

    /// Takes the next bytes and appends to `shown` what may be shown by now.
    pub fn push(&mut self, bytes: &[u8], shown: &mut Vec<u8>) {
        if self.held.is_empty() {
            let taken = self.mask(bytes, false, shown);
            self.held.extend_from_slice(&bytes[taken..]);
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(bytes);
            let taken = self.mask(&joined, false, shown);
            joined.drain(..taken);
            self.held = joined;
        }
    }

    /// Appends what was kept back: the stream has ended.
    pub fn finish(&mut self, shown: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.mask(&held, true, shown);
        self.value = None;
    }

    /// A whole text, masked.
    pub(crate) fn whole(&self, text: &str) -> String {
        let (mut masker, mut shown) = (self.clone(), Vec::with_capacity(text.len()));
        masker.push(text.as_bytes(), &mut shown);
        masker.finish(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Appends the masked bytes to `shown`; the rest, from where it returns, must be held until more is known.
    fn mask(&mut self, bytes: &[u8], ended: bool, shown: &mut Vec<u8>) -> usize {
        let (mut copied, mut at) = (0, 0);
        while at < bytes.len() {
            if self.value.is_none() && !self.literals.may_begin(bytes[at]) && !patterns::may_begin(bytes[at])
            {
                at += 1;
                continue;
            }
            match self.literals.look(&bytes[at..], ended) {
                Verdict::Secret { length, replacement } => {
                    // The rest of what the stream is in the middle of has its mask already.
                    if !self.value.as_ref().is_some_and(Value::is_masked) {
                        shown.extend_from_slice(&bytes[copied..at]);
                        shown.extend_from_slice(replacement.as_bytes());
                        if let Some(value) = &mut self.value {
                            value.masked();
                        }
                    }
                    at += length;
                    copied = at;
                }
                Verdict::NotYetKnown => break,
                Verdict::Other => match self.step(&bytes[at..], ended) {
                    None => break,
                    Some(Step::Show(length)) => at += length,
                    Some(Step::Mask { shown: before, length }) => {
                        shown.extend_from_slice(&bytes[copied..at + before]);
                        shown.extend_from_slice(self.literals.value_replacement().as_bytes());
                        at += length;
                        copied = at;
                    }
                    Some(Step::Hide) => {
                        at += 1;
                        copied = at;
                    }
                },
            }
        }
        shown.extend_from_slice(&bytes[copied..at]);
        at
    }

    /// What becomes of the bytes here, which begin no literal; None if that is not known yet.
    fn step(&mut self, bytes: &[u8], ended: bool) -> Option<Step> {
        if let Some(value) = &mut self.value {
            let step = value.step(bytes[0]);
            if matches!(step, Step::Show(0)) {
                self.value = None;
            }
            return Some(step);
        }
        match patterns::look(bytes, ended) {
            Found::Nothing => Some(Step::Show(1)),
            Found::NotYetKnown => None,
            Found::Name { length, value } => {
                self.value = Some(value);
                Some(Step::Show(length))
            }
            Found::Bearer { shown, length } => {
                self.value = Some(Value::of_bearer());
                Some(Step::Mask { shown, length })
            }
        }
    }
}

/// What becomes of some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// So many are shown; none if a secret has ended just before them.
    Show(usize),
    /// The first few are shown, the rest is replaced.
    Mask { shown: usize, length: usize },
    /// One more byte of what was replaced.
    Hide,
}

impl Clone for Masker {
    fn clone(&self) -> Self {
        Self { literals: Arc::clone(&self.literals), held: Vec::new(), value: None }
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "2f0c1e3a-7d54-4b7e-9a51-0c3b8e6f4d21";

    fn masked(secrets: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
        masked_by(Masker::new(secrets, [""; 0]), pieces)
    }

    fn masked_by(mut masker: Masker, pieces: &[&[u8]]) -> Vec<u8> {
        let mut shown = Vec::new();
        for piece in pieces {
            masker.push(piece, &mut shown);
        }
        masker.finish(&mut shown);
        shown
    }

    /// Without any literal, whole and byte by byte.
    fn by_name(text: &str) -> String {
        let whole = masked(&[], &[text.as_bytes()]);
        let pieces: Vec<_> = text.as_bytes().chunks(1).collect();
        assert_eq!(masked(&[], &pieces), whole, "{text}");
        String::from_utf8(whole).unwrap()
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
        let mut masker = Masker::new([TOKEN], [TOKEN]);
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
    fn replaces_values_by_something_else_than_tokens() {
        let masker = Masker::new([TOKEN], ["hunter2", "hunter2 and more", TOKEN]);
        let text = format!("HUNTER2 and more, hunter2 and {TOKEN}");
        let shown = masked_by(masker, &[text.as_bytes()]);
        assert_eq!(shown, b"******, ****** and [pairing token]");
    }

    #[test]
    fn replaces_what_follows_a_name_that_gives_it_away() {
        for (text, shown) in [
            ("Server=db;Password=a b&c;User=x\n", "Server=db;Password=******;User=x\n"),
            ("pwd = x\nnext", "pwd = ******\nnext"),
            ("\"Server=db;PWD=x\", 2", "\"Server=db;PWD=******\", 2"),
            ("Password=\"a;b\";User=x", "Password=\"******\";User=x"),
            ("password='a\"b;';x", "password='******';x"),
            (r#"{"cs":"Password=\"a;b\"","x":1}"#, r#"{"cs":"Password=\"******"","x":1}"#),
            (r#"{"Password": "x;y", "a": 1}"#, r#"{"Password": "******", "a": 1}"#),
            ("DbPassword=x\r\ny", "DbPassword=******\r\ny"),
            ("AccountName=n;AccountKey=ab+/==;E=1", "AccountName=n;AccountKey=******;E=1"),
            ("SharedAccessKeyName=Root;SharedAccessKey=x", "SharedAccessKeyName=Root;SharedAccessKey=******"),
            ("client_secret=x;api-key=y;", "client_secret=******;api-key=******;"),
            ("Authorization: Bearer abc.def\nnext", "Authorization: ******\nnext"),
            ("proxy-authorization=Basic dTpw\" x", "proxy-authorization=******\" x"),
            ("got Bearer eyJhbGciOiJIUzI1NiJ9.e30.x!", "got Bearer ******!"),
            ("Password=;User=x", "Password=;User=x"),
            ("Password=", "Password="),
        ] {
            assert_eq!(by_name(text), shown);
        }
    }

    #[test]
    fn leaves_words_alone_that_only_look_like_a_name() {
        for text in [
            "Enter your password: ",
            "the password of the user is wrong",
            "Authorization failed. These requirements were not met: x",
            "the bearer of this letter",
            "Bearer error=\"invalid_token\"",
            "no keys, no pwds, a bear",
            "password         = nine blanks",
            "passw",
            "Bearer ",
        ] {
            assert_eq!(by_name(text), text);
        }
    }

    #[test]
    fn a_known_secret_hides_what_would_end_a_value() {
        let masker = Masker::new([""; 0], ["a;b;cdef"]);
        let shown = masked_by(masker, &[b"Password=a;b;c", b"def;User=x a;b;cdef"]);
        assert_eq!(shown, b"Password=******;User=x ******");
    }

    #[test]
    fn prints_no_secret_when_debugged() {
        assert!(!format!("{:?}", Masker::new([TOKEN], [TOKEN])).contains("2f0c"));
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

        #[test]
        fn gives_the_same_output_of_named_secrets_however_the_input_is_cut(
            input in "(password|Pwd|authorization|bearer|[pa]|[=:]|[ ;\"'\n]|x{1,20}|secret){0,14}",
            size in 1usize..9,
        ) {
            let masker = Masker::new(["xx;"], ["secret"]);
            let whole = masked_by(masker.clone(), &[input.as_bytes()]);
            let pieces: Vec<_> = input.as_bytes().chunks(size).collect();
            prop_assert_eq!(&masked_by(masker, &pieces), &whole);
            prop_assert!(!contains(&whole, "secret"));
            prop_assert!(!contains(&whole, "password=x"));
        }
    }
}
