//! What becomes of each handler setting that ANCM knows.

use roxmltree::Node;

use super::{
    error::quoted,
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
    ("disallowRotationOnConfigChange", NoteKind::NotHonoured, "a change of web.config is always followed"),
    ("enableOutOfProcessConsoleRedirection", NoteKind::NotHonoured, "output is always captured"),
    ("enableShadowCopy", NoteKind::NoEffect, COPY),
    ("experimentalEnableShadowCopy", NoteKind::NoEffect, COPY),
    ("forwardResponseConnectionHeader", NoteKind::NotHonoured, "the header Connection is never passed on"),
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
            findings.note(&range, *kind, "handler-setting", format!("handler setting {known}: {why}"));
        } else if !name.is_empty() {
            let meant = nearest(name, SETTINGS.iter().map(|(known, ..)| *known));
            let meant = meant.map_or_else(String::new, |meant| format!("; {meant} may be meant"));
            let text = format!("handler setting {} is not known{meant}", quoted(name));
            findings.note(&range, NoteKind::Warning, "unknown-handler-setting", text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{NoteKind, parse},
        SETTINGS,
    };

    fn notes(name: &str) -> Vec<(NoteKind, String)> {
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='a'><handlerSettings>\
             <handlerSetting name='{name}' value='b'/></handlerSettings></aspNetCore></system.webServer></configuration>"
        );
        let loaded = parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None).unwrap();
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
}
