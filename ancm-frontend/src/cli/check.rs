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
//! let wrong = ancm_frontend::cli::check::check::<&str>(folder.path(), &[], false, &mut out)?;
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

use super::applications::Placed;
use crate::config::{
    self, Examination, Launcher, Note, NoteKind, Parent,
    attributes::ATTRIBUTES,
    command::{self, Command, CommandError},
    gate::{ignore_access, is_open_risk, ways_out},
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
    (NoteKind::Failure, "Cannot start"),
    (NoteKind::Warning, "Warnings"),
    (NoteKind::NotHonoured, "Not honoured"),
    (NoteKind::NoEffect, "Without effect, under IIS neither"),
    (NoteKind::Honoured, "Honoured as well"),
    (NoteKind::Info, "Good to know"),
];

/// All there is to say about a folder.
#[derive(Debug)]
struct Explanation {
    examination: Examination,
    /// What would be run; `None` if the file is at fault.
    command: Option<Result<Command, CommandError>>,
    /// Sections that may be ignored.
    ignored: Vec<String>,
}

/// Explains the `web.config` of a folder, for people or as JSON; gives whether something is wrong.
///
/// Wrong are faults of the file, a program that cannot be run or told its port, and settings that keep people out
/// under IIS but not here, but for sections that are `ignored`. Values of environment variables that may be secrets
/// are masked.
///
/// # Errors
///
/// Those of `out`.
pub fn check<S: AsRef<str>>(dir: &Path, ignored: &[S], json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let explanation = Explanation::of(dir, &[], ignored);
    if json {
        write_json(&explanation.to_json(), out)?;
    } else {
        explanation.write(out)?;
    }
    out.flush()?;
    Ok(explanation.is_wrong())
}

/// The same for several applications.
pub(super) fn check_all<S: AsRef<str>>(
    applications: &[Placed],
    ignored: &[S],
    json: bool,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let explained = |placed: &Placed| Explanation::of(&placed.dir, &placed.parents, ignored);
    let explanations: Vec<_> = applications.iter().map(explained).collect();
    let wrong = explanations.iter().any(Explanation::is_wrong);
    let both = applications.iter().zip(&explanations);
    if json {
        let one = |(placed, explanation): (&Placed, &Explanation)| {
            let mut value = explanation.to_json();
            value["application"] = json!(placed.binding.to_string());
            let parents = placed.parents.iter().map(|parent| parent.folder.to_string_lossy());
            value["inheritsFrom"] = json!(parents.collect::<Vec<_>>());
            value
        };
        let all: Vec<_> = both.map(one).collect();
        write_json(&json!({"version": VERSION, "ok": !wrong, "applications": all}), out)?;
    } else {
        for (index, (placed, explanation)) in both.enumerate() {
            writeln!(out, "{}Application {}", if index == 0 { "" } else { "\n\n" }, placed.binding)?;
            for parent in &placed.parents {
                writeln!(out, "inherits from {}", parent.folder.display())?;
            }
            explanation.write(out)?;
        }
    }
    out.flush()?;
    Ok(wrong)
}

fn write_json(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

// === impl Explanation ===

impl Explanation {
    fn of<S: AsRef<str>>(dir: &Path, parents: &[Parent], ignored: &[S]) -> Self {
        let environment = Environment::of_process();
        let environment = &|name: &str| environment.get(name);
        let mut examination = config::examine(dir, parents, environment);
        ignore_access(&mut examination.config, &mut examination.notes, ignored);
        let ignored = ignored.iter().map(|section| section.as_ref().to_owned()).collect();
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
        Self { examination, command, ignored }
    }

    fn is_wrong(&self) -> bool {
        let faults = !self.examination.errors.faults().is_empty();
        let risks = self.examination.notes.iter().any(|note| is_open_risk(note, &self.ignored));
        let failures = self.examination.notes.iter().any(|note| note.kind == NoteKind::Failure);
        faults || risks || failures || matches!(self.command, Some(Err(_)))
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
                if let Some(section) = note.section {
                    let open = is_open_risk(note, &self.ignored);
                    let what = if open {
                        ways_out(section)
                    } else {
                        format!("accepted: --ignore-section {section}")
                    };
                    writeln!(out, "  {:<8} {what}", "")?;
                }
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
        let inherited = &self.examination.inherited;
        let above = if inherited.is_empty() { "" } else { "above: inherited; " };
        writeln!(out, "\nHonoured ({above}those without a place have their default)")?;
        for attribute in ATTRIBUTES.iter().filter(|attribute| attribute.concerns(config.launcher)) {
            let shown = secrets::shown_line(&(attribute.show)(config));
            let elsewhere = if inherited.contains(&attribute.name) { "above" } else { "" };
            let place = self
                .place(attribute.name)
                .map_or_else(|| elsewhere.to_owned(), |position| position.to_string());
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
        let Examination { config, file, notes, errors, inherited, .. } = &self.examination;
        let place = |position: Option<config::error::Position>| {
            (position.map(|position| position.line), position.map(|position| position.column))
        };
        let concerned = ATTRIBUTES.iter().filter(|attribute| attribute.concerns(config.launcher));
        let attributes = concerned.map(|attribute| {
            let shown = secrets::shown_line(&(attribute.show)(config));
            let (line, column) = place(self.place(attribute.name));
            json!({"element": attribute.element, "name": attribute.name, "value": shown, "default": attribute.default_for(config.launcher),
                "given": line.is_some(), "inherited": inherited.contains(&attribute.name), "line": line, "column": column, "doc": attribute.doc})
        });
        let list = |list: &[(String, String)]| -> Vec<Value> {
            let shown = |(name, value): &(String, String)| json!({"name": name, "value": secrets::shown(name, value)});
            list.iter().map(shown).collect()
        };
        let notes = notes.iter().map(|note| {
            let (line, column) = place(note.position);
            json!({"kind": note.kind.name(), "code": note.code, "line": line, "column": column, "text": note.text,
                "section": note.section})
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
    let config = &examination.config;
    let parts = config.locations.iter().map(|part| part.max_allowed_content_length);
    let ours = parts.fold(config.max_allowed_content_length, u64::max);
    let root = &config.site_root;
    let not_kestrel = config.launcher == Launcher::HttpPlatform;
    if ours <= limit::REQUEST_BODY || not_kestrel || may_clear_limit(root, command) {
        return None;
    }
    let text = format!(
        "maxAllowedContentLength is {ours}, but an ASP.NET Core application refuses more than {} bytes itself, \
         unless its *.runtimeconfig.json has \"{CLEAR_LIMIT}\": true among configProperties",
        limit::REQUEST_BODY
    );
    // That of a part of the site has no place here.
    let of_site = ours == config.max_allowed_content_length;
    let mut given = examination.given.iter();
    let place = given.find(|(name, _)| of_site && *name == "maxAllowedContentLength");
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
mod tests;
