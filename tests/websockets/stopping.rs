//! WebSockets that are open while their application is stopped.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::support::{PATIENCE, app::App, frontend::Frontend, process::Watched, websocket::WebSocket};

/// The application takes this long to stop, of the 10 s that it may take.
const DELAY: Duration = Duration::from_secs(3);

/// A site that takes its time to stop, and a socket of it.
async fn open(app: &App, target: &str) -> (Frontend, WebSocket, Watched) {
    let frontend = Frontend::serve(app);
    let mut socket = WebSocket::open(frontend.address(), target).await;
    socket.send("hello").await;
    assert_eq!(socket.text().await, "hello");
    let process = Watched::new(frontend.started(1).pid);
    (frontend, socket, process)
}

/// The application closes the socket itself, then the process ends in its own time.
async fn goodbye(frontend: &Frontend, mut socket: WebSocket, process: &Watched) {
    let begun = Instant::now();
    let frame = socket.closed().await.expect("a frame with a code");
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1001, "stopping"));
    drop(socket);
    assert!(process.ends_within(PATIENCE));
    let took = begun.elapsed();
    assert!(took >= DELAY.mul_f32(0.8), "{took:?}: it was not given its time");
    assert_eq!(frontend.log.event(1006, 1).number("status"), 202);
    frontend.log.event(1030, 1);
    assert_eq!(frontend.log.count(|line| line.is_event(1005)), 0, "{}", frontend.log.report());
}

fn slow_to_stop() -> Option<App> {
    Some(App::site()?.variable("SITE_SHUTDOWN", "delay:3000").attribute("shutdownTimeLimit", "10"))
}

#[tokio::test]
async fn V27_web_socket_with_app_offline_gets_the_applications_close_frame() {
    let Some(app) = slow_to_stop() else { return };
    let (frontend, socket, process) = open(&app, "/ws").await;
    app.take_offline("away");
    goodbye(&frontend, socket, &process).await;
    let response = frontend.get("/HelloWorld");
    assert_eq!((response.status(), response.text().as_str()), (503, "away"));
    assert!(WebSocket::try_open(frontend.address(), "/ws").await.is_err());
    app.bring_online();
    assert_ne!(frontend.started(2).pid, process.pid);
}

#[tokio::test]
async fn V27_web_socket_with_a_changed_file_gets_the_applications_close_frame() {
    let Some(app) = slow_to_stop() else { return };
    let (frontend, socket, process) = open(&app, "/ws").await;
    let _app = app.attribute("startupTimeLimit", "100");
    goodbye(&frontend, socket, &process).await;
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    socket.send("pid").await;
    assert_eq!(socket.text().await, frontend.started(2).pid.to_string());
}

#[tokio::test]
async fn a_stop_gives_the_application_time_to_say_goodbye() {
    let Some(app) = slow_to_stop() else { return };
    let (mut frontend, socket, process) = open(&app, "/ws").await;
    frontend.signal(Signal::TERM);
    goodbye(&frontend, socket, &process).await;
    assert_eq!(frontend.ended(PATIENCE).code(), Some(0));
}

#[tokio::test]
async fn a_socket_that_nobody_closes_ends_with_its_process_at_the_limit() {
    let Some(app) = App::site() else { return };
    let app = app.attribute("shutdownTimeLimit", "2");
    let (mut frontend, mut socket, process) = open(&app, "/ws?stubborn=1").await;
    let begun = Instant::now();
    frontend.signal(Signal::TERM);
    frontend.log.event(1006, 1);
    // It is carried on as long as there is somebody at the other end.
    socket.send("still there").await;
    assert_eq!(socket.text().await, "still there");
    let end = socket.next().await;
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
    assert!(process.ends_within(PATIENCE));
    let took = begun.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&took), "{took:?}");
    frontend.ended(PATIENCE);
    frontend.log.event(1005, 1);
}
