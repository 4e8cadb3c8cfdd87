//! `web.config`, read into a [`Config`].
//!
//! One reading finds everything there is to say about a file: the settings, all faults at once ([`error`]), and
//! notes on what is not honoured or will surprise. What a `processPath` means on this machine is another question,
//! asked when a process is started ([`command`]).
//!
//! # Example
//!
//! ```
//! use std::path::Path;
//! use ancm_frontend::config;
//!
//! let text = br#"<configuration><location path="."><system.webServer>
//!   <aspNetCore processPath="dotnet" arguments=".\Site.dll" stdoutLogFile="%HOME%\logs\stdout" />
//! </system.webServer></location></configuration>"#;
//! let environment = |name: &str| (name == "HOME").then(|| "/home/site".to_owned());
//! let loaded = config::parse(text, Path::new("web.config"), Path::new("/srv/site"), &environment)?;
//! assert_eq!(loaded.config.process_path, "dotnet");
//! assert_eq!(loaded.config.startup_time_limit.as_secs(), 120);
//! # #[cfg(unix)]
//! assert_eq!(loaded.config.stdout_log_file, "/home/site/logs/stdout");
//! # Ok::<(), config::ConfigErrors>(())
//! ```

use std::{fmt, path::PathBuf, time::Duration};

use ancm_tower::{contract::variable, require_tls::TlsDemands};

mod absent;
pub(crate) mod attributes;
mod collections;
pub mod command;
mod custom_headers;
mod debug_settings;
mod encoding;
pub mod error;
pub(crate) mod error_pages;
mod file;
mod findings;
pub(crate) mod gate;
mod handler_settings;
mod http_platform;
mod inheriting;
mod log_limits;
mod malformed;
mod nearest;
mod note;
mod parents;
mod reading;
mod rules;
mod secret_values;
pub mod secrets;
mod settings;
mod site;
mod source;
mod stamps;
mod survey;
mod values;
pub mod variables;
mod xml;

pub use debug_settings::DebugSettings;
pub use error::ConfigErrors;
pub use gate::{GUARDED_SECTIONS, Transport};
pub(crate) use inheriting::examine;
pub use inheriting::{load_inheriting, reload};
pub use log_limits::LogLimits;
pub use note::{Note, NoteKind};
pub use parents::{Parent, parents};
pub(crate) use reading::Examination;
pub use reading::{Loaded, load, load_ignoring, parse};
pub(crate) use rules::NOTE_OF_DEVELOPMENT;
pub(crate) use secret_values::secret_values;
pub use stamps::Stamps;

/// One application's configuration.
///
/// `%NAME%` has been replaced in all values, and paths other than `process_path` are written as this system does.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the file")]
pub struct Config {
    /// The folder that holds the file, absolute.
    pub site_root: PathBuf,
    /// `processPath`: what to start; [`command::resolve`] says what that is on this machine.
    pub process_path: String,
    /// `arguments`: its arguments in one string, as Windows splits it.
    pub arguments: String,
    /// `startupTimeLimit`: how long an attempt to start may take until the process listens.
    pub startup_time_limit: Duration,
    /// `shutdownTimeLimit`: how long the process may take to stop.
    pub shutdown_time_limit: Duration,
    /// `rapidFailsPerMinute`: crashes within a minute after which it is not started again.
    pub rapid_fails_per_minute: u32,
    /// `startupRetryCount` of `httpPlatform`: how often a start that fails is tried again.
    pub startup_retry_count: u32,
    /// `requestTimeout`: how long it may be silent during a request; zero is for ever.
    pub request_timeout: Duration,
    /// `stdoutLogEnabled`: whether its output goes to a file.
    pub stdout_log_enabled: bool,
    /// `stdoutLogFile`: the beginning of that file's path; relative to the site root.
    pub stdout_log_file: String,
    /// `processesPerApplication`: how many processes run at the same time.
    pub processes_per_application: usize,
    /// `forwardWindowsAuthToken`: whether it is told the client's Windows identity.
    pub forward_windows_auth_token: bool,
    /// `disableStartUpErrorPage`: whether a failed start is answered without a page.
    pub disable_start_up_error_page: bool,
    /// `hostingModel`: where it would run under IIS.
    pub hosting_model: HostingModel,
    /// `environmentVariables`: names, unique but for their case, and values; may hold secrets.
    pub environment_variables: Vec<(String, String)>,
    /// `handlerSettings`: names, unique but for their case, and values.
    pub handler_settings: Vec<(String, String)>,
    /// `recycleOnFileChange`: paths, relative to the site root.
    pub recycle_on_file_change: Vec<String>,
    /// `requestLimits@maxAllowedContentLength`: the largest request body, in bytes.
    pub max_allowed_content_length: u64,
    /// `requestLimits@maxUrl`: the longest path of a URL, in bytes, if there is a limit.
    pub max_url: Option<u32>,
    /// `requestLimits@maxQueryString`: the longest query of a URL, in bytes, if there is a limit.
    pub max_query_string: Option<u32>,
    /// `requestFiltering@removeServerHeader`: whether answers lose their header `Server`.
    pub remove_server_header: bool,
    /// `webSocket@enabled`: whether clients may switch to WebSocket.
    pub web_socket_enabled: bool,
    /// `access@sslFlags`: what connections must have.
    pub access: TlsDemands,
    /// `customHeaders`: names and values of headers that every answer gets.
    pub custom_headers: Vec<(String, String)>,
    /// `location`: parts of the site where some of this differs.
    pub locations: Vec<Location>,
    /// Which element says what to start.
    pub launcher: Launcher,
    /// Where it is served in its site: `/`, or `/app`; not from the file, but from whoever runs it.
    pub path_base: String,
    /// Folders that it lies below in its site and inherits from, the outermost first; not from the file either.
    pub parents: Vec<Parent>,
    /// Sections that keep people out and are ignored nevertheless; not from the file, but from whoever runs it.
    pub ignored_sections: Vec<String>,
    /// What clients can connect by; not from the file, but from whoever serves it.
    pub transport: Transport,
    /// What the files looked like before they were read; `None` if it was not read from files.
    pub seen: Option<Stamps>,
}

/// A part of the site with settings of its own, complete with those that it inherits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// Its path below the application, such as `/upload`; what lies below it belongs to it.
    pub path: String,
    /// As [`Config::max_allowed_content_length`].
    pub max_allowed_content_length: u64,
    /// As [`Config::max_url`].
    pub max_url: Option<u32>,
    /// As [`Config::max_query_string`].
    pub max_query_string: Option<u32>,
    /// As [`Config::remove_server_header`].
    pub remove_server_header: bool,
    /// As [`Config::web_socket_enabled`].
    pub web_socket_enabled: bool,
    /// As [`Config::access`].
    pub access: TlsDemands,
    /// As [`Config::custom_headers`].
    pub custom_headers: Vec<(String, String)>,
}

/// The module that an application was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Launcher {
    /// The ASP.NET Core Module: `aspNetCore`.
    #[default]
    AspNetCore,
    /// `HttpPlatformHandler`, for programs of any kind: `httpPlatform`.
    HttpPlatform,
}

/// Where an application runs under IIS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HostingModel {
    /// In IIS's own worker process.
    InProcess,
    /// In a process of its own.
    #[default]
    OutOfProcess,
}

// === impl Config ===

impl Config {
    /// A value of `environmentVariables`, found by its name in any case.
    pub fn variable(&self, name: &str) -> Option<&str> {
        find(&self.environment_variables, name)
    }

    /// A value of `handlerSettings`, found by its name in any case.
    pub fn handler_setting(&self, name: &str) -> Option<&str> {
        find(&self.handler_settings, name)
    }

    /// What its files look like now, to be compared with [`seen`](Self::seen).
    pub fn stamps(&self) -> Stamps {
        Stamps::take(&self.site_root, &self.parents).with_files(&self.site_root, &self.recycle_on_file_change)
    }

    /// `disallowRotationOnConfigChange`: whether a change of the file is not followed.
    // ANCM: globalmodule.cpp; this is how a blue/green deployment keeps what runs.
    pub fn ignores_changes(&self) -> bool {
        self.is_on("disallowRotationOnConfigChange")
    }

    /// `forwardResponseConnectionHeader`: whether the application's header `Connection` reaches the client.
    // ANCM: forwardinghandler.cpp.
    pub fn forwards_connection_header(&self) -> bool {
        self.is_on("forwardResponseConnectionHeader")
    }

    /// `enableOutOfProcessConsoleRedirection`: whether what the process prints is taken, which it is unless this says no.
    // ANCM: requesthandler_config.h: anything but `false` is yes.
    pub fn takes_output(&self) -> bool {
        let setting = self.handler_setting("enableOutOfProcessConsoleRedirection");
        !setting.is_some_and(|value| value.eq_ignore_ascii_case("false"))
    }

    /// How often one start is tried before it counts as failed.
    // ANCM: serverprocess.cpp retries once.
    pub fn start_attempts(&self) -> u8 {
        match self.launcher {
            Launcher::AspNetCore => 2,
            Launcher::HttpPlatform => {
                u8::try_from(self.startup_retry_count).unwrap_or(u8::MAX).saturating_add(1)
            }
        }
    }

    /// The variable by which the application takes itself to be on a developer's machine, if it does.
    pub fn development(&self, environment: &dyn Fn(&str) -> Option<String>) -> Option<&'static str> {
        // The first that says anything counts.
        let value = |name: &str| self.variable(name).map(str::to_owned).or_else(|| environment(name));
        let said = ["ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"]
            .into_iter()
            .find_map(|name| value(name).filter(|value| !value.is_empty()).map(|value| (name, value)));
        said.filter(|(_, value)| value.eq_ignore_ascii_case("Development")).map(|(name, _)| name)
    }

    fn is_on(&self, setting: &str) -> bool {
        self.handler_setting(setting).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The port that `environmentVariables` fixes, if it does; with one out of range every start fails.
    pub fn fixed_port(&self) -> Option<u16> {
        let text = self.variable(variable::PORT)?;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|port| digits && rules::FIXED_PORTS.contains(port))
    }

    /// The pairing token that `environmentVariables` fixes, if it does.
    pub fn fixed_token(&self) -> Option<&str> {
        self.variable(variable::TOKEN).filter(|token| !token.is_empty())
    }
}

/// The defaults of the schema; there is no default `process_path`.
impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            site_root: PathBuf::new(),
            process_path: String::new(),
            arguments: String::new(),
            startup_time_limit: Duration::ZERO,
            shutdown_time_limit: Duration::ZERO,
            rapid_fails_per_minute: 0,
            startup_retry_count: 0,
            request_timeout: Duration::ZERO,
            stdout_log_enabled: false,
            stdout_log_file: String::new(),
            processes_per_application: 1,
            forward_windows_auth_token: false,
            disable_start_up_error_page: false,
            hosting_model: HostingModel::OutOfProcess,
            environment_variables: Vec::new(),
            handler_settings: Vec::new(),
            recycle_on_file_change: Vec::new(),
            max_allowed_content_length: 0,
            max_url: None,
            max_query_string: None,
            remove_server_header: false,
            web_socket_enabled: true,
            access: TlsDemands::default(),
            custom_headers: Vec::new(),
            locations: Vec::new(),
            launcher: Launcher::AspNetCore,
            path_base: "/".to_owned(),
            parents: Vec::new(),
            ignored_sections: Vec::new(),
            transport: Transport::default(),
            seen: None,
        };
        for attribute in attributes::ATTRIBUTES {
            // Those without a default, as `processPath`, refuse it.
            let _ = attribute.set(&mut config, attribute.default, &|_| None);
        }
        config
    }
}

/// Values of variables that may be secrets are masked.
#[expect(clippy::missing_fields_in_debug, reason = "the list of attributes reads them")]
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables =
            self.environment_variables.iter().map(|(name, value)| (name, secrets::shown(name, value)));
        let mut debug = f.debug_struct("Config");
        debug.field("site_root", &self.site_root);
        for attribute in attributes::ATTRIBUTES {
            debug.field(attribute.name, &secrets::shown_line(&(attribute.show)(self)));
        }
        debug.field("environmentVariables", &variables.collect::<Vec<_>>());
        debug.field("handlerSettings", &self.handler_settings);
        debug.field("recycleOnFileChange", &self.recycle_on_file_change);
        debug.field("customHeaders", &self.custom_headers);
        debug.field("locations", &self.locations);
        debug.field("launcher", &self.launcher);
        debug.field("pathBase", &self.path_base);
        debug.field("parents", &self.parents);
        debug.field("ignoredSections", &self.ignored_sections);
        debug.field("transport", &self.transport).finish()
    }
}

fn find<'a>(list: &'a [(String, String)], name: &str) -> Option<&'a str> {
    list.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

// === impl HostingModel ===

impl fmt::Display for HostingModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProcess => "inprocess",
            Self::OutOfProcess => "outofprocess",
        })
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod traps;
