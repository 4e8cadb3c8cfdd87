//! What follows from several settings together, and remarks on values that are valid but surprise people.

use std::ops::Range;

use ancm_tower::contract::{limit, variable};
use roxmltree::Node;

use super::{
    Config, HostingModel,
    error::{Fault, quoted},
    findings::Findings,
    nearest::nearest,
    note::NoteKind,
    variables::{expand, is_windows_absolute, unexpanded},
    xml::{attribute, elements, is, tag, value},
};

/// Ports that a fixed `ASPNETCORE_PORT` may name.
// ANCM: serverprocess.h, MIN_PORT_RANDOM..MAX_PORT of the older versions, which the tests still assert.
pub(super) const FIXED_PORTS: std::ops::RangeInclusive<u16> = 1025..=48_000;

/// The code of the note that errors are shown in detail.
pub(crate) const NOTE_OF_DEVELOPMENT: &str = "development";
/// Bytes of a request line beside path and query, at least.
const REQUEST_LINE_FRAME: u64 = "GET  HTTP/1.1\r\n".len() as u64;

/// Variables that a frontend always sets itself.
const OURS: &[&str] = &[
    variable::APPL_PATH,
    variable::IIS_HTTPAUTH,
    variable::IIS_WEBSOCKETS_SUPPORTED,
    variable::IIS_PHYSICAL_PATH,
];

/// Checks the application that `node` describes.
pub(super) fn check(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    check_process_path(node, config, findings);
    check_fixed_port(node, config, findings);
    check_fixed_token(node, config, findings);
    remark_on_attributes(node, config, findings);
    remark_on_variables(node, config, findings);
    remark_on_limits(config, findings);
}

fn check_process_path(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    let misspelt = || node.attributes().any(|given| nearest(given.name(), ["processPath"]).is_some());
    if config.process_path.is_empty() && !misspelt() {
        let message = format!("{} has no processPath: it does not say what to start", node.tag_name().name());
        let fault = Fault::new("missing-attribute", message);
        let fix =
            "add processPath=\"dotnet\" arguments=\".\\YourApp.dll\", or run `dotnet publish`, which does so";
        findings.fault(&tag(node), fault.about("processPath").fix(fix));
    }
    // The placeholders of Visual Studio; it replaces them, or overrides them by ANCM_LAUNCHER_PATH and _ARGS.
    let placeholder =
        |text: &str, name: &str| unexpanded(text).is_some_and(|found| found.eq_ignore_ascii_case(name));
    let overridden = (findings.environment)("ANCM_LAUNCHER_PATH").is_some_and(|path| !path.is_empty());
    let path = placeholder(&config.process_path, "LAUNCHER_PATH");
    let arguments = placeholder(&config.arguments, "LAUNCHER_ARGS");
    if (path || arguments) && !overridden {
        let name = if path { "processPath" } else { "arguments" };
        let message = format!("{name} is a placeholder: this folder holds sources that were not published");
        let fix = "run `dotnet publish -c Release` and serve the folder that it writes";
        findings
            .fault(&attribute_place(node, name), Fault::new("not-published", message).about(name).fix(fix));
    }
}

fn check_fixed_port(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    let Some(text) = config.variable(variable::PORT).filter(|text| !text.is_empty()) else { return };
    let place = variable_place(node, variable::PORT);
    if config.fixed_port().is_none() {
        // ANCM: serverprocess.cpp reads it when it starts the process, so that 502.5 is what it comes to.
        let text = format!(
            "{}={} is not a port that can be used (allowed: {} to {}, or empty): no process will be started; \
             remove the variable, and a free port is chosen",
            variable::PORT,
            quoted(text),
            FIXED_PORTS.start(),
            FIXED_PORTS.end()
        );
        findings.note(&place, NoteKind::Failure, "bad-port", text);
    } else if config.processes_per_application > 1 {
        let message = format!(
            "{} fixes the port, but processesPerApplication=\"{}\" processes cannot share one",
            variable::PORT,
            config.processes_per_application
        );
        let fault = Fault::new("fixed-port-of-several", message).about(variable::PORT);
        findings.fault(&place, fault.fix("remove the variable, or set processesPerApplication=\"1\""));
    } else {
        let text = format!(
            "{} fixes the port: a new process starts only when the old one has ended",
            variable::PORT
        );
        findings.note(&place, NoteKind::Info, "fixed-port", text);
    }
}

fn check_fixed_token(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    let Some(token) = config.fixed_token() else { return };
    let place = variable_place(node, variable::TOKEN);
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = format!(
            "{} fixes the pairing token: whoever reads this file can pass for the frontend; \
             remove it, and every start gets one of its own",
            variable::TOKEN
        );
        findings.note(&place, NoteKind::Warning, "fixed-token", text);
    } else {
        let message = format!("{} holds characters that a header cannot carry", variable::TOKEN);
        let fault =
            Fault::new("bad-token", message).about(variable::TOKEN).allowed("visible ASCII characters");
        findings.fault(&place, fault.fix("remove the variable, and every start gets a token of its own"));
    }
}

fn remark_on_attributes(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    if config.hosting_model == HostingModel::InProcess {
        let text = "hostingModel=\"inprocess\": the application is run out of process, which it does not notice \
                    unless it uses IIS itself";
        findings.note(&attribute_place(node, "hostingModel"), NoteKind::Info, "run-out-of-process", text);
    }
    if attribute(node, "forwardWindowsAuthToken").is_some() && config.forward_windows_auth_token {
        let place = attribute_place(node, "forwardWindowsAuthToken");
        let text = "forwardWindowsAuthToken: there are no Windows identities here, so none is forwarded";
        findings.note(&place, NoteKind::NoEffect, "no-windows-identity", text);
    }
    if config.startup_time_limit.is_zero() {
        let text = "startupTimeLimit=\"0\" is not endless: the application must listen at the first look";
        findings.note(
            &attribute_place(node, "startupTimeLimit"),
            NoteKind::Warning,
            "no-time-to-start",
            text,
        );
    }
    if let Some(log) = attribute(node, "stdoutLogFile") {
        let written = expand(log.value(), findings.environment);
        if cfg!(not(windows)) && config.stdout_log_enabled && is_windows_absolute(&written) {
            let text = format!(
                "{} is a path of Windows, so no log is written here; write one relative to the site root",
                quoted(&written)
            );
            findings.note(&log.range(), NoteKind::Warning, "windows-path", text);
        }
    }
}

fn remark_on_variables(node: Node<'_, '_>, config: &Config, findings: &mut Findings<'_>) {
    for (name, value) in &config.environment_variables {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let remark = if OURS.iter().any(|ours| is(ours)) {
            Some((
                NoteKind::NoEffect,
                "ours",
                format!("{name} is always set by the frontend; this value is not used"),
            ))
        } else if (is("ASPNETCORE_ENVIRONMENT") || is("DOTNET_ENVIRONMENT"))
            && value.eq_ignore_ascii_case("Development")
        {
            let text = format!(
                "{name}=Development shows details of errors to every visitor; write Production for a public site"
            );
            Some((NoteKind::Warning, NOTE_OF_DEVELOPMENT, text))
        } else if is("ASPNETCORE_HTTPS_PORT") && matches!(value.parse(), Ok(44_300..=44_399u32)) {
            let text = format!(
                "{name}={value} is a port of IIS Express on a developer's machine: redirects will go nowhere"
            );
            Some((NoteKind::Warning, "iis-express-port", text))
        } else if is(variable::URLS) {
            let text = format!(
                "{name} replaces the address that an application without IIS integration would listen on"
            );
            Some((NoteKind::Warning, "urls", text))
        } else {
            None
        };
        if let Some((kind, code, text)) = remark {
            findings.note(&variable_place(node, name), kind, code, text);
        }
    }
}

/// Longer URLs are allowed than ever arrive.
fn remark_on_limits(config: &Config, findings: &mut Findings<'_>) {
    let room = limit::REQUEST_LINE as u64 - REQUEST_LINE_FRAME;
    let of =
        |name, limits: &mut dyn Iterator<Item = Option<u32>>| limits.flatten().max().map(|most| (name, most));
    let parts = || config.locations.iter();
    let paths = of("maxUrl", &mut parts().map(|part| part.max_url).chain([config.max_url]));
    let queries =
        of("maxQueryString", &mut parts().map(|part| part.max_query_string).chain([config.max_query_string]));
    for (name, most) in [paths, queries].into_iter().flatten().filter(|(_, most)| u64::from(*most) > room) {
        let text = format!(
            "{name} is {most}, but a request line has at most {} bytes, path and query together: Kestrel reads no \
             more, and longer ones are answered 414",
            limit::REQUEST_LINE
        );
        let place = findings.given.iter().rev().find(|(given, _)| *given == name).map(|(_, place)| *place);
        findings.note_at(place, NoteKind::Warning, "kestrel-url-limit", text);
    }
}

fn attribute_place(node: Node<'_, '_>, name: &str) -> Range<usize> {
    attribute(node, name).map_or_else(|| tag(node), |attribute| attribute.range())
}

/// The last entry of a variable: the one that counts.
fn variable_place(node: Node<'_, '_>, name: &str) -> Range<usize> {
    elements(node)
        .filter(|child| is(*child, "environmentVariables"))
        .flat_map(elements)
        .filter(|entry| value(*entry, "name").eq_ignore_ascii_case(name))
        .last()
        .map_or_else(
            || tag(node),
            |entry| attribute(entry, "value").map_or_else(|| tag(entry), |value| value.range()),
        )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Loaded, error::ConfigErrors, parse};

    fn parsed(attributes: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
        let entry = |(name, value): &(&str, &str)| {
            format!("<environmentVariable name=\"{name}\" value=\"{value}\" />\n")
        };
        let variables = variables.iter().map(entry).collect::<Vec<_>>().concat();
        let text = format!(
            "<configuration><system.webServer><aspNetCore {attributes}><environmentVariables>\n{variables}\
             </environmentVariables></aspNetCore></system.webServer></configuration>"
        );
        parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None)
    }

    fn codes(loaded: &Loaded) -> Vec<&str> {
        loaded.notes.iter().map(|note| note.code).collect()
    }

    fn fault(attributes: &str, variables: &[(&str, &str)]) -> String {
        parsed(attributes, variables).unwrap_err().to_string()
    }

    #[test]
    fn a_fixed_port_is_taken_from_the_range_in_any_case_of_its_name() {
        for (value, port) in [("1025", Some(1025)), ("48000", Some(48_000)), ("", None)] {
            let loaded = parsed("processPath='a'", &[("aspnetcore_port", value)]).unwrap();
            assert_eq!(loaded.config.fixed_port(), port);
        }
        for value in ["1024", "48001", "0", "-1", "80x", " 5000", "+5000", "65536000", "5000;http://x"] {
            let loaded = parsed("processPath='a'", &[("ASPNETCORE_PORT", value)]).unwrap();
            assert_eq!((loaded.config.fixed_port(), codes(&loaded)), (None, vec!["bad-port"]));
            let text = loaded.notes[0].to_string();
            assert!(text.starts_with("2:45: failure: ASPNETCORE_PORT="), "{text}");
            assert!(text.contains("allowed: 1025 to 48000, or empty"), "{text}");
        }
    }

    #[test]
    fn a_fixed_port_cannot_serve_several_processes() {
        let port = [("ASPNETCORE_PORT", "5000")];
        let text = fault("processPath='a' processesPerApplication='2'", &port);
        assert!(text.contains("processesPerApplication=\"2\" processes cannot share one"), "{text}");
        assert_eq!(codes(&parsed("processPath='a'", &port).unwrap()), ["fixed-port"]);
    }

    #[test]
    fn a_fixed_token_is_warned_of_and_never_shown() {
        let loaded = parsed("processPath='a'", &[("ASPNETCORE_TOKEN", "s3cr3t")]).unwrap();
        assert_eq!(loaded.config.fixed_token(), Some("s3cr3t"));
        assert_eq!(codes(&loaded), ["fixed-token"]);
        assert!(!format!("{loaded:?}").contains("s3cr3t"));
        assert_eq!(
            parsed("processPath='a'", &[("ASPNETCORE_TOKEN", "")]).unwrap().config.fixed_token(),
            None
        );
        let errors = parsed("processPath='a'", &[("ASPNETCORE_TOKEN", "s3cr3té")]).unwrap_err();
        assert!(!format!("{errors}{}{errors:?}", errors.render()).contains("s3cr3t"));
    }

    #[test]
    fn placeholders_of_the_ide_say_to_publish_first() {
        for attributes in
            ["processPath='%LAUNCHER_PATH%' arguments='%LAUNCHER_ARGS%'", "processPath='%launcher_path%'"]
        {
            let text = fault(attributes, &[]);
            assert!(text.contains("processPath is a placeholder"), "{text}");
            assert!(text.contains("dotnet publish"), "{text}");
        }
    }

    #[test]
    fn placeholders_are_fine_when_the_environment_overrides_them() {
        let text = b"<configuration><system.webServer><aspNetCore processPath='%LAUNCHER_PATH%'/></system.webServer></configuration>";
        for (name, path) in [("ANCM_LAUNCHER_PATH", "%LAUNCHER_PATH%"), ("LAUNCHER_PATH", "x")] {
            let environment = |wanted: &str| (wanted == name).then(|| "x".to_owned());
            let loaded = parse(text, Path::new("w"), Path::new("/s"), &environment).unwrap();
            assert_eq!(loaded.config.process_path, path);
        }
    }

    #[test]
    fn urls_longer_than_kestrel_reads_are_warned_of_wherever_they_are_allowed() {
        let limits = |limits: &str| {
            format!("<security><requestFiltering><requestLimits {limits}/></requestFiltering></security>")
        };
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath='a'/>\n{}</system.webServer><location path='b'>\
             <system.webServer>{}</system.webServer></location></configuration>",
            limits("maxUrl='8177' maxQueryString='16384'"),
            limits("maxUrl='8178'")
        );
        let loaded = parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None).unwrap();
        let notes = loaded.notes.iter().filter(|note| note.code == "kestrel-url-limit");
        let notes: Vec<_> = notes.map(|note| note.text.split(',').next().unwrap()).collect();
        assert_eq!(notes, ["maxUrl is 8178", "maxQueryString is 16384"]);
    }

    #[test]
    fn development_is_found_where_the_application_finds_it() {
        let configured = |name, value| parsed("processPath='a'", &[(name, value)]).unwrap().config;
        let development = |name: &str| (name == "ASPNETCORE_ENVIRONMENT").then(|| "development".to_owned());
        let none = |_: &str| None;
        assert_eq!(
            configured("DOTNET_ENVIRONMENT", "Development").development(&none),
            Some("DOTNET_ENVIRONMENT")
        );
        assert_eq!(configured("A", "b").development(&development), Some("ASPNETCORE_ENVIRONMENT"));
        assert_eq!(configured("aspnetcore_environment", "Production").development(&development), None);
        assert_eq!(configured("A", "b").development(&none), None);
    }

    #[test]
    fn remarks_on_what_surprises_people() {
        for (attributes, name, value, code) in [
            ("hostingModel='InProcess'", "A", "b", "run-out-of-process"),
            ("startupTimeLimit='0'", "A", "b", "no-time-to-start"),
            ("forwardWindowsAuthToken='true'", "A", "b", "no-windows-identity"),
            ("stdoutLogEnabled='true' stdoutLogFile='E:\\logs\\x'", "A", "b", "windows-path"),
            ("", "ASPNETCORE_ENVIRONMENT", "development", "development"),
            ("", "ASPNETCORE_HTTPS_PORT", "44321", "iis-express-port"),
            ("", "ASPNETCORE_URLS", "http://*:80", "urls"),
            ("", "ASPNETCORE_APPL_PATH", "/x", "ours"),
        ] {
            let loaded = parsed(&format!("processPath='a' {attributes}"), &[(name, value)]).unwrap();
            assert_eq!(codes(&loaded), [code]);
        }
        assert_eq!(
            codes(&parsed("processPath='a' hostingModel='outofprocess'", &[("A", "b")]).unwrap()),
            [""; 0]
        );
    }
}
