//! What becomes of each handler setting that ANCM knows.

use roxmltree::Node;

use super::{
    error::{Fault, quoted},
    findings::Findings,
    nearest::nearest,
    note::NoteKind,
    xml::{attribute, elements, is, tag, value},
};

const IN_PROCESS: &str = "it is for applications that run inside of IIS";
const COPY: &str = "files can be replaced while they run, so nothing is copied";
const DEBUG: &str = "what ancm logs is set by RUST_LOG";

/// Names, what becomes of them, and why.
// ANCM: ShimOptions.cpp, InProcessOptions.cpp, requesthandler_config.h, debugutil.cpp.
static SETTINGS: &[(&str, NoteKind, &str)] = &[
    ("callStartupHook", NoteKind::NoEffect, IN_PROCESS),
    ("cleanShadowCopyDirectory", NoteKind::NoEffect, COPY),
    ("debugFile", NoteKind::NotHonoured, DEBUG),
    ("debugLevel", NoteKind::NotHonoured, DEBUG),
    ("disallowRotationOnConfigChange", NoteKind::Honoured, "if true, a changed web.config is not followed"),
    ("enableOutOfProcessConsoleRedirection", NoteKind::Honoured, "if false, nothing that it prints is kept"),
    ("enableShadowCopy", NoteKind::NoEffect, COPY),
    ("experimentalEnableShadowCopy", NoteKind::NoEffect, COPY),
    ("forwardResponseConnectionHeader", NoteKind::Honoured, "if true, its header Connection is passed on"),
    ("handlerVersion", NoteKind::NoEffect, "there is one version of ancm"),
    ("setCurrentDirectory", NoteKind::NoEffect, IN_PROCESS),
    ("shadowCopyDirectory", NoteKind::NoEffect, COPY),
    ("shutdownDelay", NoteKind::NotHonoured, "there is no worker of IIS whose replacement must be awaited"),
    ("stackSize", NoteKind::NoEffect, IN_PROCESS),
    ("suppressRecycleOnStartupTimeout", NoteKind::NoEffect, IN_PROCESS),
];

/// Remarks on the settings of an application.
pub(super) fn remark(node: Node<'_, '_>, findings: &mut Findings<'_>) {
    let lists = elements(node).filter(|child| is(*child, "handlerSettings"));
    for entry in lists.flat_map(elements).filter(|entry| is(*entry, "handlerSetting")) {
        let name = value(entry, "name");
        let range = attribute(entry, "name").map_or_else(|| tag(entry), |name| name.range());
        let known = SETTINGS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        if let Some((known, kind, why)) = known {
            check(known, entry, findings);
            findings.note(&range, *kind, "handler-setting", format!("handler setting {known}: {why}"));
        } else if !name.is_empty() {
            let meant = nearest(name, SETTINGS.iter().map(|(known, ..)| *known));
            let meant = meant.map_or_else(String::new, |meant| format!("; {meant} may be meant"));
            let text = format!("handler setting {} is not known{meant}", quoted(name));
            findings.note(&range, NoteKind::Warning, "unknown-handler-setting", text);
        }
    }
}

/// A value that the module would refuse to start with.
// ANCM: ShimOptions.cpp reads a whole number of milliseconds that is not negative.
fn check(known: &str, entry: Node<'_, '_>, findings: &mut Findings<'_>) {
    let text = value(entry, "value");
    if known == "shutdownDelay" && !text.is_empty() && text.trim().parse::<u32>().is_err() {
        let message = format!("shutdownDelay={} is not a number of milliseconds", quoted(text));
        let fault = Fault::new("out-of-range", message).about(known).allowed("0 to 4294967295 milliseconds");
        let range = attribute(entry, "value").map_or_else(|| tag(entry), |value| value.range());
        findings.fault(&range, fault.fix("remove it"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{ConfigErrors, Loaded, NoteKind, parse},
        SETTINGS,
    };

    fn parsed(name: &str, value: &str) -> Result<Loaded, ConfigErrors> {
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='a'><handlerSettings>\
             <handlerSetting name='{name}' value='{value}'/></handlerSettings></aspNetCore></system.webServer></configuration>"
        );
        parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None)
    }

    fn notes(name: &str) -> Vec<(NoteKind, String)> {
        let loaded = parsed(name, "1").unwrap();
        loaded.notes.into_iter().map(|note| (note.kind, note.text)).collect()
    }

    #[test]
    fn every_setting_is_said_to_hold_or_not() {
        for (name, kind, why) in SETTINGS {
            assert_eq!(notes(&name.to_uppercase()), [(*kind, format!("handler setting {name}: {why}"))]);
        }
    }

    #[test]
    fn a_setting_that_nobody_knows_is_a_warning_with_the_near_name() {
        let expected = "handler setting \"debuglevl\" is not known; debugLevel may be meant";
        assert_eq!(notes("debuglevl"), [(NoteKind::Warning, expected.to_owned())]);
    }

    #[test]
    fn a_value_that_the_module_refuses_is_a_fault() {
        for value in ["-1", "soon", "1.5"] {
            let text = parsed("ShutdownDelay", value).unwrap_err().to_string();
            assert!(text.contains("is not a number of milliseconds"), "{text}");
        }
        for value in ["0", "1000", ""] {
            parsed("shutdownDelay", value).unwrap();
        }
    }

    #[test]
    fn switches_are_on_or_off_by_one_word_only() {
        let config = |name, value| parsed(name, value).unwrap().config;
        for (value, on) in [("true", true), ("TRUE", true), ("1", false), ("", false), ("false", false)] {
            assert_eq!(config("disallowRotationOnConfigChange", value).ignores_changes(), on);
            assert_eq!(config("forwardresponseconnectionheader", value).forwards_connection_header(), on);
        }
        for (value, on) in [("false", false), ("False", false), ("0", true), ("", true)] {
            assert_eq!(config("enableOutOfProcessConsoleRedirection", value).takes_output(), on);
        }
    }
}
