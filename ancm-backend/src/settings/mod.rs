//! What a backend reads from its environment: whether it has a frontend, and where to listen.
//!
//! | there is | it means |
//! |---|---|
//! | `ASPNETCORE_PORT`, `ASPNETCORE_TOKEN` and `ASPNETCORE_APPL_PATH` | paired: 127.0.0.1 at that port, and only who has the token is obeyed |
//! | else `HTTP_PLATFORM_PORT` | `HttpPlatformHandler` in front, a plain server to us: 127.0.0.1 at that port |
//! | else `ASPNETCORE_URLS` | a plain server at those addresses |
//! | else `PORT` | a plain server on 127.0.0.1 at that port |
//! | else | a plain server on 127.0.0.1:5000 |
//!
//! `HttpPlatformHandler` gives no secret that its requests would carry. So nothing tells them from those of another
//! user of the machine: no header is believed, the client is whoever connects, the path is the whole one, and only a
//! signal stops the server. (`ancm` pairs with a program below `httpPlatform`, too: it sets all of these.)
//!
//! Reading is apart from acting: [`Settings::from_variables`] takes any source of variables and opens nothing.
//!
//! # Example
//!
//! ```
//! use ancm_backend::settings::{Mode, Settings};
//!
//! let paired = Settings::from_variables(|name| match name {
//!     "ASPNETCORE_PORT" => Some("21396".to_owned()),
//!     "ASPNETCORE_TOKEN" => Some("2c5f2f6e-6a8f-4c9d-9a53-7a5b4b9f4b0e".to_owned()),
//!     "ASPNETCORE_APPL_PATH" => Some("/shop".to_owned()),
//!     _ => None,
//! })?;
//! let Mode::Paired(pairing) = &paired.mode else { panic!("all three are there") };
//! assert_eq!(pairing.port, 21396);
//!
//! let alone = Settings::from_variables(|name| (name == "ASPNETCORE_URLS").then(|| "http://*:8080".to_owned()))?;
//! let Mode::Alone(addresses) = &alone.mode else { panic!("there is no frontend") };
//! assert_eq!(addresses[0].to_string(), "http://*:8080");
//! # Ok::<(), ancm_backend::settings::SettingsError>(())
//! ```

use std::{env, time::Duration};

use ancm_tower::{contract::variable, pairing_token::PairingToken};

mod address;
mod error;

pub use address::{Address, AddressError};
pub use error::SettingsError;

/// How a backend runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// With a frontend, or without.
    pub mode: Mode,
    /// How long requests and upgraded connections may go on after a request to stop
    /// (`ASPNETCORE_SHUTDOWNTIMEOUTSECONDS`, else `DOTNET_SHUTDOWNTIMEOUTSECONDS`; 30 s).
    pub shutdown_limit: Duration,
}

/// With a frontend, or without.
#[derive(Clone, Debug)]
pub enum Mode {
    /// A frontend started us: it alone is obeyed.
    Paired(Pairing),
    /// A plain server at these addresses: for people, or for a frontend that has no secret.
    Alone(Vec<Address>),
}

/// What a frontend told the backend that it started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pairing {
    /// The port on 127.0.0.1 to listen at (`ASPNETCORE_PORT`).
    pub port: u16,
    /// What every request must carry (`ASPNETCORE_TOKEN`).
    pub token: PairingToken,
    /// The path base, decoded, beginning with `/` (`ASPNETCORE_APPL_PATH`).
    pub path_base: String,
    /// Whether a connection may be upgraded (`ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED`): all but `false` is yes.
    pub upgrades: bool,
    /// Whether to take over the client's Windows identity (`ASPNETCORE_IIS_HTTPAUTH`); never outside Windows.
    pub windows_auth: bool,
}

/// The .NET host's own default.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

// === impl Settings ===

impl Settings {
    /// Reads this process's environment.
    pub fn from_env() -> Result<Self, SettingsError> {
        // A value that is no Unicode must count as there, and be refused where it matters.
        Self::from_variables(|name| Some(env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// Reads variables from `lookup`; an empty one counts as missing.
    ///
    /// # Errors
    ///
    /// If a variable that counts says what cannot be done.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let trio = (get(variable::PORT), get(variable::TOKEN), get(variable::APPL_PATH));
        // ANCM: WebHostBuilderIISExtensions.cs asks for all three, or nothing changes.
        let mode = match trio {
            (Some(port), Some(token), Some(path_base)) => {
                Mode::Paired(Pairing::read(&port, token, path_base, &get)?)
            }
            _ => Mode::Alone(addresses(&get)?),
        };
        Ok(Self { mode, shutdown_limit: shutdown_limit(&get) })
    }
}

impl Default for Settings {
    /// A plain server on 127.0.0.1:5000.
    fn default() -> Self {
        Self { mode: Mode::Alone(vec![Address::default()]), shutdown_limit: SHUTDOWN_LIMIT }
    }
}

// === impl Pairing ===

impl Pairing {
    /// A pairing at the root path, with upgrades.
    pub fn new(port: u16, token: PairingToken) -> Self {
        Self { port, token, path_base: "/".to_owned(), upgrades: true, windows_auth: false }
    }

    fn read(
        port: &str,
        token: String,
        path_base: String,
        get: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        if !path_base.starts_with('/') {
            return Err(SettingsError::PathBase { value: path_base });
        }
        Ok(Self {
            port: parse_port(variable::PORT, port)?,
            token: PairingToken::new(token).map_err(SettingsError::Token)?,
            path_base,
            upgrades: get(variable::IIS_WEBSOCKETS_SUPPORTED).is_none_or(|value| !says_false(&value)),
            windows_auth: cfg!(windows) && windows_auth_enabled(get(variable::IIS_HTTPAUTH).as_deref()),
        })
    }
}

/// Decimal digits from 1 to 65535, nothing else.
// ANCM: Kestrel pastes the text into a URL, so that `abc` there listens at port 80 of every interface.
fn parse_port(name: &'static str, text: &str) -> Result<u16, SettingsError> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_digits && port != 0 => Ok(port),
        _ => Err(SettingsError::Port { variable: name, value: text.to_owned() }),
    }
}

// ANCM: a .NET truth value, in any case and between blanks; any other text leaves the decision to the system.
fn says_false(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("false")
}

// ANCM: IISSetupFilter's list is split but not trimmed, and every word but `anonymous` counts, even `none`.
fn windows_auth_enabled(kinds: Option<&str>) -> bool {
    kinds.is_none_or(|kinds| {
        kinds.split(';').filter(|kind| !kind.is_empty()).any(|kind| !kind.eq_ignore_ascii_case("anonymous"))
    })
}

/// Where to listen when not paired.
fn addresses(get: &impl Fn(&str) -> Option<String>) -> Result<Vec<Address>, SettingsError> {
    // First: a frontend looks for us at its port, whatever a container image has put into ASPNETCORE_URLS.
    if let Some(port) = get(variable::HTTP_PLATFORM_PORT) {
        return Ok(vec![Address::loopback(parse_port(variable::HTTP_PLATFORM_PORT, &port)?)]);
    }
    if let Some(urls) = get(variable::URLS) {
        let urls = urls.split(';').map(str::trim).filter(|url| !url.is_empty());
        let addresses: Vec<Address> = urls.map(str::parse).collect::<Result<_, _>>()?;
        if !addresses.is_empty() {
            return Ok(addresses);
        }
    }
    match get(variable::GENERIC_PORT) {
        Some(port) => Ok(vec![Address::loopback(parse_port(variable::GENERIC_PORT, &port)?)]),
        None => Ok(vec![Address::default()]),
    }
}

// ANCM: the order of Host.CreateDefaultBuilder; WebApplication.CreateBuilder asks for the other name first.
fn shutdown_limit(get: &impl Fn(&str) -> Option<String>) -> Duration {
    let names = [variable::SHUTDOWN_TIMEOUT_SECONDS, variable::DOTNET_SHUTDOWN_TIMEOUT_SECONDS];
    let Some((name, text)) = names.into_iter().find_map(|name| Some((name, get(name)?))) else {
        return SHUTDOWN_LIMIT;
    };
    // ANCM: HostOptions.cs ignores a text that is no number, so that a typing error never keeps an app from starting.
    text.parse().map(u32::into).map_or_else(
        |_| {
            tracing::warn!("{name} is `{text}`, which is no number of seconds: 30 it is");
            SHUTDOWN_LIMIT
        },
        Duration::from_secs,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings from `NAME=value` texts.
    fn read(variables: &[&str]) -> Result<Settings, SettingsError> {
        Settings::from_variables(|name| {
            let found =
                variables.iter().find_map(|line| line.split_once('=').filter(|(key, _)| *key == name));
            found.map(|(_, value)| value.to_owned())
        })
    }

    fn paired(variables: &[&str]) -> Pairing {
        let trio = ["ASPNETCORE_PORT=12345", "ASPNETCORE_TOKEN=TestToken", "ASPNETCORE_APPL_PATH=/"];
        match read(&[variables, &trio].concat()).unwrap().mode {
            Mode::Paired(pairing) => pairing,
            Mode::Alone(_) => panic!("not paired"),
        }
    }

    fn alone(variables: &[&str]) -> Vec<String> {
        match read(variables).unwrap().mode {
            Mode::Alone(addresses) => addresses.iter().map(ToString::to_string).collect(),
            Mode::Paired(_) => panic!("paired"),
        }
    }

    fn refusal(variables: &[&str]) -> String {
        read(variables).unwrap_err().to_string()
    }

    #[test]
    fn is_paired_only_with_all_three() {
        let trio = ["ASPNETCORE_PORT=80", "ASPNETCORE_TOKEN=t", "ASPNETCORE_APPL_PATH=/"];
        assert!(matches!(read(&trio).unwrap().mode, Mode::Paired(_)));
        for missing in 0..3 {
            let mut two = trio.to_vec();
            two.remove(missing);
            assert_eq!(alone(&two), ["http://127.0.0.1:5000"]);

            let empty = format!("{}=", trio[missing].split_once('=').unwrap().0);
            two.push(&empty);
            assert_eq!(alone(&two), ["http://127.0.0.1:5000"]);
        }
    }

    #[test]
    fn reads_nothing_of_the_trio_when_it_is_not_paired() {
        assert_eq!(alone(&["ASPNETCORE_PORT=x", "ASPNETCORE_APPL_PATH=y"]), ["http://127.0.0.1:5000"]);
    }

    #[test]
    fn refuses_a_port_that_is_not_digits_from_1_to_65535() {
        for port in ["abc", "80x", "0", "65536", "+80", "-1", " 80", "80 ", "80;http://*:81", "８０", "1e3"]
        {
            let port = format!("ASPNETCORE_PORT={port}");
            let message = refusal(&[&port, "ASPNETCORE_TOKEN=t", "ASPNETCORE_APPL_PATH=/"]);
            assert!(message.contains("ASPNETCORE_PORT") && message.contains("1 to 65535"), "{message}");
        }
        assert_eq!(paired(&["ASPNETCORE_PORT=65535"]).port, 65535);
    }

    #[test]
    fn refuses_a_path_base_without_a_slash() {
        let message = refusal(&["ASPNETCORE_PORT=80", "ASPNETCORE_TOKEN=t", "ASPNETCORE_APPL_PATH=app"]);
        assert_eq!(
            message,
            "ASPNETCORE_APPL_PATH is `app`: a path base begins with a slash, so write `/app`"
        );
    }

    #[test]
    fn refuses_a_token_that_is_no_header_value_without_printing_it() {
        let message = refusal(&["ASPNETCORE_PORT=80", "ASPNETCORE_TOKEN=se cret", "ASPNETCORE_APPL_PATH=/"]);
        assert!(message.starts_with("ASPNETCORE_TOKEN: ") && !message.contains("cret"), "{message}");
    }

    #[test]
    fn never_prints_the_token() {
        assert!(!format!("{:?}", paired(&[])).contains("TestToken"));
    }

    #[test]
    fn forbids_upgrades_only_when_told_so() {
        for (value, allowed) in
            [("true", true), ("false", false), (" False ", false), ("1", true), ("", true)]
        {
            let variable = format!("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED={value}");
            assert_eq!(paired(&[&variable]).upgrades, allowed, "{value}");
        }
    }

    #[test]
    fn takes_every_word_but_anonymous_for_windows_authentication() {
        for (kinds, enabled) in [
            ("anonymous", false),
            ("ANONYMOUS;", false),
            (";;", false),
            ("windows;anonymous;", true),
            ("basic;", true),
            ("none", true),
            (" anonymous", true),
        ] {
            assert_eq!(windows_auth_enabled(Some(kinds)), enabled, "{kinds}");
        }
        assert!(windows_auth_enabled(None));
    }

    #[test]
    #[cfg(not(windows))]
    fn has_no_windows_identity_elsewhere() {
        assert!(!paired(&["ASPNETCORE_IIS_HTTPAUTH=windows;"]).windows_auth);
    }

    #[test]
    fn listens_on_urls_before_port_before_5000() {
        assert_eq!(
            alone(&["ASPNETCORE_URLS=http://*:1;http://[::1]:2", "PORT=3"]),
            ["http://*:1", "http://[::1]:2"]
        );
        assert_eq!(alone(&["ASPNETCORE_URLS=", "PORT=3"]), ["http://127.0.0.1:3"]);
        assert_eq!(alone(&["ASPNETCORE_URLS= ; ;", "PORT="]), ["http://127.0.0.1:5000"]);
    }

    #[test]
    fn listens_where_http_platform_handler_looks_for_it_and_is_not_paired_by_that() {
        let platform =
            ["HTTP_PLATFORM_PORT=4", "HTTP_PLATFORM_TOKEN=t", "HTTP_PLATFORM_APPL_PATH=/app", "PORT=3"];
        assert_eq!(alone(&platform), ["http://127.0.0.1:4"]);
        assert_eq!(alone(&["ASPNETCORE_URLS=http://*:80", platform[0]]), ["http://127.0.0.1:4"]);
        // Part of the other contract is none; all of it is the better one.
        assert_eq!(alone(&["ASPNETCORE_PORT=12345", platform[0]]), ["http://127.0.0.1:4"]);
        assert_eq!(paired(&platform).port, 12345);
        assert_eq!(alone(&["HTTP_PLATFORM_PORT=", "PORT=3"]), ["http://127.0.0.1:3"]);
    }

    #[test]
    fn names_the_variable_whose_port_is_wrong() {
        assert!(refusal(&["PORT=x"]).starts_with("PORT is `x`"));
        assert!(refusal(&["HTTP_PLATFORM_PORT=0"]).starts_with("HTTP_PLATFORM_PORT is `0`"));
    }

    #[test]
    fn waits_30_seconds_unless_told_otherwise() {
        for (value, seconds) in [("", 30), ("9", 9), ("0", 0), ("-1", 30), ("soon", 30), ("1.5", 30)] {
            let variable = format!("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS={value}");
            assert_eq!(read(&[&variable]).unwrap().shutdown_limit, Duration::from_secs(seconds), "{value}");
        }
        for (aspnetcore, dotnet, seconds) in
            [("", "7", 7), ("9", "7", 9), ("soon", "7", 30), ("9", "soon", 9)]
        {
            let variables = [
                &*format!("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS={aspnetcore}"),
                &*format!("DOTNET_SHUTDOWNTIMEOUTSECONDS={dotnet}"),
            ];
            let limit = read(&variables).unwrap().shutdown_limit;
            assert_eq!(limit, Duration::from_secs(seconds), "{variables:?}");
        }
        assert_eq!(Settings::default().shutdown_limit, SHUTDOWN_LIMIT);
    }
}
