//! Builds the complete environment of a backend: what it inherits, what `web.config` sets, and what is ours.
//!
//! Who wins, from the strongest: what is always ours (so that backend and frontend find each other), then
//! `web.config`, then what we propose, then what the frontend itself was started with. Names are compared as Windows
//! and .NET do, ignoring case; where a name is inherited in several spellings, all of them get the value, so that
//! it does not matter which of them the backend reads.
//!
//! # Example
//!
//! ```text
//! inherited  ASPNETCORE_URLS=http://+:8080   NOTIFY_SOCKET=/run/…   LANG=C
//! web.config ASPNETCORE_ENVIRONMENT=Staging
//! child      ASPNETCORE_URLS=http://127.0.0.1:21396   ASPNETCORE_ENVIRONMENT=Staging   LANG=C
//!            ASPNETCORE_PORT=21396   ASPNETCORE_TOKEN=…   and so on
//! ```

use std::{
    ffi::{OsStr, OsString},
    time::Duration,
};

use ancm_tower::{
    contract::{self, variable},
    startup_error::StartFailure,
};

use crate::config::{
    Config, Launcher, error_pages,
    variables::{Environment, expand},
};

mod http_platform;

/// Lets inherited variables win over those of `web.config`.
// ANCM: environmentvariablehelpers.h.
const PREFER_INHERITED: &str = "ANCM_PREFER_ENVIRONMENT_VARIABLES";
/// Makes ASP.NET Core trust forwarded headers of anybody.
const FORWARDED_HEADERS_ENABLED: &str = "ASPNETCORE_FORWARDEDHEADERS_ENABLED";
/// Those of the frontend's own settings.
const OURS: &str = "ANCM_FRONTEND_";
/// What the service manager tells the frontend, and nobody else.
const SERVICE_MANAGER: [&str; 5] =
    ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];
const WATCHDOG: &str = "WATCHDOG_";

/// What the application's environment is made of, the same for each of its processes.
pub(super) struct Sources {
    /// The frontend's own environment.
    pub(super) inherited: Vec<(OsString, OsString)>,
    /// The path base: `/`, or `/app`.
    pub(super) appl_path: String,
    /// Where the site is served with TLS.
    pub(super) https_port: Option<u16>,
    /// Whether upgrades are passed on.
    pub(super) websockets: bool,
}

/// Where `web.config` wants the backend to listen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PortWish {
    /// Anywhere.
    Any,
    /// Here.
    Fixed(u16),
    /// Nowhere: this is no port.
    Invalid(String),
}

// === impl Sources ===

impl Sources {
    /// The environment of one process.
    pub(super) fn build(&self, config: &Config, port: u16, token: &str) -> Vec<(OsString, OsString)> {
        let mut variables = Variables { all: self.passed_on() };
        self.propose(&mut variables, config, port);
        for (name, value) in configured(config) {
            match self.preferred(name) {
                Some(inherited) => variables.set(name, inherited),
                None => variables.set(name, of_start(config, value, port)),
            }
        }
        if config.launcher == Launcher::HttpPlatform {
            http_platform::set(&mut variables, self, config, port, token);
        }
        variables.set(variable::PORT, port.to_string());
        variables.set(variable::GENERIC_PORT, port.to_string());
        variables.set(variable::TOKEN, token);
        variables.set(variable::APPL_PATH, self.appl_path.as_str());
        // Kestrel takes anything else for a promise of Windows identities.
        variables.set(variable::IIS_HTTPAUTH, "anonymous;");
        let websockets = self.websockets && config.web_socket_enabled;
        variables.set(variable::IIS_WEBSOCKETS_SUPPORTED, if websockets { "true" } else { "false" });
        // ANCM: serverprocess.cpp passes the id of the IIS application here, by mistake.
        variables.set(variable::IIS_PHYSICAL_PATH, config.site_root.as_os_str());
        variables.all
    }

    /// Whether failures may be shown in detail to whoever asks.
    pub(super) fn shows_details(&self, config: &Config) -> bool {
        let environment = self.environment();
        config.shows_details(&|name| environment.get(name))
    }

    /// Adds the administrator's link to a page, if there is one.
    pub(super) fn add_link(&self, failure: StartFailure) -> StartFailure {
        let environment = self.environment();
        match error_pages::link(&|name| environment.get(name)) {
            Some(link) => failure.link(link),
            None => failure,
        }
    }

    /// What is left of our own environment.
    fn passed_on(&self) -> Vec<(OsString, OsString)> {
        let keep = |(name, _): &&(OsString, OsString)| {
            let private = |prefix: &str| starts_with(name, prefix);
            !SERVICE_MANAGER.iter().any(|other| name.eq_ignore_ascii_case(other))
                && !private(WATCHDOG)
                && !private(OURS)
                // Behind us it would believe clients; only web.config may ask for that.
                && !name.eq_ignore_ascii_case(FORWARDED_HEADERS_ENABLED)
                && !name.eq_ignore_ascii_case(variable::ANCM_HTTPS_PORT)
        };
        self.inherited.iter().filter(keep).cloned().collect()
    }

    /// Sets what `web.config` may set otherwise.
    fn propose(&self, variables: &mut Variables, config: &Config, port: u16) {
        // An application without the IIS integration, as from CreateSlimBuilder, listens here; others ignore it.
        variables.set(variable::URLS, format!("http://127.0.0.1:{port}"));
        if lookup(config, variable::DOTNET_SHUTDOWN_TIMEOUT_SECONDS).is_none() {
            let seconds = host_seconds(config.shutdown_time_limit);
            self.propose_one(variables, variable::SHUTDOWN_TIMEOUT_SECONDS, &seconds);
            // An inherited one by the other name would win in an application from WebApplication.CreateBuilder.
            if self.inherited(variable::DOTNET_SHUTDOWN_TIMEOUT_SECONDS).is_some() {
                let wanted = lookup(config, variable::SHUTDOWN_TIMEOUT_SECONDS).unwrap_or(&seconds);
                self.propose_one(variables, variable::DOTNET_SHUTDOWN_TIMEOUT_SECONDS, wanted);
            }
        }
        self.propose_one(variables, variable::HOSTING_STARTUP_ASSEMBLIES, &self.startup_assemblies());
        if let Some(port) = self.https_port {
            self.propose_one(variables, variable::ANCM_HTTPS_PORT, &port.to_string());
        }
    }

    fn propose_one(&self, variables: &mut Variables, name: &str, value: &str) {
        let value = self.preferred(name).unwrap_or(OsStr::new(value));
        variables.set(name, value);
    }

    /// The inherited list with the integration's assembly in it once.
    // ANCM: environmentvariablehash.h always appends, and begins an empty list with a semicolon.
    fn startup_assemblies(&self) -> String {
        let inherited = self.inherited(variable::HOSTING_STARTUP_ASSEMBLIES).unwrap_or_default();
        let inherited = inherited.to_string_lossy();
        let mut names: Vec<&str> = inherited.split(';').filter(|name| !name.trim().is_empty()).collect();
        if !names.iter().any(|name| name.trim().eq_ignore_ascii_case(contract::HOSTING_STARTUP_ASSEMBLY)) {
            names.push(contract::HOSTING_STARTUP_ASSEMBLY);
        }
        names.join(";")
    }

    fn inherited(&self, name: &str) -> Option<&OsStr> {
        let exact = self.inherited.iter().find(|(other, _)| other == name);
        let found =
            exact.or_else(|| self.inherited.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.as_os_str())
    }

    /// The inherited value, if such values are to win.
    fn preferred(&self, name: &str) -> Option<&OsStr> {
        let wish = self.inherited(PREFER_INHERITED)?;
        let wanted = wish == "1" || wish.eq_ignore_ascii_case("true");
        self.inherited(name).filter(|value| wanted && !value.is_empty())
    }

    /// The frontend's own environment, as far as it is text.
    pub(super) fn environment(&self) -> Environment {
        Environment::new(
            self.inherited.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?))),
        )
    }
}

/// Where the backend is to listen.
pub(super) fn port(config: &Config) -> PortWish {
    let Some(text) = lookup(config, variable::PORT) else { return PortWish::Any };
    config.fixed_port().map_or_else(|| PortWish::Invalid(text.to_owned()), PortWish::Fixed)
}

/// The pairing token that `web.config` sets, which may be none at all.
pub(super) fn token(config: &Config) -> Option<&str> {
    lookup(config, variable::TOKEN)
}

/// A value in which `httpPlatform` may name the port.
fn of_start(config: &Config, value: &str, port: u16) -> String {
    let port = |name: &str| name.eq_ignore_ascii_case(variable::HTTP_PLATFORM_PORT).then(|| port.to_string());
    match config.launcher {
        Launcher::AspNetCore => value.to_owned(),
        Launcher::HttpPlatform => expand(value, &port),
    }
}

/// The variables of `web.config`; those that no environment can hold are left out.
fn configured(config: &Config) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    let variables = config.environment_variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    variables.filter(|(name, value)| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'))
}

/// A variable of `web.config` that is not empty.
fn lookup<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    let found = configured(config).rfind(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// How long the .NET host waits for its requests: a little less than we wait for it.
fn host_seconds(limit: Duration) -> String {
    limit.as_secs().saturating_sub(1).max(1).to_string()
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.as_encoded_bytes()
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// An environment in the making.
struct Variables {
    all: Vec<(OsString, OsString)>,
}

// === impl Variables ===

impl Variables {
    /// Gives the value to every spelling of the name.
    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        let value = value.into();
        let mut found = false;
        for (_, old) in self.all.iter_mut().filter(|(other, _)| other.eq_ignore_ascii_case(name)) {
            old.clone_from(&value);
            found = true;
        }
        if !found || !self.all.iter().any(|(other, _)| other == name) {
            self.all.push((name.into(), value));
        }
    }
}

#[cfg(test)]
mod tests;
