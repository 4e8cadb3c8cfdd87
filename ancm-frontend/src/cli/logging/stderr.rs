//! The thread that writes the log, behind a bounded queue that drops what a slow reader does not take.

use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::Duration,
};

use time::OffsetDateTime;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::write_time;
use crate::cli::arguments::LogFormat;

/// Lines that may wait to be written.
const QUEUE: usize = 8192;
/// How long the end of the program waits for a reader of stderr.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Writes what is still waiting when it is dropped, for at most 1.5 seconds.
#[derive(Debug)]
pub(super) struct Worker {
    worker: Option<WorkerGuard>,
}

/// Writes lines, and between them how many were lost.
struct Telling<W> {
    out: W,
    format: LogFormat,
    lost: Arc<OnceLock<ErrorCounter>>,
    told: usize,
    losing: bool,
}

pub(super) fn start(out: impl Write + Send + 'static, format: LogFormat) -> (NonBlocking, Worker) {
    let lost = Arc::new(OnceLock::new());
    let telling = Telling { out, format, lost: Arc::clone(&lost), told: 0, losing: false };
    let (writer, worker) =
        NonBlockingBuilder::default().buffered_lines_limit(QUEUE).thread_name("ancm-log").finish(telling);
    lost.get_or_init(|| writer.error_counter());
    (writer, Worker { worker: Some(worker) })
}

// === impl Worker ===

impl Drop for Worker {
    fn drop(&mut self) {
        let worker = self.worker.take();
        let (done, wait) = mpsc::channel::<()>();
        // On a thread that may be left behind: if the writer hangs, the guard says so on stdout, which can hang too.
        let ending = thread::Builder::new().name("ancm-log-end".into()).spawn(move || {
            drop(worker);
            drop(done);
        });
        if ending.is_ok() {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }
}

// === impl Telling ===

impl<W: Write> Telling<W> {
    fn lost(&self) -> usize {
        self.lost.get().map_or(0, ErrorCounter::dropped_lines)
    }

    fn tell(&mut self, message: &str, lines: Option<usize>) -> io::Result<()> {
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write_line(&mut line, self.format, message, lines);
        self.out.write_all(line.as_bytes())
    }
}

fn write_line(line: &mut String, format: LogFormat, message: &str, lines: Option<usize>) -> std::fmt::Result {
    let now = OffsetDateTime::now_utc();
    match format {
        LogFormat::Human => {
            super::human::write_clock(line, now)?;
            write!(line, " WARN  {message}")?;
            lines.map_or(Ok(()), |lines| write!(line, " lines={lines}"))?;
        }
        LogFormat::Json => {
            line.push_str("{\"ts\":\"");
            write_time(line, now)?;
            write!(line, "\",\"level\":\"WARN\",\"target\":\"server\",\"message\":\"{message}\"")?;
            lines.map_or(Ok(()), |lines| write!(line, ",\"lines\":{lines}"))?;
            line.push('}');
        }
    }
    line.push('\n');
    Ok(())
}

impl<W: Write> Write for Telling<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    /// One whole line.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.losing && self.lost() > self.told {
            self.losing = true;
            self.tell("lines of this log are being dropped: it is not read as fast as it is written", None)?;
        }
        self.out.write_all(line)
    }

    /// The queue is empty, so losing has ended.
    fn flush(&mut self) -> io::Result<()> {
        let lost = self.lost();
        if lost > self.told {
            let lines = lost - self.told;
            self.tell("lines of this log were dropped", Some(lines))?;
            self.told = lost;
            self.losing = false;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use tracing::subscriber::with_default;
    use tracing_subscriber::EnvFilter;

    use super::{super::Style, *};

    fn lines_of_a_reader_that_comes_late(format: LogFormat) -> Vec<String> {
        let (reader, writer) = io::pipe().unwrap();
        let (subscriber, logs) = super::super::subscriber(
            Style { format, colours: false },
            EnvFilter::new("info"),
            writer,
            &|_| None,
        );
        let pad = "x".repeat(200);
        // Far more than the pipe and the queue take; this returns although nobody reads.
        with_default(subscriber, || {
            for number in 0..3 * QUEUE {
                tracing::info!(target: "server", number, pad);
            }
        });
        let reading = thread::spawn(|| BufReader::new(reader).lines().map(Result::unwrap).collect());
        drop(logs);
        reading.join().unwrap()
    }

    #[test]
    fn never_waits_for_the_reader_and_tells_what_was_lost() {
        let lines = lines_of_a_reader_that_comes_late(LogFormat::Json);
        let (told, written): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains("of this log"));
        let told: Vec<serde_json::Value> =
            told.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(told.iter().filter(|line| line.get("lines").is_none()).count(), 1, "{told:?}");
        let lost: u64 = told.iter().filter_map(|line| line["lines"].as_u64()).sum();
        assert!(lost > 0);
        assert_eq!(lost + written.len() as u64, 3 * QUEUE as u64);
    }

    #[test]
    fn tells_a_human_as_well() {
        let lines = lines_of_a_reader_that_comes_late(LogFormat::Human);
        assert!(
            lines.last().is_some_and(|line| line.contains(" WARN  lines of this log were dropped lines="))
        );
    }

    #[test]
    fn ends_although_nobody_ever_reads() {
        let (_reader, writer) = io::pipe().unwrap();
        let style = Style { format: LogFormat::Human, colours: false };
        let (subscriber, logs) = super::super::subscriber(style, EnvFilter::new("info"), writer, &|_| None);
        with_default(subscriber, || {
            for _ in 0..2 * QUEUE {
                tracing::info!("{}", "x".repeat(100));
            }
        });
        drop(logs);
    }
}
