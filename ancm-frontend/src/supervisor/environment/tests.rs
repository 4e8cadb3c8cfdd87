use super::*;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sources(inherited: &[(&str, &str)]) -> Sources {
    let inherited = inherited.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Sources { inherited, appl_path: "/app".into(), https_port: None, websockets: true }
}

fn config(variables: &[(&str, &str)]) -> Config {
    Config { site_root: "/site".into(), environment_variables: pairs(variables), ..Config::default() }
}

fn child(inherited: &[(&str, &str)], configured: &[(&str, &str)]) -> Vec<(String, String)> {
    let built = sources(inherited).build(&config(configured), 21_396, "secret");
    let mut built: Vec<_> = built
        .into_iter()
        .map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap()))
        .collect();
    built.sort();
    built
}

fn value<'a>(child: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = child.iter().filter(|(other, _)| other == name);
    let first = found.next().map(|(_, value)| value.as_str());
    assert_eq!(found.next(), None, "{name} is there twice");
    first
}

#[test]
fn gives_a_backend_all_it_needs_and_nothing_else() {
    assert_eq!(
        child(&[], &[]),
        pairs(&[
            ("ASPNETCORE_APPL_PATH", "/app"),
            ("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Microsoft.AspNetCore.Server.IISIntegration"),
            ("ASPNETCORE_IIS_HTTPAUTH", "anonymous;"),
            ("ASPNETCORE_IIS_PHYSICAL_PATH", "/site"),
            ("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", "true"),
            ("ASPNETCORE_PORT", "21396"),
            ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "9"),
            ("ASPNETCORE_TOKEN", "secret"),
            ("ASPNETCORE_URLS", "http://127.0.0.1:21396"),
            ("PORT", "21396"),
        ])
    );
}

#[test]
fn tells_that_web_sockets_are_switched_off() {
    let config = Config { web_socket_enabled: false, ..config(&[]) };
    let built = sources(&[]).build(&config, 21_396, "secret");
    assert!(built.contains(&("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED".into(), "false".into())));
}

#[test]
fn tells_an_application_of_http_platform_the_port_by_its_names_and_in_values() {
    let values = [("CATALINA_OPTS", "-Dport=%HTTP_PLATFORM_PORT% -Dx=%X%"), ("HTTP_PLATFORM_PORT", "1")];
    let config = Config { launcher: Launcher::HttpPlatform, ..config(&values) };
    let built = sources(&[("HTTP_PLATFORM_TOKEN", "stale")]).build(&config, 21_396, "secret");
    for (name, value) in [
        ("CATALINA_OPTS", "-Dport=21396 -Dx=%X%"),
        ("HTTP_PLATFORM_PORT", "21396"),
        ("HTTP_PLATFORM_TOKEN", "secret"),
        ("HTTP_PLATFORM_APPL_PATH", "/app"),
        ("HTTP_PLATFORM_IIS_HTTPAUTH", "anonymous;"),
        ("HTTP_PLATFORM_IIS_WEBSOCKETS_SUPPORTED", "true"),
    ] {
        assert!(built.contains(&(name.into(), value.into())), "{name}");
    }
    let other = child(&[], &values);
    assert_eq!(value(&other, "CATALINA_OPTS"), Some("-Dport=%HTTP_PLATFORM_PORT% -Dx=%X%"));
}

#[test]
fn replaces_what_the_frontend_inherited() {
    let inherited = [
        ("ASPNETCORE_URLS", "http://+:8080"),
        ("ASPNETCORE_PORT", "1"),
        ("ASPNETCORE_TOKEN", "stale"),
        ("ASPNETCORE_APPL_PATH", "/stale"),
        ("ASPNETCORE_IIS_HTTPAUTH", "windows;"),
        ("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", "false"),
        ("ASPNETCORE_IIS_PHYSICAL_PATH", "/stale"),
        ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "600"),
        ("PORT", "8080"),
    ];
    let mut expected = child(&[], &[]);
    assert_eq!(child(&inherited, &[]), expected);
    let lower: Vec<_> = inherited.map(|(name, value)| (name.to_ascii_lowercase(), value)).to_vec();
    let lower: Vec<_> = lower.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let found = child(&lower, &[]);
    let spelled = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
    expected = expected.into_iter().map(spelled).collect();
    for (name, value) in found {
        assert!(expected.contains(&(name.to_ascii_lowercase(), value)), "{name}");
    }
}

#[test]
fn web_config_cannot_change_what_is_always_ours() {
    let configured = [
        ("ASPNETCORE_APPL_PATH", "/x"),
        ("ASPNETCORE_IIS_HTTPAUTH", "windows;"),
        ("aspnetcore_iis_websockets_supported", "false"),
        ("ASPNETCORE_IIS_PHYSICAL_PATH", "/x"),
        ("PORT", "80"),
    ];
    let child = child(&[], &configured);
    assert_eq!(value(&child, "ASPNETCORE_APPL_PATH"), Some("/app"));
    assert_eq!(value(&child, "ASPNETCORE_IIS_HTTPAUTH"), Some("anonymous;"));
    assert_eq!(value(&child, "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED"), Some("true"));
    assert_eq!(value(&child, "aspnetcore_iis_websockets_supported"), Some("true"));
    assert_eq!(value(&child, "ASPNETCORE_IIS_PHYSICAL_PATH"), Some("/site"));
    assert_eq!(value(&child, "PORT"), Some("21396"));
}

#[test]
fn web_config_changes_what_we_only_propose() {
    let configured = [
        ("ASPNETCORE_URLS", "http://127.0.0.1:1"),
        ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "3"),
        ("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Mine"),
        ("ASPNETCORE_ANCM_HTTPS_PORT", "444"),
        ("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true"),
    ];
    let child = child(&[("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Theirs")], &configured);
    for (name, expected) in configured {
        assert_eq!(value(&child, name), Some(expected));
    }
}

#[test]
fn hides_what_the_frontend_alone_was_told() {
    let hidden = [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "ANCM_FRONTEND_LISTEN",
        "ancm_frontend_secret",
        "ASPNETCORE_FORWARDEDHEADERS_ENABLED",
        "ASPNETCORE_ANCM_HTTPS_PORT",
    ];
    let kept = ["LANG", "LISTEN_ADDRESS", "ANCM_FRONTENDLESS", "WATCHDOGS"];
    let inherited: Vec<_> = hidden.iter().chain(&kept).map(|name| (*name, "x")).collect();
    let child = child(&inherited, &[]);
    for name in hidden {
        assert_eq!(value(&child, name), None, "{name}");
    }
    for name in kept {
        assert_eq!(value(&child, name), Some("x"), "{name}");
    }
}

#[test]
fn tells_the_tls_port_if_there_is_one() {
    let sources = Sources { https_port: Some(443), ..sources(&[("ASPNETCORE_ANCM_HTTPS_PORT", "1")]) };
    let built = sources.build(&config(&[]), 21_396, "secret");
    assert!(built.contains(&("ASPNETCORE_ANCM_HTTPS_PORT".into(), "443".into())));
}

#[test]
fn appends_the_integration_to_inherited_assemblies_once() {
    for (inherited, expected) in [
        ("", "Microsoft.AspNetCore.Server.IISIntegration"),
        ("A", "A;Microsoft.AspNetCore.Server.IISIntegration"),
        (";A;", "A;Microsoft.AspNetCore.Server.IISIntegration"),
        ("microsoft.aspnetcore.server.iisintegration;A", "microsoft.aspnetcore.server.iisintegration;A"),
    ] {
        let child = child(&[("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", inherited)], &[]);
        assert_eq!(value(&child, "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES"), Some(expected));
    }
}

#[test]
fn takes_values_of_web_config_as_they_are_however_long() {
    let long = "x".repeat(400);
    let child = child(&[("HOME", "/home/site")], &[("A", "%HOME%"), ("B", long.as_str())]);
    assert_eq!(value(&child, "A"), Some("%HOME%"), "what was to be replaced has been");
    assert_eq!(value(&child, "B"), Some(long.as_str()));
}

#[test]
fn gives_a_value_to_every_spelling_of_its_name() {
    let child = child(&[("PATH", "/bin"), ("Other", "1")], &[("Path", "/bin:/opt"), ("OTHER", "2")]);
    assert_eq!(value(&child, "PATH"), Some("/bin:/opt"));
    assert_eq!(value(&child, "Path"), Some("/bin:/opt"));
    assert_eq!(value(&child, "Other"), Some("2"));
    assert_eq!(value(&child, "OTHER"), Some("2"));
}

#[test]
fn leaves_out_what_no_environment_can_hold() {
    let child = child(&[], &[("", "a"), ("A=B", "a"), ("N\0", "a"), ("V", "a\0"), ("GOOD", "a")]);
    assert_eq!(value(&child, "GOOD"), Some("a"));
    assert!(!child.iter().any(|(name, _)| name.is_empty() || name.contains('=') || name == "V"));
}

#[test]
fn prefers_inherited_values_when_it_is_told_to() {
    let inherited = [
        ("ANCM_PREFER_ENVIRONMENT_VARIABLES", "True"),
        ("MINE", "%inherited%"),
        ("EMPTY", ""),
        ("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Inherited"),
        ("ASPNETCORE_IIS_HTTPAUTH", "windows;"),
        ("ASPNETCORE_PORT", "1"),
        ("ASPNETCORE_TOKEN", "stale"),
    ];
    let child = child(&inherited, &[("MINE", "configured"), ("EMPTY", "configured"), ("NEW", "configured")]);
    assert_eq!(value(&child, "MINE"), Some("%inherited%"));
    assert_eq!(value(&child, "EMPTY"), Some("configured"));
    assert_eq!(value(&child, "NEW"), Some("configured"));
    assert_eq!(value(&child, "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES"), Some("Inherited"));
    assert_eq!(value(&child, "ASPNETCORE_IIS_HTTPAUTH"), Some("anonymous;"));
    assert_eq!(value(&child, "ASPNETCORE_PORT"), Some("21396"));
    assert_eq!(value(&child, "ASPNETCORE_TOKEN"), Some("secret"));
}

#[test]
fn does_not_prefer_inherited_values_for_any_other_word() {
    for wish in ["0", "yes", ""] {
        let inherited = [("ANCM_PREFER_ENVIRONMENT_VARIABLES", wish), ("MINE", "inherited")];
        assert_eq!(value(&child(&inherited, &[("MINE", "configured")]), "MINE"), Some("configured"));
    }
}

#[test]
fn leaves_the_host_a_second_less_than_it_has() {
    for (limit, expected) in [(0, "1"), (1, "1"), (2, "1"), (10, "9"), (600, "599")] {
        assert_eq!(host_seconds(Duration::from_secs(limit)), expected);
    }
    let child = child(&[], &[("DOTNET_SHUTDOWNTIMEOUTSECONDS", "5")]);
    assert_eq!(value(&child, "ASPNETCORE_SHUTDOWNTIMEOUTSECONDS"), None, "it would win over the other name");
}

#[test]
fn an_inherited_shutdown_timeout_does_not_outlast_ours_by_its_other_name() {
    const NAMES: [&str; 2] = ["ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "DOTNET_SHUTDOWNTIMEOUTSECONDS"];
    let inherited = [(NAMES[1], "600")];
    for (configured, expected) in [
        (&[][..], [Some("9"), Some("9")]),
        (&[(NAMES[0], "3")], [Some("3"), Some("3")]),
        (&[(NAMES[1], "5")], [None, Some("5")]),
    ] {
        let child = child(&inherited, configured);
        assert_eq!(NAMES.map(|name| value(&child, name)), expected, "{configured:?}");
    }
    assert_eq!(value(&child(&[], &[]), NAMES[1]), None);
}

#[test]
fn accepts_fixed_ports_in_the_range_of_the_original_only() {
    for (text, wish) in
        [("1025", PortWish::Fixed(1025)), ("48000", PortWish::Fixed(48_000)), ("", PortWish::Any)]
    {
        assert_eq!(port(&config(&[("ASPNETCORE_PORT", text)])), wish);
    }
    for text in ["0", "1024", "48001", "65536", "abc", "80x", "+5000", " 5000", "5000;http://x", "-1"] {
        let wish = port(&config(&[("aspnetcore_port", text)]));
        assert_eq!(wish, PortWish::Invalid(text.into()));
    }
    assert_eq!(port(&config(&[])), PortWish::Any);
}

#[test]
fn takes_a_token_from_web_config_unless_it_is_empty() {
    assert_eq!(token(&config(&[("ASPNETCORE_TOKEN", "mine")])), Some("mine"));
    assert_eq!(token(&config(&[("ASPNETCORE_TOKEN", "")])), None);
}

#[test]
fn adds_the_administrators_link_to_failures() {
    let page = |inherited: &[(&str, &str)]| {
        let failure = sources(inherited).add_link(StartFailure::new("it failed"));
        String::from_utf8(failure.page().to_vec()).unwrap()
    };
    assert!(page(&[("ANCM_ADDITIONAL_ERROR_PAGE_LINK", "http://help.test/")]).contains("http://help.test/"));
    assert_eq!(page(&[("ANCM_ADDITIONAL_ERROR_PAGE_LINK", "")]), page(&[]));
}
