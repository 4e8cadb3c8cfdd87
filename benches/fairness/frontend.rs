//! The frontend, with as many workers as are asked for; it counts the connections of each.

use std::{
    collections::BTreeMap,
    fs,
    io::stdin,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use ancm_frontend::{
    application::Hosted,
    frontend::{Frontend, Options},
    guard::Guard,
    spawn::Spawner,
};
use tower_layer::Layer;

use crate::{Failure, part::Part};

/// Counts the connections of each worker: a stack is made for each, by the thread that serves it.
#[derive(Clone, Default)]
struct CountLayer {
    workers: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// Starts one whose applications, of these path bases, are this very program; where it listens.
pub(crate) fn start(
    workers: usize,
    site: &Path,
    path_bases: &[&str],
) -> Result<(Part, std::net::SocketAddr), Failure> {
    for path_base in path_bases {
        configure(&folder(site, path_base), path_base)?;
    }
    let (workers, site) = (workers.to_string(), site.to_string_lossy());
    let mut part = Part::start(&[&["frontend", &workers, &site], path_bases].concat())?;
    let address = part.line()?.parse()?;
    Ok((part, address))
}

fn folder(site: &Path, path_base: &str) -> PathBuf {
    site.join(path_base.trim_start_matches('/'))
}

fn configure(folder: &Path, path_base: &str) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let program = std::env::current_exe()?.to_string_lossy().replace('&', "&amp;").replace('"', "&quot;");
    let text = format!(
        "<configuration><system.webServer>\
         <aspNetCore processPath=\"{program}\" arguments=\"application {path_base}\" />\
         <security><requestFiltering><requestLimits maxAllowedContentLength=\"4294967295\" /></requestFiltering>\
         </security></system.webServer></configuration>"
    );
    Ok(fs::write(folder.join("web.config"), text)?)
}

/// Serves until the input ends.
pub(crate) fn main(arguments: &[String]) -> Result<(), Failure> {
    let [workers, site, path_bases @ ..] = arguments else {
        return Err("frontend: WORKERS SITE PATH-BASE...".into());
    };
    crate::os::raise_file_limit();
    let count = CountLayer::default();
    let applications = path_bases.iter().map(|path_base| {
        let folder = folder(site.as_ref(), path_base);
        Ok::<_, Failure>(Hosted::load(path_base.parse()?, &folder, &[], &[] as &[&str]).0)
    });
    let options = Options::serving(applications.collect::<Result<_, _>>()?)
        .listen("127.0.0.1:0".parse()?)
        .workers(workers.parse()?)
        .spawner(Spawner::Guard(Guard::start(None)?));
    let running = Frontend::new(options).layer(count.clone()).start()?;
    println!("{}", running.addresses()[0]);
    for question in stdin().lines() {
        question?;
        println!("{}", count.told());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    running.kill_switch().kill();
    runtime.block_on(running.shutdown());
    Ok(())
}

// === impl CountLayer ===

impl CountLayer {
    /// `worker=connections` for each worker that has had one.
    fn told(&self) -> String {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let each = workers.iter().map(|(name, count)| format!("{name}={count}"));
        each.collect::<Vec<_>>().join(" ")
    }
}

impl<S> Layer<S> for CountLayer {
    type Service = S;

    fn layer(&self, stack: S) -> S {
        let name = thread::current().name().unwrap_or("?").to_owned();
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        *workers.entry(name).or_default() += 1;
        stack
    }
}
