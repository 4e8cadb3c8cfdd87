//! Real processes, started both ways.

use std::{
    io::{self, Read},
    time::Duration,
};

use rustix::io::Errno;
use tokio::sync::oneshot;

use super::*;

/// Both, since what is promised of a single process is the same.
fn spawners() -> [Spawner; 2] {
    [Spawner::Guard(Guard::for_tests()), Spawner::Direct]
}

/// A shell with this script, and what can be read of its standard output and error.
pub(crate) fn shell(script: &str) -> (Launch, io::PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    let launch = Launch {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        directory: "/".into(),
        stdout: writer.try_clone().unwrap().into(),
        stderr: writer.into(),
    };
    (launch, reader)
}

/// A shell that waits for a process of its own, which the end of the output waits for, too.
fn family() -> (Launch, io::PipeReader) {
    shell("trap '' TERM; sleep 1000 & echo begun; wait")
}

/// Waits until the second process of a family runs.
async fn begun(mut reader: io::PipeReader) -> io::PipeReader {
    let mut line = [0; 6];
    let (reader, line) = read(move || reader.read_exact(&mut line).map(|()| (reader, line))).await;
    assert_eq!(&line, b"begun\n");
    reader
}

/// The end is reached when the last is gone who could write.
async fn all_gone(mut reader: io::PipeReader) {
    read(move || reader.read_to_end(&mut Vec::new())).await;
}

/// Reads where it may take as long as it likes.
async fn read<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> T {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || tell.send(read()));
    soon(told).await.unwrap().unwrap()
}

/// Nothing here may take long; what hangs is a fault.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("takes too long")
}

/// Runs a shell to its end; what it wrote, and how it ended.
async fn output(spawner: &Spawner, launch: Launch, mut reader: io::PipeReader) -> (String, Exit) {
    let child = soon(spawner.spawn(launch)).await.unwrap();
    let exit = soon(child.wait()).await;
    // Ends only if nobody but the child has held the other end.
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (text, exit)
}

async fn run(spawner: &Spawner, script: &str) -> (String, Exit) {
    let (launch, reader) = shell(script);
    output(spawner, launch, reader).await
}

#[tokio::test]
async fn reports_the_exit_code() {
    for spawner in spawners() {
        let (_, exit) = run(&spawner, "exit 7").await;
        assert_eq!(exit, Exit { code: Some(7), signal: None, core_dumped: false }, "{spawner:?}");
        assert!(run(&spawner, "exit 0").await.1.is_success());
    }
}

#[tokio::test]
async fn reports_the_signal() {
    for spawner in spawners() {
        let (_, exit) = run(&spawner, "kill -TERM $$").await;
        assert_eq!((exit.code, exit.signal), (None, Some(15)), "{spawner:?}");
    }
}

#[tokio::test]
async fn gives_exactly_this_environment_and_directory() {
    for spawner in spawners() {
        let (mut launch, reader) = shell("");
        launch.program = "env".into();
        launch.arguments = vec![];
        launch.environment.push(("NAME".into(), "a value = with everything".into()));
        let path = launch.environment[0].1.clone().into_string().unwrap();
        let (text, _) = output(&spawner, launch, reader).await;
        let expected = format!("NAME=a value = with everything\nPATH={path}\n");
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected.lines().collect::<Vec<_>>(), "{spawner:?}");

        let (mut launch, reader) = shell("pwd");
        launch.directory = "/proc".into();
        assert_eq!(output(&spawner, launch, reader).await.0, "/proc\n");
    }
}

#[tokio::test]
async fn an_environment_of_a_megabyte_arrives_and_one_of_many_is_refused() {
    for spawner in spawners() {
        let large = |variables: usize| {
            let (mut launch, reader) = shell("env | wc -c");
            let value = "x".repeat(100_000);
            launch.environment.extend((0..variables).map(|n| (format!("V{n}").into(), value.clone().into())));
            (launch, reader)
        };
        let (launch, reader) = large(10);
        let (text, _) = output(&spawner, launch, reader).await;
        assert!(text.trim().parse::<usize>().unwrap() > 1_000_000, "{spawner:?}");

        let error = soon(spawner.spawn(large(200).0)).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::TOOBIG.raw_os_error()), "{spawner:?}");
    }
}

#[tokio::test]
async fn says_why_a_program_cannot_be_started() {
    let folder = tempfile::tempdir().unwrap();
    let no_program = folder.path().join("no-program");
    std::fs::write(&no_program, [0; 100]).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&no_program, executable).unwrap();
    let cases = [
        (folder.path().join("missing"), Errno::NOENT),
        (folder.path().to_owned(), Errno::ACCESS),
        ("/etc/passwd".into(), Errno::ACCESS),
        (no_program, Errno::NOEXEC),
    ];
    for spawner in spawners() {
        for (program, errno) in &cases {
            let (launch, _reader) = shell("");
            let error = soon(spawner.spawn(Launch { program: program.clone(), ..launch })).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()), "{program:?} {spawner:?}: {error}");
        }
    }
}

#[tokio::test]
async fn names_a_working_directory_that_cannot_be_entered() {
    for spawner in spawners() {
        for (directory, kind) in
            [("/does/not/exist", io::ErrorKind::NotFound), ("/etc/passwd", io::ErrorKind::NotADirectory)]
        {
            let (launch, _reader) = shell("");
            let error =
                soon(spawner.spawn(Launch { directory: directory.into(), ..launch })).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(directory), "{error}");
        }
    }
}

#[tokio::test]
async fn leaves_the_process_no_file_of_ours() {
    // Open without "not for children", as a careless library would.
    let (_reader, careless) = io::pipe().unwrap();
    rustix::io::fcntl_setfd(&careless, rustix::io::FdFlags::empty()).unwrap();
    let (text, _) = run(&spawners()[0], "cd /proc/self/fd; echo *; readlink 0").await;
    // The shell itself opens the directory to list it.
    assert!(["0 1 2\n/dev/null\n", "0 1 2 3\n/dev/null\n"].contains(&text.as_str()), "{text}");
    drop(careless);
    let (text, _) = run(&spawners()[1], "readlink /proc/self/fd/0").await;
    assert_eq!(text, "/dev/null\n");
}

#[tokio::test]
async fn starts_the_process_with_signals_as_they_are_by_default() {
    for spawner in spawners() {
        let (text, _) = run(&spawner, "grep -E 'Sig(Blk|Ign):' /proc/self/status").await;
        for line in text.lines() {
            let set = u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap();
            // From 32 on they are the C library's, and real-time ones that whoever runs the tests may have set.
            assert_eq!(set & 0x7fff_ffff, 0, "{spawner:?}: {text}");
        }
        assert_eq!(text.lines().count(), 2);
    }
}

#[tokio::test]
async fn terminates_the_launched_process() {
    for spawner in spawners() {
        let (launch, _reader) = shell("exec sleep 1000");
        let child = soon(spawner.spawn(launch)).await.unwrap();
        assert!(child.handle.is_alive());
        assert_eq!(*child.exit.borrow(), None);
        child.terminate().unwrap();
        assert_eq!(soon(child.wait()).await.signal, Some(15), "{spawner:?}");
        soon(child.handle.exited()).await;
        assert!(!child.handle.is_alive());
        child.terminate().expect("to be fine when it has ended already");
    }
}

#[tokio::test]
async fn kills_the_launched_process_and_its_group() {
    for spawner in spawners() {
        let (launch, reader) = family();
        let child = soon(spawner.spawn(launch)).await.unwrap();
        let reader = begun(reader).await;
        soon(child.kill_tree()).await;
        assert_eq!(soon(child.wait()).await, Exit::KILLED, "{spawner:?}");
        soon(child.kill_tree()).await;
        all_gone(reader).await;
    }
}

#[tokio::test]
async fn kills_what_nobody_holds_any_more() {
    for spawner in spawners() {
        let (launch, reader) = family();
        let child = soon(spawner.spawn(launch)).await.unwrap();
        let reader = begun(reader).await;
        let (handle, other) = (child.handle.clone(), child.clone());
        drop(child);
        assert!(handle.is_alive(), "{spawner:?}: somebody still holds it");
        drop(other);
        soon(handle.exited()).await;
        all_gone(reader).await;
    }
}

#[tokio::test]
async fn shows_names_but_no_values_of_the_environment() {
    let (mut launch, _reader) = shell("");
    launch.environment.push(("TOKEN".into(), "secret".into()));
    let shown = format!("{launch:?}");
    assert!(shown.contains("TOKEN") && !shown.contains("secret"), "{shown}");
}

#[test]
fn ends_with_the_runtime_that_it_is_watched_by() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (launch, reader) = family();
    let (watching, other) = (runtime(), runtime());
    let child = watching.block_on(soon(Spawner::Direct.spawn(launch))).unwrap();
    let reader = other.block_on(begun(reader));
    assert!(child.handle.is_alive());
    drop(watching);
    other.block_on(async {
        soon(child.handle.exited()).await;
        all_gone(reader).await;
    });
}
