//! Bytes of a file into text: UTF-8 and UTF-16, told apart as XML says (appendix F).

use std::ops::Range;

use super::error::{Fault, quoted};

/// A fault of the encoding, and the text before it as far as it could be read.
#[derive(Debug)]
pub(super) struct Undecodable {
    pub(super) fault: Fault,
    pub(super) text: String,
    pub(super) range: Range<usize>,
}

/// The text of a file, without its byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<String, Box<Undecodable>> {
    let text = match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Err(refused(wrong("is in UTF-32"), String::new())),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest, 3),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, 2, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, 2, u16::from_be_bytes),
        [b'<', 0, ..] => utf16(bytes, 0, u16::from_le_bytes),
        [0, b'<', ..] => utf16(bytes, 0, u16::from_be_bytes),
        _ => declared(bytes),
    }?;
    if text.trim().is_empty() {
        let fix = "restore it; `dotnet publish` writes a complete one";
        return Err(refused(Fault::new("empty-file", "the file is empty").fix(fix), String::new()));
    }
    Ok(text)
}

/// No byte order mark: UTF-8, unless the declaration says something else.
fn declared(bytes: &[u8]) -> Result<String, Box<Undecodable>> {
    let Some((name, range)) = declaration(bytes) else { return utf8(bytes, 0) };
    let known = ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| known.eq_ignore_ascii_case(&name));
    if known {
        return utf8(bytes, 0);
    }
    let head = String::from_utf8_lossy(&bytes[..range.end]).into_owned();
    let place = |fault| Err(Box::new(Undecodable { fault, text: head, range }));
    if name.to_ascii_lowercase().starts_with("utf-16") {
        let message =
            format!("the declaration says {}, but the text is written in single bytes", quoted(&name));
        return place(
            Fault::new("wrong-encoding", message).about("encoding").fix("write encoding=\"utf-8\""),
        );
    }
    match bytes.iter().position(|byte| !byte.is_ascii()) {
        // Every encoding that is in use agrees on ASCII.
        None => utf8(bytes, 0),
        Some(offset) => {
            let message = format!(
                "the declaration says {}, which is not supported (first such byte: 0x{:02X} at byte offset {offset})",
                quoted(&name),
                bytes[offset]
            );
            place(Fault::new("wrong-encoding", message).about("encoding").allowed("UTF-8, UTF-16").fix(SAVE))
        }
    }
}

const SAVE: &str = "save the file as UTF-8";

/// The encoding that an XML declaration names, and where.
fn declaration(bytes: &[u8]) -> Option<(String, Range<usize>)> {
    const LONGEST: usize = 200;
    let head = &bytes[..bytes.len().min(LONGEST)];
    let head = std::str::from_utf8(head).unwrap_or_else(|error| {
        std::str::from_utf8(&head[..error.valid_up_to()]).expect("checked up to there")
    });
    if !head.starts_with("<?xml") {
        return None;
    }
    let start = head[..head.find("?>")?].find("encoding")?;
    let after = head[start + "encoding".len()..].trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value_start = head.len() - after.len() + 1;
    let length = head[value_start..].find(quote)?;
    Some((head[value_start..value_start + length].to_owned(), start..value_start + length + 1))
}

fn utf8(bytes: &[u8], skipped: usize) -> Result<String, Box<Undecodable>> {
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&bytes[..valid]).into_owned();
        let message = format!(
            "byte 0x{:02X} at byte offset {} is not UTF-8; an editor seems to have saved the file in an older encoding",
            bytes[valid],
            valid + skipped
        );
        refused(Fault::new("wrong-encoding", message).fix(SAVE), before)
    })
}

fn utf16(bytes: &[u8], skipped: usize, unit: fn([u8; 2]) -> u16) -> Result<String, Box<Undecodable>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    let mut offset = skipped;
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok(c) => {
                offset += 2 * c.len_utf16();
                text.push(c);
            }
            Err(error) => {
                let half = error.unpaired_surrogate();
                let message = format!("0x{half:04X} at byte offset {offset} is half a character in UTF-16");
                return Err(refused(Fault::new("wrong-encoding", message).fix(SAVE), text));
            }
        }
    }
    if rest.is_empty() {
        return Ok(text);
    }
    let message = format!("the file is in UTF-16, but ends with half a character at byte offset {offset}");
    Err(refused(Fault::new("wrong-encoding", message).fix(SAVE), text))
}

fn wrong(what: &str) -> Fault {
    Fault::new("wrong-encoding", format!("the file {what}")).allowed("UTF-8, UTF-16").fix(SAVE)
}

/// Where the text ends that could be read.
fn refused(fault: Fault, text: String) -> Box<Undecodable> {
    let range = text.len()..text.len();
    Box::new(Undecodable { fault, text, range })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "<?xml version=\"1.0\"?><a b=\"ç𝄞\"/>";

    fn utf16_bytes(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn message(bytes: &[u8]) -> String {
        decode(bytes).unwrap_err().fault.message
    }

    #[test]
    fn reads_utf_8_with_and_without_a_byte_order_mark() {
        assert_eq!(decode(TEXT.as_bytes()).unwrap(), TEXT);
        assert_eq!(decode(&[b"\xEF\xBB\xBF", TEXT.as_bytes()].concat()).unwrap(), TEXT);
    }

    #[test]
    fn reads_utf_16_of_both_byte_orders_with_and_without_a_mark() {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            assert_eq!(decode(&utf16_bytes(TEXT, order)).unwrap(), TEXT);
            assert_eq!(decode(&utf16_bytes(&format!("\u{FEFF}{TEXT}"), order)).unwrap(), TEXT);
        }
    }

    #[test]
    fn accepts_any_declared_encoding_of_plain_ascii() {
        let text = "<?xml version='1.0' encoding = 'windows-1252' ?><a/>";
        assert_eq!(decode(text.as_bytes()).unwrap(), text);
    }

    #[test]
    fn names_the_offset_of_a_byte_that_is_not_utf_8() {
        assert!(message(b"<a>\xE9</a>").contains("byte 0xE9 at byte offset 3"));
        assert!(message(b"\xEF\xBB\xBF<a>\xE9</a>").contains("byte offset 6"));
    }

    #[test]
    fn names_an_encoding_that_is_not_supported() {
        let bytes = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xE9</a>";
        let refused = decode(bytes).unwrap_err();
        assert!(refused.fault.message.contains("\"ISO-8859-1\""), "{}", refused.fault.message);
        assert!(refused.fault.message.contains("0xE9 at byte offset 46"), "{}", refused.fault.message);
        assert_eq!(refused.text[refused.range.clone()], *"encoding=\"ISO-8859-1\"");
    }

    #[test]
    fn names_a_declaration_of_utf_16_in_a_file_of_single_bytes() {
        assert!(message(b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>").contains("single bytes"));
    }

    #[test]
    fn names_half_a_character() {
        assert!(message(&[0xFF, 0xFE, b'<', 0, b'a']).contains("byte offset 4"));
        assert!(message(&[0xFF, 0xFE, b'<', 0, 0x34, 0xD8]).contains("0xD834 at byte offset 4"));
    }

    #[test]
    fn refuses_an_empty_file() {
        for bytes in [&b""[..], b"\xEF\xBB\xBF", b"\xFF\xFE", b" \r\n"] {
            assert_eq!(message(bytes), "the file is empty");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_text_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn any_declaration_is_read(text in "<\\?xml( (version|encoding)?=?[\"']?[a-zé0-9-]{0,8}[\"']?){0,3}(\\?>)?") {
            let _ = decode(text.as_bytes());
        }
    }
}
