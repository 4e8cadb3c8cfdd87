//! Processes that are stopped: how long they may take, and what is answered meanwhile.

use std::{fs, thread, time::Duration};

use tokio::time::Instant;

use crate::support::{
    PATIENCE,
    app::App,
    eventually,
    frontend::{Frontend, Start},
    log::Line,
    process::Watched,
};

/// What may pass on a busy machine between one thing and what follows from it.
const SLACK: Duration = Duration::from_secs(3);
/// How much later than the stop itself a test may begin to measure it.
const MEASURED: Duration = Duration::from_millis(500);

/// A rule such as a site behind Microsoft's URL Rewrite has in its file.
const REWRITE: &str = "<rewrite><rules><rule name='all'><match url='^old/(.*)'/>\
                       <action type='Rewrite' url='{R:1}'/></rule></rules></rewrite>";

/// The application's answer to a first request, which is to say that it runs, and its process.
fn running(frontend: &Frontend, n: usize) -> Watched {
    let started = frontend.started(n);
    eventually("the new process answers", PATIENCE, || {
        let response = frontend.get("/HelloWorld");
        assert!([200, 503].contains(&response.status()), "{response:?}");
        (response.header("x-site-pid") == Some(started.pid.to_string().as_str())).then_some(())
    });
    Watched::new(started.pid)
}

/// Waits until the page is served.
fn offline(frontend: &Frontend, page: &str) {
    eventually("it is offline", PATIENCE, || {
        let response = frontend.get("/HelloWorld");
        assert!([200, 503].contains(&response.status()), "{response:?}");
        (response.status() == 503 && response.text() == page).then_some(())
    });
}

/// Takes away a library of the application and puts it back, as a deployment does.
fn replace_library(app: &App) {
    let library = app.path("Site.dll");
    let content = fs::read(&library).unwrap();
    fs::remove_file(&library).unwrap();
    fs::write(&library, content).unwrap();
}

/// How a process of an application that takes `delay` to stop ends, when its web.config is saved anew.
fn end(app: App, limit: u64, delay: Duration) -> (Duration, Frontend) {
    let orders = format!("delay:{}", delay.as_millis());
    let app = app.variable("SITE_SHUTDOWN", &orders).attribute("shutdownTimeLimit", &limit.to_string());
    let frontend = Frontend::serve(&app);
    let old = running(&frontend, 1);
    let _app = app.attribute("startupTimeLimit", "100");
    frontend.started(2);
    let begun = Instant::now();
    assert!(old.ends_within(PATIENCE));
    (begun.elapsed(), frontend)
}

#[test]
fn V3_shutdown_time_limit_is_waited_for_and_no_longer() {
    // Two fifths of ANCM's limits, 25 s, 0, 5 s and 0, and of its delay, 20 s.
    let delay = Duration::from_secs(8);
    thread::scope(|scope| {
        let rows = [10, 0, 2].map(|limit| {
            let app = App::site()?;
            Some((limit, scope.spawn(move || end(app, limit, delay))))
        });
        for (limit, row) in rows.into_iter().flatten() {
            let (took, frontend) = row.join().unwrap();
            ended_as_the_limit_says(Duration::from_secs(limit), delay, took, &frontend);
        }
    });
}

fn ended_as_the_limit_says(limit: Duration, delay: Duration, took: Duration, frontend: &Frontend) {
    // A busy machine takes its time to bury a process, but never as long as one that is waited for.
    let expected = if delay < limit { delay..limit + SLACK } else { limit..delay };
    assert!(expected.contains(&(took + MEASURED)), "{limit:?}: {took:?}");
    let killed = |line: &Line| line.is_event(1005);
    if delay < limit {
        assert_eq!(frontend.log.event(1006, 1).number("status"), 202, "{limit:?}");
        frontend.log.event(1030, 1);
        assert_eq!(frontend.log.count(killed), 0, "{limit:?}");
    } else {
        frontend.log.first("killed", killed);
    }
}

#[test]
fn V4_shutdown_time_limit_holds_for_app_offline() {
    let Some(app) = App::site() else { return };
    // Half of ANCM's: a limit of 30 s, a delay of 10 s.
    let (limit, delay) = (Duration::from_secs(15), Duration::from_secs(5));
    let app = app.variable("SITE_SHUTDOWN", "delay:5000").attribute("shutdownTimeLimit", "15");
    let frontend = Frontend::serve(&app);
    let old = running(&frontend, 1);
    let begun = Instant::now();
    app.take_offline("away");
    offline(&frontend, "away");
    while !old.ends_within(Duration::from_millis(100)) {
        assert_eq!(frontend.get("/HelloWorld").status(), 503, "while it lasts");
    }
    let took = begun.elapsed();
    assert!((delay..limit).contains(&took), "{took:?}");
    assert_eq!(frontend.log.event(1006, 1).number("status"), 202);
    assert_eq!(frontend.log.count(|line| line.is_event(1005)), 0);
    app.bring_online();
    assert_ne!(running(&frontend, 2).pid, old.pid);
}

#[test]
fn V9_recycle_of_an_application_with_a_rewrite_rule() {
    let Some(app) = App::site() else { return };
    let app = app.section(REWRITE);
    let checked = Start::command("check", app.root()).until_end();
    assert!(checked.stdout.contains("rewrite: rule \"all\" does not rewrite to"), "{}", checked.stdout);
    let frontend = Frontend::serve(&app);
    let mut old = running(&frontend, 1);
    for round in 2..=3 {
        let text = fs::read_to_string(app.path("web.config")).unwrap();
        app.write("_web.config", text.replace("'^", "'^more/"));
        fs::rename(app.path("_web.config"), app.path("web.config")).unwrap();
        let new = running(&frontend, round);
        assert!(old.ends_within(PATIENCE));
        replace_library(&app);
        old = new;
    }
}

#[test]
fn V11_app_offline_by_renaming() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for round in 1..=3 {
        let old = running(&frontend, round);
        let page = format!("round {round}");
        app.write("away", &page);
        fs::rename(app.path("away"), app.path("App_Offline.Htm")).unwrap();
        offline(&frontend, &page);
        assert!(old.ends_within(PATIENCE));
        replace_library(&app);
        fs::rename(app.path("App_Offline.Htm"), app.path("away")).unwrap();
        assert_ne!(running(&frontend, round + 1).pid, old.pid);
    }
}

#[test]
fn V12_app_offline_by_deleting_with_a_rewrite_rule() {
    let Some(app) = App::site() else { return };
    let app = app.section(REWRITE);
    let frontend = Frontend::serve(&app);
    for round in 1..=3 {
        let old = running(&frontend, round);
        let page = format!("round {round}");
        app.write("App_Offline.Htm", &page);
        offline(&frontend, &page);
        assert!(old.ends_within(PATIENCE));
        replace_library(&app);
        fs::remove_file(app.path("App_Offline.Htm")).unwrap();
        assert_ne!(running(&frontend, round + 1).pid, old.pid);
    }
}
