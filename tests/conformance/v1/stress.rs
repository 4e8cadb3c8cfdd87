//! Everything at once: requests, TLS and WebSockets, while files come and go and processes die.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    PATIENCE, RETURN,
    app::App,
    client::{Client, Cut, get},
    eventually,
    frontend::Frontend,
    load::{Load, Outcome},
    log::Line,
    process,
    tls::{self, Files},
    websocket::WebSocket,
};

/// How long trouble is made; ANCM's own test takes two minutes.
const TROUBLE: Duration = Duration::from_secs(15);

/// What clients have seen that no trouble excuses.
type Faults = Mutex<Vec<String>>;

/// What came of many requests.
#[derive(Default)]
struct Served {
    whole: usize,
    cut: usize,
}

/// Requests over TLS until it is over.
fn ask_by_https(files: &Files, frontend: &Frontend, over: &AtomicBool, faults: &Faults) -> Served {
    let mut served = Served::default();
    let mut connection = None;
    while !over.load(Ordering::Relaxed) {
        let mut client = match connection.take() {
            Some(client) => client,
            None => files.connect(frontend, None),
        };
        match client.try_exchange(get("/HelloWorld", &[])) {
            Ok(response) => {
                let is_served = response.status() == 200;
                served.whole += usize::from(is_served);
                if ![200, 502, 503].contains(&response.status()) {
                    faults.lock().unwrap().push(format!("by https: {response:?}"));
                }
                connection = (!response.head.closes()).then_some(client);
                if !is_served {
                    thread::sleep(RETURN);
                }
            }
            Err(error) if Cut::is(&error) => served.cut += 1,
            Err(error) => faults.lock().unwrap().push(format!("by https: {error}")),
        }
    }
    served
}

/// WebSockets, one after the other, until it is over: each says something until its application leaves.
fn talk(frontend: &Frontend, over: &AtomicBool) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut echoed = 0;
    runtime.block_on(async {
        while !over.load(Ordering::Relaxed) {
            // Nobody upgrades while the application is offline.
            let Ok(mut socket) = WebSocket::try_open(frontend.address(), "/ws").await else {
                tokio::time::sleep(RETURN).await;
                continue;
            };
            for _ in 0..50 {
                if socket.try_send("hello").await.is_err() {
                    break;
                }
                match socket.next().await {
                    Some(Ok(Message::Text(text))) if text.as_str() == "hello" => echoed += 1,
                    _ => break,
                }
            }
        }
    });
    echoed
}

/// Waits for an answer of this status.
fn answers(frontend: &Frontend, status: u16) {
    eventually("the status that the trouble is to have", PATIENCE, || {
        (Client::connect(frontend.address()).exchange(get("/HelloWorld", &[])).status() == status)
            .then_some(())
    });
}

/// Puts a changed web.config in place.
fn configure(app: &App, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(app.path("web.config")).unwrap();
    app.write("web.config.new", change(&text));
    fs::rename(app.path("web.config.new"), app.path("web.config")).unwrap();
}

/// One round of it; afterwards the application serves.
fn make_trouble(app: &App, frontend: &Frontend, round: usize) {
    app.take_offline("away");
    answers(frontend, 503);
    app.bring_online();
    answers(frontend, 200);

    app.write("away", "away");
    fs::rename(app.path("away"), app.path("App_Offline.Htm")).unwrap();
    answers(frontend, 503);
    fs::rename(app.path("App_Offline.Htm"), app.path("away")).unwrap();
    answers(frontend, 200);

    let mut client = frontend.connect();
    configure(app, |text| text.replace("requestTimeout=\"", &format!("requestTimeout=\"{round}.")));
    frontend.log.event(1021, 2 * round - 1);
    process::kill(client.exchange(get("/process", &[])).json()["pid"].as_i64().expect("a number"));
    answers(frontend, 200);

    // What does not start replaces nothing.
    configure(app, |text| text.replace("\"dotnet\"", "\"bogus\""));
    frontend.log.event(1020, round);
    configure(app, |text| text.replace("\"bogus\"", "\"dotnet\"").replace(&format!("\"{round}."), "\""));
    answers(frontend, 200);
}

#[test]
fn V28_stress_of_every_kind_at_once_crashes_nothing() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("rapidFailsPerMinute", "100").attribute("requestTimeout", "00:02:00");
    let files = Files::new();
    let mut frontend = files.run(&app).serve();
    frontend.started(1);
    let (over, faults) = (AtomicBool::new(false), Faults::default());
    let load = Load::start(frontend.address(), "/HelloWorld", 4);
    tls::address(&frontend);
    let (by_https, echoed) = thread::scope(|scope| {
        let by_https = scope.spawn(|| ask_by_https(&files, &frontend, &over, &faults));
        let echoed = scope.spawn(|| talk(&frontend, &over));
        let _over = Over(&over);
        let end = Instant::now() + TROUBLE;
        let mut round = 1;
        while Instant::now() < end {
            make_trouble(&app, &frontend, round);
            round += 1;
        }
        over.store(true, Ordering::Relaxed);
        (by_https.join().unwrap(), echoed.join().unwrap())
    });
    let outcomes = load.stop();
    let expected =
        |outcome: &Outcome| outcome.is(200) || outcome.is(502) || outcome.is(503) || outcome.is_cut();
    let other = outcomes.iter().filter(|outcome| !expected(outcome));
    let mut faults = faults.into_inner().unwrap();
    faults.extend(other.map(|outcome| format!("{outcome:?}")));
    assert!(faults.is_empty(), "{} faults, such as {:?}", faults.len(), faults.first());
    let served = outcomes.iter().filter(|outcome| outcome.is(200)).count();
    // All of them went on; how fast says nothing, least of all on a machine that does other things as well.
    let whole = by_https.whole;
    assert!(served > 50 && whole > 5 && echoed > 5, "{served}, {whole} by https, {echoed} echoed");
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    frontend.assert_sound();
    assert_eq!(frontend.stop().code(), Some(0));
    // A process that is killed between the pieces of its answer leaves nothing else to do, and it is told.
    let cut = outcomes.iter().filter(|outcome| outcome.is_cut()).count() + by_https.cut;
    assert!(cut <= frontend.log.count(Line::is_of_cut_answer), "{cut} cut");
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

/// Ends the clients also when a check fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
