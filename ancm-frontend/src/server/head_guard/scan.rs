//! Finds the byte that ends a run, several bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The characters of a token: method and header names (RFC 9110 5.6.2).
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"!#$%&'*+-.^_`|~";
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut other = 0;
    while other < others.len() {
        table[others[other] as usize] = true;
        other += 1;
    }
    table
};

pub(super) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// How many bytes at the beginning belong to a token.
pub(super) fn token(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_token(byte)).unwrap_or(bytes.len())
}

/// How many bytes at the beginning are neither below `lowest` nor DEL; `lowest` is at most 128.
pub(super) fn visible(bytes: &[u8], lowest: u8) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A byte that borrows from the next one is itself below the limit, so the lowest mark is always true.
        let low = word.wrapping_sub(ONES * u64::from(lowest)) & !word;
        let del = word ^ (ONES * 0x7f);
        let del = del.wrapping_sub(ONES) & !del;
        let marks = (low | del) & HIGH_BITS;
        if marks != 0 {
            return number * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|&byte| byte < lowest || byte == 0x7f).unwrap_or(rest.len());
    words.len() * 8 + end
}

/// How many bytes at the beginning can stand in a header value: all but control characters, HTAB allowed.
pub(super) fn text(bytes: &[u8]) -> usize {
    let mut end = 0;
    loop {
        end += visible(&bytes[end..], b' ');
        if bytes.get(end) != Some(&b'\t') {
            return end;
        }
        end += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_every_byte_at_every_place() {
        for place in 0..24 {
            for byte in 0..=255 {
                let mut bytes = [b'x'; 24];
                bytes[place] = byte;
                let ends = byte < b' ' || byte == 0x7f;
                assert_eq!(visible(&bytes, b' '), if ends { place } else { 24 }, "{byte} at {place}");
                let ends = ends && byte != b'\t';
                assert_eq!(text(&bytes), if ends { place } else { 24 }, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn knows_the_characters_of_a_token() {
        let count = (0..=255).filter(|&byte| is_token(byte)).count();
        assert_eq!(count, 62 + 15);
        assert_eq!(token(b"x-y z"), 3);
        assert_eq!(token(b"xyz"), 3);
    }

    proptest! {
        #[test]
        fn finds_the_first_of_many(bytes: Vec<u8>, lowest in 0..=128_u8) {
            let end = bytes.iter().position(|&byte| byte < lowest || byte == 0x7f).unwrap_or(bytes.len());
            prop_assert_eq!(visible(&bytes, lowest), end);
        }
    }
}
