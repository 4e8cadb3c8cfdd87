//! The program `ancm`, running.

use std::{
    ffi::OsString,
    fs,
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    PATIENCE,
    app::App,
    client::{Client, Response, get},
    log::{Line, Log},
    process::{self, Watched},
};

/// A frontend that serves an application; dropping it kills it and whatever it has left.
#[derive(Debug)]
pub(crate) struct Frontend {
    child: Child,
    address: SocketAddr,
    marker: String,
    pub(crate) log: Log,
    /// Deleted after the process has ended, not before.
    _folder: Option<Arc<TempDir>>,
}

/// How to start one.
#[derive(Debug)]
pub(crate) struct Start {
    /// A program that starts ours, with its arguments.
    wrapper: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    folder: Option<Arc<TempDir>>,
}

/// A process that is ready for requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) pid: i64,
    pub(crate) port: u16,
}

/// What a command printed before it ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

// === impl Start ===

impl Start {
    /// `ancm COMMAND DIR`, logging as JSON.
    pub(crate) fn command(command: &str, folder: &Path) -> Self {
        Self {
            wrapper: Vec::new(),
            arguments: vec![command.into(), folder.into()],
            environment: vec![("ANCM_FRONTEND_LOG_FORMAT".into(), "json".into())],
            folder: None,
        }
    }

    /// `ancm demo -l 127.0.0.1:0`, which makes its folder in the one given.
    pub(crate) fn demo(folder: &App) -> Self {
        let mut start = Self::command("demo", Path::new("-l")).argument("127.0.0.1:0");
        start.environment.push(("TMPDIR".into(), folder.root().display().to_string()));
        start.folder = Some(folder.keep());
        start
    }

    /// `ancm run DIR -l 127.0.0.1:0`.
    pub(crate) fn run(app: &App) -> Self {
        Self::run_at(app, "127.0.0.1:0")
    }

    pub(crate) fn run_at(app: &App, address: &str) -> Self {
        let mut start = Self::command("run", app.root()).argument("-l").argument(address);
        start.environment.extend(app.environment());
        start.folder = Some(app.keep());
        start
    }

    /// `ancm COMMAND --app BINDING=DIR …`; whoever has made the applications keeps them.
    pub(crate) fn several(command: &str, apps: &[(&str, &App)]) -> Self {
        let mut start = Self {
            wrapper: Vec::new(),
            arguments: vec![command.into()],
            environment: Vec::new(),
            folder: None,
        };
        start.environment.push(("ANCM_FRONTEND_LOG_FORMAT".into(), "json".into()));
        for (binding, app) in apps {
            start = start.argument("--app").argument(&format!("{binding}={}", app.root().display()));
        }
        start.environment.extend(apps.iter().flat_map(|(_, app)| app.environment()));
        start
    }

    /// `ancm run --app BINDING=DIR … -l 127.0.0.1:0`.
    pub(crate) fn run_several(apps: &[(&str, &App)]) -> Self {
        Self::several("run", apps).argument("-l").argument("127.0.0.1:0")
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Lets it do no more than a file's permissions say, should the tests run as root; None where that is impossible.
    pub(crate) fn bound_by_permissions(mut self) -> Option<Self> {
        if rustix::process::geteuid().is_root() {
            let setpriv = Path::new("/usr/bin/setpriv");
            if !setpriv.exists() {
                super::skip("root may read everything, and there is no setpriv to forbid it");
                return None;
            }
            self.wrapper = vec![setpriv.into(), "--bounding-set=-dac_override,-dac_read_search".into()];
        }
        Some(self)
    }

    fn spawn(&self, marker: &str, stdout: Stdio) -> Child {
        let mut words = self.wrapper.iter().cloned().chain([program().into()]);
        let first = words.next().expect("the program at least");
        #[expect(clippy::disallowed_methods, reason = "the one place where the tests start the program")]
        let mut command = Command::new(first);
        command
            .args(words)
            .args(&self.arguments)
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("ANCM_TEST_MARKER", marker)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped());
        command.spawn().expect("ancm starts")
    }

    /// Starts it and waits until it listens.
    pub(crate) fn serve(self) -> Frontend {
        let marker = marker();
        let mut child = self.spawn(&marker, Stdio::null());
        let log = Log::read(child.stderr.take().expect("it is piped"));
        let line = log.says("listening on http://").text;
        let (_, address) = line.split_once("listening on http://").expect("it says so");
        let address: String =
            address.chars().take_while(|&c| c.is_ascii_hexdigit() || ".:[]".contains(c)).collect();
        let address = address.parse().unwrap_or_else(|_| panic!("no address in {line:?}"));
        Frontend { child, address, marker, log, _folder: self.folder }
    }

    /// Runs it to its end, which must come by itself.
    pub(crate) fn until_end(self) -> Ended {
        let mut child = self.spawn(&marker(), Stdio::piped());
        let log = Log::read(child.stderr.take().expect("it is piped"));
        let mut stdout = child.stdout.take().expect("it is piped");
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        });
        if !Watched::new(child.id().into()).ends_within(PATIENCE) {
            let _ = child.kill();
            panic!("ancm does not end by itself:\n{}", log.report());
        }
        let code = child.wait().expect("it has ended").code();
        log.ended();
        let stdout = reader.join().expect("no panic").expect("a pipe can be read");
        Ended { code, stdout, stderr: log.text() }
    }
}

// === impl Frontend ===

impl Frontend {
    /// Serves the application on a port of its own.
    pub(crate) fn serve(app: &App) -> Self {
        Start::run(app).serve()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> i64 {
        self.child.id().into()
    }

    /// What is in the environment of every process of it.
    pub(crate) fn marker(&self) -> &str {
        &self.marker
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.connect().exchange(get(target, &[]))
    }

    pub(crate) fn post(&self, target: &str) -> Response {
        self.connect().exchange(super::client::request("POST", target, &[], ""))
    }

    /// Waits for the nth process that became ready, counted from 1.
    pub(crate) fn started(&self, n: usize) -> Started {
        let line = self.log.event(1001, n);
        Started { pid: line.number("pid"), port: u16::try_from(line.number("port")).expect("a port") }
    }

    /// The same for one application of several.
    pub(crate) fn started_at(&self, application: &str, n: usize) -> Started {
        let ready = |line: &Line| line.is_event(1001) && line.is_about(application);
        let line = self.log.nth(&format!("a process of {application}"), n, ready);
        Started { pid: line.number("pid"), port: u16::try_from(line.number("port")).expect("a port") }
    }

    /// How often an application of several was started anew because of its configuration.
    pub(crate) fn recycles_at(&self, application: &str) -> usize {
        self.log.count(|line| line.is_event(1021) && line.is_about(application))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self, limit: Duration) -> ExitStatus {
        let ended = Watched::new(self.pid()).ends_within(limit);
        assert!(ended, "ancm has not ended after {limit:?}:\n{}", self.log.report());
        self.child.wait().expect("it has ended")
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended(PATIENCE)
    }

    /// Fails if something went wrong inside that no answer shows.
    pub(crate) fn assert_sound(&self) {
        let panicked = |line: &Line| line.text.contains("panicked at");
        assert_eq!(self.log.count(panicked), 0, "ancm panicked:\n{}", self.log.report());
    }
}

impl Drop for Frontend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What it should have taken with it. A test that is about this looks before we do.
        for pid in process::with_marker(&self.marker) {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            let _ = pid.map(|pid| rustix::process::kill_process(pid, Signal::KILL));
        }
        if std::thread::panicking() {
            println!("--- what ancm printed\n{}---", self.log.report());
        }
    }
}

fn marker() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("ancm-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The program beside our own target folder: `target/debug/ancm` for `target/debug/deps/main-…`.
fn program() -> PathBuf {
    let ours = std::env::current_exe().expect("a test has a program");
    let folder = ours.parent().and_then(Path::parent).expect("a test lies in target/PROFILE/deps");
    let program = folder.join(format!("ancm{}", std::env::consts::EXE_SUFFIX));
    let built = fs::metadata(&program).and_then(|metadata| metadata.modified()).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo build --workspace` first", program.display())
    });
    // Cargo writes beside a program which files it was made of: unit tests are not among them.
    let sources = fs::read_to_string(program.with_extension("d")).expect("cargo lists the sources");
    let sources = sources.split_once(": ").map_or("", |(_, sources)| sources);
    for source in sources.split_ascii_whitespace() {
        let changed = fs::metadata(source).and_then(|metadata| metadata.modified());
        assert!(
            changed.is_ok_and(|changed| changed <= built),
            "{} is older than {source}; run `cargo build --workspace` first",
            program.display(),
        );
    }
    program
}
