//! Processes that start, crash and are replaced.

use std::{collections::BTreeSet, fs, thread};

use rustix::process::Signal;

use crate::support::{
    PATIENCE,
    app::App,
    client::get,
    eventually,
    frontend::{Frontend, Start},
    process::{self, Watched},
};

/// The process that answers.
fn pid(frontend: &Frontend) -> i64 {
    let response = frontend.get("/HelloWorld");
    assert_eq!(response.status(), 200, "{response:?}");
    response.header("x-site-pid").expect("it says so").parse().expect("a number")
}

#[test]
fn V1_basic_the_configured_program_is_started() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let process = frontend.get("/process").json();
    let started = frontend.log.event(1001, 1);
    assert_eq!(process["pid"].as_i64(), Some(started.number("pid")), "{process}");
    let program = fs::read_link(format!("/proc/{}/exe", started.number("pid"))).unwrap();
    assert_eq!(program.file_name().and_then(|name| name.to_str()), Some("dotnet"));
    assert!(process["command_line"][0].as_str().is_some_and(|it| it.ends_with("Site.dll")), "{process}");
}

#[test]
fn V2_rapid_fails_per_minute_stops_after_the_limit() {
    let Some(app) = App::site() else { return };
    let mut app = app;
    for limit in [5, 1, 0] {
        app = app.attribute("rapidFailsPerMinute", &limit.to_string());
        let frontend = Frontend::serve(&app);
        let mut kills = 0;
        while frontend.get("/HelloWorld").status() == 200 {
            let started = frontend.started(kills + 1);
            let watched = Watched::new(started.pid);
            process::kill(started.pid);
            assert!(watched.ends_within(PATIENCE));
            kills += 1;
            frontend.log.event(1030, kills);
            assert!(kills < limit + 3, "{kills} kills with a limit of {limit}, and still it is started");
        }
        // ANCM allows for two more; ours is exact.
        assert_eq!(kills, limit + 1, "the first crash above the limit is the last");
        assert_eq!(frontend.log.event(1003, 1).number("limit"), i64::try_from(limit).unwrap());
        let page = frontend.get("/HelloWorld");
        assert_eq!(page.status(), 502);
        assert!(page.text().contains("502.5"), "{}", page.text());
        assert_eq!(frontend.log.count(|line| line.is_event(1001)), kills, "nothing more was started");
    }
}

#[test]
fn V5_startup_time_limit_is_waited_for_and_no_longer() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_STARTUP", "delay:3000").attribute("startupTimeLimit", "10");
    let patient = Frontend::serve(&app);
    assert_eq!(patient.get("/HelloWorld").status(), 200);
    drop(patient);
    let app = app.attribute("startupTimeLimit", "1");
    let impatient = Frontend::serve(&app);
    let page = impatient.get("/HelloWorld");
    assert_eq!(page.status(), 502);
    assert!(page.text().contains("502.5"), "{}", page.text());
    assert_eq!(impatient.log.count(|line| line.is_event(1001)), 0);
}

#[test]
fn V6_backend_process_that_is_killed_is_replaced() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut pids = BTreeSet::new();
    for kills in 0..3 {
        let pid = pid(&frontend);
        assert!(pids.insert(pid), "a new process each time: {pid} of {pids:?}");
        let watched = Watched::new(pid);
        process::kill(pid);
        assert!(watched.ends_within(PATIENCE));
        frontend.log.event(1030, kills + 1);
    }
    assert!(pids.insert(pid(&frontend)), "{pids:?}");
}

#[test]
fn V7_frontend_that_is_killed_takes_its_processes_along() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("processesPerApplication", "2");
    let mut frontend = Frontend::serve(&app);
    let old = [frontend.started(1).pid, frontend.started(2).pid].map(Watched::new);
    let address = frontend.address().to_string();
    frontend.signal(Signal::KILL);
    frontend.ended(PATIENCE);
    for process in &old {
        assert!(process.ends_within(PATIENCE), "{}", process::describe(&[process.pid]));
    }
    // Nobody holds its files or its address any more.
    let library = app.path("Site.dll");
    let content = fs::read(&library).unwrap();
    fs::remove_file(&library).unwrap();
    fs::write(&library, content).unwrap();
    let frontend = Start::run_at(&app, &address).serve();
    let new = [frontend.started(1).pid, frontend.started(2).pid];
    assert!(new.iter().all(|pid| old.iter().all(|process| process.pid != *pid)), "{new:?} after {old:?}");
    assert!(new.contains(&pid(&frontend)));
}

/// Which processes answer 20 requests.
fn pids_of_20_requests(frontend: &Frontend) -> BTreeSet<String> {
    let mut client = frontend.connect();
    let ask = |_| client.exchange(get("/HelloWorld", &[])).header("x-site-pid").unwrap().to_owned();
    (0..20).map(ask).collect()
}

#[test]
fn V15_processes_per_application_are_as_many_as_configured() {
    let Some(app) = App::site() else { return };
    let mut app = app;
    for processes in [10, 2] {
        app = app.attribute("processesPerApplication", &processes.to_string());
        let frontend = Frontend::serve(&app);
        let started: BTreeSet<String> =
            (1..=processes).map(|n| frontend.started(n).pid.to_string()).collect();
        assert_eq!(pids_of_20_requests(&frontend), started);
        app = app.attribute("processesPerApplication", "1");
        let single = BTreeSet::from([frontend.started(processes + 1).pid.to_string()]);
        eventually("one process answers", PATIENCE, || {
            (pids_of_20_requests(&frontend) == single).then_some(())
        });
        assert_eq!(frontend.log.count(|line| line.is_event(1001)), processes + 1);
    }
}

#[test]
fn V18_process_path_and_arguments_of_windows_are_understood() {
    let Some(app) = App::site() else { return };
    let dotnet = crate::support::kestrel().expect("there is a site").join("dotnet/dotnet");
    let root = app.root().display().to_string().replace('/', r"\");
    let absolute = format!(r#""%SystemDrive%{root}\Site.dll""#);
    let absolute_program = format!("%SystemDrive%{}", dotnet.display());
    let mut app = app;
    for (path, arguments) in [
        ("dotnet.exe", "./Site.dll"),
        ("dotnet", r".\Site.dll"),
        (absolute_program.as_str(), absolute.as_str()),
    ] {
        app = app.attribute("processPath", path).attribute("arguments", arguments);
        // As empty as it must be where there are no drives.
        let frontend = Start::run(&app).variable("SystemDrive", "").serve();
        let process = frontend.get("/process").json();
        assert_eq!(process["integrated"], true, "{path} {arguments}: {process}");
    }
}

#[test]
fn V16_request_timeout_is_waited_for_and_no_longer() {
    // A quarter of ANCM's 2 min and 1 min, with 65 s; and its 20 s and 10 s, with 15 s. All at the same time.
    let rows = [
        ("00:00:30", 16_250, 200),
        ("00:00:15", 16_250, 504),
        ("00:00:20", 15_000, 200),
        ("00:00:10", 15_000, 504),
    ];
    let frontends = rows.map(|(limit, _, _)| {
        let app = App::site()?.attribute("requestTimeout", limit);
        Some(Frontend::serve(&app))
    });
    for frontend in frontends.iter().flatten() {
        // The first answer of an application takes its time, too.
        let first = || (frontend.get("/HelloWorld").status() == 200).then_some(());
        eventually("the first answer", PATIENCE, first);
    }
    thread::scope(|scope| {
        let asked = frontends.iter().flatten().zip(rows).map(|(frontend, (limit, after, expected))| {
            let asked = scope.spawn(move || frontend.get(&format!("/slow?head={after}")).status());
            (asked, limit, after, expected)
        });
        for (asked, limit, after, expected) in asked.collect::<Vec<_>>() {
            assert_eq!(asked.join().unwrap(), expected, "{limit}, answered after {after} ms");
        }
    });
}
