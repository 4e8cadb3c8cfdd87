//! A setting that may differ from folder to folder of a site.
//!
//! A `location` element of a `web.config` changes settings for one path and all that lies below it. A layer that honours
//! it holds a [`ByPath`] instead of a value and asks for that of each request.
//!
//! # Example
//!
//! ```
//! use ancm_tower::by_path::ByPath;
//!
//! let limit = ByPath::new(30).below("/upload", 4_000).below("/upload/avatars", 200);
//! assert_eq!(*limit.get("/"), 30);
//! assert_eq!(*limit.get("/Upload/a.zip"), 4_000);
//! assert_eq!(*limit.get("/upload/avatars"), 200);
//! assert_eq!(*limit.get("/uploads"), 30);
//! ```

use std::{borrow::Cow, sync::Arc};

/// One value for the whole site, and others for some paths and what lies below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByPath<T> {
    everywhere: T,
    /// The longest path first, so that the first that fits is the nearest.
    below: Arc<Vec<Below<T>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Below<T> {
    /// With a slash before each segment and none at the end.
    path: String,
    value: T,
}

// === impl ByPath ===

impl<T> ByPath<T> {
    /// The same value everywhere.
    pub fn new(everywhere: T) -> Self {
        Self { everywhere, below: Arc::default() }
    }

    /// Another value for this path and what lies below it; given again, it replaces the first.
    pub fn below(mut self, path: &str, value: T) -> Self
    where
        T: Clone,
    {
        let segments = path.split(['/', '\\']).filter(|segment| !matches!(*segment, "" | "."));
        let path: String = segments.flat_map(|segment| ["/", segment]).collect();
        let below = Arc::make_mut(&mut self.below);
        below.retain(|other| !other.path.eq_ignore_ascii_case(&path));
        let at = below.partition_point(|other| other.path.len() >= path.len());
        below.insert(at, Below { path, value });
        self
    }

    /// The value for the path of a request.
    ///
    /// Compares without regard to case, as IIS does, and as the path will be understood: decoded, without `.` and `..`.
    /// Two slashes count as one: to many who serve files they are.
    /// Allocates only for paths that need that, and only if there is a choice.
    pub fn get(&self, path: &str) -> &T {
        if self.below.is_empty() {
            return &self.everywhere;
        }
        let path = understood(path);
        let found = self.below.iter().find(|below| lies_below(&path, below.path.as_bytes()));
        found.map_or(&self.everywhere, |below| &below.value)
    }

    /// The same paths with other values.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> ByPath<U> {
        let everywhere = f(&self.everywhere);
        let below = self.below.iter().map(|below| Below { path: below.path.clone(), value: f(&below.value) });
        ByPath { everywhere, below: Arc::new(below.collect()) }
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.everywhere).chain(self.below.iter().map(|below| &below.value))
    }
}

fn lies_below(path: &[u8], base: &[u8]) -> bool {
    path.get(..base.len()).is_some_and(|start| start.eq_ignore_ascii_case(base))
        && matches!(path.get(base.len()), None | Some(b'/'))
}

/// The path as a backend reads it.
fn understood(path: &str) -> Cow<'_, [u8]> {
    let bytes = path.as_bytes();
    if !bytes.contains(&b'%') && !path.contains("/.") && !path.contains("//") {
        return Cow::Borrowed(bytes);
    }
    let decoded = decoded(bytes);
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|&byte| byte == b'/').skip(1) {
        match segment {
            b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let segments = segments.iter().filter(|segment| !segment.is_empty());
    Cow::Owned(segments.flat_map(|segment| b"/".iter().chain(*segment)).copied().collect())
}

/// Without percent signs; an encoded slash is none that separates, in Kestrel either.
fn decoded(path: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        let byte = match tail {
            [high, low, ..] if *first == b'%' => {
                digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        if let Some(byte) = byte.filter(|&byte| byte != b'/') {
            out.push(byte);
            rest = &tail[2..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn site() -> ByPath<u8> {
        ByPath::new(0).below("api", 1).below("/api/files/", 2).below(r"B\C D", 3).below("téléchargement", 4)
    }

    #[test]
    fn the_nearest_path_counts_in_whole_segments_and_any_case() {
        for (path, expected) in [
            ("", 0),
            ("*", 0),
            ("/", 0),
            ("/api", 1),
            ("/API/", 1),
            ("/api/filesystem", 1),
            ("/api/files/x", 2),
            ("/apis", 0),
            ("/x/api", 0),
        ] {
            assert_eq!(*site().get(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_is_compared_as_it_will_be_understood() {
        for (path, expected) in [
            ("/%61pi", 1),
            ("/x/../api", 1),
            ("/./api/%2e%2E/api/files", 2),
            ("/api/files/..", 1),
            ("/b/c%20d/x", 3),
            ("/t%C3%A9l%c3%a9chargement/", 4),
            ("/api%2Ffiles", 0),
            ("/api%", 0),
            ("/api/%4", 1),
            ("/../../..", 0),
            ("//api", 1),
            ("/api//files/", 2),
            // The second slash is what `..` takes away.
            ("/x//../api", 0),
            ("//", 0),
        ] {
            assert_eq!(*site().get(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_given_again_replaces_the_first() {
        let site = ByPath::new(0).below("a", 1).below("/A/", 2);
        assert_eq!(*site.get("/a"), 2);
        assert_eq!(site.values().count(), 2);
    }

    #[test]
    fn other_values_keep_their_paths() {
        let doubled = site().map(|value| u32::from(*value) * 2);
        assert_eq!((*doubled.get("/"), *doubled.get("/api/files")), (0, 4));
    }

    proptest! {
        #[test]
        fn every_path_has_a_value(path in "[/a-c%0-9.]{0,30}") {
            let _ = site().get(&path);
        }
    }
}
