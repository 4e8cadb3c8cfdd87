//! Reads what a site says about requests and answers: limits, headers, WebSockets, TLS; and where parts of it differ.

use roxmltree::Node;

use super::{
    Config, Location,
    attributes::{ACCESS, REQUEST_FILTERING, REQUEST_LIMITS, WEB_SOCKET},
    custom_headers,
    error::quoted,
    findings::Findings,
    note::NoteKind,
    settings::{once_per_scope, read_attributes},
    xml::{self, Layout, Scope, tag},
};

/// Attributes that say what holds here anyway.
const OF_REQUEST_FILTERING: &[&str] =
    &["allowDoubleEscaping", "allowHighBitCharacters", "unescapeQueryString"];
/// Attributes about how IIS itself frames WebSockets.
const OF_WEB_SOCKET: &[&str] = &["receiveBufferLimit", "pingInterval"];

/// Reads the settings of the whole site, then those of its parts.
pub(super) fn read(layout: &Layout<'_, '_>, config: &mut Config, findings: &mut Findings<'_>) {
    read_inherited_parts(layout, config, findings);
    read_part(&layout.web_servers, config, findings);
    read_locations(layout, config, findings);
}

/// What the site says holds for the parts that a file above it speaks about, too.
fn read_inherited_parts(layout: &Layout<'_, '_>, config: &mut Config, findings: &Findings<'_>) {
    for location in &mut config.locations {
        location.read(&layout.web_servers, findings);
    }
}

/// What may differ from part to part.
fn read_part(web_servers: &[(Scope, Node<'_, '_>)], config: &mut Config, findings: &mut Findings<'_>) {
    for node in once_per_scope(web_servers, &[WEB_SOCKET], findings) {
        read_attributes(node, WEB_SOCKET, OF_WEB_SOCKET, config, findings);
    }
    for node in once_per_scope(web_servers, &["security", ACCESS], findings) {
        read_attributes(node, ACCESS, &[], config, findings);
    }
    for node in once_per_scope(web_servers, &["security", REQUEST_FILTERING], findings) {
        read_attributes(node, REQUEST_FILTERING, OF_REQUEST_FILTERING, config, findings);
    }
    for node in once_per_scope(web_servers, &["security", REQUEST_FILTERING, REQUEST_LIMITS], findings) {
        read_attributes(node, REQUEST_LIMITS, &[], config, findings);
    }
    for (_, node) in xml::sections(web_servers, &["httpProtocol", "customHeaders"]) {
        custom_headers::read(node, config, findings);
    }
}

/// The parts, each with what it inherits: from the site, or from a part that it lies in.
fn read_locations(layout: &Layout<'_, '_>, config: &mut Config, findings: &mut Findings<'_>) {
    let mut parts: Vec<_> = layout.below.iter().map(|(path, node)| (normalized(path), *node)).collect();
    // Stable: of two about the same path, the later one adds to the first.
    parts.sort_by_key(|(path, _)| path.len());
    // Places are those of the site's own settings.
    let given = findings.given.len();
    let inherited: Vec<String> = config.locations.iter().map(|part| part.path.clone()).collect();
    for (path, node) in parts {
        let is_inside = |part: &&mut Location| {
            part.path.len() > path.len() && lies_in(&part.path, &path) && inherited.contains(&part.path)
        };
        for part in config.locations.iter_mut().filter(is_inside) {
            part.read(&xml::web_servers(node), findings);
        }
        let mut part = config.clone();
        let around = config.locations.iter().filter(|around| lies_in(&path, &around.path));
        if let Some(nearest) = around.max_by_key(|around| around.path.len()) {
            nearest.apply(&mut part);
        }
        let unchanged = Location::of(path.clone(), &part);
        read_part(&xml::web_servers(node), &mut part, findings);
        let location = Location::of(path, &part);
        if location != unchanged {
            let text = format!("location {}: its settings hold for this part", quoted(&location.path));
            findings.note(&tag(node), NoteKind::Honoured, "location", text);
            config.locations.retain(|other| !other.path.eq_ignore_ascii_case(&location.path));
            config.locations.push(location);
        }
    }
    findings.given.truncate(given);
}

/// `/upload/images` for `upload\images/`.
fn normalized(path: &str) -> String {
    let segments = path.trim().split(['/', '\\']).filter(|segment| !matches!(*segment, "" | "."));
    segments.flat_map(|segment| ["/", segment]).collect()
}

fn lies_in(path: &str, around: &str) -> bool {
    path.get(..around.len()).is_some_and(|start| start.eq_ignore_ascii_case(around))
        && matches!(path.as_bytes().get(around.len()), None | Some(b'/'))
}

// === impl Location ===

impl Location {
    fn of(path: String, config: &Config) -> Self {
        Self {
            path,
            max_allowed_content_length: config.max_allowed_content_length,
            max_url: config.max_url,
            max_query_string: config.max_query_string,
            remove_server_header: config.remove_server_header,
            web_socket_enabled: config.web_socket_enabled,
            access: config.access,
            custom_headers: config.custom_headers.clone(),
        }
    }

    /// Changes it by what a file nearer to it says of something that it lies in.
    fn read(&mut self, web_servers: &[(Scope, Node<'_, '_>)], findings: &Findings<'_>) {
        let mut part = Config::default();
        self.apply(&mut part);
        // All there is to say about it is said where it is read first.
        read_part(web_servers, &mut part, &mut findings.unheard());
        *self = Self::of(std::mem::take(&mut self.path), &part);
    }

    fn apply(&self, config: &mut Config) {
        config.max_allowed_content_length = self.max_allowed_content_length;
        config.max_url = self.max_url;
        config.max_query_string = self.max_query_string;
        config.remove_server_header = self.remove_server_header;
        config.web_socket_enabled = self.web_socket_enabled;
        config.access = self.access;
        config.custom_headers.clone_from(&self.custom_headers);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ancm_tower::require_tls::TlsDemands;

    use super::super::{Config, Loaded, Location, NoteKind, parse};

    fn parsed(beside: &str) -> Loaded {
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='a'/><security><requestFiltering>\
             <requestLimits maxAllowedContentLength='10' maxUrl='20'/></requestFiltering></security>\
             <httpProtocol><customHeaders><add name='X-A' value='1'/></customHeaders></httpProtocol>\
             </system.webServer>\n{beside}</configuration>"
        );
        parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None).unwrap()
    }

    fn location(path: &str, inside: &str) -> String {
        format!("<location path='{path}'><system.webServer>{inside}</system.webServer></location>\n")
    }

    fn limit(bytes: u32) -> String {
        format!(
            "<security><requestFiltering><requestLimits maxAllowedContentLength='{bytes}'/></requestFiltering></security>"
        )
    }

    fn found<'a>(config: &'a Config, path: &str) -> &'a Location {
        config.locations.iter().find(|location| location.path == path).unwrap()
    }

    #[test]
    fn a_part_of_the_site_inherits_what_it_does_not_change() {
        let loaded = parsed(&location("upload", &limit(99)));
        let expected = Location {
            path: "/upload".into(),
            max_allowed_content_length: 99,
            max_url: Some(20),
            max_query_string: None,
            remove_server_header: false,
            web_socket_enabled: true,
            access: TlsDemands::default(),
            custom_headers: vec![("X-A".into(), "1".into())],
        };
        assert_eq!(loaded.config.locations, [expected]);
        assert_eq!(loaded.config.max_allowed_content_length, 10);
        assert!(loaded.notes.iter().any(|note| note.kind == NoteKind::Honoured && note.code == "location"));
    }

    #[test]
    fn a_part_within_a_part_inherits_from_that_wherever_it_stands() {
        let headers = "<httpProtocol><customHeaders><clear/></customHeaders></httpProtocol>";
        let config =
            parsed(&(location(r"a\b/", headers) + &location("A", &limit(5)) + &location("ab", &limit(6))))
                .config;
        let inner = found(&config, "/a/b");
        assert_eq!((inner.max_allowed_content_length, inner.custom_headers.len()), (5, 0));
        assert_eq!(found(&config, "/ab").max_allowed_content_length, 6);
    }

    #[test]
    fn two_elements_about_one_part_add_up() {
        let filtering = "<security><requestFiltering removeServerHeader='true'/></security>";
        let config = parsed(&(location("a", &limit(5)) + &location("a", filtering))).config;
        assert_eq!(config.locations.len(), 1);
        assert_eq!(config.locations[0].max_allowed_content_length, 5);
        assert!(config.locations[0].remove_server_header);
    }

    #[test]
    fn a_part_may_have_other_demands_and_no_web_sockets() {
        let inside = "<webSocket enabled='false'/><security><access sslFlags='Ssl'/></security>";
        let config =
            parsed(&(location("a", inside) + &location("a/b", "<webSocket enabled='true'/>"))).config;
        assert!(config.web_socket_enabled && config.access.is_empty());
        let tls = TlsDemands { tls: true, certificate: false };
        let (outer, inner) = (found(&config, "/a"), found(&config, "/a/b"));
        assert_eq!((outer.web_socket_enabled, outer.access), (false, tls));
        assert_eq!((inner.web_socket_enabled, inner.access), (true, tls));
    }

    #[test]
    fn a_part_that_changes_nothing_of_this_is_none() {
        assert_eq!(parsed(&location("a", "<caching/>")).config.locations, []);
    }

    #[test]
    fn places_are_those_of_the_site_itself() {
        let text = format!(
            "<configuration>{}<system.webServer><aspNetCore processPath='a'/></system.webServer></configuration>",
            location("a", &limit(1))
        );
        let examination =
            super::super::reading::understand(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None);
        assert!(!examination.given.iter().any(|(name, _)| *name == "maxAllowedContentLength"));
    }
}
