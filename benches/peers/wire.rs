//! As much of HTTP/1.1 as the two ends of the comparison need: both write only what is read here.

/// The length of a message's head with its empty line, once it is there.
pub(crate) fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The value of a header.
pub(crate) fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (start, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":")?;
        start.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// The length of a message's body, if it says so.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    std::str::from_utf8(field(head, "content-length")?).ok()?.parse().ok()
}

/// Whether a message's body comes in chunks.
pub(crate) fn is_chunked(head: &[u8]) -> bool {
    field(head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"))
}

/// The length of the chunk that begins with this line.
pub(crate) fn chunk_length(line: &[u8]) -> Option<usize> {
    usize::from_str_radix(std::str::from_utf8(line).ok()?.trim_end(), 16).ok()
}

/// Whether an answer's status is 200.
pub(crate) fn is_ok(head: &[u8]) -> bool {
    head.get(8..13) == Some(b" 200 ")
}
