//! Refuses a file that keeps people out by means that do not exist here.
//!
//! Served as if those sections were not there, the site would be open to people whom IIS would turn away. So such a file
//! cannot be used, unless whoever runs it names the section and thereby says that something else keeps them out.

use super::{ConfigErrors, Loaded, Note, NoteKind, error::Fault};

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

    use super::super::{load, load_ignoring};

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
}
