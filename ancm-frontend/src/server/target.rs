//! Puts a request's target into origin form, and refuses what is not a request for us.

use http::{HeaderValue, Method, Request, Uri, header::HOST, uri::PathAndQuery};

use ancm_tower::refusal::Refusal;

/// Makes `Host` and target what the backend can rely on; the guard has let pass no `Host` that is malformed, repeated,
/// or missing where it is needed.
pub(super) fn normalize<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::MethodNotAllowed);
    }
    if request.uri().authority().is_none() {
        return Ok(());
    }
    if request.uri().scheme().is_none() {
        return Err(Refusal::MethodNotAllowed);
    }
    absolute(request)
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
    fn refuses_to_connect() {
        let mut connect = request("example.com:443", &["example.com:443"]);
        assert_eq!(normalize(&mut connect), Err(Refusal::MethodNotAllowed));
        *connect.method_mut() = Method::CONNECT;
        assert_eq!(normalize(&mut connect), Err(Refusal::MethodNotAllowed));
    }
}
