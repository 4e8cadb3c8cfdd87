use super::*;
use crate::cli::applications::Applications;

/// A folder whose web.config has this inside of `system.webServer`.
fn site(inside: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("<configuration><system.webServer>\n{inside}\n</system.webServer></configuration>");
    fs::write(folder.path().join("web.config"), text).unwrap();
    folder
}

fn human(folder: &tempfile::TempDir) -> (bool, String) {
    let mut out = Vec::new();
    let wrong = check::<&str>(folder.path(), &[], false, &mut out).unwrap();
    (wrong, String::from_utf8(out).unwrap())
}

fn json(folder: &tempfile::TempDir) -> Value {
    let mut out = Vec::new();
    let wrong = check::<&str>(folder.path(), &[], true, &mut out).unwrap();
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["ok"], !wrong);
    value
}

const SH: &str = "<aspNetCore processPath='/bin/sh' arguments='-c &quot;exit 0&quot;' startupTimeLimit='7'>";

#[cfg(unix)]
#[test]
fn tells_what_holds_and_what_would_be_run() {
    let folder = site(&format!("{SH}</aspNetCore>"));
    let (wrong, text) = human(&folder);
    assert!(!wrong, "{text}");
    assert!(text.contains("2:69     startupTimeLimit          7 "), "{text}");
    assert!(text.contains("           shutdownTimeLimit         10 "), "{text}");
    assert!(text.contains("\n  /bin/sh -c \"exit 0\"\n"), "{text}");
    assert!(text.ends_with("\nNothing is wrong.\n"), "{text}");
}

#[cfg(unix)]
#[test]
fn tells_programs_the_same_in_versioned_json() {
    let value = json(&site(&format!("{SH}</aspNetCore>")));
    assert_eq!(value["version"], 1);
    assert_eq!(value["command"]["arguments"], json!(["-c", "exit 0"]));
    let setting = |name: &str| {
        value["settings"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap().clone()
    };
    let startup = setting("startupTimeLimit");
    assert_eq!(
        (&startup["value"], &startup["line"], &startup["default"]),
        (&json!("7"), &json!(2), &json!("120"))
    );
    assert_eq!(setting("hostingModel")["given"], false);
    assert_eq!(value["faults"], json!([]));
}

#[test]
fn faults_are_wrong_and_shown_with_their_lines() {
    let folder = site("<aspNetCore procesPath='dotnet'/>");
    let (wrong, text) = human(&folder);
    assert!(wrong);
    assert!(text.contains("1 fault\n") && text.contains("2 | <aspNetCore procesPath='dotnet'/>"), "{text}");
    let value = json(&folder);
    assert_eq!(value["faults"][0]["fix"], "write processPath");
    assert_eq!(value["settings"], Value::Null);
}

#[test]
fn a_program_that_cannot_be_run_is_wrong() {
    let folder = site("<aspNetCore processPath='./gone'/>");
    let (wrong, text) = human(&folder);
    assert!(wrong && text.contains("Cannot run\n  processPath \"./gone\" does not exist"), "{text}");
    assert!(json(&folder)["command"]["error"].as_str().unwrap().contains("does not exist"));
}

#[cfg(unix)]
#[test]
fn a_risk_is_wrong_and_what_is_not_honoured_is_not() {
    let open = site(&format!("{SH}</aspNetCore><security><ipSecurity allowUnlisted='false'/></security>"));
    let (wrong, text) = human(&open);
    assert!(wrong && text.contains("Risks: IIS would keep people out"), "{text}");
    assert!(text.contains("or accept it: --ignore-section ipSecurity\n"), "{text}");
    let mut out = Vec::new();
    assert!(!check(open.path(), &["ipsecurity"], false, &mut out).unwrap());
    assert!(String::from_utf8(out).unwrap().contains("accepted: --ignore-section ipSecurity"));
    let (wrong, text) = human(&site(&format!("{SH}</aspNetCore><caching/>")));
    assert!(!wrong && text.contains("Not honoured\n  2:"), "{text}");
}

#[cfg(unix)]
#[test]
fn secrets_are_never_shown() {
    let folder = site(
        "<aspNetCore processPath='/bin/sh' arguments='--api-key s3cr3t'><environmentVariables>
        <environmentVariable name='ASPNETCORE_TOKEN' value='s3cr3t'/>
        <environmentVariable name='ConnectionStrings__Db' value='Server=a;s3cr3t'/>
        <environmentVariable name='Plain' value='seen'/></environmentVariables></aspNetCore>",
    );
    let (_, text) = human(&folder);
    assert!(!text.contains("s3cr3t") && !json(&folder).to_string().contains("s3cr3t"), "{text}");
    assert!(text.contains("Plain=seen") && text.contains("ASPNETCORE_TOKEN=******"), "{text}");
}

#[cfg(unix)]
#[test]
fn the_limit_of_kestrel_is_named_unless_it_is_cleared() {
    let limits = "<security><requestFiltering><requestLimits maxAllowedContentLength='99000000'/></requestFiltering></security>";
    let folder = site(&format!("{SH}</aspNetCore>{limits}"));
    let (wrong, text) = human(&folder);
    assert!(!wrong && text.contains(CLEAR_LIMIT), "{text}");
    let cleared = format!("{{\"runtimeOptions\":{{\"configProperties\":{{\"{CLEAR_LIMIT}\":true}}}}}}");
    fs::write(folder.path().join("Site.runtimeconfig.json"), cleared).unwrap();
    assert!(!human(&folder).1.contains(CLEAR_LIMIT));
}

#[test]
fn a_folder_without_the_file_is_wrong() {
    let (wrong, text) = human(&tempfile::tempdir().unwrap());
    assert!(wrong && text.contains("there is no such file"), "{text}");
}

#[cfg(unix)]
#[test]
fn explains_each_of_several_applications_with_what_it_inherits() {
    let parent = site(&format!("{SH}</aspNetCore>"));
    let child = site("<aspNetCore shutdownTimeLimit='3'/>");
    let broken = site("<aspNetCore procesPath='dotnet'/>");
    let place = |at: &str, folder: &tempfile::TempDir| format!("{at}={}", folder.path().display());
    let places = [place("/", &parent), place("/child", &child), place("h/", &broken)];
    let places = places.iter().map(|text| text.parse().unwrap()).collect();
    let applications = Applications { dir: None, places }.placed().unwrap();
    let run = |json| {
        let mut out = Vec::new();
        assert!(check_all::<&str>(&applications, &[], json, &mut out).unwrap(), "one of them is wrong");
        String::from_utf8(out).unwrap()
    };
    let text = run(false);
    let above = format!("Application /child\ninherits from {}\n", parent.path().display());
    assert!(text.contains(&above) && text.contains("Application h/\n"), "{text}");
    assert!(text.contains("  above    startupTimeLimit          7 "), "{text}");
    let value: Value = serde_json::from_str(&run(true)).unwrap();
    assert_eq!((&value["version"], &value["ok"]), (&json!(1), &json!(false)));
    let [root, child, broken] = value["applications"].as_array().unwrap().as_slice() else {
        panic!("{value}")
    };
    assert_eq!(
        (&root["application"], &root["ok"], &root["inheritsFrom"]),
        (&json!("/"), &json!(true), &json!([]))
    );
    assert_eq!(child["command"]["program"], "/bin/sh");
    let setting =
        child["settings"].as_array().unwrap().iter().find(|s| s["name"] == "startupTimeLimit").unwrap();
    assert_eq!((&setting["inherited"], &setting["given"]), (&json!(true), &json!(false)));
    assert_eq!(broken["faults"][0]["fix"], "write processPath");
}
