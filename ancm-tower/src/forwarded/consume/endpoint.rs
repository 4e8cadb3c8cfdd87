//! Addresses with or without a port, read as .NET reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; without a port it is 0.
// ANCM: System.Net.IPEndPoint.TryParse, to which ForwardedHeadersMiddleware.cs leaves it.
pub(super) fn parse(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, port) = match text.rsplit_once(':') {
        // Another colon before this one makes it a part of a bare IPv6 address.
        Some((address, port)) if address.ends_with(']') || !(address.is_empty() || address.contains(':')) => {
            (address, parse_port(port)?)
        }
        _ => (text, 0),
    };
    Some(SocketAddr::new(parse_address(address)?, port))
}

fn parse_port(text: &str) -> Option<u16> {
    // `parse` alone would take a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn parse_address(text: &str) -> Option<IpAddr> {
    if !text.contains(':') {
        return parse_ipv4(text).map(IpAddr::V4);
    }
    let text = match text.strip_prefix('[') {
        Some(text) => text.strip_suffix(']')?,
        None => text,
    };
    // A zone means something to the machine that wrote it only.
    let (address, zone) = text.split_once('%').unwrap_or((text, ""));
    if zone.contains(['/', '[', ']']) {
        return None;
    }
    address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// One to four numbers, the last of which fills what is left: `127.1` is 127.0.0.1, `1234` is 0.0.4.210.
fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut bits = 0_u32;
    let mut parts = text.split('.').peekable();
    for at in 0..4_u32 {
        let number = parse_number(parts.next()?)?;
        // All but the last are one octet each.
        let last = parts.peek().is_none();
        let room = if last { 32 - 8 * at } else { 8 };
        if room < 32 && number >> room != 0 {
            return None;
        }
        bits |= number << if last { 0 } else { 24 - 8 * at };
        if last {
            return Some(bits.into());
        }
    }
    None
}

/// Decimal, octal after `0`, hexadecimal after `0x`.
fn parse_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // `from_str_radix` alone would take a sign.
    digits
        .bytes()
        .all(|byte| char::from(byte).is_digit(radix))
        .then(|| u32::from_str_radix(digits, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // What ASP.NET Core 10.0.12 makes of the texts in these lists was measured; it agrees on each.

    #[test]
    fn reads_addresses_with_and_without_a_port() {
        for (text, expected) in [
            ("1.2.3.4", "1.2.3.4:0"),
            ("1.2.3.4:80", "1.2.3.4:80"),
            ("1.2.3.4:00080", "1.2.3.4:80"),
            ("1.2.3.4:0", "1.2.3.4:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("::1", "[::1]:0"),
            ("::", "[::]:0"),
            ("::ffff:10.0.0.1", "[::ffff:10.0.0.1]:0"),
            ("fe80::1%3", "[fe80::1]:0"),
            ("fe80::1%", "[fe80::1]:0"),
            ("[fe80::1%eth0]:80", "[fe80::1]:80"),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn reads_ipv4_in_the_old_short_and_other_based_forms() {
        for (text, expected) in [
            ("1234", "0.0.4.210:0"),
            ("127.1", "127.0.0.1:0"),
            ("127.1:8080", "127.0.0.1:8080"),
            ("1.2.772", "1.2.3.4:0"),
            ("0x7f.0.0.1", "127.0.0.1:0"),
            ("0X7F000001", "127.0.0.1:0"),
            ("010.0.0.1", "8.0.0.1:0"),
            ("0", "0.0.0.0:0"),
            ("4294967295", "255.255.255.255:0"),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn reads_nothing_else() {
        for text in [
            "",
            "unknown",
            "_hidden",
            ":99999",
            ":80",
            "1.2.3.4:",
            "1.2.3.4:65536",
            "1.2.3.4:+80",
            "1.2.3.4:-1",
            "1.2.3.4:0x50",
            "1.2.3.4:80:90",
            "1.2.3.4.5",
            "1.2.3.",
            ".1.2.3",
            "1..2",
            "256.1.1.1",
            "1.2.3.256",
            "1.2.65536",
            "4294967296",
            "08.0.0.1",
            "0x",
            "0xg",
            "+1.2.3.4",
            "1.2.3.4 ",
            " 1.2.3.4",
            "1.2.3.4/24",
            "[1.2.3.4]",
            "[1.2.3.4]:80",
            "[::1",
            "::1]",
            "[::1]80",
            "[::1]:",
            "[::1]:65536",
            "[::1]:x",
            "[]",
            "[]:80",
            "::1/64",
            "fe80::1%a/b",
            "12345::",
            "1:2:3:4:5:6:7",
            "\"1.2.3.4",
            "1.2.3.4\u{e9}",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn reads_what_is_written(address: IpAddr, port: u16) {
            let expected = SocketAddr::new(address, port);
            prop_assert_eq!(parse(expected.to_string().as_bytes()), Some(expected));
            prop_assert_eq!(parse(address.to_string().as_bytes()), Some(SocketAddr::new(address, 0)));
        }

        #[test]
        fn never_panics(text in "[0-9a-fx.:%\\[\\]é]{0,40}") {
            parse(text.as_bytes());
        }
    }
}
