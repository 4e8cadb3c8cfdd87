//! Where an application is served: for which host, and below which path.
//!
//! A frontend may serve many applications. A host that is named has applications of its own, like a site of IIS; those
//! without a host serve all other hosts. Among those of a host the longest path base that fits takes the request.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::binding::Binding;
//!
//! let shop: Binding = "shop.example.com/Cart/".parse()?;
//! assert_eq!((shop.host(), shop.path_base()), (Some("shop.example.com"), "/Cart"));
//! assert_eq!(shop.to_string(), "shop.example.com/Cart");
//!
//! let error = "/100%25".parse::<Binding>().unwrap_err();
//! assert!(error.to_string().contains("without escapes"));
//! # Ok::<(), ancm_frontend::binding::BindingError>(())
//! ```

use std::{fmt, str::FromStr};

/// The host, if it is for one only, and the path base of an application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// In lower case and without a dot at the end.
    host: Option<String>,
    /// `/`, or `/app` without a slash at the end; decoded.
    path_base: String,
}

/// Why a text is no [`Binding`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// No slash.
    #[error("the path is missing; it begins with a slash: / or /shop or shop.example.com/")]
    NoPath,
    /// A port follows the host.
    #[error("the port is no part of it: write {0}, and the port after -l")]
    Port(String),
    /// The host has characters that no host has.
    #[error("{0:?} is no host; write a name without wildcards such as shop.example.com, or an address")]
    Host(String),
    /// The path has escapes, or what separates a path from something else.
    #[error("a path is written without escapes and without \\ ? #; for example /my app, not /my%20app")]
    Escaped,
    /// The path has empty segments or dots.
    #[error("a path has no empty segments, no . and no ..; for example /shop or /shop/admin")]
    Segments,
}

// === impl Binding ===

impl Binding {
    /// All paths of all hosts.
    pub fn root() -> Self {
        Self { host: None, path_base: "/".to_owned() }
    }

    /// The only host that it is for.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// `/`, or `/app`; as it is decoded.
    pub fn path_base(&self) -> &str {
        &self.path_base
    }

    /// Whether both would get the same requests.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.host == other.host && is_same(&self.path_base, &other.path_base)
    }

    /// The path from another application to this one, such as `shop/admin`, if this one lies below it.
    pub fn below(&self, other: &Self) -> Option<&str> {
        let base = other.path_base.trim_end_matches('/');
        let above = self.path_base.get(..base.len()).is_some_and(|start| is_same(start, base));
        let rest = self.path_base.get(base.len()..)?.strip_prefix('/')?;
        (self.host == other.host && above && !rest.is_empty()).then_some(rest)
    }
}

/// Paths differ in more than case.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

impl Default for Binding {
    fn default() -> Self {
        Self::root()
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host.as_deref().unwrap_or_default(), self.path_base)
    }
}

impl FromStr for Binding {
    type Err = BindingError;

    fn from_str(text: &str) -> Result<Self, BindingError> {
        let slash = text.find('/').ok_or(BindingError::NoPath)?;
        let (host, path) = text.split_at(slash);
        Ok(Self { host: checked_host(host)?, path_base: checked_path(path)? })
    }
}

fn checked_host(host: &str) -> Result<Option<String>, BindingError> {
    if host.is_empty() {
        return Ok(None);
    }
    let (name, port) = split_port(host);
    if port.is_some() {
        return Err(BindingError::Port(format!("{name}/")));
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let in_brackets = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let valid = match in_brackets {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.trim_end_matches('.').is_empty() && name.bytes().all(known),
    };
    if valid {
        Ok(Some(without_dot(name).to_ascii_lowercase()))
    } else {
        Err(BindingError::Host(host.to_owned()))
    }
}

fn checked_path(path: &str) -> Result<String, BindingError> {
    if path.contains(['%', '\\', '?', '#']) || path.contains(char::is_control) {
        return Err(BindingError::Escaped);
    }
    let path = path.trim_end_matches('/');
    if path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(BindingError::Segments);
    }
    Ok(if path.is_empty() { "/".to_owned() } else { path.to_owned() })
}

/// A host as clients write it, without its port.
pub(crate) fn host_name(host: &str) -> &str {
    without_dot(split_port(host).0)
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        // The colons of an address in brackets.
        Some((_, rest)) if rest.ends_with(']') => (host, None),
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    }
}

/// `shop.example.com.` is the same name, written in full.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(text: &str) -> Binding {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_host_may_stand_before_the_path() {
        for (text, host, path_base) in [
            ("/", None, "/"),
            ("/App1", None, "/App1"),
            ("/a/b//", None, "/a/b"),
            ("Shop.Example.com./", Some("shop.example.com"), "/"),
            ("127.0.0.1/x", Some("127.0.0.1"), "/x"),
            ("[::1]/x", Some("[::1]"), "/x"),
            ("/my app/größe", None, "/my app/größe"),
        ] {
            assert_eq!((binding(text).host(), binding(text).path_base()), (host, path_base), "{text}");
        }
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (text, part) in [
            ("app1", "begins with a slash"),
            ("", "begins with a slash"),
            ("shop.example.com", "begins with a slash"),
            ("shop.example.com:8080/", "write shop.example.com/, and the port after -l"),
            ("*/x", "without wildcards"),
            ("a b/x", "is no host"),
            ("[zz]/x", "is no host"),
            ("./x", "is no host"),
            ("/a%20b", "without escapes"),
            ("/a?b", "without escapes"),
            (r"/a\b", "without escapes"),
            ("/a//b", "no empty segments"),
            ("/a/../b", "no empty segments"),
        ] {
            let error = text.parse::<Binding>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn two_are_the_same_whatever_their_case_and_slashes() {
        assert!(binding("/App/").is_same_as(&binding("/aPP")));
        assert!(binding("A.example/x").is_same_as(&binding("a.example./X")));
        assert!(!binding("a.example/x").is_same_as(&binding("/x")));
        assert!(!binding("/app").is_same_as(&binding("/app1")));
    }

    #[test]
    fn knows_what_lies_below_it() {
        for (lower, upper, path) in [
            ("/shop/admin", "/", Some("shop/admin")),
            ("/shop/admin", "/SHOP", Some("admin")),
            ("/shop", "/shop", None),
            ("/", "/", None),
            ("/shopping", "/shop", None),
            ("a.example/x", "/", None),
            ("a.example/x", "a.example/", Some("x")),
        ] {
            assert_eq!(binding(lower).below(&binding(upper)), path, "{lower} {upper}");
        }
    }
}
