//! Trees that do not want to be killed. Each process of a script writes `pid N` as soon as it runs.

use std::{
    io::{BufRead, BufReader, PipeReader, Read},
    process::{Command, Stdio},
    time::Duration,
};

use super::*;
use crate::{
    process::{ProcessHandle, tree::Stat},
    spawn::{
        Child, Exit, Spawner,
        tests::{shell, soon},
    },
};

/// A process, a child of it, and two grandchildren whose parents have ended: in a session of its own, and in one
/// with an empty environment and no open files too.
const TREE: &str = "echo pid $$
    sh -c 'echo pid $$; exec sleep 1000' &
    (setsid sh -c 'echo pid $$; exec sleep 1000' &)
    (setsid env -i /bin/sh -c 'echo pid $$; exec /bin/sleep 1000 <&- >&- 2>&-' &)
    wait";
const SIZE_OF_TREE: usize = 4;

/// The frontend of [`nothing_outlives_a_frontend_that_is_killed`] runs this.
const FRONTEND: &str = "ANCM_FRONTEND_TEST_IS_FRONTEND";

/// Not a test: this is how the guards of all tests come to be, see [`Guard::for_tests`].
#[test]
fn is_a_guard_if_started_as_one() {
    keeper::run_on_stdin();
}

/// Not a test either, but the program that is killed in one.
#[test]
fn is_a_frontend_if_started_as_one() {
    if std::env::var_os(FRONTEND).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut launch, _reader) = shell(TREE);
        launch.stdout = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned().unwrap();
        let _child = Spawner::Guard(Guard::for_tests()).spawn(launch).await.unwrap();
        std::future::pending::<()>().await;
    });
}

async fn start(script: &str) -> (Child, BufReader<PipeReader>) {
    let (launch, reader) = shell(script);
    let child = soon(Spawner::Guard(Guard::for_tests()).spawn(launch)).await.unwrap();
    (child, BufReader::new(reader))
}

/// Reads so many `pid N` lines, and holds on to those processes.
fn processes(output: &mut impl BufRead, count: usize) -> Vec<ProcessHandle> {
    let lines = output.lines().map(|line| line.expect("output"));
    let numbers = lines.filter_map(|line| line.strip_prefix("pid ")?.parse().ok());
    numbers.take(count).map(|pid| ProcessHandle::open(pid).expect("a process that runs")).collect()
}

async fn all_gone(processes: &[ProcessHandle]) {
    for process in processes {
        process.exited().await;
    }
}

fn guard_of(child: &Child) -> ProcessHandle {
    let guard = ProcessHandle::open(Stat::read(child.pid).unwrap().parent).unwrap();
    assert!(child.handle.is_alive(), "its parent was not somebody else's");
    guard
}

#[tokio::test]
async fn kills_grandchildren_in_sessions_of_their_own() {
    let (child, mut output) = start(TREE).await;
    let processes = processes(&mut output, SIZE_OF_TREE);
    let guard = guard_of(&child);
    soon(child.kill_tree()).await;
    assert!(processes.iter().all(|process| !process.is_alive()), "done means that nobody is left");
    assert_eq!(child.wait().await, Exit::KILLED);
    soon(guard.exited()).await;
}

#[tokio::test]
async fn knows_the_tree_after_the_launched_process_has_ended() {
    let (child, mut output) = start("(setsid sh -c 'echo pid $$; exec sleep 1000' &); exit 3").await;
    let serving = processes(&mut output, 1);
    assert_eq!(soon(child.wait()).await.code, Some(3));
    soon(child.handle.exited()).await;
    assert!(serving[0].is_alive(), "a launcher may end while what it started serves");
    assert_eq!(child.processes().unwrap(), [serving[0].pid()]);
    soon(child.kill_tree()).await;
    assert!(!serving[0].is_alive());
    assert!(child.processes().unwrap().is_empty());
}

#[tokio::test]
async fn catches_up_with_a_process_that_flees_into_ever_new_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("flee");
    std::fs::write(&script, "setsid sh \"$0\" & exit").unwrap();
    let (child, mut output) = start(&format!("echo pid $$; exec sh {}", script.display())).await;
    output.read_line(&mut String::new()).unwrap();
    soon(child.wait()).await;
    soon(child.kill_tree()).await;
    // Nobody holds the pipe any more, so nobody is left.
    soon(async { output.read_to_end(&mut Vec::new()).unwrap() }).await;
}

#[tokio::test]
async fn kills_a_crowd_that_goes_on_growing() {
    let (child, mut output) = start(
        "echo pid $$
        grow() { for a in 1 2 3 4 5 6 7 8 9 0; do for b in 1 2 3 4 5 6 7 8 9 0; do
            sleep 1000 & setsid sleep 1000 & done; done; }
        grow & grow & grow & grow & wait",
    )
    .await;
    processes(&mut output, 1);
    while child.processes().unwrap().len() < 200 {
        tokio::task::yield_now().await;
    }
    soon(child.kill_tree()).await;
    output.read_to_end(&mut Vec::new()).unwrap();
}

#[tokio::test]
async fn a_guard_ends_with_the_last_of_its_tree() {
    let (child, _output) = start("exec sleep 1000").await;
    let guard = guard_of(&child);
    child.terminate().unwrap();
    soon(guard.exited()).await;
    assert_eq!(child.wait().await.signal, Some(15));
    soon(child.kill_tree()).await;
}

#[tokio::test]
async fn a_guard_is_not_moved_by_signals_meant_for_all() {
    let (child, mut output) = start("trap 'exit 5' HUP; echo pid $$; sleep 1000 & wait").await;
    let guard = guard_of(&child);
    processes(&mut output, 1);
    guard.terminate().unwrap();
    let pid = rustix::process::Pid::from_raw(guard.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let pid = rustix::process::Pid::from_raw(child.pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    assert_eq!(soon(child.wait()).await.code, Some(5), "the guard still reports");
}

#[tokio::test]
async fn a_backend_dies_with_its_guard_and_counts_as_killed() {
    let (child, mut output) =
        start("echo pid $$; sh -c 'echo pid $$; exec sleep 1000' & trap '' TERM HUP; wait").await;
    let processes = processes(&mut output, 2);
    guard_of(&child).kill().unwrap();
    assert_eq!(soon(child.wait()).await, Exit::KILLED);
    soon(all_gone(&processes)).await;
    soon(child.kill_tree()).await;
}

#[tokio::test]
async fn nothing_outlives_a_frontend_that_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "the frontend of this test")]
    let mut frontend = Command::new("/proc/self/exe")
        .args(["guard::tests::is_a_frontend_if_started_as_one", "--exact", "--nocapture"])
        .env(FRONTEND, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(frontend.stdout.take().unwrap());
    let processes = processes(&mut output, SIZE_OF_TREE);
    assert_eq!(processes.len(), SIZE_OF_TREE);
    frontend.kill().unwrap();
    tokio::time::timeout(Duration::from_secs(1), all_gone(&processes))
        .await
        .expect("all are gone in a second");
    frontend.wait().unwrap();
}

#[test]
fn nothing_outlives_the_runtime_it_was_started_on() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (child, mut output) = first.block_on(start(TREE));
    let processes = processes(&mut output, SIZE_OF_TREE);
    drop(first);
    runtime().block_on(async {
        soon(all_gone(&processes)).await;
        assert_eq!(soon(child.wait()).await, Exit::KILLED);
        soon(child.kill_tree()).await;
    });
}

#[test]
fn refuses_a_program_that_is_no_guard() {
    for (program, reason) in [("/bin/true", "no guard"), ("/does/not/exist", "No such file")] {
        let error = Guard::start(Some(program.into())).unwrap_err().to_string();
        assert!(error.contains(program) && error.contains(reason), "{error}");
    }
}

#[test]
fn never_runs_a_main_twice_that_does_not_ask() {
    let error = Guard::start(None).unwrap_err();
    assert!(error.to_string().contains("run_if_asked"), "{error}");
}
