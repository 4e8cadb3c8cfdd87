//! Finds the byte that ends a run, several bytes at a time.

/// How many bytes are looked at in one piece.
const BLOCK: usize = 16;

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

/// How many bytes at the beginning are neither below `lowest` nor DEL.
pub(super) fn visible(bytes: &[u8], lowest: u8) -> usize {
    first(bytes, |byte| byte < lowest || byte == 0x7f)
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

/// Where the first byte is that ends a run. Of each block all bytes are asked, whichever comes first: that becomes a few
/// instructions for the whole block.
#[inline]
fn first(bytes: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let marks = block.map(|byte| if ends(byte) { 0xff } else { 0 });
        if marks.iter().fold(0, |any, mark| any | mark) != 0 {
            return number * BLOCK + u128::from_le_bytes(marks).trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
    blocks.len() * BLOCK + end
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
