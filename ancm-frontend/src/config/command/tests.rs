#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

const NATIVE: &[u8] = b"#!/bin/sh\n";
const WINDOWS: &[u8] = b"MZ\x90\0";
const PORTABLE: &str =
    r#"{"runtimeOptions":{"framework":{"name":"Microsoft.AspNetCore.App","version":"10.0.0"}}}"#;
const SELF_CONTAINED: &str =
    r#"{"runtimeOptions":{"includedFrameworks":[{"name":"Microsoft.NETCore.App"}]}}"#;

/// A site root, and a folder on `PATH` that has `dotnet`.
struct Site {
    folder: tempfile::TempDir,
    tools: tempfile::TempDir,
}

impl Site {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), tools: tempfile::tempdir().unwrap() };
        put(&site.tools.path().join("dotnet"), NATIVE, 0o755);
        for (name, content) in files {
            put(&site.path(name), content, 0o755);
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn dotnet(&self) -> PathBuf {
        self.tools.path().join("dotnet")
    }

    fn resolve(&self, process_path: &str, arguments: &str) -> Result<Command, CommandError> {
        self.resolve_in(process_path, arguments, &[("PATH", self.tools.path().to_str().unwrap())])
    }

    fn resolve_in(
        &self,
        path: &str,
        arguments: &str,
        environment: &[(&str, &str)],
    ) -> Result<Command, CommandError> {
        let config = Config {
            site_root: self.folder.path().into(),
            process_path: path.into(),
            arguments: arguments.into(),
            ..Config::default()
        };
        let lookup = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        resolve(&config, &lookup)
    }

    fn program(&self, process_path: &str) -> PathBuf {
        self.resolve(process_path, "").unwrap().program
    }

    fn error(&self, process_path: &str) -> String {
        self.resolve(process_path, "x").unwrap_err().to_string()
    }

    fn arguments(&self, text: &str) -> Vec<String> {
        self.resolve("dotnet", text).unwrap().arguments
    }
}

fn put(path: &Path, content: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_bare_name_is_looked_for_in_the_site_root_and_then_on_path() {
    let site = Site::new(&[("tool", NATIVE)]);
    assert_eq!(site.program("tool"), site.path("tool"));
    assert_eq!(site.resolve("dotnet", "x").unwrap().program, site.dotnet());
    assert_eq!(site.resolve("dotnet.exe", "x").unwrap().program, site.dotnet());
    let own = Site::new(&[("dotnet", NATIVE)]);
    assert_eq!(own.resolve("dotnet", "x").unwrap().program, own.path("dotnet"));
}

#[test]
fn only_what_can_be_run_is_taken_from_path() {
    let site = Site::new(&[]);
    let other = tempfile::tempdir().unwrap();
    put(&other.path().join("dotnet"), NATIVE, 0o644);
    fs::create_dir(other.path().join("tool")).unwrap();
    put(&site.tools.path().join("tool"), NATIVE, 0o755);
    let path = format!("relative:{}:{}", other.path().display(), site.tools.path().display());
    assert_eq!(site.resolve_in("dotnet", "x", &[("PATH", &path)]).unwrap().program, site.dotnet());
    assert_eq!(
        site.resolve_in("tool", "", &[("PATH", &path)]).unwrap().program,
        site.tools.path().join("tool")
    );
}

#[test]
fn a_path_is_relative_to_the_site_root_and_path_is_not_searched() {
    let site = Site::new(&[("bin/tool", NATIVE)]);
    for path in
        [r".\bin\tool", "./bin/tool", r"bin\tool", r"\\?\bin\tool", site.path("bin/tool").to_str().unwrap()]
    {
        assert_eq!(
            site.program(path).canonicalize().unwrap(),
            site.path("bin/tool").canonicalize().unwrap(),
            "{path}"
        );
    }
    let error = site.error("./dotnet");
    assert!(error.contains("does not exist; looked for") && !error.contains("PATH /"), "{error}");
}

#[test]
fn a_windows_name_means_the_file_without_exe() {
    let site = Site::new(&[("Single", NATIVE)]);
    let command = site.resolve(r".\Single.exe", "a").unwrap();
    assert_eq!(command.program, site.path("Single"));
    assert_eq!(command.arguments, ["a"]);
    assert!(command.notes[0].contains("Single is run for processPath"), "{:?}", command.notes);
}

#[test]
fn a_name_of_another_case_means_the_only_file_that_there_is() {
    let site = Site::new(&[("Bin/Site", NATIVE)]);
    assert_eq!(site.program(r".\bin\SITE.EXE"), site.path("Bin/Site"));
    let two = Site::new(&[("site", NATIVE), ("SITE", NATIVE)]);
    assert!(
        two.error("./Site").contains("more than one file differs in case only"),
        "{}",
        two.error("./Site")
    );
    assert_eq!(two.program("./site"), two.path("site"));
}

#[test]
fn a_windows_program_beside_a_portable_assembly_runs_by_dotnet() {
    let config = ("Site.runtimeconfig.json", PORTABLE.as_bytes());
    let with = Site::new(&[("Site.exe", WINDOWS), ("Site.dll", b"MZ"), config]);
    let without = Site::new(&[("Site.dll", b"MZ"), config]);
    for (site, why) in [(with, "is a program for Windows"), (without, "does not exist")] {
        let command = site.resolve(r".\Site.exe", "--a b").unwrap();
        assert_eq!(
            (command.program, command.arguments),
            (site.dotnet(), vec!["Site.dll".into(), "--a".into(), "b".into()])
        );
        assert!(
            command.notes[0].ends_with(&format!("{why}: running `dotnet Site.dll` instead")),
            "{:?}",
            command.notes
        );
    }
}

#[test]
fn a_native_twin_is_preferred_to_a_windows_program() {
    let config = ("Site.runtimeconfig.json", PORTABLE.as_bytes());
    let site = Site::new(&[("Site.exe", WINDOWS), ("Site", NATIVE), ("Site.dll", b"MZ"), config]);
    assert_eq!(site.program(r".\Site.exe"), site.path("Site"));
}

#[test]
fn a_windows_program_that_nothing_can_run_says_how_to_publish() {
    let alone = Site::new(&[("Site.exe", WINDOWS)]);
    let config = ("Site.runtimeconfig.json", SELF_CONTAINED.as_bytes());
    let self_contained = Site::new(&[("Site.exe", WINDOWS), ("Site.dll", b"MZ"), config]);
    for site in [alone, self_contained] {
        let error = site.error("Site.exe");
        assert!(error.contains("Site.exe cannot run here: it is a program for Windows; publish"), "{error}");
    }
}

#[test]
fn a_portable_assembly_without_dotnet_says_what_to_install() {
    let site = Site::new(&[("Site.dll", b"MZ"), ("Site.runtimeconfig.json", PORTABLE.as_bytes())]);
    let error = site.resolve_in("./Site.exe", "", &[("PATH", "/nowhere")]).unwrap_err().to_string();
    assert!(error.contains("needs .NET: install the ASP.NET Core Runtime"), "{error}");
}

#[test]
fn dotnet_is_found_where_its_variable_points() {
    let site = Site::new(&[]);
    let environment = [("PATH", "/nowhere"), ("DOTNET_ROOT", site.tools.path().to_str().unwrap())];
    assert_eq!(site.resolve_in("dotnet", "x", &environment).unwrap().program, site.dotnet());
}

#[test]
fn what_does_not_exist_is_named_with_every_place() {
    let site = Site::new(&[]);
    let error = site.error(r".\Gone.exe");
    assert!(error.starts_with(r#"processPath ".\Gone.exe" does not exist; looked for "#), "{error}");
    assert!(error.contains("/Gone.exe, ") && error.ends_with("/Gone"), "{error}");
    assert!(site.error("gone").contains(&format!("PATH {}", site.tools.path().display())));
    assert!(site.error("%TOOLS%/x").contains("the variable TOOLS is not set"));
    assert!(site.error(r"C:\app\x.exe").contains("a path of Windows"));
    let error = site.resolve_in("dotnet", "x", &[]).unwrap_err().to_string();
    assert!(error.contains("PATH, which is empty; install the ASP.NET Core Runtime"), "{error}");
}

#[test]
fn what_cannot_be_run_is_named_with_the_reason() {
    let arm: &[u8] = b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xFE\xFE";
    let site =
        Site::new(&[("foreign", arm), ("empty", b""), ("crlf", b"#!/bin/sh\r\n"), ("lost", b"#!/no/such\n")]);
    put(&site.path("plain"), NATIVE, 0o644);
    fs::create_dir(site.path("folder")).unwrap();
    for (name, part) in [
        ("plain", "plain is not executable; run: chmod +x '"),
        ("folder", "folder is a directory, not a program"),
        ("foreign", "foreign cannot run here: it is a program for another processor"),
        ("empty", "empty cannot run here: it is empty"),
        ("crlf", "line ends of Windows; convert"),
        ("lost", "after #!, /no/such, does not exist"),
    ] {
        let error = site.error(&format!("./{name}"));
        assert!(error.contains(part) && error.contains(site.folder.path().to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_foreign_program_with_a_portable_twin_says_what_to_write() {
    let foreign: &[u8] = b"\xCF\xFA\xED\xFE";
    let config = ("Site.runtimeconfig.json", PORTABLE.as_bytes());
    let site = Site::new(&[("Site", foreign), ("Site.dll", b"MZ"), config]);
    let error = site.error("./Site");
    assert!(error.contains(r#"write processPath="dotnet" arguments=".\Site.dll""#), "{error}");
}

#[test]
fn backslashes_are_turned_in_arguments_that_name_files_of_the_site() {
    let site = Site::new(&[("Site.dll", b""), ("conf/a b.json", b"")]);
    assert_eq!(site.arguments(r".\Site.dll"), ["./Site.dll"]);
    assert_eq!(site.arguments(r"Site.dll -f conf\a"), ["Site.dll", "-f", r"conf\a"]);
    assert_eq!(site.arguments(r#".\Site.dll "conf\a b.json" a\b"#), ["./Site.dll", "conf/a b.json", r"a\b"]);
    assert_eq!(site.arguments(r".\SITE.dll"), ["Site.dll"]);
}

#[test]
fn the_whole_string_may_be_one_file_without_quotes() {
    let site = Site::new(&[("My Site.dll", b"")]);
    assert_eq!(site.arguments(r".\My Site.dll"), ["./My Site.dll"]);
    assert_eq!(site.arguments(r"My Site.dll x"), ["My", "Site.dll", "x"]);
}

#[test]
fn dotnet_without_arguments_has_nothing_to_run() {
    let error = Site::new(&[]).resolve("dotnet", " ").unwrap_err();
    assert!(matches!(error, CommandError::NothingForDotnet), "{error}");
}

#[test]
fn an_argument_that_names_no_file_is_noted() {
    let site = Site::new(&[]);
    for (arguments, part) in [("Gone.dll", "names no file below"), (r"C:\a\Gone.dll", "is a path of Windows")]
    {
        let notes = site.resolve("dotnet", arguments).unwrap().notes;
        assert!(notes[0].contains(part), "{notes:?}");
    }
}

#[test]
fn the_launcher_variables_replace_what_the_file_says() {
    let site = Site::new(&[("a", NATIVE), ("b", NATIVE)]);
    let command =
        site.resolve_in("./a", "1", &[("ANCM_LAUNCHER_PATH", "./b"), ("ANCM_LAUNCHER_ARGS", "2 3")]).unwrap();
    assert_eq!((command.program, command.arguments), (site.path("b"), vec!["2".into(), "3".into()]));
    let command =
        site.resolve_in("./a", "1", &[("ANCM_LAUNCHER_PATH", ""), ("ANCM_LAUNCHER_ARGS", "2")]).unwrap();
    assert_eq!((command.program, command.arguments), (site.path("a"), vec!["2".into()]));
    let placeholders =
        site.resolve_in("%LAUNCHER_PATH%", "%LAUNCHER_ARGS%", &[("ANCM_LAUNCHER_PATH", "./b")]).unwrap();
    assert!(placeholders.arguments.is_empty());
}

#[test]
fn every_published_application_has_its_program() {
    let Ok(apps) = std::env::var("ANCM_TEST_KESTREL").map(PathBuf::from) else {
        assert!(
            std::env::var("ANCM_TEST_REQUIRE").is_err(),
            "ANCM_TEST_KESTREL must name the published applications"
        );
        return eprintln!("skipped: ANCM_TEST_KESTREL does not name a folder of published applications");
    };
    let path = apps.join("dotnet").to_str().unwrap().to_owned();
    for (app, program, arguments) in [
        ("site", "dotnet/dotnet", &["./Site.dll"][..]),
        ("classic", "dotnet/dotnet", &["./Classic.dll"]),
        ("slim", "dotnet/dotnet", &["./Slim.dll"]),
        ("site-win", "dotnet/dotnet", &["Site.dll"]),
        ("site8", "site8/Site", &[]),
        ("single", "single/Single", &[]),
    ] {
        let loaded = crate::config::load(&apps.join(app)).unwrap();
        let command = resolve(&loaded.config, &|name| (name == "PATH").then(|| path.clone())).unwrap();
        assert_eq!(
            (command.program, command.arguments),
            (apps.join(program), arguments.iter().map(|a| (*a).into()).collect())
        );
    }
}
