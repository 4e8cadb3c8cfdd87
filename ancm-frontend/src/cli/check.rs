//! `ancm check`: explains a `web.config` and starts nothing.
//!
//! People bring files that IIS has served for years. Before they trust a site to us they want to know what of it
//! holds here, what does not, what is wrong, and what would be run.
//!
//! # Example
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("web.config"), r#"<configuration><system.webServer>
//!   <aspNetCore procesPath="dotnet" />
//! </system.webServer></configuration>"#)?;
//! let mut out = Vec::new();
//! let wrong = ancm_frontend::cli::check::check(folder.path(), false, &mut out)?;
//! assert!(wrong);
//! assert!(String::from_utf8_lossy(&out).contains("= fix: write processPath"));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use ancm_tower::contract::limit;
use serde_json::{Value, json};

use crate::config::{
    self, Examination, Note, NoteKind,
    attributes::ATTRIBUTES,
    command::{self, Command, CommandError},
    secrets,
    variables::Environment,
};

/// Of the JSON; counts up when something that a program may rely on changes.
const VERSION: u32 = 1;
/// What makes IIS integration take Kestrel's own limit away.
const CLEAR_LIMIT: &str = "Microsoft.AspNetCore.Server.IISIntegration.ClearMaxRequestBodySize";

/// The order and the headings in which notes are printed.
const HEADINGS: &[(NoteKind, &str)] = &[
    (NoteKind::Risk, "Risks: IIS would keep people out who are let in here"),
    (NoteKind::Warning, "Warnings"),
    (NoteKind::NotHonoured, "Not honoured"),
    (NoteKind::NoEffect, "Without effect, under IIS neither"),
    (NoteKind::Info, "Good to know"),
];

/// All there is to say about a folder.
#[derive(Debug)]
struct Explanation {
    examination: Examination,
    /// What would be run; `None` if the file is at fault.
    command: Option<Result<Command, CommandError>>,
}

/// Explains the `web.config` of a folder, for people or as JSON; gives whether something is wrong.
///
/// Wrong are faults of the file, a program that cannot be run, and settings that keep people out under IIS but not
/// here. Values of environment variables that may be secrets are masked.
///
/// # Errors
///
/// Those of `out`.
pub fn check(dir: &Path, json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let environment = Environment::of_process();
    let explanation = Explanation::of(dir, &|name| environment.get(name));
    if json {
        serde_json::to_writer_pretty(&mut *out, &explanation.to_json())?;
        writeln!(out)?;
    } else {
        explanation.write(out)?;
    }
    out.flush()?;
    Ok(explanation.is_wrong())
}

// === impl Explanation ===

impl Explanation {
    fn of(dir: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut examination = config::examine(dir, environment);
        let sound = examination.errors.faults().is_empty();
        let command = sound.then(|| command::resolve(&examination.config, environment));
        if let Some(Ok(command)) = &command {
            let notes = command.notes.iter().map(|text| Note::new(NoteKind::Info, "command", text));
            examination.notes.extend(notes);
        }
        if sound {
            let program = command.as_ref().and_then(|command| command.as_ref().ok());
            examination.notes.extend(kestrel_limit(&examination, program));
        }
        Self { examination, command }
    }

    fn is_wrong(&self) -> bool {
        let faults = !self.examination.errors.faults().is_empty();
        let risks = self.examination.notes.iter().any(|note| note.kind == NoteKind::Risk);
        faults || risks || matches!(self.command, Some(Err(_)))
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.examination.file.display())?;
        if self.examination.errors.faults().is_empty() {
            self.write_settings(out)?;
            self.write_command(out)?;
        }
        for (kind, heading) in HEADINGS {
            let notes: Vec<_> = self.examination.notes.iter().filter(|note| note.kind == *kind).collect();
            if !notes.is_empty() {
                writeln!(out, "\n{heading}")?;
            }
            for note in notes {
                let place = note.position.map_or_else(|| "-".into(), |position| position.to_string());
                writeln!(out, "  {place:<8} {}", note.text)?;
            }
        }
        match self.examination.errors.faults().len() + self.examination.errors.more() {
            0 => {}
            1 => write!(out, "\n1 fault\n\n{}", self.examination.errors.render())?,
            faults => write!(out, "\n{faults} faults\n\n{}", self.examination.errors.render())?,
        }
        let verdict = if self.is_wrong() { "Something is wrong, see above." } else { "Nothing is wrong." };
        writeln!(out, "\n{verdict}")
    }

    fn write_settings(&self, out: &mut dyn Write) -> io::Result<()> {
        let config = &self.examination.config;
        writeln!(out, "\nHonoured (those without a place have their default)")?;
        for attribute in ATTRIBUTES {
            let shown = secrets::shown_line(&(attribute.show)(config));
            let place = self.place(attribute.name).map_or_else(String::new, |position| position.to_string());
            writeln!(out, "  {place:<8} {:<25} {shown:<22} {}", attribute.label(), attribute.doc)?;
        }
        let lists = [
            ("Environment variables", &config.environment_variables),
            ("Handler settings", &config.handler_settings),
        ];
        for (heading, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            writeln!(out, "\n{heading}")?;
            for (name, value) in *list {
                writeln!(out, "  {name}={}", secrets::shown(name, value).escape_debug())?;
            }
        }
        Ok(())
    }

    fn write_command(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.command {
            Some(Ok(command)) => {
                let arguments = secrets::shown_arguments(&command.arguments);
                let words: Vec<_> =
                    std::iter::once(command.program.display().to_string()).chain(arguments).collect();
                let words: Vec<_> = words.iter().map(|word| quoted_if_needed(word)).collect();
                writeln!(
                    out,
                    "\nWould run, in {}\n  {}",
                    self.examination.config.site_root.display(),
                    words.join(" ")
                )
            }
            Some(Err(error)) => writeln!(out, "\nCannot run\n  {error}"),
            None => Ok(()),
        }
    }

    fn place(&self, name: &str) -> Option<config::error::Position> {
        self.examination.given.iter().rev().find(|(given, _)| *given == name).map(|(_, position)| *position)
    }

    fn to_json(&self) -> Value {
        let Examination { config, file, notes, errors, given: _ } = &self.examination;
        let place = |position: Option<config::error::Position>| {
            (position.map(|position| position.line), position.map(|position| position.column))
        };
        let attributes = ATTRIBUTES.iter().map(|attribute| {
            let shown = secrets::shown_line(&(attribute.show)(config));
            let (line, column) = place(self.place(attribute.name));
            json!({"element": attribute.element, "name": attribute.name, "value": shown, "default": attribute.default,
                "given": line.is_some(), "line": line, "column": column, "doc": attribute.doc})
        });
        let list = |list: &[(String, String)]| -> Vec<Value> {
            let shown = |(name, value): &(String, String)| json!({"name": name, "value": secrets::shown(name, value)});
            list.iter().map(shown).collect()
        };
        let notes = notes.iter().map(|note| {
            let (line, column) = place(note.position);
            json!({"kind": note.kind.name(), "code": note.code, "line": line, "column": column, "text": note.text})
        });
        let faults = errors.faults().iter().map(|fault| {
            let (line, column) = place(fault.position);
            json!({"code": fault.code, "line": line, "column": column, "subject": fault.subject,
                "message": fault.message, "allowed": fault.allowed, "fix": fault.fix})
        });
        let sound = errors.faults().is_empty();
        json!({
            "version": VERSION,
            "file": file.to_string_lossy(),
            "ok": !self.is_wrong(),
            "settings": sound.then(|| attributes.collect::<Vec<_>>()),
            "environmentVariables": sound.then(|| list(&config.environment_variables)),
            "handlerSettings": sound.then(|| list(&config.handler_settings)),
            "command": self.command.as_ref().map(command_json),
            "notes": notes.collect::<Vec<_>>(),
            "faults": faults.collect::<Vec<_>>(),
            "moreFaults": errors.more(),
        })
    }
}

fn command_json(command: &Result<Command, CommandError>) -> Value {
    match command {
        Ok(Command { program, arguments, .. }) => json!({
            "program": program.to_string_lossy(), "arguments": secrets::shown_arguments(arguments), "error": null,
        }),
        Err(error) => json!({"program": null, "arguments": null, "error": error.to_string()}),
    }
}

fn quoted_if_needed(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-:=+,*@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("{word:?}") }
}

/// Says that Kestrel stops at 30,000,000 bytes itself, unless the application has been told otherwise.
fn kestrel_limit(examination: &Examination, command: Option<&Command>) -> Option<Note> {
    let ours = examination.config.max_allowed_content_length;
    let root = &examination.config.site_root;
    if ours <= limit::REQUEST_BODY || may_clear_limit(root, command) {
        return None;
    }
    let text = format!(
        "maxAllowedContentLength is {ours}, but an ASP.NET Core application refuses more than {} bytes itself, \
         unless its *.runtimeconfig.json has \"{CLEAR_LIMIT}\": true among configProperties",
        limit::REQUEST_BODY
    );
    let place = examination.given.iter().find(|(name, _)| *name == "maxAllowedContentLength");
    let mut note = Note::new(NoteKind::Warning, "kestrel-body-limit", text);
    note.position = place.map(|(_, position)| *position);
    Some(note)
}

fn may_clear_limit(root: &Path, command: Option<&Command>) -> bool {
    let files = command.into_iter().flat_map(|command| {
        let arguments = command.arguments.iter().map(|argument| root.join(argument));
        arguments.chain([command.program.clone()]).filter_map(|path| path.parent().map(Path::to_owned))
    });
    let folders: BTreeSet<PathBuf> = files.chain([root.to_owned()]).collect();
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".runtimeconfig.json"))
        .filter_map(|entry| serde_json::from_slice::<Value>(&fs::read(entry.path()).ok()?).ok())
        .any(|config| config["runtimeOptions"]["configProperties"][CLEAR_LIMIT] == true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder whose web.config has this inside of `system.webServer`.
    fn site(inside: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let text =
            format!("<configuration><system.webServer>\n{inside}\n</system.webServer></configuration>");
        fs::write(folder.path().join("web.config"), text).unwrap();
        folder
    }

    fn human(folder: &tempfile::TempDir) -> (bool, String) {
        let mut out = Vec::new();
        let wrong = check(folder.path(), false, &mut out).unwrap();
        (wrong, String::from_utf8(out).unwrap())
    }

    fn json(folder: &tempfile::TempDir) -> Value {
        let mut out = Vec::new();
        let wrong = check(folder.path(), true, &mut out).unwrap();
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["ok"], !wrong);
        value
    }

    const SH: &str =
        "<aspNetCore processPath='/bin/sh' arguments='-c &quot;exit 0&quot;' startupTimeLimit='7'>";

    #[cfg(unix)]
    #[test]
    fn tells_what_holds_and_what_would_be_run() {
        let folder = site(&format!("{SH}</aspNetCore>"));
        let (wrong, text) = human(&folder);
        assert!(!wrong, "{text}");
        assert!(text.contains("2:69     startupTimeLimit          7 "), "{text}");
        assert!(text.contains("           shutdownTimeLimit         10 "), "{text}");
        assert!(text.contains("\n  /bin/sh -c \"exit 0\"\n"), "{text}");
        assert!(text.ends_with("\nNothing is wrong.\n"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn tells_programs_the_same_in_versioned_json() {
        let value = json(&site(&format!("{SH}</aspNetCore>")));
        assert_eq!(value["version"], 1);
        assert_eq!(value["command"]["arguments"], json!(["-c", "exit 0"]));
        let setting = |name: &str| {
            value["settings"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap().clone()
        };
        let startup = setting("startupTimeLimit");
        assert_eq!(
            (&startup["value"], &startup["line"], &startup["default"]),
            (&json!("7"), &json!(2), &json!("120"))
        );
        assert_eq!(setting("hostingModel")["given"], false);
        assert_eq!(value["faults"], json!([]));
    }

    #[test]
    fn faults_are_wrong_and_shown_with_their_lines() {
        let folder = site("<aspNetCore procesPath='dotnet'/>");
        let (wrong, text) = human(&folder);
        assert!(wrong);
        assert!(
            text.contains("1 fault\n") && text.contains("2 | <aspNetCore procesPath='dotnet'/>"),
            "{text}"
        );
        let value = json(&folder);
        assert_eq!(value["faults"][0]["fix"], "write processPath");
        assert_eq!(value["settings"], Value::Null);
    }

    #[test]
    fn a_program_that_cannot_be_run_is_wrong() {
        let folder = site("<aspNetCore processPath='./gone'/>");
        let (wrong, text) = human(&folder);
        assert!(wrong && text.contains("Cannot run\n  processPath \"./gone\" does not exist"), "{text}");
        assert!(json(&folder)["command"]["error"].as_str().unwrap().contains("does not exist"));
    }

    #[cfg(unix)]
    #[test]
    fn a_risk_is_wrong_and_what_is_not_honoured_is_not() {
        let open =
            site(&format!("{SH}</aspNetCore><security><ipSecurity allowUnlisted='false'/></security>"));
        let (wrong, text) = human(&open);
        assert!(wrong && text.contains("Risks: IIS would keep people out"), "{text}");
        let (wrong, text) = human(&site(&format!("{SH}</aspNetCore><caching/>")));
        assert!(!wrong && text.contains("Not honoured\n  2:"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_never_shown() {
        let folder = site(
            "<aspNetCore processPath='/bin/sh' arguments='--api-key s3cr3t'><environmentVariables>
            <environmentVariable name='ASPNETCORE_TOKEN' value='s3cr3t'/>
            <environmentVariable name='ConnectionStrings__Db' value='Server=a;s3cr3t'/>
            <environmentVariable name='Plain' value='seen'/></environmentVariables></aspNetCore>",
        );
        let (_, text) = human(&folder);
        assert!(!text.contains("s3cr3t") && !json(&folder).to_string().contains("s3cr3t"), "{text}");
        assert!(text.contains("Plain=seen") && text.contains("ASPNETCORE_TOKEN=******"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn the_limit_of_kestrel_is_named_unless_it_is_cleared() {
        let limits = "<security><requestFiltering><requestLimits maxAllowedContentLength='99000000'/></requestFiltering></security>";
        let folder = site(&format!("{SH}</aspNetCore>{limits}"));
        let (wrong, text) = human(&folder);
        assert!(!wrong && text.contains(CLEAR_LIMIT), "{text}");
        let cleared = format!("{{\"runtimeOptions\":{{\"configProperties\":{{\"{CLEAR_LIMIT}\":true}}}}}}");
        fs::write(folder.path().join("Site.runtimeconfig.json"), cleared).unwrap();
        assert!(!human(&folder).1.contains(CLEAR_LIMIT));
    }

    #[test]
    fn a_folder_without_the_file_is_wrong() {
        let (wrong, text) = human(&tempfile::tempdir().unwrap());
        assert!(wrong && text.contains("there is no such file"), "{text}");
    }
}
