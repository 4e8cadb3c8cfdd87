//! `ancm demo`: a complete application in a temporary folder, served in the ordinary way.
//!
//! Nothing of it is special. The folder holds a real `web.config`, `ancm run` serves it, and the application is a
//! process of its own; only its program happens to be this one, so that nothing else needs to be installed.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    Exit, Failure,
    applications::Applications,
    arguments::{Demo, Ignore, Listen, Run},
    listen::ListenAddress,
    logging::Logs,
    run,
};

/// The page that the application shows, and its user may change.
pub(super) const PAGE: &str = include_str!("demo.html");
pub(super) const PAGE_FILE: &str = "index.html";

const WEB_CONFIG: &str = include_str!("demo.config");

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("cannot find out where this program lies, to start it as the demo's application")]
    Program(#[source] io::Error),
    #[error("this program lies at {0:?}, which is not Unicode, so that no web.config can name it")]
    NotUnicode(PathBuf),
    #[error("cannot make a folder for the demo in {0}; TMPDIR names another place")]
    Folder(PathBuf, #[source] io::Error),
}

/// Serves the demo until a signal comes, then removes its folder.
pub fn demo(options: &Demo, logs: &Logs) -> Result<Exit, Failure> {
    let program =
        env::current_exe().map_err(DemoError::Program).map_err(|error| Failure::new(Exit::Failed, error))?;
    let program = program
        .into_os_string()
        .into_string()
        .map_err(|program| Failure::new(Exit::Failed, DemoError::NotUnicode(program.into())))?;
    let folder = folder(&program).map_err(|error| {
        let exit = Exit::of_io(&error);
        Failure::new(exit, DemoError::Folder(env::temp_dir(), error))
    })?;
    // On stdout, as stderr may be read by a program. Nobody need read it.
    let _ = io::stdout().write_all(invitation(folder.path(), &options.listen).as_bytes());
    let (applications, listen) = (Applications::only(folder.path().into()), options.listen.clone());
    run::run(&Run { applications, listen, exit_on_failure: false, ignore: Ignore::default() }, logs)
}

/// A published application whose program is this one.
fn folder(program: &str) -> io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("ancm-demo-").tempdir()?;
    fs::write(folder.path().join(ancm_tower::contract::WEB_CONFIG_FILE), web_config(program))?;
    fs::write(folder.path().join(PAGE_FILE), PAGE)?;
    Ok(folder)
}

fn web_config(program: &str) -> String {
    let mut escaped = String::with_capacity(program.len());
    for character in program.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    WEB_CONFIG.replace("{program}", &escaped)
}

/// What can be tried.
fn invitation(folder: &Path, listen: &Listen) -> String {
    let address = listen.addresses.first();
    let scheme = if address.is_some_and(ListenAddress::is_tls) { "https" } else { "http" };
    let url = match address {
        Some(address) if address.port() != 0 => format!("{scheme}://{address}"),
        // Known only when it listens, which a line below says.
        _ => format!("{scheme}://127.0.0.1:PORT"),
    };
    let folder = folder.display();
    format!(
        "\
The demo application lies in {folder}
and is served as `ancm run` serves any other. Open {url}/ or try:

  # what the application sees of a request
  curl {url}/facts
  # server-sent events, one a second
  curl -N {url}/ticks
  # what you send comes back
  curl -d hello {url}/echo
  # take it offline, and bring it back
  echo Back soon > {folder}/app_offline.htm
  rm {folder}/app_offline.htm
  # make it crash; the next request finds it well
  kill -9 $(curl -s {url}/pid)
  # start it anew, without losing a request
  touch {folder}/web.config

Ctrl-C stops it and removes the folder.

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tls::Tls;

    fn listen(address: &str) -> Listen {
        Listen { addresses: vec![address.parse().unwrap()], tls: Tls::default() }
    }

    #[test]
    fn writes_a_web_config_that_starts_this_program() {
        let folder = folder(r#"/opt/R&D "x"/<ancm>"#).unwrap();
        let text = fs::read_to_string(folder.path().join("web.config")).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let element = document.descendants().find(|node| node.has_tag_name("aspNetCore")).unwrap();
        assert_eq!(element.attribute("processPath"), Some(r#"/opt/R&D "x"/<ancm>"#));
        assert!(element.attribute("arguments").unwrap().starts_with("demo-backend"));
        assert_eq!(fs::read_to_string(folder.path().join("index.html")).unwrap(), PAGE);
    }

    #[test]
    fn tells_where_the_folder_is_and_what_to_try() {
        let text = invitation(Path::new("/tmp/ancm-demo-x"), &listen("127.0.0.1:9000"));
        for part in ["/tmp/ancm-demo-x/app_offline.htm", "curl -N http://127.0.0.1:9000/ticks", "kill -9"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(invitation(Path::new("/tmp/x"), &listen("[::1]:0")).contains("http://127.0.0.1:PORT/"));
    }
}
