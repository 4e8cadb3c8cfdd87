//! Puts a request's target into origin form, and refuses what is not a request for us.

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header::HOST, uri::PathAndQuery};

use ancm_tower::refusal::Refusal;

/// What the `Host` lines of a request amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Host {
    #[default]
    Missing,
    Good,
    Malformed,
    Repeated,
}

/// Makes `Host` and target what the backend can rely on; `host` is what is among its headers.
pub(super) fn normalize<B>(request: &mut Request<B>, host: Host) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::MethodNotAllowed);
    }
    host.check(request.version())?;
    if request.uri().authority().is_none() {
        return Ok(());
    }
    if request.uri().scheme().is_none() {
        return Err(Refusal::MethodNotAllowed);
    }
    absolute(request)
}

// === impl Host ===

impl Host {
    pub(super) fn among(headers: &HeaderMap) -> Self {
        let mut hosts = headers.get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (_, Some(_)) => Self::Repeated,
            (None, None) => Self::Missing,
            (Some(host), None) if host.as_bytes().iter().all(|&byte| is_host(byte)) => Self::Good,
            (Some(_), None) => Self::Malformed,
        }
    }

    fn check(self, version: Version) -> Result<(), Refusal> {
        let reason = match self {
            Self::Good => return Ok(()),
            Self::Missing if version != Version::HTTP_11 => return Ok(()),
            Self::Missing => "Host is missing",
            Self::Malformed => "Host is malformed",
            Self::Repeated => "Host is repeated",
        };
        Err(Refusal::BadRequest { reason })
    }
}

/// What a host and its port can consist of (RFC 3986 3.2.2); whether it makes sense is for the application to say.
fn is_host(byte: u8) -> bool {
    // Found by comparing, not by searching.
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
        || matches!(byte, b'*' | b'+' | b';' | b'=' | b':' | b'[' | b']')
}

/// RFC 9112 3.2.2: the authority of an absolute target replaces the Host header.
fn absolute<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    const REASON: Refusal = Refusal::BadRequest { reason: "the absolute target is malformed" };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let authority = parts.authority.take().ok_or(REASON)?;
    // Credentials in a target are deprecated, and no part of a host.
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let host = HeaderValue::from_str(host).map_err(|_| REASON)?;
    parts.scheme = None;
    if let Some(target) = parts.path_and_query.as_ref().filter(|target| !target.as_str().starts_with('/')) {
        // `http://host?query` has a path, too: it is empty, and `/` in origin form.
        parts.path_and_query =
            Some(PathAndQuery::try_from(format!("/{}", target.as_str())).map_err(|_| REASON)?);
    }
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| REASON)?;
    request.headers_mut().insert(HOST, host);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, hosts: &[&'static str]) -> Request<()> {
        let mut request = Request::builder().uri(target).body(()).unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_static(host));
        }
        request
    }

    fn normalize(request: &mut Request<()>) -> Result<(), Refusal> {
        let host = Host::among(request.headers());
        super::normalize(request, host)
    }

    #[test]
    fn leaves_an_ordinary_target_as_it_came() {
        let mut request = request("/a%2Fb//c?d=%3F?", &["example.com"]);
        assert_eq!(normalize(&mut request), Ok(()));
        assert_eq!(request.uri(), "/a%2Fb//c?d=%3F?");
    }

    #[test]
    fn an_absolute_target_replaces_the_host() {
        let mut request = request("http://user@other.example:81/path?query", &["example.com"]);
        assert_eq!(normalize(&mut request), Ok(()));
        assert_eq!(request.uri(), "/path?query");
        assert_eq!(request.headers()[HOST], "other.example:81");
    }

    #[test]
    fn an_absolute_target_without_a_path_gets_one() {
        for (target, origin) in [("http://a", "/"), ("http://a?b=/c", "/?b=/c"), ("http://a/?b", "/?b")] {
            let mut request = request(target, &["a"]);
            assert_eq!(normalize(&mut request), Ok(()));
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), origin, "{target}");
        }
    }

    #[test]
    fn refuses_a_missing_or_repeated_host() {
        for hosts in [&[][..], &["a", "b"], &["a", "a"]] {
            let refusal = normalize(&mut request("/", hosts)).unwrap_err();
            assert_eq!(refusal.status(), 400, "{hosts:?}");
        }
    }

    #[test]
    fn refuses_a_host_that_is_none() {
        for host in ["a b", "a,b", "user@a", "a/b", "a\\b", "a?b", "a#b"] {
            assert_eq!(normalize(&mut request("/", &[host])).unwrap_err().status(), 400, "{host}");
        }
        for host in ["", "a:99999", "[::1]:80", "_a", "%61"] {
            assert_eq!(normalize(&mut request("/", &[host])), Ok(()), "{host}");
        }
    }

    #[test]
    fn http_1_0_may_leave_the_host_out() {
        let mut request = request("/", &[]);
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(normalize(&mut request), Ok(()));
    }

    #[test]
    fn refuses_to_connect() {
        let mut connect = request("example.com:443", &["example.com:443"]);
        assert_eq!(normalize(&mut connect), Err(Refusal::MethodNotAllowed));
        *connect.method_mut() = Method::CONNECT;
        assert_eq!(normalize(&mut connect), Err(Refusal::MethodNotAllowed));
    }
}
