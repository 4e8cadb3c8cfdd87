//! Refuses a file that keeps people out by means that do not exist here.
//!
//! Served as if those sections were not there, the site would be open to people whom IIS would turn away. So such a file
//! cannot be used, unless whoever runs it names the section and thereby says that something else keeps them out.
//!
//! What `access` demands of connections is enforced here. But where no client could ever meet it, the site would be
//! closed to all; so that is refused as well, once it is known what clients can connect by.

use ancm_tower::{contract::WEB_CONFIG_FILE, require_tls::TlsDemands};

use super::{Config, ConfigErrors, Loaded, Note, NoteKind, error::Fault};

/// The sections that keep people out under IIS, and may be ignored by name.
pub const GUARDED_SECTIONS: &[&str] = &[
    "anonymousAuthentication",
    "windowsAuthentication",
    "basicAuthentication",
    "digestAuthentication",
    "clientCertificateMappingAuthentication",
    "iisClientCertificateMappingAuthentication",
    "authorization",
    "ipSecurity",
    "access",
];

/// The section whose demands on connections are enforced.
const ACCESS: &str = "access";

/// What clients can connect by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Nobody has said yet.
    #[default]
    Unknown,
    /// Plain text only.
    Plain,
    /// TLS as well; no client is asked for a certificate.
    Tls,
    /// TLS as well, and clients are asked for certificates.
    TlsWithCertificates,
}

/// Forgets what `access` demands, if that is to be ignored.
pub(crate) fn ignore_access<S: AsRef<str>>(config: &mut Config, notes: &mut [Note], ignored: &[S]) {
    if !ignored.iter().any(|section| section.as_ref().eq_ignore_ascii_case(ACCESS)) {
        return;
    }
    config.access = TlsDemands::default();
    for part in &mut config.locations {
        part.access = TlsDemands::default();
    }
    for note in notes.iter_mut().filter(|note| note.code == ACCESS) {
        note.kind = NoteKind::Risk;
        note.section = Some(ACCESS);
        "access sslFlags: what it demands of connections is not enforced".clone_into(&mut note.text);
    }
}

/// Whether a note is about a risk that nobody has accepted.
pub(crate) fn is_open_risk<S: AsRef<str>>(note: &Note, ignored: &[S]) -> bool {
    let accepted =
        |section: &str| ignored.iter().any(|ignored| ignored.as_ref().eq_ignore_ascii_case(section));
    note.kind == NoteKind::Risk && !note.section.is_some_and(accepted)
}

/// What can be done about a risk.
pub(crate) fn ways_out(section: &str) -> String {
    format!(
        "keep them out by the application or a proxy in front, and remove {section} here; \
         or accept it: --ignore-section {section}"
    )
}

// === impl Config ===

impl Config {
    /// The same, for clients that connect by this.
    ///
    /// # Errors
    ///
    /// When it demands of them what none can have.
    pub fn served_over(self, transport: Transport) -> Result<Self, ConfigErrors> {
        let demands = || std::iter::once(self.access).chain(self.locations.iter().map(|part| part.access));
        let lacking = match transport {
            Transport::Plain if demands().any(|demands| !demands.is_empty()) => Some((
                "sslFlags asks for TLS, but no address speaks it: every request would be refused",
                "serve an https:// address (--tls-cert, --tls-key)",
            )),
            Transport::Tls if demands().any(|demands| demands.certificate) => Some((
                "sslFlags asks for client certificates, but no client is asked for one: every request would be refused",
                "ask them (--tls-client-cert request)",
            )),
            _ => None,
        };
        let Some((message, fix)) = lacking else { return Ok(Self { transport, ..self }) };
        let fix = format!(
            "{fix}; or, if a proxy in front sees to it, accept that nothing here does: --ignore-section access"
        );
        let fault = Fault::new("unmet-access", message).about(ACCESS).fix(fix);
        Err(ConfigErrors::new(self.site_root.join(WEB_CONFIG_FILE), vec![fault], 0))
    }
}

// === impl Loaded ===

impl Loaded {
    /// Refuses the configuration if it has risks that are not accepted.
    pub(super) fn guarded<S: AsRef<str>>(self, ignored: &[S]) -> Result<Self, ConfigErrors> {
        let fault = |note: &Note| {
            let mut fault = Fault::new("risk", note.text.as_str());
            fault.position = note.position;
            match note.section {
                Some(section) => fault.about(section).fix(ways_out(section)),
                None => fault,
            }
        };
        let open = self.notes.iter().filter(|note| is_open_risk(note, ignored));
        let faults: Vec<_> = open.map(fault).collect();
        if faults.is_empty() { Ok(self) } else { Err(ConfigErrors::new(self.file, faults, 0)) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{NoteKind, load, load_ignoring, reload},
        Transport::{self, Plain, Tls, TlsWithCertificates, Unknown},
    };

    fn site(security: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='a'/>\n<security>{security}</security>\
             </system.webServer></configuration>"
        );
        fs::write(folder.path().join("web.config"), text).unwrap();
        folder
    }

    const CLOSED: &str = "<ipSecurity allowUnlisted='false'/><authentication><anonymousAuthentication \
        enabled='false'/></authentication>";

    #[test]
    fn a_file_that_keeps_people_out_is_refused_with_both_ways_out() {
        let errors = load(site(CLOSED).path()).unwrap_err();
        let codes: Vec<_> = errors.faults().iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["risk", "risk"]);
        let text = errors.to_string();
        assert!(text.contains("web.config:2:11: ipSecurity: addresses are not checked"), "{text}");
        assert!(text.contains("remove ipSecurity here; or accept it: --ignore-section ipSecurity"), "{text}");
    }

    #[test]
    fn each_section_must_be_named_by_itself() {
        let site = site(CLOSED);
        let errors = load_ignoring(site.path(), &["IPSECURITY"]).unwrap_err();
        assert_eq!(errors.faults()[0].subject.as_deref(), Some("anonymousAuthentication"));
        let names = ["ipSecurity", "anonymousAuthentication"];
        let loaded = load_ignoring(site.path(), &names).unwrap();
        assert_eq!(loaded.config.ignored_sections, names);
        assert_eq!(loaded.notes.len(), 2, "it is still told");
    }

    #[test]
    fn a_file_that_keeps_nobody_out_is_not_refused() {
        load(site("<ipSecurity allowUnlisted='true'/>").path()).unwrap();
    }

    /// A site that demands this.
    fn demanding(flags: &str) -> tempfile::TempDir {
        site(&format!("<access sslFlags='{flags}'/>"))
    }

    #[test]
    fn demands_that_no_client_could_meet_are_refused_with_the_ways_out() {
        let refused = |flags: &str, transport: Transport| {
            let served = load(demanding(flags).path()).unwrap().config.served_over(transport);
            served.err().map(|errors| errors.to_string())
        };
        for (flags, transport, fix) in [
            ("Ssl", Plain, "--tls-cert"),
            ("SslRequireCert", Plain, "--tls-cert"),
            ("Ssl, SslRequireCert", Tls, "--tls-client-cert request"),
        ] {
            let text = refused(flags, transport).unwrap();
            assert!(text.contains(fix) && text.contains("--ignore-section access"), "{text}");
        }
        for (flags, transport) in [
            ("None", Plain),
            ("SslNegotiateCert", Plain),
            ("Ssl", Tls),
            ("Ssl, SslRequireCert", TlsWithCertificates),
            ("Ssl, SslRequireCert", Unknown),
        ] {
            assert_eq!(refused(flags, transport), None, "{flags}");
        }
    }

    #[test]
    fn demands_of_a_part_of_the_site_count_too() {
        let site = demanding("None");
        let text = fs::read_to_string(site.path().join("web.config")).unwrap();
        let part = "<location path='admin'><system.webServer><security><access sslFlags='Ssl'/></security>\
                    </system.webServer></location></configuration>";
        fs::write(site.path().join("web.config"), text.replace("</configuration>", part)).unwrap();
        assert!(load(site.path()).unwrap().config.served_over(Plain).is_err());
        let ignored = load_ignoring(site.path(), &["access"]).unwrap().config;
        assert!(ignored.served_over(Plain).is_ok());
    }

    #[test]
    fn demands_that_are_ignored_are_none_and_that_is_told() {
        let site = demanding("Ssl");
        let loaded = load_ignoring(site.path(), &["Access"]).unwrap();
        assert!(loaded.config.access.is_empty());
        assert_eq!((loaded.notes[0].kind, loaded.notes[0].section), (NoteKind::Risk, Some("access")));
        assert!(loaded.config.served_over(Plain).is_ok());
    }

    #[test]
    fn a_changed_file_is_measured_by_what_clients_connect_by() {
        let site = demanding("None");
        let config = load(site.path()).unwrap().config.served_over(Plain).unwrap();
        assert_eq!(reload(&config).unwrap().config, config);
        let demanding = demanding("Ssl");
        fs::copy(demanding.path().join("web.config"), site.path().join("web.config")).unwrap();
        assert!(reload(&config).is_err());
    }
}
