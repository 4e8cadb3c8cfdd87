//! Header names that a thread has seen: nearly every message has the same few, and to copy one is cheaper than to make
//! it of its letters.

use std::cell::RefCell;

use http::{HeaderName, header::InvalidHeaderName};

/// How many are kept: as many as a place's bits can tell apart.
const KEPT: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 9;
/// A longer name is not kept.
const LONGEST: usize = 40;

/// What has been seen: each name in the only place where it may be.
pub(crate) struct Names {
    places: Box<[Option<Seen>]>,
}

struct Seen {
    /// With capitals where they were.
    spelling: Box<[u8]>,
    name: HeaderName,
}

thread_local! {
    static NAMES: RefCell<Names> = RefCell::new(Names::new());
}

// === impl Names ===

impl Names {
    fn new() -> Self {
        Self { places: std::iter::repeat_with(|| None).take(KEPT).collect() }
    }

    /// Those of this thread.
    pub(crate) fn with<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        NAMES.with_borrow_mut(work)
    }

    /// What `HeaderName::from_bytes` would make of it.
    #[inline]
    pub(crate) fn name(&mut self, spelling: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
        match &self.places[place(spelling)] {
            Some(seen) if *seen.spelling == *spelling => Ok(seen.name.clone()),
            _ => self.learn(spelling),
        }
    }

    #[cold]
    fn learn(&mut self, spelling: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
        let name = HeaderName::from_bytes(spelling)?;
        if spelling.len() <= LONGEST {
            self.places[place(spelling)] = Some(Seen { spelling: spelling.into(), name: name.clone() });
        }
        Ok(name)
    }
}

/// Depends on length, beginning and end: few names have all three in common.
fn place(spelling: &[u8]) -> usize {
    // With this one, no two of the usual names have the same place.
    const FACTOR: u32 = 0x296d_cbe1;
    let first = spelling.first_chunk().map_or(0, |first| u32::from_le_bytes(*first));
    let last = spelling.last_chunk().map_or(0, |last| u32::from_le_bytes(*last));
    let length = u32::try_from(spelling.len()).unwrap_or_default();
    let mixed = (first ^ last.rotate_left(15)).wrapping_add(length).wrapping_mul(FACTOR);
    // The highest bits depend on all others.
    (mixed >> (u32::BITS - PLACE_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const USUAL: &str = "Host Connection Keep-Alive Cache-Control Pragma Upgrade-Insecure-Requests User-Agent Accept \
        Accept-Encoding Accept-Language Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-User Sec-Fetch-Dest sec-ch-ua \
        sec-ch-ua-mobile sec-ch-ua-platform Priority Origin Referer Cookie Authorization If-None-Match \
        If-Modified-Since Range Content-Length Content-Type Transfer-Encoding X-Requested-With X-Forwarded-For \
        X-Forwarded-Proto X-Forwarded-Host traceparent Date Server Set-Cookie Location ETag Last-Modified Expires \
        Vary Content-Encoding Accept-Ranges Content-Disposition X-Powered-By Strict-Transport-Security \
        X-Content-Type-Options X-Frame-Options Alt-Svc";

    #[test]
    fn usual_names_do_not_drive_each_other_out() {
        let names: HashSet<_> =
            USUAL.split(' ').flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()]).collect();
        let places: HashSet<_> = names.iter().map(|name| place(name.as_bytes())).collect();
        assert_eq!(places.len(), names.len());
    }

    #[test]
    fn a_name_may_be_spelt_in_several_ways() {
        let mut names = Names::new();
        for spelling in ["X-Mine", "x-mine", "X-MINE", "X-Mine"] {
            assert_eq!(names.name(spelling.as_bytes()).unwrap(), "x-mine");
        }
    }

    #[test]
    fn keeps_no_long_name() {
        let mut names = Names::new();
        names.name("x".repeat(LONGEST + 1).as_bytes()).unwrap();
        assert!(names.places.iter().all(Option::is_none));
        names.name("x".repeat(LONGEST).as_bytes()).unwrap();
        assert_eq!(names.places.iter().flatten().count(), 1);
    }

    #[test]
    fn names_with_the_same_place_take_turns() {
        let mut names = Names::new();
        for _ in 0..2 {
            for number in 0..2 * KEPT {
                let spelling = format!("x{number:04}");
                assert_eq!(names.name(spelling.as_bytes()).unwrap(), spelling.as_str());
            }
        }
    }

    proptest! {
        #[test]
        fn a_name_is_the_same_the_second_time(
            bytes in proptest::collection::vec(proptest::collection::vec(0..=255_u8, 0..9), 0..9),
            tokens in proptest::collection::vec("[A-Za-z-]{0,50}", 0..9),
        ) {
            let mut names = Names::new();
            let spellings = || bytes.iter().map(Vec::as_slice).chain(tokens.iter().map(String::as_bytes));
            for spelling in spellings().chain(spellings()) {
                prop_assert_eq!(names.name(spelling).ok(), HeaderName::from_bytes(spelling).ok());
            }
        }
    }
}
