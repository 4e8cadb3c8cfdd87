//! Puts a request's target into origin form, and refuses what is not a request for us.

use http::{
    HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};

use ancm_tower::refusal::Refusal;

/// Makes `Host` and target what the backend can rely on.
pub(super) fn normalize<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::MethodNotAllowed);
    }
    framing(request)?;
    hosts(request)?;
    if request.uri().authority().is_none() {
        return Ok(());
    }
    if request.uri().scheme().is_none() {
        return Err(Refusal::MethodNotAllowed);
    }
    absolute(request)
}

/// Two lengths, or a length beside chunks, are how one request is made to look like two.
fn framing<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(Refusal::BadRequest { reason: "Content-Length is repeated" });
    }
    if length.is_some() && headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal::BadRequest { reason: "both Content-Length and Transfer-Encoding are there" });
    }
    Ok(())
}

fn hosts<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(Refusal::BadRequest { reason: "Host is repeated" }),
        (None, None) if request.version() == Version::HTTP_11 => {
            Err(Refusal::BadRequest { reason: "Host is missing" })
        }
        _ => Ok(()),
    }
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
    fn refuses_a_missing_or_repeated_host() {
        for hosts in [&[][..], &["a", "b"], &["a", "a"]] {
            let refusal = normalize(&mut request("/", hosts)).unwrap_err();
            assert_eq!(refusal.status(), 400, "{hosts:?}");
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

    #[test]
    fn refuses_two_lengths_and_a_length_beside_chunks() {
        let mut twice = request("/", &["a"]);
        twice.headers_mut().append(CONTENT_LENGTH, 3.into());
        twice.headers_mut().append(CONTENT_LENGTH, 3.into());
        assert_eq!(normalize(&mut twice).unwrap_err().status(), 400);
        let mut both = request("/", &["a"]);
        both.headers_mut().append(CONTENT_LENGTH, 3.into());
        both.headers_mut().append(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        assert_eq!(normalize(&mut both).unwrap_err().status(), 400);
    }
}
