//! Reads `httpPlatform`: what sites in Python, Java and Node have in place of `aspNetCore`.
//!
//! Its attributes are nearly the same, and so are its environment variables. The program learns its port from
//! `HTTP_PLATFORM_PORT`, or from `%HTTP_PLATFORM_PORT%` in its arguments and variables, which is filled in at each start.
//!
//! # Example
//!
//! ```
//! # use std::path::Path;
//! use ancm_frontend::config::{self, Launcher};
//!
//! let text = br#"<configuration><system.webServer>
//!   <httpPlatform processPath="python3" arguments="-m http.server %HTTP_PLATFORM_PORT%" />
//! </system.webServer></configuration>"#;
//! let config = config::parse(text, Path::new("web.config"), Path::new("."), &|_| None)?.config;
//! assert_eq!(config.launcher, Launcher::HttpPlatform);
//! assert_eq!(config.arguments, "-m http.server %HTTP_PLATFORM_PORT%");
//! # Ok::<(), config::ConfigErrors>(())
//! ```

use roxmltree::Node;

use super::{
    Config, Launcher,
    attributes::{self, HTTP_PLATFORM},
    findings::Findings,
    note::NoteKind,
    settings::{once_per_scope, read_attributes, read_children},
    xml::{Layout, tag},
};

/// Attributes of `aspNetCore` that it has as well.
// HttpPlatformHandler 1.2: httpplatform_schema.xml.
pub(super) const SHARED: &[&str] = &[
    "processPath",
    "arguments",
    "startupTimeLimit",
    "rapidFailsPerMinute",
    "requestTimeout",
    "stdoutLogEnabled",
    "stdoutLogFile",
    "processesPerApplication",
    "forwardWindowsAuthToken",
];

/// Defaults that differ from those of `aspNetCore`.
pub(super) const DEFAULTS: &[(&str, &str)] = &[
    ("startupTimeLimit", "10"),
    ("stdoutLogFile", r".\httpplatform-stdout"),
    ("forwardWindowsAuthToken", "false"),
];

/// Reads it where there is no `aspNetCore`; gives the last such element.
pub(super) fn read<'a, 'i>(
    layout: &Layout<'a, 'i>,
    config: &mut Config,
    findings: &mut Findings<'_>,
) -> Option<Node<'a, 'i>> {
    // What is inherited from such an element further up counts as given.
    if config.launcher != Launcher::HttpPlatform {
        config.launcher = Launcher::HttpPlatform;
        set_defaults(config);
    }
    let mut last = None;
    for node in once_per_scope(&layout.web_servers, &[HTTP_PLATFORM], findings) {
        read_attributes(node, HTTP_PLATFORM, &[], config, findings);
        read_children(node, config, findings);
        let text = "httpPlatform: the program must listen on the port in HTTP_PLATFORM_PORT; it need not check a token, \
                    so other users of this machine can ask it as well";
        findings.note(&tag(node), NoteKind::Honoured, "http-platform", text);
        last = Some(node);
    }
    last
}

fn set_defaults(config: &mut Config) {
    for attribute in attributes::of(HTTP_PLATFORM) {
        // Those without a default, as `processPath`, refuse it.
        let _ = attribute.set(config, attribute.default_for(Launcher::HttpPlatform), &|_| None);
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::super::{ConfigErrors, Launcher, Loaded, NoteKind, command, parse};

    fn parsed(inside: &str) -> Result<Loaded, ConfigErrors> {
        let text = format!("<configuration><system.webServer>\n{inside}</system.webServer></configuration>");
        // As an Azure worker has it; this is another process's port.
        let environment = |name: &str| (name == "HTTP_PLATFORM_PORT").then(|| "1".to_owned());
        parse(text.as_bytes(), Path::new("w"), Path::new("/"), &environment)
    }

    #[test]
    fn a_site_of_another_language_is_read_as_its_author_meant_it() {
        let loaded = parsed(
            "<httpPlatform processPath='/bin/sh' arguments='-c &quot;server --port=%HTTP_PLATFORM_PORT%&quot;' \
             startupTimeLimit='20' startupRetryCount='3' stdoutLogEnabled='true' processesPerApplication='2' \
             requestTimeout='00:00:30'><environmentVariables>\
             <environmentVariable name='PORT' value='%HTTP_PLATFORM_PORT%'/></environmentVariables></httpPlatform>",
        );
        let loaded = loaded.unwrap();
        let config = &loaded.config;
        assert_eq!(config.launcher, Launcher::HttpPlatform);
        assert_eq!(config.startup_time_limit, Duration::from_secs(20));
        assert_eq!(config.environment_variables, [("PORT".to_owned(), "%HTTP_PLATFORM_PORT%".to_owned())]);
        assert!(!config.forward_windows_auth_token && config.stdout_log_enabled);
        let codes: Vec<_> = loaded.notes.iter().map(|note| note.code).collect();
        assert_eq!(codes, ["http-platform"]);
        assert_eq!(config.start_attempts(), 4);

        let port = |name: &str| (name == "HTTP_PLATFORM_PORT").then(|| "23117".to_owned());
        let command = command::resolve(config, &port).unwrap();
        assert_eq!(command.arguments, ["-c", "server --port=23117"]);
        let unknown = command::resolve(config, &|_| None).unwrap();
        assert_eq!(unknown.arguments[1], "server --port=%HTTP_PLATFORM_PORT%");
    }

    #[test]
    fn what_is_not_given_is_as_that_module_has_it() {
        let config = parsed("<httpPlatform processPath='x'/>").unwrap().config;
        assert_eq!(config.startup_time_limit, Duration::from_secs(10));
        assert_eq!(config.start_attempts(), 11);
        assert!(config.stdout_log_file.ends_with("httpplatform-stdout"), "{}", config.stdout_log_file);
        assert_eq!((config.rapid_fails_per_minute, config.processes_per_application), (10, 1));
        let other = parsed("<aspNetCore processPath='x'/>").unwrap().config;
        assert_eq!((other.startup_time_limit, other.start_attempts()), (Duration::from_secs(120), 2));
    }

    #[test]
    fn what_asp_net_core_alone_has_is_a_fault() {
        let text =
            parsed("<httpPlatform processPath='x' hostingModel='inprocess'/>").unwrap_err().to_string();
        assert!(text.starts_with("w:2:31: httpPlatform has no attribute \"hostingModel\""), "{text}");
        let text = parsed("<httpPlatform arguments='x'/>").unwrap_err().to_string();
        assert!(text.starts_with("w:2:1: httpPlatform has no processPath"), "{text}");
    }

    #[test]
    fn beside_asp_net_core_it_does_not_count() {
        let loaded = parsed("<httpPlatform processPath='a'/><aspNetCore processPath='b'/>").unwrap();
        assert_eq!(
            (loaded.config.process_path.as_str(), loaded.config.launcher),
            ("b", Launcher::AspNetCore)
        );
        assert_eq!(loaded.notes[0].kind, NoteKind::Warning);
    }
}
