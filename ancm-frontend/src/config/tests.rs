use std::path::Path;

use proptest::prelude::*;

use super::*;

const FULL: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<!-- licence -->
<configuration>
  <location path="." inheritInChildApplications="false">
    <system.webServer>
      <aspNetCore requestTimeout="23:00:00" processPath=".\Shop.exe" arguments="-x &quot;a b&quot; &amp;"
                  startupTimeLimit="3600" shutdownTimeLimit="600" rapidFailsPerMinute="100"
                  stdoutLogEnabled="True" stdoutLogFile="\\?\%home%\LogFiles\stdout" processesPerApplication="4"
                  forwardWindowsAuthToken="false" disableStartUpErrorPage="TRUE" hostingModel="OutOfProcess">
        <?ap-config <environmentVariables><environmentVariable name="NOT" value="markup" /></environmentVariables> ?>
        <!-- <environmentVariable name="NOR" value="this" /> -->
        <environmentVariables>
          <environmentVariable name="DROPPED" value="x" />
          <clear />
          <environmentVariable value="a > b" name="Section__Key" />
          <environmentVariable name="CACHE" value="%HOME%/cache" />
          <environmentVariable name="EMPTY" value="" />
        </environmentVariables>
        <handlerSettings>
          <handlerSetting name="debugLevel" value="ERROR, TRACE" />
        </handlerSettings>
        <recycleOnFileChange>
          <file path=".\version.txt" />
        </recycleOnFileChange>
      </aspNetCore>
    </system.webServer>
  </location>
  <system.webServer>
    <webSocket enabled="False" pingInterval="00:00:10" />
    <httpProtocol><customHeaders><clear /><add name="X-Frame-Options" value="DENY" /></customHeaders></httpProtocol>
    <security><requestFiltering allowDoubleEscaping="true" removeServerHeader="True">
      <requestLimits maxAllowedContentLength="4294967295" maxUrl="8192" maxQueryString="0" />
    </requestFiltering></security>
  </system.webServer>
</configuration>
<!--ProjectGuid: 1-->
"#;

fn environment(name: &str) -> Option<String> {
    name.eq_ignore_ascii_case("HOME").then(|| "/home/shop".to_owned())
}

fn parsed(text: &str) -> Result<Loaded, ConfigErrors> {
    parse(text.as_bytes(), Path::new("w"), Path::new("/srv/shop"), &environment)
}

/// A file with this inside of `system.webServer`.
fn web_server(inside: &str) -> String {
    format!("<configuration><system.webServer>\n{inside}\n</system.webServer></configuration>")
}

fn lines(text: &str) -> String {
    parsed(text).unwrap_err().to_string()
}

#[cfg(unix)]
#[test]
fn reads_every_setting() {
    let expected = Config {
        site_root: "/srv/shop".into(),
        process_path: r".\Shop.exe".into(),
        arguments: "-x \"a b\" &".into(),
        startup_time_limit: Duration::from_secs(3_600),
        shutdown_time_limit: Duration::from_secs(600),
        rapid_fails_per_minute: 100,
        request_timeout: Duration::from_secs(23 * 3_600),
        stdout_log_enabled: true,
        stdout_log_file: "/home/shop/LogFiles/stdout".into(),
        processes_per_application: 4,
        forward_windows_auth_token: false,
        disable_start_up_error_page: true,
        hosting_model: HostingModel::OutOfProcess,
        environment_variables: vec![
            ("Section__Key".into(), "a > b".into()),
            ("CACHE".into(), "/home/shop/cache".into()),
            ("EMPTY".into(), String::new()),
        ],
        handler_settings: vec![("debugLevel".into(), "ERROR, TRACE".into())],
        recycle_on_file_change: vec!["./version.txt".into()],
        max_allowed_content_length: 4_294_967_295,
        max_url: Some(8_192),
        max_query_string: Some(0),
        remove_server_header: true,
        web_socket_enabled: false,
        custom_headers: vec![("X-Frame-Options".into(), "DENY".into())],
        ..Config::default()
    };
    let loaded = parsed(FULL).unwrap();
    assert_eq!(loaded.config, expected);
    assert_eq!(loaded.config.handler_setting("DEBUGLEVEL"), Some("ERROR, TRACE"));
}

#[test]
fn reads_the_same_from_every_encoding() {
    let expected = parsed(FULL).unwrap().config;
    let marked = format!("\u{FEFF}{FULL}");
    let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [marked.into_bytes(), little, big, FULL.replace('\n', "\r\n").into_bytes()] {
        let loaded = parse(&bytes, Path::new("w"), Path::new("/srv/shop"), &environment).unwrap();
        assert_eq!(loaded.config, expected);
    }
}

#[test]
fn what_is_not_given_has_its_default() {
    let config = parsed(&web_server("<aspNetCore processPath='dotnet'/>")).unwrap().config;
    assert_eq!(
        config,
        Config { site_root: "/srv/shop".into(), process_path: "dotnet".into(), ..Config::default() }
    );
}

#[test]
fn names_all_faults_at_once_in_the_order_of_their_places() {
    let text = web_server(
        "<aspNetCore procesPath='dotnet' startupTimeLimit='4000' requestTimeout='00:60:00'\n \
         stdoutLogEnabled='yes' hostingModel='inproc' nonsense='1'>\n\
         <environmentVariables><add name='A' value='b'/><environmentVariable name='' value='x'/>\
         <environmentVariable name='A'/><environmentVariable name='A=B' value=''/></environmentVariables>\n\
         <enviromentVariables/><recycleOnFileChange><file/></recycleOnFileChange></aspNetCore>\n\
         <security><requestFiltering><requestLimits maxAllowedContentLenght='1'/></requestFiltering></security>",
    );
    let expected = "\
w:2:13: aspNetCore has no attribute \"procesPath\"; fix: write processPath
w:2:33: startupTimeLimit=\"4000\" is out of range; allowed: 0 to 3600 seconds; fix: write a value in the range; the nearest is 3600
w:2:57: requestTimeout=\"00:60:00\" has more than 59 minutes or seconds; allowed: 00:00:00 to 360:00:00; fix: write hours:minutes:seconds, such as 00:02:00 for two minutes
w:3:2: stdoutLogEnabled=\"yes\" is neither true nor false; allowed: true, false; fix: write true
w:3:25: hostingModel=\"inproc\" is not a hosting model; allowed: inprocess, outofprocess; fix: write inprocess; it runs out of process either way
w:3:47: aspNetCore has no attribute \"nonsense\"; allowed: processPath, arguments, startupTimeLimit, shutdownTimeLimit, rapidFailsPerMinute, requestTimeout, stdoutLogEnabled, stdoutLogFile, processesPerApplication, forwardWindowsAuthToken, disableStartUpErrorPage, hostingModel; fix: remove it
w:4:23: environmentVariables has no element \"add\"; allowed: environmentVariable, clear; fix: write environmentVariable instead of add
w:4:69: name is empty; fix: give it a value
w:4:88: environmentVariable has no value; fix: add value=\"…\"
w:4:119: a variable cannot have the name \"A=B\"; fix: remove the =
w:5:1: aspNetCore has no element \"enviromentVariables\"; fix: write environmentVariables
w:5:44: file has no path; fix: add path=\"…\"
w:6:44: requestLimits has no attribute \"maxAllowedContentLenght\"; fix: write maxAllowedContentLength";
    assert_eq!(lines(&text), expected);
}

#[test]
fn an_application_without_a_program_is_a_fault() {
    let expected = "w:2:1: aspNetCore has no processPath: it does not say what to start; fix: add \
        processPath=\"dotnet\" arguments=\".\\YourApp.dll\", or run `dotnet publish`, which does so";
    assert_eq!(lines(&web_server("<aspNetCore arguments='x'/>")), expected);
    assert!(
        lines(&web_server("<aspNetCore processPath=''/>")).starts_with("w:2:13: processPath=\"\" is empty")
    );
}

#[test]
fn renders_a_fault_with_the_line_and_a_caret() {
    let text = web_server("\t<aspNetCore processPath='é' startupTimeLimit='4000' />");
    let expected = "\
error: startupTimeLimit=\"4000\" is out of range
 --> w:2:30
  |
2 |  <aspNetCore processPath='é' startupTimeLimit='4000' />
  |                              ^^^^^^^^^^^^^^^^^^^^^^^
  = allowed: 0 to 3600 seconds
  = fix: write a value in the range; the nearest is 3600
";
    assert_eq!(parsed(&text).unwrap_err().render(), expected);
}

#[test]
fn a_quoted_line_shows_no_secrets() {
    let text = web_server(
        "<aspNetCore processPath='x'><environmentVariables>\
         <environmentVariable name='DB_PASSWORD' value='hunter2' oops='1'/></environmentVariables></aspNetCore>",
    );
    let errors = parsed(&text).unwrap_err();
    assert!(errors.render().contains("name='DB_PASSWORD' value='*******'"), "{}", errors.render());
    assert!(!format!("{errors:?}").contains("hunter2"));
}

#[test]
fn the_location_of_this_folder_wins_over_the_rest_of_the_file() {
    let text = "<configuration>
        <location><system.webServer><aspNetCore processPath='inner'/></system.webServer></location>
        <system.webServer><aspNetCore processPath='outer' startupTimeLimit='7'/></system.webServer></configuration>";
    let loaded = parsed(text).unwrap();
    assert_eq!(loaded.config.process_path, "inner");
    assert_eq!(loaded.config.startup_time_limit.as_secs(), 7);
    assert_eq!(loaded.notes[0].code, "section-in-both-halves");
}

#[test]
fn a_section_given_twice_in_one_half_is_a_fault() {
    let text = web_server("<aspNetCore processPath='a'/>\n<aspNetCore processPath='b'/>");
    assert!(lines(&text).starts_with("w:3:1: aspNetCore is given twice"), "{}", lines(&text));
}

#[test]
fn an_attribute_given_twice_in_different_case_is_a_fault() {
    let text = web_server("<aspNetCore processPath='a' ProcessPath='b'/>");
    assert!(lines(&text).starts_with("w:2:29: processPath is given twice"), "{}", lines(&text));
}

#[test]
fn the_last_of_two_variables_wins_and_is_noted_whatever_their_case() {
    let text = web_server(
        "<aspNetCore processPath='a'><environmentVariables>\
         <environmentVariable name='A' value='1'/><environmentVariable name='B' value='2'/>\
         <environmentVariable name='a' value='3'/><environmentVariable name='B' value='4'/>\
         </environmentVariables></aspNetCore>",
    );
    let loaded = parsed(&text).unwrap();
    let expected = [("a".to_owned(), "3".to_owned()), ("B".to_owned(), "4".to_owned())];
    assert_eq!(loaded.config.environment_variables, expected);
    let texts: Vec<_> = loaded.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(texts[0].contains("differs from \"A\" in case only"), "{texts:?}");
    assert!(texts[1].contains("\"B\" is given twice"), "{texts:?}");
}

#[test]
fn a_transform_is_refused_for_what_it_is() {
    let text = "<configuration xmlns:xdt='http://schemas.microsoft.com/XML-Document-Transform'>
        <location><system.webServer><aspNetCore xdt:Transform='Replace'/></system.webServer></location></configuration>";
    assert!(lines(text).starts_with("w:2:49: this is a transform"), "{}", lines(text));
    assert_eq!(parsed(text).unwrap_err().faults().len(), 1);
}

#[test]
fn stray_text_and_a_bare_number_of_minutes_are_noted() {
    let loaded = parsed(&web_server(
        "<aspNetCore processPath='a' requestTimeout='20'>;<environmentVariables/></aspNetCore>",
    ));
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config.request_timeout.as_secs(), 1_200);
    let codes: Vec<_> = loaded.notes.iter().map(|note| note.code).collect();
    assert_eq!(codes, ["bare-minutes", "stray-text"]);
}

#[test]
fn garbage_of_any_size_is_one_clear_fault() {
    for (bytes, code) in [
        (vec![b'x'; 10_000_000], "too-large"),
        (vec![0xE9; 1_000_000], "wrong-encoding"),
        (vec![0; 1_000], "not-xml"),
        (Vec::new(), "empty-file"),
        (b"\x1f\x8b\x08 compressed".to_vec(), "wrong-encoding"),
    ] {
        let errors = parse(&bytes, Path::new("w"), Path::new("."), &environment).unwrap_err();
        assert_eq!(errors.faults().len(), 1);
        assert_eq!(errors.faults()[0].code, code);
        assert!(errors.to_string().len() < 500, "{errors}");
    }
}

#[test]
fn a_file_of_a_hundred_thousand_faults_is_refused_at_once() {
    let text =
        web_server(&format!("<aspNetCore processPath='a'>{}</aspNetCore>", "<a b='c'/>".repeat(90_000)));
    let errors = parsed(&text).unwrap_err();
    assert_eq!((errors.faults().len(), errors.more()), (100, 89_900));
}

#[test]
fn loads_the_file_of_a_folder_and_names_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, program: &str| {
        let text = web_server(&format!("<aspNetCore processPath='{program}'/>"));
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    write("web.config", "exact");
    write("Web.config", if cfg!(target_os = "linux") { "other" } else { "exact" });
    let loaded = load(folder.path()).unwrap();
    assert_eq!(loaded.config.process_path, "exact");
    assert_eq!(loaded.file, folder.path().join("web.config"));
    if cfg!(target_os = "linux") {
        assert_eq!(loaded.notes[0].text, "web.config is used; Web.config is not read");
    }
}

#[test]
fn a_folder_without_the_file_is_one_fault() {
    let folder = tempfile::tempdir().unwrap();
    let text = load(folder.path()).unwrap_err().to_string();
    assert!(text.contains("web.config: there is no such file; fix: serve the folder that"), "{text}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_configuration_or_faults(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(errors) = parse(&bytes, Path::new("w"), Path::new("."), &environment) {
            prop_assert!(!errors.faults().is_empty());
            let _ = errors.render();
        }
    }

    #[test]
    fn a_damaged_file_is_a_configuration_or_faults(
        cut in 0usize..FULL.len(), length in 0usize..40, put in proptest::collection::vec(any::<u8>(), 0..10)
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        let end = (cut + length).min(bytes.len());
        bytes.splice(cut..end, put);
        if let Err(errors) = parse(&bytes, Path::new("w"), Path::new("."), &environment) {
            prop_assert!(!errors.faults().is_empty());
            let _ = (errors.render(), errors.to_string());
        }
    }

    #[test]
    fn any_values_are_taken_or_refused(values in proptest::collection::vec("[^<&\"]{0,12}", 13)) {
        let attributes = attributes::of("aspNetCore").zip(&values);
        let attributes = attributes.map(|(attribute, value)| format!(" {}=\"{value}\"", attribute.name));
        let attributes = attributes.collect::<Vec<_>>().concat();
        let _ = parsed(&web_server(&format!("<aspNetCore{attributes}/>")));
    }
}
