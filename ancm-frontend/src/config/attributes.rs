//! The one list of attributes that we honour: name, type, range, default, documentation and field.
//!
//! Reading, defaults, messages, `ancm check` and the tests below are all driven by it; nothing else knows a range.

use std::time::Duration;

use super::{
    Config, HostingModel,
    values::{self, Refused, span_text},
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
}

/// The element whose attributes describe the application.
pub(super) const ASP_NET_CORE: &str = "aspNetCore";
/// The element below `security/requestFiltering` that limits requests.
pub(super) const REQUEST_LIMITS: &str = "requestLimits";

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
];

/// The attribute of an element by its name.
pub(super) fn find(element: &str, name: &str) -> Option<&'static Attribute> {
    of(element).find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// All attributes of an element.
pub(super) fn of(element: &str) -> impl Iterator<Item = &'static Attribute> {
    ATTRIBUTES.iter().filter(move |attribute| attribute.element == element)
}

// === impl Attribute ===

impl Attribute {
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
mod tests {
    use super::*;

    fn set(attribute: &Attribute, text: &str) -> Result<String, Refused> {
        let mut config = Config::default();
        attribute.set(&mut config, text, &|_| None)?;
        Ok((attribute.show)(&config))
    }

    #[test]
    fn every_default_is_what_the_default_configuration_has() {
        for attribute in ATTRIBUTES {
            let effective = (attribute.show)(&Config::default());
            let expected = if attribute.name == "stdoutLogFile" {
                native_path(attribute.default)
            } else {
                attribute.default.into()
            };
            assert_eq!(effective, expected, "{}", attribute.name);
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_schema() {
        let shown = |name: &str| {
            ATTRIBUTES.iter().find(|a| a.name == name).map(|a| (a.show)(&Config::default())).unwrap()
        };
        for (name, expected) in [
            ("startupTimeLimit", "120"),
            ("shutdownTimeLimit", "10"),
            ("rapidFailsPerMinute", "10"),
            ("requestTimeout", "00:02:00"),
            ("stdoutLogEnabled", "false"),
            ("processesPerApplication", "1"),
            ("forwardWindowsAuthToken", "true"),
            ("disableStartUpErrorPage", "false"),
            ("hostingModel", "outofprocess"),
            ("maxAllowedContentLength", "30000000"),
        ] {
            assert_eq!(shown(name), expected);
        }
        let bytes = Config::default().max_allowed_content_length;
        assert_eq!(bytes, ancm_tower::contract::limit::REQUEST_BODY);
    }

    #[test]
    fn every_range_takes_both_ends_and_nothing_beyond() {
        for attribute in ATTRIBUTES {
            match attribute.kind {
                Kind::Number { least, most, .. } => {
                    for inside in [least, most] {
                        assert_eq!(
                            set(attribute, &inside.to_string()).unwrap(),
                            inside.to_string(),
                            "{}",
                            attribute.name
                        );
                    }
                    for outside in [i64::from(least) - 1, i64::from(most) + 1] {
                        assert_eq!(
                            set(attribute, &outside.to_string()).unwrap_err().code,
                            "out-of-range",
                            "{}",
                            attribute.name
                        );
                    }
                }
                Kind::TimeSpan { most, .. } => {
                    assert_eq!(set(attribute, &span_text(most)).unwrap(), span_text(most));
                    let beyond = span_text(most + Duration::from_secs(1));
                    assert_eq!(set(attribute, &beyond).unwrap_err().code, "out-of-range");
                }
                Kind::Flag { .. } => {
                    for value in ["true", "false"] {
                        assert_eq!(set(attribute, value).unwrap(), value, "{}", attribute.name);
                    }
                }
                Kind::Model { .. } => {
                    for value in ["inprocess", "outofprocess"] {
                        assert_eq!(set(attribute, value).unwrap(), value);
                    }
                }
                Kind::Text { may_be_empty, .. } => {
                    assert_eq!(set(attribute, "a b").unwrap(), "a b");
                    assert_eq!(set(attribute, "").is_ok(), may_be_empty, "{}", attribute.name);
                }
                Kind::Path { .. } => {
                    assert_eq!(set(attribute, r"\\?\a").unwrap(), "a");
                    assert_eq!(set(attribute, "").unwrap_err().code, "empty-value");
                }
            }
        }
    }

    #[test]
    fn variables_are_replaced_in_text_and_paths_only() {
        for attribute in ATTRIBUTES {
            let mut config = Config::default();
            let result = attribute.set(&mut config, "%A%", &|name| (name == "A").then(|| "b".into()));
            let text = matches!(attribute.kind, Kind::Text { .. } | Kind::Path { .. });
            assert_eq!(result.is_ok() && (attribute.show)(&config) == "b", text, "{}", attribute.name);
        }
    }

    #[test]
    fn every_attribute_is_found_in_any_case_and_documented() {
        for attribute in ATTRIBUTES {
            let found = find(attribute.element, &attribute.name.to_uppercase()).unwrap();
            assert_eq!(found.name, attribute.name);
            assert!(!attribute.doc.is_empty());
        }
        assert_eq!(of(ASP_NET_CORE).count(), 12);
    }
}
