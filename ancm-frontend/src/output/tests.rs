use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, Mode};

use super::{events, *};
use crate::config::LogLimits;

const TOKEN: &str = "2f0c1e3a-7d54-4b7e-9a51-0c3b8e6f4d21";

fn sink(log_file: &LogFile) -> Sink {
    Sink { tokens: vec![TOKEN.into()], log_file: Some(log_file.clone()), ..Sink::default() }
}

/// A log file with a path of the test's choice.
fn log_file_at(output: &Output, path: &Path) -> LogFile {
    let in_use = Arc::clone(&output.shared.in_use);
    let series = Series::new(settings("/".as_ref(), "unused"), path.into(), std::process::id(), in_use);
    LogFile::new(path.into(), Some(output.writer(path, series).unwrap()))
}

fn settings(site_root: &Path, name: &str) -> LogFileSettings {
    let limits = LogLimits::default();
    LogFileSettings { site_root: site_root.into(), name: name.into(), slot: None, limits }
}

fn print(stream: OwnedFd, pieces: &[&[u8]]) {
    let mut stream = File::from(stream);
    for piece in pieces {
        stream.write_all(piece).unwrap();
    }
}

fn only_file_in(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none());
    path
}

#[tokio::test]
async fn writes_both_streams_unaltered_into_one_file_in_a_folder_that_it_makes() {
    let site = tempfile::tempdir().unwrap();
    let output = Output::start().unwrap();
    let log_file = output.log_file(settings(site.path(), r".\löγs\deep\stdout"));
    let pipes = output.pipes(sink(&log_file)).unwrap();
    pipes.capture.started(7);
    print(pipes.stdout, &[b"\x1b[32minfo\x1b[0m: \xff\0\r\n", "grüße\r\n".as_bytes()]);
    // One stream after the other, so that their order is known.
    while !pipes.capture.text().contains("grüße\r\n") {
        tokio::task::yield_now().await;
    }
    print(pipes.stderr, &[b"no end"]);
    drop(log_file);
    output.finish().await;
    let path = only_file_in(&site.path().join("löγs/deep"));
    assert_eq!(
        fs::read(path).unwrap(),
        "\x1b[32minfo\x1b[0m: "
            .bytes()
            .chain(*b"\xff\0\r\n")
            .chain("grüße\r\nno end".bytes())
            .collect::<Vec<_>>()
    );
    assert_eq!(pipes.capture.text(), "\x1b[32minfo\x1b[0m: \u{fffd}\0\r\ngrüße\r\nno end");
}

#[tokio::test]
async fn shows_the_token_nowhere() {
    events::collect();
    let site = tempfile::tempdir().unwrap();
    let output = Output::start().unwrap();
    let log_file = output.log_file(settings(site.path(), "log"));
    let pipes = output.pipes(sink(&log_file)).unwrap();
    pipes.capture.started(31_001);
    let (begin, end) = TOKEN.split_at(20);
    print(pipes.stdout, &[b"expected '", begin.as_bytes()]);
    print(pipes.stderr, &[b"other ", TOKEN.as_bytes(), b"\n", begin.as_bytes(), end.as_bytes(), b"!"]);
    drop(log_file);
    output.finish().await;
    let file = fs::read_to_string(only_file_in(site.path())).unwrap();
    for text in [file, pipes.capture.text(), pipes.capture.tail()] {
        assert!(!text.contains(TOKEN), "{text}");
        assert_eq!(text.matches("[pairing token]").count(), 2, "{text}");
        assert!(text.contains(&format!("expected '{begin}")), "half of a token is none: {text}");
    }
    let lines = events::all(|event| event.get("pid").is_some_and(|pid| pid == "31001"));
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|event| !event["message"].contains(TOKEN)));
}

#[tokio::test]
async fn logs_each_line_with_its_stream_and_process() {
    events::collect();
    let output = Output::start().unwrap();
    let pipes = output.pipes(Sink { application: "shop".into(), ..Sink::default() }).unwrap();
    // Printed before the process's id is known.
    print(pipes.stdout, &[b"first\r\n\nsec", b"ond"]);
    print(pipes.stderr, &[b"bad\n"]);
    pipes.capture.started(31_002);
    pipes.capture.ended().await;
    let lines = |stream: &str| -> Vec<_> {
        events::all(|event| {
            event["target"] == "app"
                && event.get("pid").is_some_and(|pid| pid == "31002")
                && event["stream"] == stream
                && event["site"] == "shop"
                && event["level"] == "INFO"
        })
        .into_iter()
        .map(|mut event| event.remove("message").unwrap())
        .collect()
    };
    assert_eq!(lines("stdout"), ["first", "", "second"]);
    assert_eq!(lines("stderr"), ["bad"]);
}

#[tokio::test]
async fn names_the_file_by_the_time_in_utc_and_our_own_process() {
    let site = tempfile::tempdir().unwrap();
    let output = Output::start().unwrap();
    let log_file = output.log_file(LogFileSettings { slot: Some(3), ..settings(site.path(), "stdout") });
    let name = log_file.path().file_name().unwrap().to_str().unwrap().to_owned();
    let rest = name.strip_prefix("stdout_").unwrap();
    let (time, rest) = rest.split_once('_').unwrap();
    assert!(time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()), "{time}");
    assert_eq!(rest, format!("{}_3.log", std::process::id()));
    log_file.write(b"a line\n");
    drop(log_file);
    output.finish().await;
    assert_eq!(only_file_in(site.path()).file_name().unwrap().to_str(), Some(name.as_str()));
}

#[tokio::test]
async fn goes_on_without_a_file_that_cannot_be_made() {
    events::collect();
    let site = tempfile::tempdir().unwrap();
    fs::write(site.path().join("logs"), "a file, not a folder").unwrap();
    let output = Output::start().unwrap();
    let log_file = output.log_file(settings(site.path(), r".\logs\stdout"));
    let pipes = output.pipes(sink(&log_file)).unwrap();
    pipes.capture.started(1);
    print(pipes.stdout, &[b"still here\n"]);
    drop(pipes.stderr);
    pipes.capture.ended().await;
    assert_eq!(pipes.capture.text(), "still here\n");
    let path = log_file.path().display().to_string();
    let event = events::first(|event| event.get("path") == Some(&path));
    assert_eq!((event["event_id"].as_str(), event["level"].as_str()), ("1004", "WARN"));
    assert!(
        event["reason"].contains("File exists") || event["reason"].contains("Not a directory"),
        "{event:?}"
    );
    drop(log_file);
    output.finish().await;
    assert_eq!(output.dropped_lines(), 1);
    let told = events::all(|event| event.get("path") == Some(&path) && event.contains_key("event_id"));
    assert_eq!(told.len(), 1, "once");
}

#[test]
fn refuses_a_path_of_windows_before_it_makes_strange_folders() {
    events::collect();
    let site = tempfile::tempdir().unwrap();
    let output = Output::start().unwrap();
    output.log_file(settings(site.path(), r"E:\sites\logs\stdout"));
    let event = events::first(|event| event.get("path").is_some_and(|path| path.starts_with("E:")));
    assert_eq!(event["event_id"], "1004");
    assert!(fs::read_dir(site.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn counts_the_lines_that_a_full_disk_does_not_take() {
    events::collect();
    let output = Output::start().unwrap();
    let log_file = log_file_at(&output, "/dev/full".as_ref());
    let pipes = output.pipes(sink(&log_file)).unwrap();
    pipes.capture.started(1);
    for _ in 0..10 {
        let mut stdout = File::from(pipes.stdout.try_clone().unwrap());
        stdout.write_all(b"a line\nand one\n").unwrap();
    }
    drop((pipes.stdout, pipes.stderr, log_file));
    output.finish().await;
    assert_eq!(output.dropped_lines(), 20);
    assert_eq!(pipes.capture.text(), "a line\nand one\n".repeat(10));
    let told = events::all(|event| event.get("path").is_some_and(|path| path == "/dev/full"));
    let begun: Vec<_> = told.iter().filter_map(|event| event.get("reason")).collect();
    assert!(begun[0].contains("No space left on device"), "{begun:?}");
    let counts: Vec<u64> = told.iter().filter_map(|event| event.get("lines")?.parse().ok()).collect();
    assert_eq!((begun.len(), counts), (1, vec![20]), "said when it began and when it ended: {told:?}");
}

#[tokio::test]
async fn never_waits_for_a_disk_that_hangs() {
    events::collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let output = Output::start().unwrap();
    let log_file = log_file_at(&output, &path);
    let pipes = output.pipes(sink(&log_file)).unwrap();
    pipes.capture.started(1);
    drop(pipes.stderr);
    let line = format!("{:>1023}\n", "line");
    // More than is ever queued: this returns although nobody opens the other end.
    print(pipes.stdout, &vec![line.as_bytes(); 6 * 1024]);
    pipes.capture.ended().await;
    let lost = output.dropped_lines();
    assert!(lost >= 2 * 1024, "{lost}");
    let path_text = path.display().to_string();
    let begun = events::first(|event| event.get("path") == Some(&path_text));
    assert_eq!(begun["reason"], "the disk is too slow");
    // The disk comes back.
    let mut file = String::new();
    drop(log_file);
    File::open(&path).unwrap().read_to_string(&mut file).unwrap();
    output.finish().await;
    assert_eq!(file.lines().count() as u64 + lost, 6 * 1024 + u64::from(!file.ends_with('\n')));
    let ended = events::first(|event| event.get("path") == Some(&path_text) && event.contains_key("lines"));
    assert_eq!(ended["lines"], lost.to_string());
}

#[tokio::test]
async fn takes_what_is_in_the_pipe_when_it_is_closed_and_lets_a_grandchild_go() {
    let output = Output::start().unwrap();
    let pipes = output.pipes(Sink::default()).unwrap();
    let mut grandchild = File::from(pipes.stdout.try_clone().unwrap());
    print(pipes.stdout, &[b"last words"]);
    pipes.capture.started(1);
    pipes.capture.close();
    pipes.capture.ended().await;
    assert_eq!(pipes.capture.text(), "last words");
    assert_eq!(grandchild.write(b"more").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn closes_the_pipes_when_nobody_holds_the_capture() {
    let output = Output::start().unwrap();
    // Never started: the spawn has failed.
    let pipes = output.pipes(Sink::default()).unwrap();
    drop(pipes.capture);
    output.finish().await;
    assert!(File::from(pipes.stderr).write(b"x").is_err());
}

#[tokio::test]
async fn a_clone_keeps_the_capture_open() {
    let output = Output::start().unwrap();
    let pipes = output.pipes(Sink::default()).unwrap();
    let other = pipes.capture.clone();
    other.started(1);
    drop(pipes.capture);
    print(pipes.stdout, &[b"heard"]);
    drop(pipes.stderr);
    other.ended().await;
    assert_eq!(other.text(), "heard");
}

#[tokio::test]
async fn keeps_the_log_of_a_start_within_the_same_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for text in [b"one\n", b"two\n"] {
        let output = Output::start().unwrap();
        log_file_at(&output, &path).write(text);
        output.finish().await;
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "one\ntwo\n");
}
