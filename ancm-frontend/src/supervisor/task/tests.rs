use ancm_tower::pairing_token::PairingToken;
use tokio::time::timeout;

use super::*;
use crate::{
    process::ProcessHandle,
    supervisor::{Supervisor, state::Policy},
};

mod hindered;

const LIMIT: Duration = Duration::from_secs(10);

/// Processes that exist by name only; the test is told of everything and says what comes of it.
struct Fake {
    asked: mpsc::UnboundedSender<Asked>,
    stopping: mpsc::UnboundedSender<Stopping>,
}

/// An attempt under way.
struct Asked {
    slot: usize,
    number: u8,
    cancel: CancellationToken,
    answer: oneshot::Sender<Attempted<FakeProcess>>,
}

/// A stop under way; it ends when this is dropped.
struct Stopping {
    process: FakeProcess,
    how: Stop,
    _gone: oneshot::Sender<()>,
}

#[derive(Clone, Debug)]
struct FakeProcess {
    port: u16,
    exit: CancellationToken,
}

/// A supervisor of such processes, and what it wants of them.
struct Scene {
    supervisor: Supervisor,
    snapshots: watch::Receiver<Snapshot>,
    asked: mpsc::UnboundedReceiver<Asked>,
    stopping: mpsc::UnboundedReceiver<Stopping>,
}

// === impl Fake ===

impl Processes for Fake {
    type Context = usize;
    type Process = FakeProcess;

    fn policy(&self, config: &Config) -> Policy {
        Policy {
            processes: config.processes_per_application,
            fixed_port: None,
            shutdown_limit: config.shutdown_time_limit,
            rapid_fails: config.rapid_fails_per_minute,
            attempts: config.start_attempts(),
        }
    }

    fn begin(&self, _: &Arc<Config>, slot: usize) -> usize {
        slot
    }

    async fn attempt(&self, slot: usize, number: u8, cancel: CancellationToken) -> Attempted<FakeProcess> {
        let (answer, answered) = oneshot::channel();
        let _ = self.asked.send(Asked { slot, number, cancel: cancel.clone(), answer });
        tokio::select! {
            answer = answered => answer.unwrap_or(Attempted::Cancelled),
            () = cancel.cancelled() => Attempted::Cancelled,
        }
    }

    async fn ended(&self, process: FakeProcess) {
        process.exit.cancelled().await;
    }

    async fn stop(&self, process: FakeProcess, how: Stop) {
        let (gone, wait) = oneshot::channel();
        let _ = self.stopping.send(Stopping { process, how, _gone: gone });
        let _ = wait.await;
    }

    fn offline(&self, _: bool) {}

    fn recycled(&self, _: &Config) {}

    fn misconfigured(&self, errors: &ConfigErrors) -> StartFailure {
        StartFailure::misconfigured(errors.to_string())
    }

    fn give_up(&self, _: &usize, _: &StartFailure) {}

    fn rapid_fail(&self, _: &Config, _: Instant) -> StartFailure {
        StartFailure::new("too often")
    }
}

// === impl Asked ===

impl Asked {
    fn ready(self, port: u16) -> FakeProcess {
        let process = FakeProcess { port, exit: CancellationToken::new() };
        let ready = Attempted::Ready {
            process: process.clone(),
            address: ([127, 0, 0, 1], port).into(),
            token: PairingToken::new("token").unwrap(),
            handle: ProcessHandle::open(std::process::id()).unwrap(),
        };
        assert!(self.answer.send(ready).is_ok());
        process
    }

    fn fail(self, why: &str) {
        let failed = Attempted::Failed { failure: StartFailure::new(why), critical: false };
        assert!(self.answer.send(failed).is_ok());
    }
}

// === impl Scene ===

impl Scene {
    fn new(config: Config) -> Self {
        Self::hindered(config, false, None)
    }

    fn hindered(config: Config, offline: bool, errors: Option<ConfigErrors>) -> Self {
        let (asked, attempts) = mpsc::unbounded_channel();
        let (stopping, stops) = mpsc::unbounded_channel();
        let fake = Fake { asked, stopping };
        let hindrance = Hindrance::new(offline, errors, &fake);
        let supervisor = Supervisor::with(fake, Arc::new(config), hindrance);
        let snapshots = supervisor.snapshots();
        Self { supervisor, snapshots, asked: attempts, stopping: stops }
    }

    /// One process, ready at port 1.
    async fn ready() -> (Self, FakeProcess) {
        let mut scene = Self::new(config(1));
        let process = scene.asked().await.ready(1);
        scene.serving(&[1]).await;
        (scene, process)
    }

    async fn asked(&mut self) -> Asked {
        timeout(LIMIT * 10, self.asked.recv()).await.expect("an attempt is made in time").unwrap()
    }

    async fn stopping(&mut self) -> Stopping {
        timeout(LIMIT, self.stopping.recv()).await.expect("a process is stopped in time").unwrap()
    }

    async fn until(&mut self, what: impl FnMut(&Snapshot) -> bool) {
        let seen = timeout(LIMIT * 10, self.snapshots.wait_for(what)).await;
        let _ = seen.expect("a snapshot comes in time").unwrap();
    }

    /// Waits for a snapshot with processes at exactly these ports.
    async fn serving(&mut self, ports: &[u16]) {
        self.until(|snapshot| match &snapshot.availability {
            Availability::Ready(generation) => {
                generation.backends.iter().map(|backend| backend.address.port()).eq(ports.iter().copied())
            }
            _ => false,
        })
        .await;
    }

    async fn holding(&mut self) {
        self.until(|snapshot| matches!(snapshot.availability, Availability::Starting)).await;
    }

    async fn failed(&mut self, why: &str) {
        self.until(
            |snapshot| matches!(&snapshot.availability, Availability::Failed(failure) if failure.summary() == why),
        )
        .await;
    }

    fn backend(&self) -> Arc<Backend> {
        match &self.snapshots.borrow().availability {
            Availability::Ready(generation) => Arc::clone(&generation.backends[0]),
            other => panic!("not ready: {other:?}"),
        }
    }
}

fn config(processes_per_application: usize) -> Config {
    Config { processes_per_application, shutdown_time_limit: LIMIT, ..Config::default() }
}

#[tokio::test(start_paused = true)]
async fn starts_all_slots_in_parallel_and_publishes_each_that_is_ready() {
    let mut scene = Scene::new(config(2));
    let (first, second) = (scene.asked().await, scene.asked().await);
    assert_eq!((first.slot, second.slot, first.number), (0, 1, 1));
    second.ready(2);
    scene.serving(&[2]).await;
    first.ready(1);
    scene.serving(&[1, 2]).await;
    assert_eq!(scene.backend().token.expose(), "token");
}

#[tokio::test(start_paused = true)]
async fn repeats_failed_starts_after_longer_and_longer_pauses() {
    let mut scene = Scene::new(config(1));
    for pause in [0, 1, 2, 4, 8, 16, 30, 30] {
        let before = Instant::now();
        let first = scene.asked().await;
        assert_eq!(before.elapsed().as_secs(), pause);
        assert_eq!(first.number, 1);
        first.fail("first");
        let second = scene.asked().await;
        assert_eq!(second.number, 2);
        second.fail(&format!("second after {pause}"));
        scene.failed(&format!("second after {pause}")).await;
    }
    let again = scene.asked().await;
    assert!(matches!(scene.snapshots.borrow().availability, Availability::Failed(_)), "the page stays");
    again.ready(1);
    scene.serving(&[1]).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_cuts_the_pause_short() {
    let mut scene = Scene::new(config(1));
    scene.supervisor.wake();
    for (why, pause) in [("a", 0), ("b", 0), ("c", 1), ("d", 1)] {
        let before = Instant::now();
        scene.asked().await.fail(why);
        assert_eq!(before.elapsed().as_secs(), pause);
        scene.asked().await.fail(why);
        scene.failed(why).await;
        scene.supervisor.wake();
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_a_crashed_process_and_holds_requests_meanwhile() {
    let (mut scene, process) = Scene::ready().await;
    process.exit.cancel();
    scene.holding().await;
    let leftover = scene.stopping().await;
    assert!(leftover.how.kill.is_cancelled(), "what is left of it is killed at once");
    scene.asked().await.ready(2);
    scene.serving(&[2]).await;
}

#[tokio::test(start_paused = true)]
async fn starts_nothing_for_the_rest_of_the_minute_after_too_many_crashes() {
    let mut scene = Scene::new(Config { rapid_fails_per_minute: 1, ..config(1) });
    let begun = Instant::now();
    for port in 1..3 {
        let process = scene.asked().await.ready(port);
        scene.serving(&[port]).await;
        process.exit.cancel();
    }
    scene.failed("too often").await;
    scene.supervisor.wake();
    scene.asked().await.ready(3);
    assert_eq!(begun.elapsed().as_secs(), 60);
    scene.serving(&[3]).await;
}

#[tokio::test(start_paused = true)]
async fn replaces_a_generation_without_a_gap() {
    let (mut scene, _process) = Scene::ready().await;
    let old = scene.snapshots.borrow().clone();
    scene.supervisor.recycle(Arc::new(config(1)));
    let new = scene.asked().await;
    assert!(!scene.snapshots.has_changed().unwrap(), "the old one serves on");
    new.ready(2);
    scene.serving(&[2]).await;
    let stopping = scene.stopping().await;
    assert_eq!((stopping.process.port, stopping.how.limit), (1, LIMIT));
    let released = |stopping: &Stopping| stopping.how.undispatched.iter().all(Released::is_released);
    assert!(!released(&stopping), "a worker still dispatches by the old snapshot");
    assert!(!stopping.how.drained.is_released());
    drop(old);
    assert!(released(&stopping));
    assert!(stopping.how.drained.is_released(), "and no request is under way");
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_keeps_a_process_from_being_drained() {
    let (mut scene, _process) = Scene::ready().await;
    let request = scene.backend();
    scene.supervisor.set_offline(true).await;
    let stopping = scene.stopping().await;
    assert!(stopping.how.undispatched.iter().all(Released::is_released));
    assert!(!stopping.how.drained.is_released());
    stopping.how.abandon.cancel();
    assert!(request.abandon.is_cancelled(), "the request is told when it must end");
    drop(request);
    assert!(stopping.how.drained.is_released());
}

#[tokio::test(start_paused = true)]
async fn says_when_the_workers_know_that_the_application_is_offline_or_back() {
    let (mut scene, _process) = Scene::ready().await;
    scene.supervisor.set_offline(true).await;
    assert!(matches!(scene.snapshots.borrow_and_update().availability, Availability::Offline));
    assert_eq!(scene.stopping().await.process.port, 1);
    scene.supervisor.set_offline(false).await;
    assert!(matches!(scene.snapshots.borrow().availability, Availability::Starting));
    scene.asked().await.ready(2);
    scene.serving(&[2]).await;
}

#[tokio::test(start_paused = true)]
async fn shows_no_old_failure_after_the_application_is_back() {
    let mut scene = Scene::new(config(1));
    scene.asked().await.fail("no");
    scene.asked().await.fail("no");
    scene.failed("no").await;
    scene.supervisor.set_offline(true).await;
    scene.supervisor.set_offline(false).await;
    assert!(matches!(scene.snapshots.borrow().availability, Availability::Starting));
    scene.asked().await.ready(1);
    scene.serving(&[1]).await;
}

#[tokio::test(start_paused = true)]
async fn stops_every_slot_and_ends_with_the_last() {
    let mut scene = Scene::new(config(2));
    scene.asked().await.ready(1);
    let unfinished = scene.asked().await;
    scene.serving(&[1]).await;
    let supervisor = scene.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(Duration::from_secs(3)).await });
    let stopping = scene.stopping().await;
    assert_eq!(stopping.how.limit.as_secs(), 3);
    assert!(unfinished.cancel.is_cancelled());
    assert!(matches!(scene.snapshots.borrow().availability, Availability::Stopped));
    assert!(!stop.is_finished());
    drop(stopping);
    stop.await.unwrap();
    scene.supervisor.set_offline(false).await;
    scene.supervisor.stop(LIMIT).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_kills() {
    let (mut scene, _process) = Scene::ready().await;
    let (first, second) = (scene.supervisor.clone(), scene.supervisor.clone());
    let first = tokio::spawn(async move { first.stop(LIMIT).await });
    let stopping = scene.stopping().await;
    assert!(!stopping.how.kill.is_cancelled());
    let second = tokio::spawn(async move { second.stop(LIMIT).await });
    stopping.how.kill.cancelled().await;
    drop(stopping);
    first.await.unwrap();
    second.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stops_when_nobody_holds_it_any_more() {
    let (scene, _process) = Scene::ready().await;
    let Scene { supervisor, mut snapshots, mut stopping, .. } = scene;
    drop(supervisor);
    let stopping = stopping.recv().await.unwrap();
    assert_eq!(stopping.how.limit, LIMIT);
    drop(stopping);
    while snapshots.changed().await.is_ok() {}
    assert!(matches!(snapshots.borrow().availability, Availability::Stopped));
}
