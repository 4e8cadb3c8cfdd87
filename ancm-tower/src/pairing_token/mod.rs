//! The secret by which a backend knows its frontend, and the layers of both ends.
//!
//! A backend listens on the loopback interface, where every local user can connect. It obeys only requests that
//! carry the token that its frontend gave it at start. The frontend's end is [`SendTokenLayer`], the backend's
//! [`RequireTokenLayer`].
//!
//! # Example
//!
//! ```
//! use ancm_tower::contract::header;
//! use ancm_tower::pairing_token::{FixedToken, PairingToken, RequireTokenLayer, SendTokenLayer};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! async fn app(_: Request<()>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
//!     Ok(Response::default())
//! }
//!
//! let token = PairingToken::random().unwrap();
//! let backend = ServiceBuilder::new().layer(RequireTokenLayer::new(token.clone())).service_fn(app);
//! let forged = Request::builder().header("MS-ASPNETCORE-TOKEN", "guess").body(()).unwrap();
//!
//! let refused = backend.clone().oneshot(forged.clone()).await.unwrap();
//! assert_eq!(refused.status(), 400);
//!
//! // The frontend removes what the client forged and sets its own.
//! let frontend = ServiceBuilder::new().layer(SendTokenLayer::new(FixedToken::new(&token))).service(backend);
//! let served = frontend.oneshot(forged).await.unwrap();
//! assert_eq!(served.status(), 200);
//! # }
//! ```

use std::{fmt, sync::Arc};

use http::HeaderValue;
use subtle::{Choice, ConstantTimeEq};

mod require;
mod send;

pub use require::{RequireToken, RequireTokenLayer, ResponseFuture};
pub use send::{FixedToken, SendToken, SendTokenLayer, TokenSource};

/// A secret that a frontend and one start of its backend share.
///
/// Never printed: its `Debug` shows nothing, its header value is marked as sensitive.
#[derive(Clone)]
pub struct PairingToken(Arc<str>);

/// The operating system gave no random bytes.
#[derive(Clone, Debug)]
pub struct RandomError(getrandom::Error);

/// A text that cannot be a pairing token: it must be one or more visible ASCII characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken {
    /// The first offending byte; none if the text is empty.
    position: Option<usize>,
}

// === impl PairingToken ===

impl PairingToken {
    /// Draws a token from the operating system's random source: a version 4 UUID, 36 characters in lower case.
    pub fn random() -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(RandomError)?;
        Ok(Self(uuid_text(bytes).into()))
    }

    /// Takes a token that somebody else made, as a backend does from its environment.
    ///
    /// # Errors
    ///
    /// If the text is empty, or holds anything but visible ASCII: it could not travel in a header unchanged.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidToken> {
        let text = text.into();
        let position = text.bytes().position(|byte| !byte.is_ascii_graphic());
        if text.is_empty() || position.is_some() {
            return Err(InvalidToken { position });
        }
        Ok(Self(text.into()))
    }

    /// The token as a header value, marked as sensitive, in a buffer of its own.
    ///
    /// Clones of one value share a reference count: keep one for each thread.
    pub fn header_value(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.0).expect("a token is visible ASCII");
        value.set_sensitive(true);
        value
    }

    /// The secret itself, for a child's environment or a list of texts to mask.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `candidate` is this token, byte for byte, in time that does not depend on where they differ.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        let token = self.0.as_bytes();
        let same_length = candidate.len() == token.len();
        // Another length costs the same comparison, of the token with itself.
        let compared = if same_length { candidate } else { token };
        (compared.ct_eq(token) & Choice::from(u8::from(same_length))).into()
    }
}

impl fmt::Debug for PairingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingToken").finish_non_exhaustive()
    }
}

/// RFC 9562 5.4: random but for version and variant.
fn uuid_text(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

// === impl RandomError ===

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot draw a pairing token: the operating system's random source failed")
    }
}

impl std::error::Error for RandomError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

// === impl InvalidToken ===

impl fmt::Display for InvalidToken {
    // The text itself stays out of it: it may be a secret with one slip of the pen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            None => f.write_str("the pairing token is empty"),
            Some(at) => {
                write!(f, "the pairing token may hold only visible ASCII characters; byte {} is none", at + 1)
            }
        }
    }
}

impl std::error::Error for InvalidToken {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::limit;
    use proptest::prelude::*;

    #[test]
    fn draws_a_version_4_uuid_in_lower_case() {
        let token = PairingToken::random().unwrap();
        let text = token.expose();
        assert_eq!(text.len(), limit::TOKEN_LENGTH);
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]), "{text}");
        for (at, character) in text.char_indices() {
            match at {
                8 | 13 | 18 | 23 => assert_eq!(character, '-', "{text}"),
                _ => assert!(matches!(character, '0'..='9' | 'a'..='f'), "{text}"),
            }
        }
    }

    #[test]
    fn writes_a_uuid_as_rfc_9562_does() {
        assert_eq!(uuid_text([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_text([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn draws_another_token_each_time() {
        let [one, two] = [PairingToken::random().unwrap(), PairingToken::random().unwrap()];
        assert_ne!(one.expose(), two.expose());
    }

    #[test]
    fn is_never_printed() {
        let token = PairingToken::new("secret-text").unwrap();
        assert_eq!(format!("{token:?}"), "PairingToken { .. }");
        assert_eq!(format!("{:?}", token.header_value()), "Sensitive");
    }

    #[test]
    fn refuses_a_text_that_is_no_header_value() {
        for (text, message) in [
            ("", "the pairing token is empty"),
            ("ab c", "the pairing token may hold only visible ASCII characters; byte 3 is none"),
            ("\r\n", "the pairing token may hold only visible ASCII characters; byte 1 is none"),
            ("aé", "the pairing token may hold only visible ASCII characters; byte 2 is none"),
        ] {
            assert_eq!(PairingToken::new(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn matches_only_the_very_same_bytes() {
        let token = PairingToken::new("abc-DEF").unwrap();
        assert!(token.matches(b"abc-DEF"));
        for other in ["", "abc-DE", "abc-DEFG", "abc-def", "ABC-DEF", " abc-DEF", "\u{ff}bc-DEF"] {
            assert!(!token.matches(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn gives_each_header_value_its_own_buffer() {
        let token = PairingToken::new("abc").unwrap();
        assert_ne!(token.header_value().as_bytes().as_ptr(), token.header_value().as_bytes().as_ptr());
    }

    proptest! {
        #[test]
        fn matching_is_equality(text in "[!-~]{1,60}", candidate in proptest::collection::vec(any::<u8>(), 0..60)) {
            let token = PairingToken::new(text.clone()).unwrap();
            prop_assert!(token.matches(text.as_bytes()));
            prop_assert_eq!(token.matches(&candidate), text.as_bytes() == candidate);
        }
    }
}
