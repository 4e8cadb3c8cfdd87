//! An address to listen on, as it is written on the command line.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::cli::listen::ListenAddress;
//!
//! let address: ListenAddress = "http://[::1]:8080".parse()?;
//! assert_eq!(address.resolve().unwrap(), ["[::1]:8080".parse().unwrap()]);
//! # Ok::<(), ancm_frontend::cli::listen::ListenAddressError>(())
//! ```

use std::{
    fmt, io,
    net::{SocketAddr, SocketAddrV6, ToSocketAddrs},
    str::FromStr,
};

/// A host, by name or address, and a port; shown as `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an IPv4 address, or an IPv6 address in brackets.
    host: String,
    port: u16,
    tls: bool,
}

/// Why a text is no [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenAddressError {
    /// Another scheme than http and https.
    #[error("only http:// and https:// are understood; for example 127.0.0.1:8080 or https://0.0.0.0:443")]
    Scheme,
    /// Something follows the port.
    #[error("nothing may follow the port; for example http://127.0.0.1:8080")]
    Path,
    /// No port.
    #[error("the port is missing; for example {0}:8080")]
    NoPort(String),
    /// No host, or a star.
    #[error(
        "the host is missing: 127.0.0.1:{0} is for this machine only, 0.0.0.0:{0} for everybody, [::]:{0} with IPv6"
    )]
    NoHost(String),
    /// The port is no number that a port can be.
    #[error("the port must be a number from 0 to 65535; for example 127.0.0.1:8080")]
    Port,
    /// An IPv6 address without brackets.
    #[error("an IPv6 address needs brackets and a port; for example [::1]:8080")]
    Ipv6,
    /// The host has characters that no host has.
    #[error("this is no host; for example localhost:8080, 127.0.0.1:8080 or [::1]:8080")]
    Host,
}

// === impl ListenAddress ===

impl ListenAddress {
    /// The port; 0 is any free one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether clients speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Its socket addresses; a name can have several, such as `localhost` with IPv4 and IPv6.
    ///
    /// # Errors
    ///
    /// When a name cannot be resolved.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_string().to_socket_addrs()?.collect())
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (tls, address) = match text.split_once("://") {
            None => (false, text),
            Some((scheme, rest)) => {
                let tls = scheme.eq_ignore_ascii_case("https");
                if !tls && !scheme.eq_ignore_ascii_case("http") {
                    return Err(ListenAddressError::Scheme);
                }
                (tls, rest.strip_suffix('/').unwrap_or(rest))
            }
        };
        if address.contains(['/', '?', '#']) {
            return Err(ListenAddressError::Path);
        }
        let (host, port) = if address.starts_with('[') { in_brackets(address) } else { plain(address) }?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ListenAddressError::Port);
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| ListenAddressError::Port)?, tls })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// `[::1]:8080`.
fn in_brackets(address: &str) -> Result<(&str, &str), ListenAddressError> {
    let (inner, rest) = address[1..].split_once(']').ok_or(ListenAddressError::Ipv6)?;
    let host = &address[..inner.len() + 2];
    format!("{host}:0").parse::<SocketAddrV6>().map_err(|_| ListenAddressError::Ipv6)?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if rest.is_empty() => Err(ListenAddressError::NoPort(host.to_owned())),
        None => Err(ListenAddressError::Ipv6),
    }
}

/// `localhost:8080`, `127.0.0.1:8080`.
fn plain(address: &str) -> Result<(&str, &str), ListenAddressError> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(if address.is_empty() {
            ListenAddressError::Host
        } else if address.bytes().all(|byte| byte.is_ascii_digit()) {
            ListenAddressError::NoHost(address.to_owned())
        } else {
            ListenAddressError::NoPort(address.to_owned())
        });
    };
    if host.contains(':') {
        return Err(ListenAddressError::Ipv6);
    }
    // `*` and `+` are how IIS and Kestrel write every address of the machine.
    if matches!(host, "" | "*" | "+") {
        return Err(ListenAddressError::NoHost(port.to_owned()));
    }
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.bytes().all(valid) { Ok((host, port)) } else { Err(ListenAddressError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match text.parse::<ListenAddress>() {
            Ok(address) => address.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn listens_where_it_is_told() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("localhost:0", "localhost:0"),
            ("http://0.0.0.0:80", "0.0.0.0:80"),
            ("HTTP://shop.example:65535/", "shop.example:65535"),
            ("[::1]:0", "[::1]:0"),
            ("http://[fe80::1%2]:8080/", "[fe80::1%2]:8080"),
            ("https://a.example:443/", "a.example:443"),
        ] {
            assert_eq!(parsed(text), address, "{text}");
        }
        let resolved = "[::1]:0".parse::<ListenAddress>().unwrap().resolve().unwrap();
        assert_eq!(resolved, ["[::1]:0".parse().unwrap()]);
    }

    #[test]
    fn speaks_tls_where_the_scheme_says_so() {
        for (text, tls) in
            [("https://a:1", true), ("HTTPS://a:1/", true), ("http://a:443", false), ("a:443", false)]
        {
            assert_eq!(text.parse::<ListenAddress>().unwrap().is_tls(), tls, "{text}");
        }
    }

    #[test]
    fn explains_what_is_no_address_with_an_example() {
        for (text, part) in [
            ("unix:///run/a.sock", "only http://"),
            ("https://a.example", "a.example:8080"),
            ("http://127.0.0.1:80/app", "nothing may follow the port"),
            ("localhost", "localhost:8080"),
            ("http://localhost", "localhost:8080"),
            ("8080", "127.0.0.1:8080"),
            (":8080", "0.0.0.0:8080"),
            ("http://*:5000", "0.0.0.0:5000"),
            ("+:5000", "[::]:5000"),
            ("[::1]", "[::1]:8080"),
            ("::1:8080", "[::1]:8080"),
            ("[::1:8080", "[::1]:8080"),
            ("[::1]8080", "[::1]:8080"),
            ("[localhost]:8080", "[::1]:8080"),
            ("127.0.0.1:65536", "0 to 65535"),
            ("127.0.0.1:+80", "0 to 65535"),
            ("127.0.0.1:", "0 to 65535"),
            ("a b:80", "no host"),
            ("", "127.0.0.1:8080"),
        ] {
            let error = text.parse::<ListenAddress>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
