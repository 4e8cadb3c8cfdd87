//! Start and stop: draining, signals, limits, ports, several processes.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::support::{
    PATIENCE,
    app::App,
    client::{Client, get, request},
    eventually, free_port,
    frontend::{Frontend, Start},
    process::{self, Watched},
    site::in_flight,
};

#[test]
fn H2_a_hundred_requests_to_a_cold_application_are_all_answered() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.variable("SITE_STARTUP", "delay:300"));
    let start = Arc::new(Barrier::new(100));
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let (start, address) = (Arc::clone(&start), frontend.address());
            thread::spawn(move || {
                let mut client = Client::connect(address);
                start.wait();
                client.exchange(get("/HelloWorld", &[]))
            })
        })
        .collect();
    for client in clients {
        let response = client.join().unwrap();
        assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
    }
    assert_eq!(frontend.log.count(|line| line.is_event(1001)), 1);
}

#[test]
fn stopping_finishes_the_requests_under_way() {
    let Some(app) = App::site() else { return };
    let mut frontend = Frontend::serve(&app);
    let mut slow = frontend.connect();
    slow.send(get("/slow?head=700&pieces=3&every=100", &[]));
    let mut upload = frontend.connect();
    upload.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
    in_flight(&mut frontend.connect(), 2);
    let process = Watched::new(frontend.started(1).pid);
    frontend.signal(Signal::TERM);
    frontend.log.says("stopping");
    upload.send("whole");
    assert_eq!(upload.response().json()["length"], 10);
    let response = slow.response();
    assert_eq!((response.status(), response.text().lines().count()), (200, 3));
    assert_eq!(frontend.ended(PATIENCE).code(), Some(0));
    assert!(!process.is_alive());
    assert_eq!(frontend.log.event(1006, 1).number("status"), 202);
    assert_eq!(frontend.log.count(|line| line.is_event(1005)), 0, "{}", frontend.log.text());
    assert_eq!(frontend.log.count(|line| line.text.contains("site: stopped")), 1);
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

#[test]
fn stopping_accepts_no_more() {
    let Some(app) = App::site() else { return };
    let mut frontend = Frontend::serve(&app);
    let mut idle = frontend.connect();
    assert_eq!(idle.exchange(get("/HelloWorld", &[])).status(), 200);
    let mut slow = frontend.connect();
    slow.send(get("/slow?head=1500", &[]));
    in_flight(&mut frontend.connect(), 1);
    frontend.signal(Signal::TERM);
    assert_eq!(idle.rest(), b"", "an idle connection is ended at once");
    eventually("nobody listens any more", PATIENCE, || Client::try_connect(frontend.address()).err());
    assert_eq!(frontend.log.count(|line| line.is_event(1006)), 0, "the application still works for us");
    assert_eq!(slow.response().status(), 200);
    assert_eq!(frontend.ended(PATIENCE).code(), Some(0));
}

#[test]
fn an_interrupt_stops_it_like_a_termination() {
    let Some(app) = App::site() else { return };
    let mut frontend = Frontend::serve(&app);
    frontend.started(1);
    frontend.signal(Signal::INT);
    assert_eq!(frontend.ended(PATIENCE).code(), Some(0));
    assert_eq!(frontend.log.event(1006, 1).number("status"), 202);
}

#[test]
fn a_second_signal_is_immediate() {
    let Some(app) = App::site() else { return };
    let mut frontend = Frontend::serve(&app.attribute("shutdownTimeLimit", "60"));
    let mut slow = frontend.connect();
    slow.send(get("/slow?head=60000", &[]));
    in_flight(&mut frontend.connect(), 1);
    let process = Watched::new(frontend.started(1).pid);
    frontend.signal(Signal::TERM);
    frontend.log.says("stopping");
    frontend.signal(Signal::TERM);
    frontend.ended(Duration::from_secs(5));
    // They have been killed; a busy system takes a moment to bury them.
    assert!(process.ends_within(PATIENCE));
    eventually("nothing is left", PATIENCE, || {
        process::with_marker(frontend.marker()).is_empty().then_some(())
    });
}

#[test]
fn stopping_answers_the_requests_that_are_held() {
    let mut frontend = Frontend::serve(&App::misbehaving("print:on my way;never-listen"));
    frontend.log.says("on my way");
    let mut held = frontend.connect();
    held.send(get("/", &[])).await_read();
    frontend.signal(Signal::TERM);
    // It may still become ready within the limit; this one does not.
    assert_eq!(held.response().status(), 503);
    assert_eq!(frontend.ended(PATIENCE).code(), Some(0));
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

#[test]
fn an_application_that_ignores_the_stop_is_killed_at_the_limit() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_SHUTDOWN", "ignore").attribute("shutdownTimeLimit", "2");
    let mut frontend = Frontend::serve(&app);
    let started = frontend.started(1);
    let process = Watched::new(started.pid);
    let begun = tokio::time::Instant::now();
    frontend.signal(Signal::TERM);
    frontend.ended(PATIENCE);
    let took = begun.elapsed();
    assert!(!process.is_alive());
    assert_eq!(frontend.log.event(1005, 1).number("pid"), started.pid);
    assert!((Duration::from_secs(1)..Duration::from_secs(6)).contains(&took), "{took:?}");
}

#[test]
fn a_process_that_ignores_message_and_signal_is_killed_at_the_limit() {
    let mut frontend = Frontend::serve(&App::misbehaving("ignore-stop").attribute("shutdownTimeLimit", "2"));
    let process = Watched::new(frontend.started(1).pid);
    frontend.log.says("SIGTERM is ignored");
    frontend.signal(Signal::TERM);
    frontend.ended(PATIENCE);
    assert!(!process.is_alive());
    frontend.log.event(1005, 1);
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

#[test]
fn a_limit_of_zero_kills_at_once() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_SHUTDOWN", "ignore").attribute("shutdownTimeLimit", "0");
    let mut frontend = Frontend::serve(&app);
    let process = Watched::new(frontend.started(1).pid);
    frontend.signal(Signal::TERM);
    frontend.ended(Duration::from_secs(5));
    assert!(!process.is_alive());
}

#[test]
fn half_a_request_does_not_hold_up_the_stop() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("shutdownTimeLimit", "3");
    let mut frontend = Frontend::serve(&app);
    let mut half = frontend.connect();
    half.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    in_flight(&mut frontend.connect(), 1);
    frontend.signal(Signal::TERM);
    // Kestrel by itself would wait for it for 30 s.
    frontend.ended(Duration::from_secs(12));
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let app = App::misbehaving("");
    let ended = Start::run_at(&app, &address).until_end();
    assert_eq!(ended.code, Some(73), "{}", ended.stderr);
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
}

#[test]
fn a_port_of_another_frontend_is_taken() {
    let app = App::misbehaving("");
    let first = Frontend::serve(&app);
    let ended = Start::run_at(&app, &first.address().to_string()).until_end();
    assert_eq!(ended.code, Some(73), "{}", ended.stderr);
    assert!(ended.stderr.contains(&first.address().to_string()), "{}", ended.stderr);
    assert_eq!(first.get("/record").status(), 200);
}

#[test]
fn two_frontends_serve_the_same_folder_on_ports_of_their_own() {
    let Some(app) = App::site() else { return };
    let (one, other) = (Frontend::serve(&app), Frontend::serve(&app));
    assert_ne!(one.started(1), other.started(1));
    let pids: BTreeSet<_> =
        [&one, &other].iter().map(|frontend| frontend.get("/process").json()["pid"].as_i64()).collect();
    assert_eq!(pids.len(), 2);
}

#[test]
fn several_addresses_are_listened_on() {
    let app = App::misbehaving("");
    let frontend = Start::run(&app).argument("-l").argument("[::1]:0").serve();
    let line = frontend.log.says("listening on http://[::1]:").text;
    let (_, address) = line.split_once("http://").unwrap();
    let mut client = Client::connect(address.trim().parse().unwrap());
    let head = client.exchange(get("/record", &[])).text();
    let own = client.local_address().port();
    assert!(head.to_lowercase().contains(&format!("x-forwarded-for: [::1]:{own}\r\n")), "{head}");
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn an_application_keeps_its_fixed_port_across_restarts() {
    let Some(app) = App::site() else { return };
    let port = free_port();
    let frontend = Frontend::serve(&app.variable("ASPNETCORE_PORT", &port.to_string()));
    let first = frontend.started(1);
    assert_eq!(first.port, port);
    process::kill(first.pid);
    let second = frontend.started(2);
    assert_eq!((second.port, second.pid != first.pid), (port, true));
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
}

#[test]
fn a_fixed_port_that_a_stranger_owns_is_a_failed_start() {
    let Some(app) = App::site() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let app = app.variable("ASPNETCORE_PORT", &port.to_string()).attribute("startupTimeLimit", "5");
    let frontend = Frontend::serve(&app);
    let response = frontend.get("/");
    assert_eq!(response.status(), 502);
    assert!(frontend.log.event(1020, 1).text.contains(&port.to_string()));
}

#[test]
fn several_processes_share_the_requests() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("processesPerApplication", "3"));
    let started: BTreeSet<_> = (1..=3).map(|n| frontend.started(n).pid).collect();
    assert_eq!(started.len(), 3);
    let seen: BTreeSet<_> =
        (0..60).map(|_| frontend.get("/process").json()["pid"].as_i64().unwrap()).collect();
    assert_eq!(seen, started);
    // One dies, the others go on.
    let victim = *started.first().unwrap();
    let process = Watched::new(victim);
    process::kill(victim);
    assert!(process.ends_within(PATIENCE));
    for _ in 0..30 {
        assert_eq!(frontend.get("/HelloWorld").status(), 200);
    }
    assert!(!started.contains(&frontend.started(4).pid));
}

#[test]
fn several_processes_with_a_fixed_port_are_a_fault() {
    let app =
        App::misbehaving("").attribute("processesPerApplication", "2").variable("ASPNETCORE_PORT", "20001");
    let ended = Start::run(&app).until_end();
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("processesPerApplication"), "{}", ended.stderr);
}

#[test]
fn the_application_gets_its_environment() {
    let Some(app) = App::site() else { return };
    let app = app
        .variable("GREETING", "hello %ANCM_TEST_NAME%")
        .variable("ASPNETCORE_APPL_PATH", "/changed")
        .variable("ASPNETCORE_IIS_HTTPAUTH", "windows;");
    let frontend = Start::run(&app)
        .variable("ANCM_TEST_NAME", "you")
        .variable("ASPNETCORE_PORT", "80")
        .variable("ASPNETCORE_TOKEN", "inherited")
        .variable("ASPNETCORE_URLS", "http://+:80")
        .variable("NOTIFY_SOCKET", "/nonexistent")
        .variable("LISTEN_FDS", "1")
        .serve();
    let environment = frontend.get("/env").json();
    let port = frontend.started(1).port.to_string();
    assert_eq!(environment["GREETING"], "hello you");
    assert_eq!(environment["ASPNETCORE_PORT"], *port);
    assert_eq!(environment["PORT"], *port);
    assert_eq!(environment["ASPNETCORE_URLS"], format!("http://127.0.0.1:{port}"));
    assert_eq!(environment["ASPNETCORE_APPL_PATH"], "/");
    assert_eq!(environment["ASPNETCORE_IIS_HTTPAUTH"], "anonymous;");
    assert_eq!(environment["ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED"], "true");
    assert_eq!(environment["ASPNETCORE_SHUTDOWNTIMEOUTSECONDS"], "9");
    assert_eq!(
        environment["ASPNETCORE_HOSTINGSTARTUPASSEMBLIES"],
        "Microsoft.AspNetCore.Server.IISIntegration"
    );
    let root = app.root().canonicalize().unwrap();
    assert_eq!(
        environment["ASPNETCORE_IIS_PHYSICAL_PATH"].as_str().unwrap().trim_end_matches('/'),
        root.to_str().unwrap()
    );
    let token = environment["ASPNETCORE_TOKEN"].as_str().unwrap();
    assert_eq!((token.len(), token.matches('-').count()), (36, 4));
    let own =
        |name: &str| name.starts_with("ANCM_FRONTEND_") || name == "NOTIFY_SOCKET" || name == "LISTEN_FDS";
    let leaked: Vec<_> = environment.as_object().unwrap().keys().filter(|name| own(name)).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
}

#[test]
fn the_application_inherits_no_descriptor() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let keep: Vec<_> = (0..10).map(|_| frontend.connect()).collect();
    assert_eq!(frontend.post("/spawn?seconds=1000").status(), 200);
    process::kill(frontend.started(1).pid);
    let second = frontend.started(2).pid;
    let own = std::fs::read_dir(format!("/proc/{}/fd", frontend.pid())).unwrap().flatten();
    let sockets: BTreeSet<_> = own.filter_map(|fd| std::fs::read_link(fd.path()).ok()).collect();
    for fd in std::fs::read_dir(format!("/proc/{second}/fd")).unwrap().flatten() {
        let Ok(target) = std::fs::read_link(fd.path()) else { continue };
        let shared = sockets.contains(&target) && target.to_string_lossy().starts_with("socket:");
        assert!(!shared, "{} is {}", fd.path().display(), target.display());
    }
    drop(keep);
}

#[test]
fn a_request_for_the_shutdown_path_from_outside_stops_nothing() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let event = ["MS-ASPNETCORE-EVENT: shutdown"];
    let response = frontend.connect().exchange(request("POST", "/iisintegration", &event, ""));
    assert_eq!(response.status(), 404);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    assert_eq!(frontend.log.count(|line| line.is_event(1030)), 0);
}
