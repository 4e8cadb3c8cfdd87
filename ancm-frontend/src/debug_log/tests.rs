use std::fs;

use tracing_subscriber::layer::SubscriberExt;

use super::*;

type Taken = Arc<Mutex<Vec<(Level, Option<String>, String)>>>;

/// Two sites, and what is logged while `act` runs.
struct Rig {
    folder: tempfile::TempDir,
    event_log: Taken,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, event_log: Taken::default() }
    }

    fn config(&self, site: &str, level: &str, file: &str) -> Config {
        let settings = [("debugLevel", level), ("debugFile", file)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config { site_root: self.path(site), handler_settings: settings.into(), ..Config::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, variables: &[(&str, &str)], act: impl FnOnce(&DebugLogs)) {
        let environment = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let taken = Arc::clone(&self.event_log);
        let logs = DebugLogs::new(&environment, move |level, application, text| {
            taken.lock().unwrap().push((level, application.map(str::to_owned), text.to_owned()));
        });
        let subscriber = tracing_subscriber::registry().with(logs.layer());
        tracing::subscriber::with_default(subscriber, || act(&logs));
        logs.finish();
    }

    /// The lines of a file, without the part that differs and without the introduction.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        let line = |line: &str| line.split_once("] [ancm] ").expect("the head of a line").1.to_owned();
        text.lines().map(line).filter(|line| !line.contains("the debug log begins")).collect()
    }

    fn taken(&self) -> Vec<String> {
        let taken = self.event_log.lock().unwrap();
        taken.iter().map(|(level, whose, text)| format!("{level} {whose:?} {text}")).collect()
    }
}

#[test]
fn an_application_has_what_is_about_it_and_what_is_about_none() {
    let rig = Rig::new();
    rig.run(&[], |logs| {
        let one = logs.open("one", &rig.config("a", "file", ""));
        let _two = logs.open("two", &rig.config("b", "FILE, Trace", r"logs\lög.txt"));
        tracing::info!(target: "server", application = "one", "first");
        tracing::info!(target: "server", application = "two", "second");
        tracing::debug!(target: "server", "of nobody, in detail");
        tracing::warn!(target: "server", reason = "a b", "of nobody");
        tracing::info!(target: "app", site = "one", "printed");
        tracing::info!(target: "access", application = "two", "a request");
        tracing::info!(target: "hyper", "from elsewhere");
        drop(one);
        tracing::info!(target: "server", application = "one", "too late");
    });
    assert_eq!(
        rig.lines("a/aspnetcore-debug.log"),
        ["INFO first application=one", "WARN of nobody reason=\"a b\""]
    );
    assert_eq!(
        rig.lines("b/logs/lög.txt"),
        [
            "INFO second application=two",
            "DEBUG of nobody, in detail",
            "WARN of nobody reason=\"a b\"",
            "INFO a request application=two",
        ]
    );
}

#[test]
fn the_file_begins_with_the_program_its_version_and_the_site() {
    let rig = Rig::new();
    rig.run(&[], |logs| drop(logs.open("shop", &rig.config("a", "file", ""))));
    let text = fs::read_to_string(rig.path("a/aspnetcore-debug.log")).unwrap();
    for part in [
        "the debug log begins: ",
        env!("CARGO_PKG_VERSION"),
        &format!("process {}", std::process::id()),
        "application \"shop\"",
        &rig.path("a").display().to_string(),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_file_without_a_level_stays_empty_and_a_level_without_a_place_makes_none() {
    let rig = Rig::new();
    rig.run(&[], |logs| {
        let _file = logs.open("a", &rig.config("a", "", "x.log"));
        let _level = logs.open("b", &rig.config("b", "trace", ""));
        tracing::error!(target: "server", "hello");
    });
    assert_eq!(fs::read_to_string(rig.path("a/x.log")).unwrap(), "");
    assert!(!rig.path("b").exists());
}

#[test]
fn nothing_is_let_through_where_nobody_asks_and_no_more_than_is_asked_for() {
    let rig = Rig::new();
    rig.run(&[], |logs| {
        assert!(!tracing::enabled!(target: "server", Level::ERROR));
        let log = logs.open("a", &rig.config("a", "file,warning", ""));
        assert!(tracing::enabled!(target: "server", Level::WARN));
        assert!(!tracing::enabled!(target: "server", Level::INFO));
        drop(log);
        assert!(!tracing::enabled!(target: "server", Level::ERROR));
    });
}

#[test]
fn the_variables_hold_for_every_application_and_the_file_of_its_own_wins() {
    let rig = Rig::new();
    let shared = rig.path("far/shared.log").display().to_string();
    rig.run(&[("ASPNETCORE_MODULE_DEBUG", "error"), ("ASPNETCORE_MODULE_DEBUG_FILE", &shared)], |logs| {
        tracing::error!(target: "server", "early");
        let _one = logs.open("one", &rig.config("a", "", ""));
        let _two = logs.open("two", &rig.config("b", "file,info", "own.log"));
        tracing::error!(target: "server", application = "one", "first");
        tracing::error!(target: "server", application = "two", "second");
        tracing::info!(target: "server", application = "one", "not asked for");
        tracing::error!(target: "server", application = "three", "of one without a log");
    });
    let early =
        ["ERROR early", "ERROR first application=one", "ERROR of one without a log application=three"];
    assert_eq!(rig.lines("far/shared.log"), early);
    assert_eq!(rig.lines("b/own.log"), ["ERROR second application=two"]);
}

#[test]
fn the_old_file_says_where_it_goes_on() {
    let rig = Rig::new();
    let first = rig.path("first.log").display().to_string();
    rig.run(&[("ASPNETCORE_MODULE_DEBUG", "file"), ("ASPNETCORE_MODULE_DEBUG_FILE", &first)], |logs| {
        let log = logs.open("a", &rig.config("a", "info", "second.log"));
        tracing::info!(target: "server", application = "a", "in the second");
        log.follow(&rig.config("a", "info", "third.log"));
        tracing::info!(target: "server", application = "a", "in the third");
        log.follow(&rig.config("a", "trace", "third.log"));
        tracing::debug!(target: "server", application = "a", "more of it");
    });
    let goes_on = |name: &str| format!("INFO the debug log goes on in {}", rig.path(name).display());
    assert_eq!(rig.lines("first.log"), [goes_on("a/second.log")]);
    assert_eq!(
        rig.lines("a/second.log"),
        ["INFO in the second application=a".to_owned(), goes_on("a/third.log")]
    );
    assert_eq!(
        rig.lines("a/third.log"),
        ["INFO in the third application=a", "DEBUG more of it application=a"]
    );
    let third = fs::read_to_string(rig.path("a/third.log")).unwrap();
    assert_eq!(third.matches("the debug log begins").count(), 1, "{third}");
}

#[test]
fn the_event_log_gets_each_line_once() {
    let rig = Rig::new();
    rig.run(&[("ASPNETCORE_MODULE_DEBUG", "eventlog")], |logs| {
        let _log = logs.open("a", &rig.config("a", "trace,eventlog", ""));
        tracing::debug!(target: "server", application = "a", port = 1, "detail");
        tracing::warn!(target: "server", "of nobody");
    });
    let taken = rig.taken();
    assert!(taken[0].starts_with("INFO Some(\"a\") the debug log begins: "), "{taken:?}");
    assert_eq!(taken[1..], ["DEBUG Some(\"a\") detail application=a port=1", "WARN None of nobody"]);
}

#[test]
fn a_file_that_cannot_be_made_stops_nobody() {
    let rig = Rig::new();
    fs::write(rig.path("a"), "a file where the site root should be").unwrap();
    rig.run(&[], |logs| {
        let _bad = logs.open("a", &rig.config("a", "file,eventlog", ""));
        let _windows = logs.open("b", &rig.config("b", "file", r"C:\logs\debug.log"));
        let _good = logs.open("c", &rig.config("c", "file", ""));
        tracing::info!(target: "server", "goes on");
    });
    assert!(rig.lines("c/aspnetcore-debug.log").iter().any(|line| line == "INFO goes on"));
    assert!(
        rig.taken().iter().any(|line| line.contains("there is no debug log: debugFile is a path of Windows"))
    );
    assert!(rig.taken().iter().any(|line| line.ends_with("goes on")));
}

#[test]
fn a_file_that_was_deleted_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut place = OneFile::new(folder.path().join("deep/x.log"));
    let file = place.open().unwrap();
    assert!(!place.is_gone(&file));
    fs::remove_dir_all(folder.path().join("deep")).unwrap();
    assert!(place.is_gone(&file));
    place.open().unwrap();
    assert!(folder.path().join("deep/x.log").exists());
}

#[test]
fn words_of_the_variable_that_nobody_knows_are_told() {
    let environment = |name: &str| (name == "ASPNETCORE_MODULE_DEBUG").then(|| "file,loud".to_owned());
    assert_eq!(DebugLogs::unknown_words(&environment), ["ASPNETCORE_MODULE_DEBUG: \"loud\" is not known"]);
}
