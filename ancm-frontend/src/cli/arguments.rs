//! The command line: what may be written, and the explanation of it.
//!
//! Each flag can be given by a variable as well: `--log-format` by `ANCM_FRONTEND_LOG_FORMAT`. The flag wins. (The
//! shorter prefix `ANCM_` belongs to the original module.)
//!
//! # Example
//!
//! ```
//! use ancm_frontend::cli::arguments::{Arguments, Command};
//! use clap::Parser;
//!
//! let arguments = Arguments::parse_from(["ancm", "run", "/srv/shop", "-l", "http://[::1]:0"]);
//! let Command::Run(run) = arguments.command else { panic!() };
//! assert_eq!(run.applications.dir.unwrap().to_str(), Some("/srv/shop"));
//! assert_eq!(run.listen.addresses[0].to_string(), "[::1]:0");
//! ```

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{BoolishValueParser, PossibleValuesParser},
};

use super::{applications::Applications, listen::ListenAddress, tls::Tls};
use crate::config::GUARDED_SECTIONS;

const ABOUT: &str = "Serves an ASP.NET Core application, or any HTTP program, from its web.config";

const LONG_ABOUT: &str = "\
Serves an ASP.NET Core application, or any HTTP program, from its web.config.

Reads the web.config of a published application, starts the program that it names, pairs with it by a secret token, \
forwards HTTP to it and keeps it running: what IIS and the ASP.NET Core Module do on Windows.";

const AFTER_HELP: &str = "\
Examples:
  ancm demo                          see the whole chain at work
  ancm run /srv/shop                 serve it on http://127.0.0.1:8080
  ancm run /srv/shop -l 0.0.0.0:80   the same, for everybody
  ancm run /srv/shop -l https://0.0.0.0:443 --tls-cert shop.pem --tls-key shop.key
  ancm run --app /=/srv/main --app /shop=/srv/shop --app api.example.com/=/srv/api
                                     several applications, by path and by host
  ancm check /srv/shop               explain its web.config, start nothing

Environment:
  ANCM_FRONTEND_<FLAG>  any flag: ANCM_FRONTEND_LISTEN=0.0.0.0:80,[::]:80
  RUST_LOG              what is logged; by default info,access=off
                          server  what ancm does
                          access  a line for each request
                          app     what the application prints
  NO_COLOR              no colours on a terminal

Signals:
  TERM, INT  accept no more, finish what is under way, stop the application;
             a second one ends at once
  HUP        read the certificate anew

Exit codes:
  0   done, or stopped by a signal as asked
  1   failed, or ancm check has found something wrong
  2   the command line cannot be understood
  69  the application did not become ready (with --exit-on-failure)
  73  something cannot be created: a listener whose port is taken
  77  not permitted: a port below 1024, a private key
  78  web.config or a certificate cannot be used";

const RUN_HELP: &str = "\
Starts the application as soon as it listens, and holds requests until the application is ready. When it is ready, a \
line on stderr names its port and process. It is restarted when it crashes, replaced without losing a request when \
web.config changes, and taken offline while there is an app_offline.htm in DIR.

With --app there may be several, each with processes of its own. Of those that a request's path lies below, the longest \
takes it; a host that is named has applications of its own, the others serve all other hosts; what none is for is 404. \
An application below another one inherits from its web.config, as under IIS. One whose web.config cannot be used is \
answered 500 until the file is right, while the others are served; if that is so for all of them, nothing is.";

const CHECK_HELP: &str = "\
Says of each setting in web.config whether it is honoured, and of all that is wrong where it stands and what would be \
right. Nothing is started. The exit code is 0 if nothing is wrong, otherwise 1.

Of several applications (--app, as for ancm run) each is explained, with what it inherits from those above it.";

const DEMO_HELP: &str = "\
Writes a web.config and a start page into a temporary folder and runs it as `ancm run` does: the application is a \
real process, started through the web.config, and happens to be inside of this same program. The folder is removed at \
the end.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "ancm", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How messages are written on stderr; human on a terminal, otherwise json
    #[arg(
        long,
        global = true,
        display_order = 100,
        value_enum,
        value_name = "FORMAT",
        env = "ANCM_FRONTEND_LOG_FORMAT"
    )]
    pub log_format: Option<LogFormat>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the application in DIR
    #[command(long_about = format!("Serve the application in DIR\n\n{RUN_HELP}"))]
    Run(Run),
    /// Explain the web.config in DIR: what is honoured, what is not, what is wrong
    #[command(long_about = format!("Explain the web.config in DIR\n\n{CHECK_HELP}"))]
    Check(Check),
    /// Serve a complete small application from a temporary folder
    #[command(long_about = format!("Serve a complete small application from a temporary folder\n\n{DEMO_HELP}"))]
    Demo(Demo),
    /// The application of `ancm demo`
    #[command(hide = true)]
    DemoBackend,
}

/// `ancm run`.
#[derive(Debug, Args)]
pub struct Run {
    /// What to serve, and where.
    #[command(flatten)]
    pub applications: Applications,
    /// Where to listen.
    #[command(flatten)]
    pub listen: Listen,
    /// End with code 69 when the application does not become ready, instead of explaining it to clients and retrying
    #[arg(long, env = "ANCM_FRONTEND_EXIT_ON_FAILURE", value_parser = BoolishValueParser::new())]
    pub exit_on_failure: bool,
    /// What of web.config may be ignored.
    #[command(flatten)]
    pub ignore: Ignore,
}

/// `ancm check`.
#[derive(Debug, Args)]
pub struct Check {
    /// What to explain.
    #[command(flatten)]
    pub applications: Applications,
    /// Write JSON, for programs
    #[arg(long, env = "ANCM_FRONTEND_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// What of web.config may be ignored.
    #[command(flatten)]
    pub ignore: Ignore,
}

/// `ancm demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where to listen.
    #[command(flatten)]
    pub listen: Listen,
}

/// Where to listen.
#[derive(Clone, Debug, Args)]
pub struct Listen {
    /// Where to listen: host:port, http://host:port or https://host:port; may be repeated; port 0 is any free port
    #[arg(
        short = 'l',
        long = "listen",
        value_name = "ADDR",
        env = "ANCM_FRONTEND_LISTEN",
        value_delimiter = ',',
        default_value = "127.0.0.1:8080"
    )]
    pub addresses: Vec<ListenAddress>,
    /// The certificate of all https addresses.
    #[command(flatten)]
    pub tls: Tls,
}

/// What of web.config may be ignored.
#[derive(Clone, Debug, Default, Args)]
pub struct Ignore {
    /// Serve the site although this section of web.config keeps people out under IIS and does not here; may be repeated
    #[arg(
        long = "ignore-section",
        value_name = "NAME",
        env = "ANCM_FRONTEND_IGNORE_SECTION",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(GUARDED_SECTIONS),
        ignore_case = true
    )]
    pub sections: Vec<String>,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Short lines.
    Human,
    /// One object for each line.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn several_addresses_may_be_given() {
        let arguments = Arguments::parse_from(["ancm", "run", "-l", "127.0.0.1:1", "--listen=[::1]:1,a:2"]);
        let Command::Run(run) = arguments.command else { panic!("not run") };
        let listen: Vec<_> = run.listen.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(listen, ["127.0.0.1:1", "[::1]:1", "a:2"]);
    }

    #[test]
    fn several_applications_may_be_given_beside_a_folder() {
        let line = ["ancm", "run", "site", "--app", "/a=x,b.example/=y", "--app=/c=z"];
        let Command::Run(run) = Arguments::parse_from(line).command else { panic!("not run") };
        let places = run.applications.places.iter().map(|place| place.binding.to_string());
        assert_eq!(places.collect::<Vec<_>>(), ["/a", "b.example/", "/c"]);
        let error = Arguments::try_parse_from(["ancm", "check", "--app", "shop=x"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("/ or /shop or shop.example.com/"), "{error}");
    }

    #[test]
    fn sections_to_ignore_are_known_by_name_in_any_case() {
        let line = ["ancm", "run", "--ignore-section", "ipsecurity,access", "--ignore-section=authorization"];
        let Command::Run(run) = Arguments::parse_from(line).command else { panic!("not run") };
        assert_eq!(run.ignore.sections.len(), 3);
        let error = Arguments::try_parse_from(["ancm", "check", "--ignore-section=all"]).unwrap_err();
        assert!(error.to_string().contains("windowsAuthentication"), "{error}");
    }

    #[test]
    fn a_folder_and_an_address_have_defaults() {
        let arguments = Arguments::parse_from(["ancm", "run"]);
        let Command::Run(run) = arguments.command else { panic!("not run") };
        assert_eq!(run.applications.dir, None);
        assert!(run.applications.places.is_empty());
        assert_eq!(run.listen.addresses, ["127.0.0.1:8080".parse().unwrap()]);
        assert!(!run.exit_on_failure);
        assert_eq!(arguments.log_format, None);
    }

    #[test]
    fn the_log_format_may_stand_before_and_after_the_command() {
        for line in [["ancm", "--log-format=json", "demo"], ["ancm", "demo", "--log-format=json"]] {
            assert_eq!(Arguments::parse_from(line).log_format, Some(LogFormat::Json));
        }
    }

    #[test]
    fn each_flag_has_a_variable_of_the_same_name() {
        let command = Arguments::command();
        let flags = command.get_subcommands().chain([&command]).flat_map(clap::Command::get_arguments);
        for flag in flags.filter(|flag| !matches!(flag.get_id().as_str(), "help" | "version")) {
            let Some(name) = flag.get_long() else { continue };
            let variable = format!("ANCM_FRONTEND_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        }
    }

    #[test]
    fn the_help_names_every_exit_code() {
        let help = Arguments::command().render_long_help().to_string();
        for code in ["0 ", "1 ", "2 ", "69", "73", "77", "78"] {
            assert!(help.lines().any(|line| line.trim_start().starts_with(code)), "{code}");
        }
        assert!(!help.contains("demo-backend"));
    }

    #[test]
    fn a_bad_command_line_ends_with_code_2() {
        let error = Arguments::try_parse_from(["ancm", "run", "-l", "nowhere"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("nowhere:8080"), "{error}");
    }
}
