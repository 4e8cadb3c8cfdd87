//! Heads that a thread has read before: most clients, and most applications, say the same again and again.
//!
//! To see that bytes are those of an earlier head takes a fraction of what it takes to read them, and what is made of
//! equal bytes is equal. A head is remembered with what was made of it when it comes for the second time, or at once if
//! its reader expects others that are like it. Whoever looks where the last one was need not even look for its end. How
//! much is remembered does not depend on the number of connections.

use std::{
    hash::{BuildHasher, RandomState},
    hint::black_box,
};

use bytes::Bytes;

/// How many heads are remembered.
const KEPT: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 7;
/// A longer head is not remembered.
const KEPT_LENGTH: usize = 4 * 1024;
/// Nor is one with more lines.
const KEPT_LINES: usize = 64;
const WORD: usize = size_of::<u64>();

/// What has been read: each head in the only place where it may be.
pub(crate) struct Repeats<T> {
    places: Box<[Place<T>]>,
    /// Of the one that was read last.
    last: Spot,
    /// How many have got a place so far.
    count: u64,
    /// So that nobody can tell from outside which heads have the same place.
    seed: u64,
}

/// Where a head is remembered, until another takes its place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    place: usize,
    number: u64,
}

struct Place<T> {
    head: Bytes,
    /// Which one it is of all.
    number: u64,
    /// What has been made of it; nothing as long as it has come only once.
    made: Option<T>,
    /// It has come again since another would have had its place.
    wanted: bool,
}

// === impl Repeats ===

impl<T: Clone> Repeats<T> {
    pub(crate) fn new() -> Self {
        Self {
            places: std::iter::repeat_with(Place::new).take(KEPT).collect(),
            last: Spot::default(),
            count: 0,
            seed: RandomState::new().hash_one(0),
        }
    }

    /// Where the head is that came last.
    pub(crate) fn last(&self) -> Spot {
        self.last
    }

    /// Whether the bytes begin with the head in this place, which may be another by now: how long it is, and what was
    /// made of it.
    pub(crate) fn recall(&mut self, spot: Spot, bytes: &[u8]) -> Option<(usize, T)> {
        self.compare(spot.place, |found, made| {
            let bytes = bytes.get(..found.head.len())?;
            same(bytes, &found.head).then(|| (bytes.len(), made.clone()))
        })
    }

    /// What is found when a head is compared with this one, if it is still remembered.
    pub(crate) fn like<R>(&mut self, spot: Spot, compare: impl FnOnce(&[u8], &T) -> Option<R>) -> Option<R> {
        self.compare(
            spot.place,
            |found, made| {
                if found.number == spot.number { compare(&found.head, made) } else { None }
            },
        )
    }

    fn compare<R>(&mut self, place: usize, compare: impl FnOnce(&Place<T>, &T) -> Option<R>) -> Option<R> {
        let found = self.places.get_mut(place)?;
        let result = compare(found, found.made.as_ref()?)?;
        found.wanted = true;
        self.last = Spot { place, number: found.number };
        Some(result)
    }

    /// What is made of a head that is whole and has so many lines, now or when it came before; and where it is.
    pub(crate) fn read<E>(
        &mut self,
        head: &Bytes,
        lines: usize,
        at_once: bool,
        make: impl FnOnce(&Bytes) -> Result<T, E>,
    ) -> Result<(T, Option<Spot>), E> {
        if head.len() > KEPT_LENGTH || lines > KEPT_LINES {
            return Ok((make(head)?, None));
        }
        let place = place(head, self.seed);
        let found = &mut self.places[place];
        let is_known = same(head, &found.head);
        if !is_known {
            if std::mem::take(&mut found.wanted) {
                return Ok((make(head)?, None));
            }
            self.count += 1;
            *found = Place { head: Bytes::copy_from_slice(head), number: self.count, ..Place::new() };
        }
        self.last = Spot { place, number: found.number };
        if let Some(known) = &found.made {
            found.wanted = true;
            return Ok((known.clone(), Some(self.last)));
        }
        if is_known || at_once {
            // Not of the head itself, which may be part of something larger.
            return Ok((found.made.insert(make(&found.head)?).clone(), Some(self.last)));
        }
        Ok((make(head)?, Some(self.last)))
    }
}

// === impl Place ===

impl<T> Place<T> {
    fn new() -> Self {
        Self { head: Bytes::new(), number: 0, made: None, wanted: false }
    }
}

/// Takes as long wherever heads of one length differ: there may be credentials in what another client has sent.
pub(crate) fn same(head: &[u8], other: &[u8]) -> bool {
    let (words, rest) = head.as_chunks::<WORD>();
    let (other_words, other_rest) = other.as_chunks::<WORD>();
    let differ = |a: &[u8; WORD], b: &[u8; WORD]| u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
    let words = words.iter().zip(other_words).fold(0, |all, (a, b)| all | differ(a, b));
    let rest = rest.iter().zip(other_rest).fold(0, |all, (a, b)| all | (a ^ b));
    head.len() == other.len() && black_box(words | u64::from(rest)) == 0
}

/// Depends on every byte: clients of one kind may differ in nothing but a cookie, answers in nothing but a time.
fn place(head: &[u8], seed: u64) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = head.as_chunks::<WORD>();
    let rest = rest.iter().fold(0, |word, &byte| word << u8::BITS | u64::from(byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([rest]);
    // The highest bits of a product depend on all others. They become the lowest.
    let mixed = words.fold(seed, |mixed, word| (mixed ^ word).wrapping_mul(FACTOR).rotate_left(PLACE_BITS));
    let [low, ..] = mixed.to_le_bytes();
    usize::from(low) % KEPT
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::HashSet, convert::Infallible};

    use super::*;

    fn head(number: usize) -> Vec<u8> {
        let user_agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0";
        format!("Host: example.com\r\nUser-Agent: {user_agent}\r\nCookie: session={number:08}\r\n\r\n")
            .into_bytes()
    }

    /// Reads a head; whether it had to be made something of.
    fn is_news(repeats: &mut Repeats<Vec<u8>>, head: &[u8]) -> bool {
        let news = Cell::new(false);
        let make = |head: &Bytes| {
            news.set(true);
            Ok::<_, Infallible>(head.to_vec())
        };
        let read = repeats.read(&Bytes::copy_from_slice(head), 1, false, make);
        assert_eq!(read.map(|(made, _)| made), Ok(head.to_vec()));
        news.get()
    }

    #[test]
    fn a_head_is_known_when_it_comes_for_the_third_time() {
        let mut repeats = Repeats::new();
        let news = [0; 4].map(|number| is_news(&mut repeats, &head(number)));
        assert_eq!(news, [true, true, false, false]);
    }

    #[test]
    fn a_head_is_known_whatever_follows_it() {
        let mut repeats = Repeats::new();
        let head = head(0);
        let _ = [0; 2].map(|_| is_news(&mut repeats, &head));
        let recall = |repeats: &mut Repeats<_>, bytes: &[u8]| {
            repeats.recall(repeats.last(), bytes).map(|(length, _)| length)
        };
        assert_eq!(recall(&mut repeats, &[&head, &b"GET"[..]].concat()), Some(head.len()));
        for at in 0..head.len() {
            assert_eq!(recall(&mut repeats, &head[..at]), None);
            let mut other = head.clone();
            other[at] ^= 1;
            assert_eq!(recall(&mut repeats, &other), None, "{at}");
        }
    }

    #[test]
    fn what_comes_again_keeps_its_place() {
        let mut repeats = Repeats::new();
        let known = head(0);
        let seed = repeats.seed;
        let mut others = (1..).map(head).filter(|other| place(other, seed) == place(&known, seed));
        let _ = [0; 3].map(|_| is_news(&mut repeats, &known));
        for _ in 0..9 {
            assert!(is_news(&mut repeats, &others.next().unwrap()));
            assert!(!is_news(&mut repeats, &known));
        }
        let other = others.next().unwrap();
        let news = [0; 4].map(|_| is_news(&mut repeats, &other));
        assert_eq!(news, [true, true, true, false]);
        assert!(is_news(&mut repeats, &known));
    }

    #[test]
    fn what_is_made_of_a_head_when_it_is_remembered_is_made_of_a_copy() {
        let mut repeats = Repeats::new();
        let head = Bytes::from(head(0));
        let _ = [0; 3].map(|_| repeats.read(&head, 1, false, |head| Ok::<_, Infallible>(head.clone())));
        let (_, remembered) = repeats.recall(repeats.last(), &head).unwrap();
        assert_ne!(remembered.as_ptr(), head.as_ptr());
    }

    #[test]
    fn what_makes_nothing_of_a_head_is_asked_again() {
        let mut repeats = Repeats::<()>::new();
        let head = Bytes::from(head(0));
        assert_eq!([0; 4].map(|_| repeats.read(&head, 1, false, |_| Err("no")).map(|_| ())), [Err("no"); 4]);
    }

    #[test]
    fn a_head_can_be_remembered_at_once() {
        let mut repeats = Repeats::new();
        for at_once in [false, true] {
            let head = Bytes::from(head(usize::from(at_once)));
            let ((), spot) = repeats.read(&head, 1, at_once, |_| Ok::<_, Infallible>(())).unwrap();
            assert_eq!(repeats.recall(spot.unwrap(), &head).is_some(), at_once);
        }
    }

    #[test]
    fn a_head_is_compared_only_with_the_one_that_was_meant() {
        let mut repeats = Repeats::new();
        let (known, seed) = (head(0), repeats.seed);
        let has_its_place = |other: &Vec<u8>| place(other, seed) == place(&known, seed);
        let other = (1..10_000).map(head).find(has_its_place).unwrap();
        let mut read = |head: &[u8]| {
            let head = Bytes::copy_from_slice(head);
            repeats.read(&head, 1, true, |_| Ok::<_, Infallible>(())).unwrap().1.unwrap()
        };
        let spots = [read(&known), read(&other)];
        assert_eq!(spots[0].place, spots[1].place);
        let heads = spots.map(|spot| repeats.like(spot, |head, ()| Some(head.to_vec())));
        assert_eq!(heads, [None, Some(other.clone())]);
        // Equal bytes are recalled all the same.
        assert!(repeats.recall(spots[0], &other).is_some());
    }

    #[test]
    fn long_heads_are_not_remembered() {
        let mut repeats = Repeats::new();
        let long = vec![b'x'; KEPT_LENGTH + 1];
        for (head, is_known) in [(&long[..], false), (&long[1..], true)] {
            let _ = [0; 2].map(|_| is_news(&mut repeats, head));
            assert_eq!(is_news(&mut repeats, head), !is_known);
        }
    }

    #[test]
    fn heads_of_many_lines_are_not_remembered() {
        let mut repeats = Repeats::<()>::new();
        for (lines, is_known) in [(KEPT_LINES + 1, false), (KEPT_LINES, true)] {
            let head = Bytes::from(head(lines));
            let _ = [0; 3].map(|_| repeats.read(&head, lines, false, |_| Ok::<_, Infallible>(())));
            assert_eq!(repeats.recall(repeats.last(), &head).is_some(), is_known);
        }
    }

    #[test]
    fn places_cannot_be_foretold() {
        let places = [0; 32].map(|_| place(&head(0), Repeats::<()>::new().seed));
        assert!(places.iter().any(|place| *place != places[0]));
    }

    #[test]
    fn heads_of_one_kind_find_places_of_their_own() {
        let places: HashSet<_> = (0..KEPT).map(|number| place(&head(number), 1)).collect();
        // By chance it would be two of three.
        assert!(places.len() > KEPT / 2, "{}", places.len());
    }
}
