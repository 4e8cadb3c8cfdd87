//! Who takes part: each proxy with its configuration, started and stopped.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
};

use crate::{
    Failure, check,
    child::{self, Child},
    options::Options,
    os,
    port::free_address,
    processes,
};

/// All of them; `direct` is no proxy at all, and shows what the two ends cost.
pub(crate) const PARTIES: [&str; 6] = ["ancm", "nginx", "nginx-tuned", "haproxy", "haproxy-tuned", "direct"];

/// What our program is allowed to log: the others keep no access log either.
const LOG_FILTER: &str = "warn,access=off";
/// Connections that a peer must be able to hold, if the limit on open files allows for it.
const MOST_CONNECTIONS: u64 = 12_000;

/// Someone whose work is measured.
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// The root of the processes that count.
    pub(crate) pid: u32,
    child: Option<Child>,
}

/// Everybody, and the application behind them.
pub(crate) struct Parties {
    /// In the order of the command line.
    pub(crate) list: Vec<Party>,
    /// Who could not take part, and why.
    pub(crate) absent: Vec<(&'static str, String)>,
    _origin: Option<Child>,
}

/// What the configurations are filled in with.
struct Setting<'a> {
    options: &'a Options,
    program: PathBuf,
    origin: SocketAddr,
    files: u64,
}

// === impl Parties ===

impl Parties {
    /// Starts everybody; an ancm that does not run is an error, a peer that does not is left out.
    pub(crate) fn start(options: &Options, files: u64) -> Result<Self, Failure> {
        let setting = Setting { options, program: std::env::current_exe()?, origin: free_address()?, files };
        let (mut list, mut absent, mut origin) = (Vec::new(), Vec::new(), None);
        // The application belongs to ancm, if that takes part: it is started from a web.config, as in real life.
        let root = if options.parties.contains(&"ancm") {
            let ancm = setting.ancm().map_err(|error| format!("ancm: {error}"))?;
            let root = ancm.pid;
            list.push(ancm);
            root
        } else {
            let child = setting.start_origin()?;
            origin.insert(child).pid()
        };
        for name in options.parties.iter().copied().filter(|name| *name != "ancm") {
            let party = if name == "direct" { setting.direct(root) } else { setting.peer(name) };
            match party {
                Ok(party) => list.push(party),
                Err(error) => absent.push((name, error.to_string())),
            }
        }
        list.sort_by_key(|party| options.parties.iter().position(|name| *name == party.name));
        Ok(Self { list, absent, _origin: origin })
    }
}

impl Drop for Parties {
    fn drop(&mut self) {
        // The application must outlive everybody who has connections to it.
        self.list.sort_by_key(|party| party.name == "ancm");
        self.list.clear();
    }
}

// === impl Party ===

impl Party {
    /// Whether it still runs; if not, why.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.child.as_mut().map_or(Ok(()), Child::check)
    }
}

// === impl Setting ===

impl Setting<'_> {
    fn ancm(&self) -> Result<Party, Failure> {
        let program = &self.options.ancm;
        if !program.exists() {
            let build = "build it with `cargo build --release -p ancm-frontend`";
            return Err(format!("{} is not there: {build}", program.display()).into());
        }
        let site = self.options.out.join("site");
        fs::create_dir_all(&site)?;
        let address = free_address()?;
        fs::write(site.join("web.config"), self.fill(include_str!("conf/web.config"), address))?;
        let arguments = ["run", &site.to_string_lossy(), "-l", &address.to_string()];
        self.start("ancm", program, &arguments, &[("RUST_LOG", LOG_FILTER)], address)
    }

    fn peer(&self, name: &'static str) -> Result<Party, Failure> {
        let template = match name {
            "nginx" => include_str!("conf/nginx.conf"),
            "nginx-tuned" => include_str!("conf/nginx-tuned.conf"),
            "haproxy" => include_str!("conf/haproxy.cfg"),
            _ => include_str!("conf/haproxy-tuned.cfg"),
        };
        let address = free_address()?;
        let file = self.options.out.join(format!("{name}.conf"));
        fs::write(&file, self.fill(template, address))?;
        let file = file.to_string_lossy();
        if name.starts_with("nginx") {
            let arguments = ["-e", "stderr", "-p", &self.options.out.to_string_lossy(), "-c", &file];
            self.start(name, &program("nginx")?, &arguments, &[], address)
        } else {
            self.start(name, &program("haproxy")?, &["-db", "-f", &file], &[], address)
        }
    }

    fn start_origin(&self) -> Result<Child, Failure> {
        let (port, log) = (self.origin.port().to_string(), self.options.out.join("origin.log"));
        let mut child = Child::start(&self.program, &["origin"], &[("ASPNETCORE_PORT", &port)], &log)?;
        check::wait(self.origin, &mut child)?;
        Ok(child)
    }

    /// The application itself, wherever below `root` it is.
    fn direct(&self, root: u32) -> Result<Party, Failure> {
        let origin = processes::running(&self.program, root).ok_or("the application is not to be found")?;
        Ok(Party { name: "direct", address: self.origin, pid: origin, child: None })
    }

    fn start(
        &self,
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        address: SocketAddr,
    ) -> Result<Party, Failure> {
        let log = self.options.out.join(format!("{name}.log"));
        let mut child = Child::start(program, arguments, environment, &log)?;
        check::wait(address, &mut child)?;
        check::check(address).map_err(|error| format!("{error}\n{}", child.last_words()))?;
        Ok(Party { name, address, pid: child.pid(), child: Some(child) })
    }

    fn fill(&self, template: &str, address: SocketAddr) -> String {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // haproxy wants two files for each connection, and does not start without.
        let connections = (self.files.saturating_sub(200) / 2).min(MOST_CONNECTIONS);
        let values = [
            ("@listen@", address.to_string()),
            ("@origin@", self.origin.to_string()),
            ("@origin-port@", self.origin.port().to_string()),
            ("@program@", xml(&self.program.to_string_lossy())),
            ("@folder@", self.options.out.to_string_lossy().into_owned()),
            ("@user@", if os::is_root() { "user root;" } else { "" }.to_owned()),
            ("@cores@", cores.to_string()),
            ("@files@", self.files.to_string()),
            ("@connections@", connections.to_string()),
        ];
        values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// Where a program of a Debian package is: `/usr/sbin` is not on everybody's path.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.exists());
    found.ok_or_else(|| format!("{name} is not installed"))
}

/// The versions of all who may take part, as far as they are installed.
pub(crate) fn versions(options: &Options) -> Vec<String> {
    let peer = |name: &str, flag| version(&program(name).ok()?, flag);
    let versions = [version(&options.ancm, "--version"), peer("nginx", "-v"), peer("haproxy", "-v")];
    versions.into_iter().flatten().collect()
}

/// The version that a program tells.
fn version(program: &Path, flag: &str) -> Option<String> {
    let output = child::output(program, &[flag]).ok()?;
    // nginx tells it on the wrong stream.
    let text = [output.stdout, output.stderr].concat();
    let line = String::from_utf8_lossy(&text).lines().next()?.trim().to_owned();
    Some(line).filter(|line| !line.is_empty())
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
