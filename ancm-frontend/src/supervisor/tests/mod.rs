mod backend;

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use ancm_tower::startup_error::StartFailure;
use tokio::time::{Instant, timeout};

use self::backend::{ARGUMENTS, PART};
use super::{
    snapshot::{Availability, Backend},
    *,
};
use crate::process::ProcessHandle;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An application in a folder of its own.
struct Site {
    folder: tempfile::TempDir,
    config: Config,
}

/// A supervisor of it.
struct Scene {
    supervisor: Supervisor,
    snapshots: watch::Receiver<Snapshot>,
    site: Site,
}

// === impl Site ===

impl Site {
    fn new(part: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            site_root: folder.path().to_owned(),
            process_path: std::env::current_exe().unwrap().to_str().unwrap().to_owned(),
            arguments: ARGUMENTS.to_owned(),
            startup_time_limit: Duration::from_secs(30),
            shutdown_time_limit: Duration::from_secs(30),
            stdout_log_enabled: true,
            stdout_log_file: "log".to_owned(),
            environment_variables: vec![(PART.to_owned(), part.to_owned())],
            ..Config::default()
        };
        Self { folder, config }
    }

    fn variable(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.config.environment_variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Lets a shell start the backend and wait for it.
    fn behind_a_shell(mut self) -> Self {
        let program = std::mem::replace(&mut self.config.process_path, "/bin/sh".into());
        self.config.arguments = format!(r#"-c "'{program}' {ARGUMENTS} & wait""#);
        self
    }

    fn run(self) -> Scene {
        let output = Output::start().unwrap();
        let settings = Settings {
            appl_path: "/app".into(),
            ..Settings::new(Arc::new(self.config.clone()), Spawner::Direct, output)
        };
        let supervisor = Supervisor::start(settings);
        Scene { snapshots: supervisor.snapshots(), supervisor, site: self }
    }
}

// === impl Scene ===

impl Scene {
    async fn until<T>(&mut self, mut what: impl FnMut(&Availability) -> Option<T>) -> T {
        let mut found = None;
        let seen = self.snapshots.wait_for(|snapshot| {
            found = what(&snapshot.availability);
            found.is_some()
        });
        drop(timeout(PATIENCE, seen).await.expect("a snapshot comes in time").unwrap());
        found.unwrap()
    }

    async fn ready(&mut self) -> Arc<Backend> {
        self.until(|availability| match availability {
            Availability::Ready(generation) => Some(Arc::clone(&generation.backends[0])),
            Availability::Failed(failure) => panic!("{}", failure.summary()),
            _ => None,
        })
        .await
    }

    async fn failed(&mut self) -> Arc<StartFailure> {
        self.until(|availability| match availability {
            Availability::Failed(failure) => Some(Arc::clone(failure)),
            _ => None,
        })
        .await
    }

    async fn stop(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        timeout(PATIENCE, self.supervisor.stop(limit)).await.expect("it stops in time");
        began.elapsed()
    }

    /// What all processes have printed, once this text is among it.
    async fn printed(&self, text: &str) -> String {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let look = async {
            loop {
                let printed = printed(self.site.folder.path());
                if printed.contains(text) {
                    return printed;
                }
                pause.tick().await;
            }
        };
        timeout(PATIENCE, look).await.expect("it is printed in time")
    }
}

fn printed(folder: &Path) -> String {
    let files = folder.read_dir().unwrap().map(|file| file.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[tokio::test]
async fn starts_a_process_pairs_with_it_and_stops_it_by_the_message() {
    let mut scene = Site::new("paired").run();
    let backend = scene.ready().await;
    assert!(backend.process.is_alive());
    let process = backend.process.clone();
    let port = backend.address.port();
    drop(backend);
    let took = scene.stop(Duration::from_secs(30)).await;
    assert!(!process.is_alive());
    assert!(took < Duration::from_secs(20), "it was not killed: {took:?}");
    let printed = scene.printed("asked to stop").await;
    let expected = format!("port {port} pid {} token [pairing token] end", process.pid());
    assert!(printed.contains(&expected), "{printed}");
}

#[tokio::test]
async fn restarts_a_killed_process_with_another_token() {
    let mut scene = Site::new("paired").run();
    let first = scene.ready().await;
    first.process.kill().unwrap();
    let second = scene
        .until(|availability| match availability {
            Availability::Ready(generation) if generation.backends[0].start != first.start => {
                Some(Arc::clone(&generation.backends[0]))
            }
            _ => None,
        })
        .await;
    assert_ne!(first.process.pid(), second.process.pid());
    assert_ne!(first.token.expose(), second.token.expose());
    scene.stop(Duration::ZERO).await;
    assert!(!second.process.is_alive());
}

#[tokio::test]
async fn tries_twice_with_two_ports_and_says_how_the_process_ended() {
    let mut scene = Site::new("exits").variable("ASPNETCORE_ENVIRONMENT", "Development").run();
    let failure = scene.failed().await;
    assert!(failure.summary().contains("exit code 3"), "{}", failure.summary());
    let page = String::from_utf8(failure.page().to_vec()).unwrap();
    assert!(page.contains("cannot go on") && page.contains("working directory"), "{page}");
    scene.stop(Duration::ZERO).await;
    let printed = scene.printed("cannot go on").await;
    let ports: HashSet<_> = printed.lines().filter(|line| line.starts_with("port ")).collect();
    assert!(ports.len() >= 2, "{printed}");
}

#[tokio::test]
async fn keeps_output_and_command_line_from_strangers() {
    let mut scene = Site::new("exits").run();
    let failure = scene.failed().await;
    let page = String::from_utf8(failure.page().to_vec()).unwrap();
    assert!(page.contains("exit code 3"));
    assert!(!page.contains("cannot go on") && !page.contains(ARGUMENTS), "{page}");
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn names_the_place_where_the_process_listens_instead() {
    let port = crate::process::port::choose().unwrap();
    let site = Site::new("elsewhere").variable("ANCM_TEST_PORT", &port.number());
    let mut scene =
        Site { config: Config { startup_time_limit: Duration::from_secs(1), ..site.config }, ..site }.run();
    let failure = scene.failed().await;
    let expected = format!("listens on 127.0.0.1:{} instead.", port.number());
    assert!(failure.summary().contains("within 1 s"), "{}", failure.summary());
    assert!(failure.summary().ends_with(&expected), "{}", failure.summary());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn looks_only_once_when_the_start_limit_is_zero() {
    let site = Site::new("paired");
    let mut scene =
        Site { config: Config { startup_time_limit: Duration::ZERO, ..site.config }, ..site }.run();
    assert!(scene.failed().await.summary().contains("within 0 s"));
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn names_who_has_taken_a_fixed_port() {
    let (listener, port) = loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if port <= 48_000 {
            break (listener, port);
        }
    };
    let mut scene = Site::new("sleeps").variable("ASPNETCORE_PORT", &port).run();
    let failure = scene.failed().await;
    let expected = format!("Port {port} is taken: process {}", std::process::id());
    assert!(failure.summary().starts_with(&expected), "{}", failure.summary());
    scene.stop(Duration::ZERO).await;
    drop(listener);
}

#[tokio::test]
async fn uses_a_fixed_port_again_after_a_recycle() {
    let port = crate::process::port::choose().unwrap();
    let mut scene = Site::new("paired").variable("ASPNETCORE_PORT", &port.number()).run();
    let first = scene.ready().await;
    let (start, process) = (first.start, first.process.clone());
    drop(first);
    scene.supervisor.recycle(Arc::new(scene.site.config.clone()));
    let second = scene
        .until(|availability| match availability {
            Availability::Ready(generation) if generation.backends[0].start != start => {
                Some(Arc::clone(&generation.backends[0]))
            }
            _ => None,
        })
        .await;
    assert_eq!(second.address.port(), port.number());
    assert!(!process.is_alive());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn refuses_a_port_that_is_none_without_a_second_attempt() {
    let mut scene = Site::new("paired").variable("ASPNETCORE_PORT", "80x").run();
    let failure = scene.failed().await;
    assert!(failure.summary().contains("\"80x\""), "{}", failure.summary());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn names_a_program_that_is_not_there() {
    let site = Site::new("paired");
    let config = Config { process_path: "no/such/program".into(), ..site.config };
    let mut scene = Site { config, ..site }.run();
    let failure = scene.failed().await;
    assert!(failure.summary().contains("no/such/program"), "{}", failure.summary());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn terminates_at_once_what_does_not_understand_the_message() {
    let mut scene = Site::new("plain").run();
    let process = scene.ready().await.process.clone();
    let took = scene.stop(Duration::from_secs(30)).await;
    assert!(!process.is_alive());
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn lets_requests_end_before_it_terminates_what_would_die_with_them() {
    let mut scene = Site::new("plain").run();
    let request = scene.ready().await;
    let address = request.address;
    let supervisor = scene.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(Duration::from_secs(600)).await });
    scene.printed("no such page").await;
    for _ in 0..20 {
        let us = ProcessHandle::open(std::process::id()).unwrap();
        let answer = message::send_shutdown(address, "/other", &request.token, &us).await;
        assert_eq!(answer.unwrap(), 404, "it still serves");
    }
    let process = request.process.clone();
    drop(request);
    timeout(PATIENCE, stop).await.unwrap().unwrap();
    assert!(!process.is_alive());
}

#[tokio::test]
async fn cuts_requests_and_then_kills_what_does_not_stop_in_time() {
    let mut scene = Site::new("deaf").run();
    let backend = scene.ready().await;
    let (process, abandon) = (backend.process.clone(), backend.abandon.clone());
    let supervisor = scene.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(Duration::from_secs(2)).await });
    drop(backend);
    timeout(PATIENCE, abandon.cancelled()).await.unwrap();
    timeout(PATIENCE, stop).await.unwrap().unwrap();
    assert!(!process.is_alive());
}

#[tokio::test]
async fn a_second_stop_kills_at_once() {
    let mut scene = Site::new("deaf").run();
    let process = scene.ready().await.process.clone();
    let supervisor = scene.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(Duration::from_secs(600)).await });
    scene.printed("asked to stop").await;
    scene.stop(Duration::from_secs(600)).await;
    stop.await.unwrap();
    assert!(!process.is_alive());
}

#[tokio::test]
async fn takes_the_child_of_a_shell_for_the_backend() {
    let mut scene = Site::new("paired").behind_a_shell().run();
    let process = scene.ready().await.process.clone();
    let name = std::fs::read_link(format!("/proc/{}/exe", process.pid())).unwrap();
    assert_eq!(name, std::env::current_exe().unwrap(), "not the shell");
    let took = scene.stop(Duration::from_secs(30)).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!process.is_alive());
}

#[tokio::test]
async fn shows_the_page_before_it_stops_and_starts_before_the_page_is_gone() {
    let mut scene = Site::new("paired").run();
    let process = scene.ready().await.process.clone();
    let pages = crate::offline::watch(scene.site.folder.path());
    let mut shown = crate::offline::follow(pages, scene.supervisor.clone());
    assert!(shown.borrow().is_none());

    let file = scene.site.folder.path().join("app_offline.htm");
    std::fs::write(&file, "back soon").unwrap();
    timeout(PATIENCE, shown.wait_for(Option::is_some)).await.unwrap().unwrap();
    timeout(PATIENCE, process.exited()).await.unwrap();
    assert!(matches!(scene.snapshots.borrow().availability, Availability::Starting));

    std::fs::remove_file(&file).unwrap();
    timeout(PATIENCE, shown.wait_for(Option::is_none)).await.unwrap().unwrap();
    assert!(!matches!(scene.snapshots.borrow().availability, Availability::Failed(_)));
    assert_ne!(scene.ready().await.process.pid(), process.pid());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn breaks_off_a_start_when_it_is_stopped() {
    let scene = Site::new("sleeps").run();
    let printed = scene.printed("port ").await;
    assert!(printed.contains("token"));
    scene.stop(Duration::from_secs(30)).await;
    let us = ProcessHandle::open(std::process::id()).unwrap();
    assert!(crate::process::tree::descendants(us.pid()).unwrap().is_empty(), "nothing is left of it");
}

#[tokio::test]
async fn runs_as_many_processes_as_it_is_told_and_stops_them_together() {
    let site = Site::new("paired");
    let mut scene = Site { config: Config { processes_per_application: 3, ..site.config }, ..site }.run();
    let pids = scene
        .until(|availability| match availability {
            Availability::Ready(generation) if generation.backends.len() == 3 => {
                Some(generation.backends.iter().map(|backend| backend.process.pid()).collect::<HashSet<_>>())
            }
            _ => None,
        })
        .await;
    assert_eq!(pids.len(), 3);
    scene.stop(Duration::from_secs(30)).await;
}
