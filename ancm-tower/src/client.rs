//! Who is at the other end of the connection, as typed facts in a request's extensions.
//!
//! The server puts one [`Client`] into every request; layers read it and never ask a socket.
//!
//! # Example
//!
//! ```
//! use ancm_tower::client::{Client, Scheme};
//!
//! let client = Client::new("[::ffff:192.0.2.7]:50123".parse().unwrap(), Scheme::Https);
//! assert_eq!(client.forwarded_for(), "192.0.2.7:50123");
//! assert_eq!(client.scheme().as_str(), "https");
//! ```

use std::net::{SocketAddr, SocketAddrV4};

use http::{HeaderValue, header::InvalidHeaderValue};

/// What the client speaks on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// The client's end of a connection.
///
/// Made once for each connection: what goes into headers is formatted here, not on the request path.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    scheme: Scheme,
    forwarded_for: HeaderValue,
}

// === impl Scheme ===

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The same, as a header value that needs no allocation.
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }
}

// === impl Client ===

impl Client {
    /// Describes a client; an IPv4 address mapped into IPv6 is unmapped.
    pub fn new(address: SocketAddr, scheme: Scheme) -> Self {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        // A scope (`%eth0`) means nothing to anybody else, so only address and port are written.
        let forwarded_for = match address {
            SocketAddr::V4(v4) => v4_value(v4),
            SocketAddr::V6(v6) => HeaderValue::try_from(format!("[{}]:{}", v6.ip(), v6.port())),
        };
        Self { address, scheme, forwarded_for: forwarded_for.expect("addresses are ASCII") }
    }

    /// Its address and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it speaks.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its entry in `X-Forwarded-For`: `192.0.2.7:50123`, `[2001:db8::1]:50123`.
    pub fn forwarded_for(&self) -> &HeaderValue {
        &self.forwarded_for
    }
}

/// Written by hand, from its end: each connection needs one, and the formatter takes several times as long.
fn v4_value(address: SocketAddrV4) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut text = *b"255.255.255.255:65535";
    let mut start = text.len();
    let mut put = |byte| {
        start -= 1;
        text[start] = byte;
    };
    let [a, b, c, d] = address.ip().octets().map(u16::from);
    for (between, number) in
        [(None, address.port()), (Some(b':'), d), (Some(b'.'), c), (Some(b'.'), b), (Some(b'.'), a)]
    {
        between.map(&mut put);
        let mut rest = number;
        loop {
            put(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
    }
    HeaderValue::from_bytes(&text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_ipv4_as_everybody_does() {
        for address in
            ["0.0.0.0:0", "127.0.0.1:80", "10.20.30.40:9", "192.0.2.7:50123", "255.255.255.255:65535"]
        {
            assert_eq!(Client::new(address.parse().unwrap(), Scheme::Http).forwarded_for(), address);
        }
    }

    #[test]
    fn writes_ipv6_in_brackets_without_its_scope() {
        let client = Client::new("[fe80::1%3]:80".parse().unwrap(), Scheme::Http);
        assert_eq!(client.forwarded_for(), "[fe80::1]:80");
    }

    #[test]
    fn unmaps_an_ipv4_address_inside_ipv6() {
        let client = Client::new("[::ffff:10.0.0.1]:80".parse().unwrap(), Scheme::Http);
        assert_eq!(client.address(), "10.0.0.1:80".parse().unwrap());
    }
}
