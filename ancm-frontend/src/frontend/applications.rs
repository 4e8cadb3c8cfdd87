//! The applications of a frontend, before they are served: whether they can be, and their start.

use super::StartError;
use crate::{
    application::{Application, Hosted, Logs},
    config::{ConfigErrors, Transport},
    spawn::Spawner,
};

/// Whether these applications can be served side by side.
pub(super) fn check(applications: &[Hosted]) -> Result<(), StartError> {
    if applications.is_empty() {
        return Err(StartError::NoApplication);
    }
    for (index, one) in applications.iter().enumerate() {
        if applications[..index].iter().any(|other| other.binding().is_same_as(one.binding())) {
            return Err(StartError::Duplicate(one.binding().clone()));
        }
    }
    Ok(())
}

/// The applications, for clients that connect by this; of several, one that demands of them what none could have is
/// answered 500.0.
pub(super) fn served_over(
    transport: Transport,
    applications: Vec<Hosted>,
) -> Result<Vec<Hosted>, ConfigErrors> {
    let is_alone = applications.len() == 1;
    let served = |hosted: Hosted| {
        let was_sound = hosted.errors().is_none();
        let hosted = hosted.served_over(transport);
        match hosted.errors() {
            Some(errors) if is_alone && was_sound => Err(errors.clone()),
            _ => Ok(hosted),
        }
    };
    applications.into_iter().map(served).collect()
}

/// Starts every application; all processes start at the same time.
pub(super) fn start_all(
    applications: Vec<Hosted>,
    spawner: &Spawner,
    logs: &Logs,
    https_port: Option<u16>,
) -> Vec<Application> {
    // Whoever serves one only knows which one the log speaks of.
    let several = applications.len() > 1;
    let start = |hosted: Hosted| {
        let name = if several { hosted.binding().to_string() } else { String::new() };
        Application::start(hosted, name, spawner.clone(), logs.clone(), https_port)
    };
    applications.into_iter().map(start).collect()
}
