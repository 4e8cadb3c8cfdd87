//! Where a server listens, in the form of `ASPNETCORE_URLS`.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// Where a server listens.
///
/// Read from a URL: `http://127.0.0.1:5000`, `http://[::1]:5000`, `http://localhost:5000`, `http://*:5000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// This address; port 0 lets the system choose one.
    At(SocketAddr),
    /// The loopback address of IPv4 and, where there is one, of IPv6.
    Localhost(u16),
    /// Every interface of the machine.
    Any(u16),
}

/// A URL names no address where we can listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    url: String,
    reason: &'static str,
}

const DEFAULT_PORT: u16 = 80;

// === impl Address ===

impl Address {
    /// 127.0.0.1 at this port.
    pub fn loopback(port: u16) -> Self {
        Self::At((Ipv4Addr::LOCALHOST, port).into())
    }

    /// The URL's host and port, without scheme and the slash at its end.
    fn parse_authority(authority: &str) -> Result<Self, &'static str> {
        // The colons of IPv6 stand inside its brackets.
        let colon = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
        let (host, port) = match colon {
            Some(colon) => (&authority[..colon], parse_port(&authority[colon + 1..])?),
            None => (authority, DEFAULT_PORT),
        };
        if host == "*" || host == "+" {
            return Ok(Self::Any(port));
        }
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(Self::Localhost(port));
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let ip: Option<IpAddr> = match bare {
            Some(v6) => v6.parse().ok().map(IpAddr::V6),
            None => host.parse().ok().map(IpAddr::V4),
        };
        // ANCM: Kestrel listens on every interface when it meets a name; a slip of the pen should not do that.
        let ip =
            ip.ok_or("the host must be an IP address (IPv6 in brackets), `localhost`, or `*` for all")?;
        Ok(Self::At((ip, port).into()))
    }
}

impl Default for Address {
    /// 127.0.0.1:5000.
    fn default() -> Self {
        Self::loopback(5000)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let refuse = |reason| AddressError { url: url.to_owned(), reason };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| refuse("an address begins with `http://`, as in `http://localhost:5000`"))?;
        if scheme.eq_ignore_ascii_case("https") {
            return Err(refuse("this server has no TLS: use `http://`, behind a frontend that has it"));
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(refuse("only `http://` is served"));
        }
        if rest.starts_with("unix:") {
            return Err(refuse("Unix sockets are not served: use a host and a port"));
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(refuse("an address has no path: the path base is ASPNETCORE_APPL_PATH"));
        }
        Self::parse_authority(authority).map_err(refuse)
    }
}

/// Port 0 is allowed here: nobody but a person or a test chooses it.
fn parse_port(text: &str) -> Result<u16, &'static str> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| is_digits);
    port.ok_or("the port must be a number up to 65535, in digits only")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => write!(f, "http://{address}"),
            Self::Localhost(port) => write!(f, "http://localhost:{port}"),
            Self::Any(port) => write!(f, "http://*:{port}"),
        }
    }
}

// === impl AddressError ===

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on `{}`: {}", self.url, self.reason)
    }
}

impl Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_http_url() {
        for (url, address) in [
            ("http://*:80", Address::Any(80)),
            ("http://+:5000/", Address::Any(5000)),
            ("http://localhost:5000", Address::Localhost(5000)),
            ("HTTP://LocalHost", Address::Localhost(80)),
            ("http://127.0.0.1:1", Address::loopback(1)),
            ("http://127.0.0.1:0", Address::loopback(0)),
            ("http://[::1]:5000", Address::At("[::1]:5000".parse().unwrap())),
            ("http://[::]", Address::At("[::]:80".parse().unwrap())),
            ("http://0.0.0.0:65535", Address::At("0.0.0.0:65535".parse().unwrap())),
        ] {
            assert_eq!(url.parse(), Ok(address), "{url}");
        }
    }

    #[test]
    fn refuses_everything_else_and_says_why() {
        for (url, part) in [
            ("https://*:443", "no TLS"),
            ("localhost:5000", "begins with `http://`"),
            ("ftp://localhost", "only `http://`"),
            ("http://unix:/tmp/x.sock", "Unix sockets"),
            ("http://*:5000/app", "no path"),
            ("http://*:5000?x", "no path"),
            ("http://example.com:5000", "IP address"),
            ("http://::1:5000", "IP address"),
            ("http://[127.0.0.1]:5000", "IP address"),
            ("http://", "IP address"),
            ("http://*:", "number"),
            ("http://*:+1", "number"),
            ("http://*:65536", "number"),
        ] {
            let message = url.parse::<Address>().unwrap_err().to_string();
            assert!(message.contains(part) && message.contains(url), "{message}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for url in ["http://*:80", "http://localhost:1", "http://127.0.0.1:5000", "http://[::1]:5000"] {
            assert_eq!(url.parse::<Address>().unwrap().to_string(), url);
        }
    }
}
