//! Which trailers of an answer a client may be sent.

use http::{HeaderMap, HeaderName, Response, header};

use super::request::About;

/// RFC 9110 6.5.1: what frames, routes or authenticates a message, or says how to read it, comes too late behind it.
const TOO_LATE: [HeaderName; 14] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::HOST,
    header::MAX_FORWARDS,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::WWW_AUTHENTICATE,
];

/// The trailers that an answer has declared and that its client reads; none as a rule.
#[derive(Debug, Default)]
pub(super) struct Declared(Vec<HeaderName>);

// === impl Declared ===

impl Declared {
    pub(super) fn by<B>(response: &Response<B>, about: About) -> Self {
        if !about.trailers {
            return Self::default();
        }
        let lines = response.headers().get_all(header::TRAILER).iter();
        let names = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
        let names = names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
        Self(names.filter(|name| !TOO_LATE.contains(name)).collect())
    }

    /// Those of them that have come.
    pub(super) fn of(&self, trailers: &HeaderMap) -> Option<HeaderMap> {
        if self.0.is_empty() {
            return None;
        }
        let declared = trailers.iter().filter(|(name, _)| self.0.contains(name));
        Some(declared.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS_THEM: About =
        About { is_head: false, is_old: false, keep_alive: true, trailers: true, expects: false };

    fn sent(declared: &str, about: About) -> Vec<String> {
        let response = Response::builder().header("trailer", declared).body(()).unwrap();
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "x-other", "content-length", "x-sum"] {
            trailers.append(name, header::HeaderValue::from_static("1"));
        }
        let sent = Declared::by(&response, about).of(&trailers).unwrap_or_default();
        sent.iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn only_what_was_declared_and_does_not_come_too_late_is_sent() {
        assert_eq!(sent("X-Sum , Content-Length,?", READS_THEM), ["x-sum", "x-sum"]);
        assert_eq!(sent("x-other, x-more", READS_THEM), ["x-other"]);
        assert!(sent("", READS_THEM).is_empty());
        assert!(sent("x-sum", About { trailers: false, ..READS_THEM }).is_empty());
    }
}
