//! What a [`Config`] says, in the words of the layers.

use std::time::Duration;

use ancm_tower::{
    by_path::ByPath, error_page::Explanations, require_tls::TlsDemands, response_headers::HeaderChanges,
    startup_error::HoldSettings, url_limit::UrlLimits,
};
use http::{HeaderName, HeaderValue, header};

use crate::config::{Config, Location, error_pages};

/// What it takes to end the processes of failed attempts, and to say why they failed.
const HOLD_MARGIN: Duration = Duration::from_secs(5);

/// What becomes of requests that come before a process is ready.
pub fn hold_settings(config: &Config) -> HoldSettings {
    HoldSettings {
        // Each attempt has the whole of `startupTimeLimit`: who waits shall see how it ends.
        limit: config.startup_time_limit * config.start_attempts().into() + HOLD_MARGIN,
        disable_page: config.disable_start_up_error_page,
    }
}

/// What becomes of the headers of answers.
///
/// The application's `Server` is removed before anything is added, so that a site may put another in its place.
pub fn response_headers(config: &Config) -> ByPath<HeaderChanges> {
    by_path(config, changes(config.remove_server_header, &config.custom_headers), |part| {
        changes(part.remove_server_header, &part.custom_headers)
    })
}

/// How long request bodies may be.
pub fn body_limits(config: &Config) -> ByPath<Option<u64>> {
    by_path(config, Some(config.max_allowed_content_length), |part| Some(part.max_allowed_content_length))
}

/// How long URLs may be.
pub fn url_limits(config: &Config) -> ByPath<UrlLimits> {
    let limits = |path, query| UrlLimits { path, query };
    by_path(config, limits(config.max_url, config.max_query_string), |part| {
        limits(part.max_url, part.max_query_string)
    })
}

/// Where clients may switch to another protocol.
pub fn upgrades(config: &Config) -> ByPath<bool> {
    by_path(config, config.web_socket_enabled, |part| part.web_socket_enabled)
}

/// What connections must have.
pub fn tls_demands(config: &Config) -> ByPath<TlsDemands> {
    by_path(config, config.access, |part| part.access)
}

/// How much error pages say.
pub fn explanations(config: &Config, environment: &dyn Fn(&str) -> Option<String>) -> Explanations {
    let explanations = Explanations::new().details(config.shows_details(environment));
    match error_pages::link(environment) {
        Some(link) => explanations.link(link),
        None => explanations,
    }
}

fn by_path<T: Clone>(config: &Config, everywhere: T, of: impl Fn(&Location) -> T) -> ByPath<T> {
    let parts = config.locations.iter();
    // A request's path is the whole one, that of a part begins where the application does.
    let path = |part: &Location| format!("{}/{}", config.path_base, part.path);
    parts.fold(ByPath::new(everywhere), |by_path, part| by_path.below(&path(part), of(part)))
}

fn changes(remove_server: bool, headers: &[(String, String)]) -> HeaderChanges {
    let none = if remove_server { HeaderChanges::new().remove(header::SERVER) } else { HeaderChanges::new() };
    // Those that cannot be sent are faults of the file.
    let valid = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    valid.fold(none, |changes, (name, value)| changes.add(name, value))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    #[test]
    fn a_part_lies_below_the_path_base_of_its_application() {
        let text = b"<configuration><system.webServer><aspNetCore processPath='a'/></system.webServer><location path='up'>\
            <system.webServer><security><requestFiltering><requestLimits maxAllowedContentLength='5'/>\
            </requestFiltering></security></system.webServer></location></configuration>";
        let mut config = config::parse(text, Path::new("w"), Path::new("/s"), &|_| None).unwrap().config;
        config.path_base = "/shop/cart".to_owned();
        let limits = body_limits(&config);
        assert_eq!(*limits.get("/Shop/cart/up/x"), Some(5));
        assert_eq!(*limits.get("/up"), Some(30_000_000));
    }

    #[test]
    fn requests_are_held_until_both_attempts_of_a_start_are_over() {
        let config = Config { startup_time_limit: Duration::from_secs(7), ..Config::default() };
        assert_eq!(hold_settings(&config).limit, Duration::from_secs(19));
        assert!(!hold_settings(&config).disable_page);
    }

    #[test]
    fn parts_of_a_site_differ_where_the_file_says_so() {
        let text =
            b"<configuration><system.webServer><aspNetCore processPath='a'/><httpProtocol><customHeaders>\
            <add name='X-A' value='1'/></customHeaders></httpProtocol></system.webServer>\
            <location path='api'><system.webServer><security><requestFiltering removeServerHeader='true'>\
            <requestLimits maxAllowedContentLength='5' maxQueryString='6'/></requestFiltering>\
            <access sslFlags='Ssl'/></security><webSocket enabled='false'/></system.webServer></location></configuration>";
        let config = config::parse(text, Path::new("w"), Path::new("/s"), &|_| None).unwrap().config;
        assert_eq!(*body_limits(&config).get("/"), Some(30_000_000));
        assert_eq!(*body_limits(&config).get("/api/x"), Some(5));
        assert_eq!(*url_limits(&config).get("/"), UrlLimits::default());
        assert_eq!(url_limits(&config).get("/api").query, Some(6));
        assert!(*upgrades(&config).get("/") && !*upgrades(&config).get("/api/live"));
        assert!(!tls_demands(&config).get("/").tls && tls_demands(&config).get("/api").tls);
        let one = HeaderChanges::new().add(HeaderName::from_static("x-a"), HeaderValue::from_static("1"));
        let headers = response_headers(&config);
        assert_eq!(*headers.get("/"), one);
        assert_eq!(*headers.get("/api"), one.remove(header::SERVER));
    }
}
