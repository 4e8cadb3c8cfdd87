//! Says why a start failed: what kind of failure it was and likely causes for everybody, in full for developers and
//! the log.
//!
//! # Example
//!
//! ```text
//! The application did not listen on 127.0.0.1:21396 within 120 s (startupTimeLimit); process 4242 (Site) listens on
//! 0.0.0.0:5000 instead.
//!   - Addresses in the code win over the port that it is given: remove UseUrls, app.Urls or the address in app.Run(url).
//! ```

use std::{fmt, io, net::SocketAddr, path::PathBuf, time::Duration};

use ancm_tower::startup_error::StartFailure;

use super::ready::{Named, NotReady};
use crate::{config::command::CommandError, output::mask::Masker, process::port::PortError};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Problem {
    /// `ASPNETCORE_PORT` in web.config is no port.
    InvalidPort(String),
    /// `ASPNETCORE_TOKEN` in web.config is no token, or none could be drawn.
    Token(String),
    /// No port could be chosen.
    Port(PortError),
    /// There is no such program.
    Command(CommandError),
    /// There are no pipes for its output.
    Output(io::Error),
    /// The system refuses to run it.
    Spawn { program: PathBuf, error: io::Error },
    /// It runs, or ran, but does not listen.
    NotReady(NotReady),
}

/// What else is known of the attempt.
#[derive(Debug, Default)]
pub(super) struct Circumstances {
    /// Takes the secrets away that somebody has put into a command line or a path.
    pub(super) masker: Option<Masker>,
    pub(super) command_line: Option<String>,
    pub(super) directory: PathBuf,
    pub(super) port: Option<u16>,
    pub(super) limit: Duration,
    pub(super) elapsed: Duration,
    /// The beginning of what it printed.
    pub(super) output: String,
    /// The end of what it printed.
    pub(super) output_tail: String,
}

/// The sentence that says what happened.
struct Summary<'a>(&'a Problem, &'a Circumstances);

// === impl Problem ===

impl Problem {
    /// Whether another attempt must fail in the same way.
    pub(super) fn is_critical(&self) -> bool {
        matches!(self, Self::InvalidPort(_) | Self::Token(_))
    }

    /// Makes the failure that is shown and logged; developers get the details.
    pub(super) fn tell(&self, known: &Circumstances, for_developers: bool) -> StartFailure {
        let mut failure = StartFailure::new(self.kind()).exactly(known.masked(&Summary(self, known)));
        for cause in self.causes() {
            failure = failure.cause(*cause);
        }
        if for_developers { failure.details(known.masked(known)) } else { failure }
    }

    /// What everybody may know: no path, port or code.
    fn kind(&self) -> &'static str {
        match self {
            Self::InvalidPort(_) | Self::Token(_) => {
                "What `web.config` sets for the application cannot be used."
            }
            Self::Port(_) | Self::NotReady(NotReady::Taken { .. }) => {
                "There is no port on which the application could be reached."
            }
            Self::Command(_) | Self::Spawn { .. } => "The process of the application could not be launched.",
            Self::NotReady(NotReady::Exited(_)) => "The process was launched, but ended before it was ready.",
            Self::NotReady(NotReady::TimedOut { .. }) => {
                "The process runs, but does not listen where it was told to."
            }
            Self::Output(_) | Self::NotReady(_) => "The system did not let the application start.",
        }
    }

    /// How far the attempt came, in the words of the original.
    // ANCM: serverprocess.cpp; stages for which there is no occasion here are left out.
    pub(super) fn stage(&self) -> &'static str {
        match self {
            Self::InvalidPort(_) | Self::Port(_) => "SetupListenPort",
            Self::Token(_) => "SetupAppToken",
            Self::Command(_) => "SetupCommandLine",
            Self::Output(_) | Self::Spawn { .. } => "CreateProcess",
            Self::NotReady(_) => "PostStartCheck",
        }
    }

    pub(super) fn causes(&self) -> &'static [&'static str] {
        match self {
            Self::NotReady(NotReady::TimedOut { .. }) => &[
                "Addresses in the application's code win over the port that it is given: remove UseUrls, app.Urls or \
                 the address in app.Run(url), or listen where ASPNETCORE_PORT (or PORT) says.",
                "The application waits for something before it listens: a database, a hosted service.",
                "The application needs more time than startupTimeLimit in web.config allows.",
            ],
            Self::NotReady(NotReady::Exited(_)) => &[
                "The application threw while it was starting; its output says what.",
                "A file, a framework or a setting that it needs is missing.",
            ],
            Self::NotReady(NotReady::Taken { .. }) => &[
                "Another process has taken the port: end it, or change or remove ASPNETCORE_PORT in web.config.",
            ],
            Self::Spawn { error, .. } => spawn_causes(error),
            _ => &[],
        }
    }
}

fn spawn_causes(error: &io::Error) -> &'static [&'static str] {
    match error.kind() {
        io::ErrorKind::NotFound => {
            &["The file is not there, or the interpreter that its first line names is not."]
        }
        io::ErrorKind::PermissionDenied => {
            &["The file may not be executed: set the permission with chmod +x, or it is a directory."]
        }
        _ if error.raw_os_error() == Some(ENOEXEC) => {
            &["The file is no program for this machine: another system or processor, or a script without #!."]
        }
        _ => &[],
    }
}

/// "Exec format error", the same number on all Unix systems; the standard library has no kind for it.
const ENOEXEC: i32 = 8;

// === impl Summary ===

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(problem, known) = self;
        match problem {
            Problem::InvalidPort(text) => write!(
                f,
                "ASPNETCORE_PORT in web.config is \"{text}\"; it must be a number from 1025 to 48000, or empty for \
                 any free port."
            ),
            Problem::Token(why) => write!(f, "The application cannot be paired with: {why}."),
            Problem::Port(error) => write!(f, "The application got no port: {error}."),
            Problem::Command(error) => write!(f, "The application could not be executed: {error}."),
            Problem::Output(error) => {
                write!(
                    f,
                    "The application was not started, because no pipe could be made for its output: {error}."
                )
            }
            Problem::Spawn { program, error } => {
                write!(f, "The application could not be executed: {}: {error}.", program.display())
            }
            Problem::NotReady(not_ready) => not_ready_summary(f, not_ready, known),
        }
    }
}

fn not_ready_summary(f: &mut fmt::Formatter<'_>, not_ready: &NotReady, known: &Circumstances) -> fmt::Result {
    let port = known.port.unwrap_or_default();
    match not_ready {
        NotReady::Cancelled => write!(f, "The start was broken off."),
        NotReady::Exited(exit) => write!(
            f,
            "The application ended ({exit}) after {:.2} s, before it listened on 127.0.0.1:{port}.",
            known.elapsed.as_secs_f64()
        ),
        NotReady::Taken { address, by: Some(process) } => {
            write!(f, "Port {port} is taken: {process} listens on {address}.")
        }
        NotReady::Taken { address, by: None } => {
            write!(f, "Port {port} is taken: a process of another user listens on {address}.")
        }
        NotReady::TimedOut { elsewhere, tree } => {
            let limit = known.limit.as_secs_f64();
            write!(
                f,
                "The application did not listen on 127.0.0.1:{port} within {limit} s (startupTimeLimit)"
            )?;
            not_listening(f, elsewhere, tree)
        }
        NotReady::Unknown(error) => {
            write!(f, "The system does not tell who listens on port {port}: {error}.")
        }
    }
}

/// Who runs, and where that listens.
fn not_listening(
    f: &mut fmt::Formatter<'_>,
    elsewhere: &[(Named, SocketAddr)],
    tree: &[Named],
) -> fmt::Result {
    for (nth, (process, address)) in elsewhere.iter().enumerate() {
        let before = if nth == 0 { ";" } else { "," };
        write!(f, "{before} {process} listens on {address}")?;
    }
    match (elsewhere, tree.first()) {
        ([], Some(process)) => write!(f, "; {process} runs, but listens nowhere."),
        ([], None) => f.write_str("."),
        _ => f.write_str(" instead."),
    }
}

// === impl Circumstances ===

impl Circumstances {
    fn masked(&self, text: &dyn fmt::Display) -> String {
        let text = text.to_string();
        self.masker.as_ref().map(|masker| masker.whole(&text)).unwrap_or(text)
    }
}

impl fmt::Display for Circumstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(command_line) = &self.command_line {
            writeln!(f, "command line: {command_line}")?;
        }
        writeln!(f, "working directory: {}", self.directory.display())?;
        if let Some(port) = self.port {
            writeln!(f, "port: {port}")?;
        }
        writeln!(f, "elapsed: {:.2} s of {} s", self.elapsed.as_secs_f64(), self.limit.as_secs_f64())?;
        if self.output.is_empty() {
            return writeln!(f, "output: none");
        }
        writeln!(f, "output:\n{}", self.output)?;
        if self.output.ends_with(&self.output_tail) || self.output == self.output_tail {
            return Ok(());
        }
        writeln!(f, "\nend of the output:\n{}", self.output_tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawn::Exit;

    fn known() -> Circumstances {
        Circumstances {
            masker: None,
            command_line: Some("dotnet Site.dll".into()),
            directory: "/site".into(),
            port: Some(21_396),
            limit: Duration::from_secs(120),
            elapsed: Duration::from_millis(612),
            output: "Unhandled exception.\n".into(),
            output_tail: "Unhandled exception.\n".into(),
        }
    }

    fn named() -> Named {
        Named::of(std::process::id())
    }

    fn summary(problem: &Problem) -> String {
        problem.tell(&known(), false).in_full().to_owned()
    }

    #[test]
    fn tells_how_and_when_the_process_ended() {
        let exit = Exit { code: Some(134), signal: None, core_dumped: false };
        assert_eq!(
            summary(&Problem::NotReady(NotReady::Exited(exit))),
            "The application ended (exit code 134) after 0.61 s, before it listened on 127.0.0.1:21396."
        );
        assert!(summary(&Problem::NotReady(NotReady::Exited(Exit::KILLED))).contains("SIGKILL"));
    }

    #[test]
    fn names_what_listens_elsewhere_and_the_likely_causes() {
        let us = std::process::id();
        let elsewhere =
            vec![(named(), "0.0.0.0:5000".parse().unwrap()), (named(), "[::1]:5001".parse().unwrap())];
        let problem = Problem::NotReady(NotReady::TimedOut { elsewhere, tree: vec![named()] });
        let summary = summary(&problem);
        assert!(summary.contains("did not listen on 127.0.0.1:21396 within 120 s"), "{summary}");
        assert!(summary.contains(&format!("process {us}")), "{summary}");
        assert!(summary.contains("listens on 0.0.0.0:5000"), "{summary}");
        assert!(summary.ends_with("listens on [::1]:5001 instead."), "{summary}");
        for word in ["UseUrls", "app.Urls", "app.Run(url)"] {
            assert!(problem.causes()[0].contains(word));
        }
    }

    #[test]
    fn names_the_process_that_listens_nowhere() {
        let problem = Problem::NotReady(NotReady::TimedOut { elsewhere: vec![], tree: vec![Named::of(1)] });
        assert!(summary(&problem).contains("process 1 "), "{}", summary(&problem));
        assert!(summary(&problem).ends_with("runs, but listens nowhere."));
    }

    #[test]
    fn names_who_has_taken_the_port() {
        let address = "127.0.0.1:21396".parse().unwrap();
        let by = Some(named());
        let taken = summary(&Problem::NotReady(NotReady::Taken { address, by }));
        assert!(
            taken.starts_with(&format!("Port 21396 is taken: process {}", std::process::id())),
            "{taken}"
        );
        let taken = summary(&Problem::NotReady(NotReady::Taken { address, by: None }));
        assert!(taken.contains("of another user"), "{taken}");
    }

    #[test]
    fn names_the_program_that_cannot_be_executed_and_the_errno() {
        for (errno, cause) in [(2, "not there"), (13, "chmod"), (8, "no program for this machine")] {
            let error = io::Error::from_raw_os_error(errno);
            let problem = Problem::Spawn { program: "/site/App".into(), error };
            assert!(summary(&problem).contains("/site/App"));
            assert!(summary(&problem).contains(&format!("os error {errno}")));
            assert!(problem.causes()[0].contains(cause));
        }
    }

    #[test]
    fn only_a_port_or_token_of_web_config_is_beyond_a_second_attempt() {
        assert!(Problem::InvalidPort("80".into()).is_critical());
        assert!(summary(&Problem::InvalidPort("80".into())).contains("\"80\""));
        assert!(Problem::Token("no".into()).is_critical());
        assert!(!Problem::NotReady(NotReady::Exited(Exit::KILLED)).is_critical());
    }

    #[test]
    fn shows_the_circumstances_to_developers_only() {
        let problem = Problem::NotReady(NotReady::Exited(Exit::KILLED));
        let page =
            |developers| String::from_utf8(problem.tell(&known(), developers).page().to_vec()).unwrap();
        let secrets = [
            "dotnet Site.dll",
            "working directory: /site",
            "Unhandled exception.",
            "SIGKILL",
            "21396",
            "0.61 s",
        ];
        for secret in secrets {
            assert!(page(true).contains(secret), "{secret}");
            assert!(!page(false).contains(secret), "{secret}");
        }
    }

    #[test]
    fn repeats_the_end_of_the_output_only_if_it_is_another() {
        let known = |output: &str, tail: &str| {
            let known = Circumstances { output: output.into(), output_tail: tail.into(), ..known() };
            known.to_string()
        };
        assert!(!known("same", "same").contains("end of the output"));
        assert!(known("first", "last").contains("end of the output:\nlast"));
        assert!(known("", "").contains("output: none"));
    }
}
