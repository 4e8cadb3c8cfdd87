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
            Kind::SslFlags { .. } => {
                for value in ["None", "Ssl", "SslRequireCert", "Ssl, SslRequireCert"] {
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
    assert_eq!(of(HTTP_PLATFORM).count(), 10);
}

#[test]
fn http_platform_has_defaults_of_its_own() {
    let default = |name: &str| find(HTTP_PLATFORM, name).unwrap().default_for(Launcher::HttpPlatform);
    for (name, expected) in [
        ("startupTimeLimit", "10"),
        ("startupRetryCount", "10"),
        ("rapidFailsPerMinute", "10"),
        ("requestTimeout", "00:02:00"),
        ("stdoutLogFile", r".\httpplatform-stdout"),
        ("processesPerApplication", "1"),
        ("forwardWindowsAuthToken", "false"),
    ] {
        assert_eq!(default(name), expected);
    }
    for (name, _) in http_platform::DEFAULTS {
        assert!(of(HTTP_PLATFORM).any(|attribute| attribute.name == *name), "{name}");
    }
}
