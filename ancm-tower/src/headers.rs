//! What several layers ask of a header map.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Removes every header whose name begins with `prefix`, which must be in lower case as all names in a map are.
#[inline]
pub(crate) fn remove_with_prefix(headers: &mut HeaderMap, prefix: &'static str) {
    // Almost every request has nothing to remove.
    if headers.keys().any(|name| name.as_str().starts_with(prefix)) {
        remove_found(headers, prefix);
    }
}

#[cold]
fn remove_found(headers: &mut HeaderMap, prefix: &str) {
    let found: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(prefix)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// Removes a header that is hardly ever there: to look at the few names costs less than to search for one.
pub(crate) fn remove_rare(headers: &mut HeaderMap, name: &HeaderName) {
    if headers.keys().any(|present| present == name) {
        headers.remove(name);
    }
}

/// The value of a header that is there exactly once.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_all_values_of_all_names_with_the_prefix() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a-1", "1"), ("x-a-1", "2"), ("x-a", "3"), ("x-b", "4"), ("y-x-a", "5")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove_with_prefix(&mut headers, "x-a");
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-b"], "4");
        assert_eq!(headers["y-x-a"], "5");
    }

    #[test]
    fn removes_all_values_of_a_rare_name() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-a", "2"), ("x-b", "3")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove_rare(&mut headers, &HeaderName::from_static("x-a"));
        remove_rare(&mut headers, &HeaderName::from_static("x-c"));
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-b"], "3");
    }

    #[test]
    fn finds_a_value_only_if_it_is_alone() {
        let name = HeaderName::from_static("x-a");
        let mut headers = HeaderMap::new();
        assert_eq!(only(&headers, &name), None);
        headers.append(&name, HeaderValue::from_static("1"));
        assert_eq!(only(&headers, &name).unwrap(), "1");
        headers.append(&name, HeaderValue::from_static("1"));
        assert_eq!(only(&headers, &name), None);
    }
}
