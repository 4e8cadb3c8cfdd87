//! The one list of attributes that we honour: name, type, range, default, documentation and field.
//!
//! Reading, defaults, messages, `ancm check` and the tests below are all driven by it; nothing else knows a range.

use std::time::Duration;

use ancm_tower::require_tls::TlsDemands;

use super::{
    Config, HostingModel, Launcher, http_platform,
    values::{self, Refused, span_text, ssl_flags_text},
    variables::{expand, native_path},
};

/// One attribute.
pub(crate) struct Attribute {
    /// The element that it belongs to.
    pub(crate) element: &'static str,
    /// As the schema writes it.
    pub(crate) name: &'static str,
    /// What holds when it is not given, as one would write it.
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) doc: &'static str,
    /// Its type and range, and the field that takes it.
    pub(super) kind: Kind,
    /// The value that is in effect.
    pub(crate) show: fn(&Config) -> String,
}

/// The type of an attribute.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Text in which `%NAME%` is replaced.
    Text { may_be_empty: bool, set: fn(&mut Config, String) },
    /// The same for a path, which is turned to what this system writes.
    Path { set: fn(&mut Config, String) },
    /// `true` or `false`.
    Flag { set: fn(&mut Config, bool) },
    /// A whole number.
    Number { least: u32, most: u32, unit: &'static str, set: fn(&mut Config, u32) },
    /// `hh:mm:ss`.
    TimeSpan { most: Duration, set: fn(&mut Config, Duration) },
    /// `inprocess` or `outofprocess`.
    Model { set: fn(&mut Config, HostingModel) },
    /// Flags of `access`.
    SslFlags { set: fn(&mut Config, TlsDemands) },
}

/// The element whose attributes describe the application.
pub(super) const ASP_NET_CORE: &str = "aspNetCore";
/// The same of `HttpPlatformHandler`, with some of its attributes.
pub(super) const HTTP_PLATFORM: &str = "httpPlatform";
/// The element below `security` that says what may be requested.
pub(super) const REQUEST_FILTERING: &str = "requestFiltering";
/// The element below `requestFiltering` that limits requests.
pub(super) const REQUEST_LIMITS: &str = "requestLimits";
/// The element about WebSockets.
pub(super) const WEB_SOCKET: &str = "webSocket";

/// The element below `security` that says what connections must have.
pub(super) const ACCESS: &str = "access";

/// What the limits have that are not set.
const NO_LIMIT: &str = "none";

/// What a value was taken for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// What it says.
    AsWritten,
    /// Minutes, which is not how a time span is written nowadays.
    AsMinutes,
}

/// All of them.
// ANCM: aspnetcore_schema_v2.xml; IIS: IIS_schema.xml for requestLimits.
pub(crate) static ATTRIBUTES: &[Attribute] = &[
    Attribute {
        element: ASP_NET_CORE,
        name: "processPath",
        default: "",
        doc: "the program that is started",
        kind: Kind::Text { may_be_empty: false, set: |config, value| config.process_path = value },
        show: |config| config.process_path.clone(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "arguments",
        default: "",
        doc: "its arguments",
        kind: Kind::Text { may_be_empty: true, set: |config, value| config.arguments = value },
        show: |config| config.arguments.clone(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "startupTimeLimit",
        default: "120",
        doc: "seconds until it must listen",
        kind: Kind::Number {
            least: 0,
            most: 3_600,
            unit: "seconds",
            set: |config, value| config.startup_time_limit = Duration::from_secs(value.into()),
        },
        show: |config| config.startup_time_limit.as_secs().to_string(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "shutdownTimeLimit",
        default: "10",
        doc: "seconds that it may take to stop",
        kind: Kind::Number {
            least: 0,
            most: 600,
            unit: "seconds",
            set: |config, value| config.shutdown_time_limit = Duration::from_secs(value.into()),
        },
        show: |config| config.shutdown_time_limit.as_secs().to_string(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "rapidFailsPerMinute",
        default: "10",
        doc: "crashes in a minute after which it is not started again",
        kind: Kind::Number {
            least: 0,
            most: 100,
            unit: "crashes",
            set: |config, value| config.rapid_fails_per_minute = value,
        },
        show: |config| config.rapid_fails_per_minute.to_string(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "requestTimeout",
        default: "00:02:00",
        doc: "how long it may be silent during a request",
        kind: Kind::TimeSpan {
            most: Duration::from_secs(360 * 3_600),
            set: |config, value| config.request_timeout = value,
        },
        show: |config| span_text(config.request_timeout),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "stdoutLogEnabled",
        default: "false",
        doc: "whether its output goes to a file",
        kind: Kind::Flag { set: |config, value| config.stdout_log_enabled = value },
        show: |config| config.stdout_log_enabled.to_string(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "stdoutLogFile",
        default: r".\aspnetcore-stdout",
        doc: "the beginning of that file's name",
        kind: Kind::Path { set: |config, value| config.stdout_log_file = value },
        show: |config| config.stdout_log_file.clone(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "processesPerApplication",
        default: "1",
        doc: "how many of it run at the same time",
        kind: Kind::Number {
            least: 1,
            most: 100,
            unit: "processes",
            set: |config, value| config.processes_per_application = value as usize,
        },
        show: |config| config.processes_per_application.to_string(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "forwardWindowsAuthToken",
        default: "true",
        doc: "whether it is told the client's Windows identity",
        kind: Kind::Flag { set: |config, value| config.forward_windows_auth_token = value },
        show: |config| config.forward_windows_auth_token.to_string(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "disableStartUpErrorPage",
        default: "false",
        doc: "whether a failed start is answered without a page",
        kind: Kind::Flag { set: |config, value| config.disable_start_up_error_page = value },
        show: |config| config.disable_start_up_error_page.to_string(),
    },
    Attribute {
        element: ASP_NET_CORE,
        name: "hostingModel",
        default: "outofprocess",
        doc: "where it would run under IIS; here always in a process of its own",
        kind: Kind::Model { set: |config, value| config.hosting_model = value },
        show: |config| config.hosting_model.to_string(),
    },
    Attribute {
        element: HTTP_PLATFORM,
        name: "startupRetryCount",
        default: "10",
        doc: "how often a start that fails is tried again",
        kind: Kind::Number {
            least: 0,
            most: 100,
            unit: "starts",
            set: |config, value| config.startup_retry_count = value,
        },
        show: |config| config.startup_retry_count.to_string(),
    },
    Attribute {
        element: REQUEST_LIMITS,
        name: "maxAllowedContentLength",
        default: "30000000",
        doc: "the largest request body",
        kind: Kind::Number {
            least: 0,
            most: u32::MAX,
            unit: "bytes",
            set: |config, value| config.max_allowed_content_length = value.into(),
        },
        show: |config| config.max_allowed_content_length.to_string(),
    },
    Attribute {
        element: REQUEST_LIMITS,
        name: "maxUrl",
        // IIS: 4096. Here a limit that nobody asked for would only be in the way.
        default: NO_LIMIT,
        doc: "the longest path of a URL",
        kind: Kind::Number {
            least: 0,
            most: u32::MAX,
            unit: "bytes",
            set: |config, value| config.max_url = Some(value),
        },
        show: |config| optional(config.max_url),
    },
    Attribute {
        element: REQUEST_LIMITS,
        name: "maxQueryString",
        // IIS: 2048.
        default: NO_LIMIT,
        doc: "the longest query of a URL",
        kind: Kind::Number {
            least: 0,
            most: u32::MAX,
            unit: "bytes",
            set: |config, value| config.max_query_string = Some(value),
        },
        show: |config| optional(config.max_query_string),
    },
    Attribute {
        element: REQUEST_FILTERING,
        name: "removeServerHeader",
        default: "false",
        doc: "whether answers lose their header Server",
        kind: Kind::Flag { set: |config, value| config.remove_server_header = value },
        show: |config| config.remove_server_header.to_string(),
    },
    Attribute {
        element: WEB_SOCKET,
        name: "enabled",
        default: "true",
        doc: "whether clients may switch to WebSocket",
        kind: Kind::Flag { set: |config, value| config.web_socket_enabled = value },
        show: |config| config.web_socket_enabled.to_string(),
    },
    Attribute {
        element: ACCESS,
        name: "sslFlags",
        default: "None",
        doc: "whether connections must have TLS, and a client certificate",
        kind: Kind::SslFlags { set: |config, demands| config.access = demands },
        show: |config| ssl_flags_text(config.access),
    },
];

/// The attribute of an element by its name.
pub(super) fn find(element: &str, name: &str) -> Option<&'static Attribute> {
    of(element).find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// All attributes of an element.
pub(super) fn of(element: &str) -> impl Iterator<Item = &'static Attribute> {
    let shared = element == HTTP_PLATFORM;
    ATTRIBUTES.iter().filter(move |attribute| {
        attribute.element == element || shared && http_platform::SHARED.contains(&attribute.name)
    })
}

fn optional(limit: Option<u32>) -> String {
    limit.map_or_else(|| NO_LIMIT.to_owned(), |limit| limit.to_string())
}

// === impl Attribute ===

impl Attribute {
    /// How it is listed: its name, with the element where that says little by itself.
    pub(crate) fn label(&self) -> String {
        if self.element == WEB_SOCKET {
            format!("{}@{}", self.element, self.name)
        } else {
            self.name.to_owned()
        }
    }

    /// What holds for an application of this kind when it is not given.
    pub(crate) fn default_for(&self, launcher: Launcher) -> &'static str {
        let others = match launcher {
            Launcher::AspNetCore => &[],
            Launcher::HttpPlatform => http_platform::DEFAULTS,
        };
        others.iter().find(|(name, _)| *name == self.name).map_or(self.default, |(_, default)| *default)
    }

    /// Whether it says anything about an application of this kind.
    pub(crate) fn concerns(&self, launcher: Launcher) -> bool {
        self.element != HTTP_PLATFORM || launcher == Launcher::HttpPlatform
    }

    /// Puts a value into its field.
    pub(super) fn set(
        &self,
        config: &mut Config,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Taken, Refused> {
        let empty = |fix: &str| Refused { code: "empty-value", problem: "is empty", fix: fix.into() };
        match self.kind {
            Kind::Text { may_be_empty, set } => {
                let text = expand(text, environment);
                if text.is_empty() && !may_be_empty {
                    return Err(empty("name a program, such as dotnet"));
                }
                set(config, text);
            }
            Kind::Path { set } => {
                let text = native_path(&expand(text, environment));
                if text.is_empty() {
                    return Err(empty("remove the attribute, or name a file"));
                }
                set(config, text);
            }
            Kind::Flag { set } => set(config, values::flag(text)?),
            Kind::Number { least, most, set, .. } => set(config, values::number(text, least, most)?),
            Kind::TimeSpan { most, set } => {
                let (span, minutes) = values::time_span(text, most)?;
                set(config, span);
                return Ok(if minutes { Taken::AsMinutes } else { Taken::AsWritten });
            }
            Kind::Model { set } => set(config, values::hosting_model(text)?),
            Kind::SslFlags { set } => set(config, values::ssl_flags(text)?),
        }
        Ok(Taken::AsWritten)
    }

    /// The range, in words; none for text.
    pub(super) fn allowed(&self) -> Option<String> {
        match self.kind {
            Kind::Text { .. } | Kind::Path { .. } => None,
            Kind::Flag { .. } => Some("true, false".into()),
            Kind::Number { least, most, unit, .. } => Some(format!("{least} to {most} {unit}")),
            Kind::TimeSpan { most, .. } => Some(format!("00:00:00 to {}", span_text(most))),
            Kind::Model { .. } => Some("inprocess, outofprocess".into()),
            Kind::SslFlags { .. } => Some(values::SSL_FLAGS.join(", ")),
        }
    }
}

impl std::fmt::Debug for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attribute")
            .field("element", &self.element)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
