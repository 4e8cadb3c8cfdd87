//! Maps that a thread passes from one message to the next: to empty one is cheaper than to make and drop one.

use std::cell::RefCell;

use http::{Extensions, HeaderMap};

/// A map with room for more headers is not kept.
const KEPT_HEADERS: usize = 64;
/// Of more headers, a new map costs less than to find a place for each in one that is there.
const FEW: usize = 5;
/// How many are kept: those of a request and of its answer, and a few whose messages crossed.
const KEPT: usize = 4;

#[derive(Default)]
struct Spare {
    headers: Vec<HeaderMap>,
    extensions: Vec<Extensions>,
}

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// An empty map with room for so many headers.
pub(crate) fn take_headers(room: usize) -> HeaderMap {
    let mut headers = SPARE.with_borrow_mut(|spare| spare.headers.pop()).unwrap_or_default();
    headers.reserve(room);
    headers
}

/// A map with the same headers; with room for so many more, if they are few.
pub(crate) fn copy_headers(headers: &HeaderMap, more: usize) -> HeaderMap {
    if headers.len() > FEW {
        return headers.clone();
    }
    let mut copy = take_headers(headers.len() + more);
    for (name, value) in headers {
        copy.append(name, value.clone());
    }
    copy
}

/// Keeps the map, not what it holds.
pub(crate) fn keep_headers(mut headers: HeaderMap) {
    if (1..=KEPT_HEADERS).contains(&headers.capacity()) {
        headers.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.headers.len() < KEPT {
                spare.headers.push(headers);
            }
        });
    }
}

/// An empty map.
pub(crate) fn take_extensions() -> Extensions {
    SPARE.with_borrow_mut(|spare| spare.extensions.pop()).unwrap_or_default()
}

/// Keeps the map, not what it holds.
pub(crate) fn keep_extensions(mut extensions: Extensions) {
    // Whatever is dropped here may do as it likes: the cell is not borrowed yet.
    extensions.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.extensions.len() < KEPT {
            spare.extensions.push(extensions);
        }
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_copy_has_all_values_in_their_order() {
        for count in [0, 1, FEW, FEW + 1, 3 * FEW] {
            let mut headers = HeaderMap::new();
            for number in 0..count {
                let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
                headers.append(name.clone(), HeaderValue::from_static("1"));
                headers.append(name, HeaderValue::from_static("2"));
            }
            let copy = copy_headers(&headers, 1);
            assert!(copy.iter().eq(&headers) && copy.len() == 2 * count, "{copy:?}");
        }
    }

    #[test]
    fn what_was_kept_comes_back_empty() {
        let mut headers = take_headers(5);
        headers.insert("x-secret", HeaderValue::from_static("1"));
        let room = headers.capacity();
        keep_headers(headers);
        let mut extensions = take_extensions();
        extensions.insert(1_u8);
        keep_extensions(extensions);
        let headers = take_headers(1);
        assert!(headers.is_empty() && headers.capacity() == room);
        assert!(take_extensions().is_empty());
    }

    #[test]
    fn neither_large_maps_nor_many_are_kept() {
        keep_headers(HeaderMap::with_capacity(10 * KEPT_HEADERS));
        for _ in 0..2 * KEPT {
            keep_headers(HeaderMap::with_capacity(5));
        }
        let kept = std::iter::from_fn(|| Some(take_headers(0).capacity()).filter(|&room| room > 0));
        assert_eq!(kept.map(|room| assert!(room <= KEPT_HEADERS)).count(), KEPT);
    }
}
