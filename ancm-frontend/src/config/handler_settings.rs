//! What becomes of each handler setting that ANCM knows.

use roxmltree::Node;

use super::{
    Config,
    debug_settings::{self, DebugSettings},
    error::{Fault, quoted},
    findings::Findings,
    log_limits::{self, MAX_AGE, MAX_FILES, MAX_SIZE},
    nearest::nearest,
    note::NoteKind,
    xml::{attribute, elements, is, tag, value},
};

const IN_PROCESS: &str = "it is for applications that run inside of IIS";
const COPY: &str = "files can be replaced while they run, so nothing is copied";

/// Names, what becomes of them, and why.
// ANCM: ShimOptions.cpp, InProcessOptions.cpp, requesthandler_config.h, debugutil.cpp.
static SETTINGS: &[(&str, NoteKind, &str)] = &[
    ("callStartupHook", NoteKind::NoEffect, IN_PROCESS),
    ("cleanShadowCopyDirectory", NoteKind::NoEffect, COPY),
    (debug_settings::FILE, NoteKind::Honoured, "the file of the debug log, which has no limit"),
    (debug_settings::LEVEL, NoteKind::Honoured, "what ancm writes to its debug log of this application"),
    ("disallowRotationOnConfigChange", NoteKind::Honoured, "if true, a changed web.config is not followed"),
    ("enableOutOfProcessConsoleRedirection", NoteKind::Honoured, "if false, nothing that it prints is kept"),
    ("enableShadowCopy", NoteKind::NoEffect, COPY),
    ("experimentalEnableShadowCopy", NoteKind::NoEffect, COPY),
    ("forwardResponseConnectionHeader", NoteKind::Honoured, "if true, its header Connection is passed on"),
    ("handlerVersion", NoteKind::NoEffect, "there is one version of ancm"),
    ("setCurrentDirectory", NoteKind::NoEffect, IN_PROCESS),
    ("shadowCopyDirectory", NoteKind::NoEffect, COPY),
    (
        "shutdownDelay",
        NoteKind::NotHonoured,
        "there is no worker of IIS whose replacement must be awaited; remove it",
    ),
    ("stackSize", NoteKind::NoEffect, IN_PROCESS),
    (MAX_AGE, NoteKind::Honoured, "how long log files of what it prints are kept; ancm only"),
    (MAX_FILES, NoteKind::Honoured, "how many log files of what it prints are kept; ancm only"),
    (MAX_SIZE, NoteKind::Honoured, "the size at which another log file is begun; ancm only"),
    ("suppressRecycleOnStartupTimeout", NoteKind::NoEffect, IN_PROCESS),
];

/// Remarks on the settings of an application.
pub(super) fn remark(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    check_debug_log(node, config, findings);
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
    let range = attribute(entry, "value").map_or_else(|| tag(entry), |value| value.range());
    if known == "shutdownDelay" && !text.is_empty() && text.trim().parse::<u32>().is_err() {
        let message = format!("shutdownDelay={} is not a number of milliseconds", quoted(text));
        let fault = Fault::new("out-of-range", message).about(known).allowed("0 to 4294967295 milliseconds");
        findings.fault(&range, fault.fix("remove it"));
    }
    if let Some(allowed) = log_limits::refused(known, text) {
        let fault = Fault::new("out-of-range", format!("{known}={} is not understood", quoted(text)));
        findings.fault(&range, fault.about(known).allowed(allowed).fix("write such a value, or remove it"));
    }
    if known == debug_settings::LEVEL {
        DebugSettings::parse(text, "", &mut |word| {
            let meant = nearest(word, debug_settings::WORDS.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!(" ({meant} may be meant)"));
            let text = format!(
                "debugLevel: {}{meant} is none of {}; it is ignored",
                quoted(word),
                debug_settings::WORDS.join(", ")
            );
            findings.note(&range, NoteKind::Warning, "unknown-debug-word", text);
        });
    }
}

/// A level of the debug log goes nowhere by itself.
fn check_debug_log(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    let settings = config.debug_settings(findings.environment);
    if settings.level().is_some() && settings.file.is_none() && !settings.console && !settings.event_log {
        let text = "debugLevel says what is written, but not where to: add file, console or eventlog to it";
        findings.note(&tag(node), NoteKind::Warning, "debug-log-goes-nowhere", text);
    }
    if settings.file.is_some() && settings.level().is_none() {
        let text = "debugFile names a file that stays empty: give debugLevel, such as file,info";
        findings.note(&tag(node), NoteKind::Warning, "debug-log-stays-empty", text);
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

    fn notes(name: &str, value: &str) -> Vec<(NoteKind, String)> {
        let loaded = parsed(name, value).unwrap();
        loaded.notes.into_iter().map(|note| (note.kind, note.text)).collect()
    }

    #[test]
    fn every_setting_is_said_to_hold_or_not() {
        for (name, kind, why) in SETTINGS {
            let value = match *name {
                "debugLevel" => "file,info",
                "stdoutLogMaxAge" => "1d",
                "stdoutLogMaxSize" => "1MB",
                _ => "1",
            };
            let expected = (*kind, format!("handler setting {name}: {why}"));
            assert!(notes(&name.to_uppercase(), value).contains(&expected), "{name}");
        }
    }

    #[test]
    fn a_setting_that_nobody_knows_is_a_warning_with_the_near_name() {
        let expected = "handler setting \"debuglevl\" is not known; debugLevel may be meant";
        assert_eq!(notes("debuglevl", "1"), [(NoteKind::Warning, expected.to_owned())]);
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
    fn a_limit_that_cannot_be_understood_is_a_fault_with_an_example() {
        for (name, example) in
            [("stdoutlogmaxsize", "10MB"), ("stdoutLogMaxAge", "30d"), ("stdoutLogMaxFiles", "100000")]
        {
            let text = parsed(name, "plenty").unwrap_err().to_string();
            assert!(text.contains("=\"plenty\" is not understood; allowed: "), "{text}");
            assert!(text.contains(example), "{text}");
            parsed(name, "0").unwrap();
        }
    }

    #[test]
    fn a_debug_log_that_does_not_do_what_it_seems_to_is_a_warning() {
        let warnings = |name, value| {
            let notes = parsed(name, value).unwrap().notes.into_iter();
            notes.filter(|note| note.kind == NoteKind::Warning).map(|note| note.text).collect::<Vec<_>>()
        };
        assert_eq!(warnings("debugLevel", "FILE, Trace, warn"), [""; 0]);
        assert!(
            warnings("debugLevel", "file,trac")[0].contains("\"trac\" (trace may be meant) is none of error")
        );
        assert!(warnings("debugLevel", "trace")[0].contains("not where to"));
        assert!(warnings("debugFile", "x.log")[0].contains("stays empty"));
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
