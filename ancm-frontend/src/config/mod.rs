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

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use ancm_tower::contract::variable;

mod absent;
pub(crate) mod attributes;
mod collections;
pub mod command;
mod encoding;
pub mod error;
mod file;
mod findings;
mod handler_settings;
mod malformed;
mod nearest;
mod note;
mod rules;
pub mod secrets;
mod settings;
mod source;
mod survey;
mod values;
pub mod variables;
mod xml;

pub use error::ConfigErrors;
pub use note::{Note, NoteKind};

use error::{Fault, Position};
use findings::Findings;
use source::Source;

/// One application's configuration.
///
/// `%NAME%` has been replaced in all values, and paths other than `process_path` are written as this system does.
#[derive(Clone, PartialEq, Eq)]
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

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where they come from.
    pub file: PathBuf,
    /// What is worth knowing about them.
    pub notes: Vec<Note>,
}

/// Everything that one reading of a file has found, be it good or bad.
#[derive(Debug)]
pub(crate) struct Examination {
    /// As far as it could be read.
    pub(crate) config: Config,
    pub(crate) file: PathBuf,
    pub(crate) notes: Vec<Note>,
    /// Empty if the configuration can be used.
    pub(crate) errors: ConfigErrors,
    /// Which attributes the file gives, and where.
    pub(crate) given: Vec<(&'static str, Position)>,
}

/// Reads the `web.config` of a folder, `%NAME%` being variables of this process.
///
/// # Errors
///
/// All that is wrong with the file, or the one thing that keeps it from being read.
pub fn load(site_root: &Path) -> Result<Loaded, ConfigErrors> {
    let environment = variables::Environment::of_process();
    examine(site_root, &|name| environment.get(name)).into_result()
}

/// Understands the bytes of a file; touches nothing but its arguments.
///
/// # Errors
///
/// All that is wrong with it.
pub fn parse(
    bytes: &[u8],
    path: &Path,
    site_root: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ConfigErrors> {
    understand(bytes, path, site_root, environment).into_result()
}

/// Reads the `web.config` of a folder and tells all there is to say about it.
pub(crate) fn examine(site_root: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Examination {
    let site_root = std::path::absolute(site_root).unwrap_or_else(|_| site_root.to_owned());
    let expected = site_root.join(ancm_tower::contract::WEB_CONFIG_FILE);
    let found = match file::find(&site_root) {
        Ok(found) => found,
        Err(fault) => return Examination::failed(&site_root, expected, *fault),
    };
    let mut examination = match file::read(&found.path) {
        Ok(bytes) => understand(&bytes, &found.path, &site_root, environment),
        Err(fault) => Examination::failed(&site_root, found.path, *fault),
    };
    if !found.ignored.is_empty() {
        let text = format!("web.config is used; {} is not read", found.ignored.join(", "));
        examination.notes.push(Note::new(NoteKind::Warning, "several-files", text));
    }
    examination
}

fn understand(
    bytes: &[u8],
    path: &Path,
    site_root: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Examination {
    let config = Config { site_root: site_root.to_owned(), ..Config::default() };
    if bytes.len() as u64 > file::LARGEST {
        return Examination::failed(site_root, path.to_owned(), file::too_large());
    }
    let source = match encoding::decode(bytes) {
        Ok(text) => Source::new(text),
        Err(undecodable) => {
            let source = Source::new(undecodable.text);
            let mut findings = Findings::new(&source, environment);
            findings.fault(&undecodable.range, undecodable.fault);
            return findings.into_examination(config, path);
        }
    };
    let mut config = config;
    let mut findings = Findings::new(&source, environment);
    match xml::parse(&source) {
        Err(misfit) => findings.fault(&misfit.range, misfit.fault),
        Ok(document) => read(&document, &mut config, &mut findings),
    }
    findings.into_examination(config, path)
}

fn read(document: &roxmltree::Document<'_>, config: &mut Config, findings: &mut Findings<'_>) {
    if let Some(range) = xml::transform(document) {
        let message = "this is a transform: it changes another web.config and is none itself";
        let fix = "put the file here that publishing makes of it (`dotnet publish -c Release`)";
        findings.fault(&range, Fault::new("transform", message).fix(fix));
        return;
    }
    let layout = xml::layout(document);
    if let Some(node) = settings::read(&layout, config, findings) {
        rules::check(node, config, findings);
        handler_settings::remark(node, findings);
    } else {
        let (fault, range) = absent::explain(document, &layout);
        findings.fault(&range, fault);
    }
    survey::survey(&layout, findings);
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

    /// The port that `environmentVariables` fixes, if it does.
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
        };
        for attribute in attributes::ATTRIBUTES {
            // Only `processPath`, which has no default, refuses its own.
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
        debug.field("recycleOnFileChange", &self.recycle_on_file_change).finish()
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

// === impl Examination ===

impl Examination {
    fn failed(site_root: &Path, file: PathBuf, fault: Fault) -> Self {
        let config = Config { site_root: site_root.to_owned(), ..Config::default() };
        let errors = ConfigErrors::new(&file, vec![fault], 0);
        Self { config, file, notes: Vec::new(), errors, given: Vec::new() }
    }

    fn into_result(self) -> Result<Loaded, ConfigErrors> {
        let Self { config, file, notes, errors, given: _ } = self;
        if errors.faults().is_empty() { Ok(Loaded { config, file, notes }) } else { Err(errors) }
    }
}

impl Findings<'_> {
    fn into_examination(self, config: Config, path: &Path) -> Examination {
        let Self { faults, more_faults, mut notes, given, .. } = self;
        notes.sort_by_key(|note| note.position);
        Examination {
            config,
            file: path.to_owned(),
            notes,
            errors: ConfigErrors::new(path, faults, more_faults),
            given,
        }
    }
}

#[cfg(test)]
mod tests;
