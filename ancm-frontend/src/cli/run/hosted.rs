//! Reads the configurations of all applications that are to be served.

use super::super::{Exit, Failure, applications::Placed, arguments::Run};
use crate::{
    application::Hosted,
    binding::Binding,
    config::{ConfigErrors, NOTE_OF_DEVELOPMENT, Note, NoteKind},
    events,
};

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// A folder is not there at all: somebody has mistyped it.
    #[error("application {0}: {1}")]
    Folder(Binding, #[source] ConfigErrors),
    /// No application has a configuration that can be used.
    #[error("no application can be served{}", listed(.0))]
    All(Vec<(Binding, ConfigErrors)>),
}

fn listed(all: &[(Binding, ConfigErrors)]) -> String {
    all.iter()
        .fold(String::new(), |text, (binding, errors)| format!("{text}\napplication {binding}: {errors}"))
}

/// All applications; one whose configuration cannot be used is among them, unless there is no other.
pub(super) fn hosted(options: &Run) -> Result<Vec<Hosted>, Failure> {
    let placed = options.applications.placed().map_err(|twice| Failure::new(Exit::Usage, twice))?;
    let is_alone = placed.len() == 1;
    let mut hosted = Vec::new();
    for Placed { binding, dir, parents } in placed {
        let (one, notes) = Hosted::load(binding, &dir, &parents, &options.ignore.sections);
        match one.errors().cloned() {
            Some(errors) if is_alone => return Err(unusable(errors)),
            Some(errors) if !dir.is_dir() => {
                return Err(unusable(Unusable::Folder(one.binding().clone(), errors)));
            }
            _ => {}
        }
        for note in &notes {
            report(note, (!is_alone).then(|| one.binding()));
        }
        hosted.push(one);
    }
    let wrong = hosted.iter().filter_map(|one| Some((one.binding().clone(), one.errors()?.clone())));
    let wrong: Vec<_> = wrong.collect();
    if wrong.len() == hosted.len() {
        return Err(unusable(Unusable::All(wrong)));
    }
    warn_of_shared_ports(&hosted);
    Ok(hosted)
}

/// One of the two will not start, and its page says less of the cause than is known here.
fn warn_of_shared_ports(hosted: &[Hosted]) {
    for (index, one) in hosted.iter().enumerate() {
        let Some(port) = one.config().fixed_port() else { continue };
        let mut before = hosted[..index].iter();
        if let Some(other) = before.find(|other| other.config().fixed_port() == Some(port)) {
            tracing::warn!(
                target: "server", application = %one.binding(), port, code = "shared-port",
                "ASPNETCORE_PORT fixes the port that {} has as well, and only one can listen there: remove the variable, or \
                 write <clear /> in environmentVariables if it is inherited",
                other.binding()
            );
        }
    }
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Exit::Configuration, error).event(events::MISCONFIGURED)
}

fn report(note: &Note, application: Option<&Binding>) {
    let (code, application) = (note.code, application.map(tracing::field::display));
    match note.kind {
        // Whether that one matters is known with the addresses.
        _ if code == NOTE_OF_DEVELOPMENT => {}
        NoteKind::NoEffect | NoteKind::Honoured => {
            tracing::debug!(target: "server", code, application, "web.config: {note}");
        }
        NoteKind::Info => tracing::info!(target: "server", code, application, "web.config: {note}"),
        _ => tracing::warn!(target: "server", code, application, "web.config: {note}"),
    }
}
