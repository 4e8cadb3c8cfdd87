use std::sync::Arc;

use ancm_tower::{
    app_offline::Page,
    pairing_token::PairingToken,
    startup_error::{Admission, Gate, StartFailure},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    config::Config,
    lease::{Released, lease},
    process::ProcessHandle,
    supervisor::snapshot::{Availability, Backend, Generation, Snapshot},
};

/// A process that is ready; it is this one, which surely lives.
pub(crate) fn backend(slot: usize) -> Backend {
    leased(slot).0
}

fn leased(slot: usize) -> (Backend, Released) {
    let (in_use, released) = lease();
    let backend = Backend {
        start: slot as u64,
        slot,
        address: "127.0.0.1:9".parse().unwrap(),
        token: PairingToken::random().unwrap(),
        process: ProcessHandle::open(std::process::id()).unwrap(),
        abandon: CancellationToken::new(),
        in_use,
    };
    (backend, released)
}

/// A table that dispatches to these.
pub(crate) fn table(backends: Vec<Backend>) -> Table {
    let table = empty();
    table.replace(ready(1, backends.into_iter().map(Arc::new).collect()).0);
    table
}

fn empty() -> Table {
    Table::new(watch::channel(None).1, || {})
}

fn ready(id: u64, backends: Vec<Arc<Backend>>) -> (Snapshot, Released) {
    let config = Arc::new(Config::default());
    snapshot(Availability::Ready(Arc::new(Generation { id, config, backends })))
}

fn snapshot(availability: Availability) -> (Snapshot, Released) {
    let (dispatching, released) = lease();
    (Snapshot { availability, dispatching }, released)
}

fn admit(table: &Table) -> Ticket {
    match table.admit() {
        Admission::Admitted(ticket) => ticket,
        other => panic!("not admitted: {other:?}"),
    }
}

fn slot(ticket: &Ticket) -> usize {
    ticket.backend().backend().slot
}

#[test]
fn takes_the_slots_in_turn_beginning_with_the_first() {
    let table = table((0..3).map(backend).collect());
    let slots: Vec<_> = (0..6).map(|_| slot(&admit(&table))).collect();
    assert_eq!(slots, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn takes_the_slot_with_the_fewest_requests_in_flight() {
    let table = table((0..3).map(backend).collect());
    let (first, second, _third) = (admit(&table), admit(&table), admit(&table));
    let _again = (admit(&table), admit(&table), admit(&table));
    drop(second);
    assert_eq!(slot(&admit(&table)), 1);
    drop(first);
}

#[test]
fn a_clone_of_a_ticket_counts_as_one_more() {
    let table = table(vec![backend(0)]);
    let ticket = admit(&table);
    let clone = ticket.clone();
    assert_eq!(ticket.backend().in_flight(), 2);
    drop(clone);
    assert_eq!(ticket.backend().in_flight(), 1);
}

#[test]
fn a_process_is_released_with_its_last_request() {
    let table = empty();
    let (backend, released) = leased(0);
    let (first, dispatching) = ready(1, vec![Arc::new(backend)]);
    table.replace(first);
    let ticket = admit(&table);
    table.replace(snapshot(Availability::Starting).0);
    assert!(dispatching.is_released());
    assert!(!released.is_released());
    drop(ticket);
    assert!(released.is_released());
}

#[test]
fn a_process_that_stays_keeps_its_count() {
    let table = empty();
    let shared = Arc::new(backend(0));
    table.replace(ready(1, vec![Arc::clone(&shared)]).0);
    let ticket = admit(&table);
    table.replace(ready(1, vec![shared, Arc::new(backend(1))]).0);
    assert_eq!(ticket.backend().in_flight(), 1);
    assert_eq!(slot(&admit(&table)), 1);
}

#[test]
fn wakes_the_supervisor_when_a_request_meets_a_failed_start() {
    let (sender, woken) = std::sync::mpsc::channel();
    let table = Table::new(watch::channel(None).1, move || sender.send(()).unwrap());
    table.replace(snapshot(Availability::Failed(Arc::new(StartFailure::new("it")))).0);
    assert!(matches!(table.admit(), Admission::Failed(_)));
    woken.try_recv().unwrap();
}

#[tokio::test]
async fn whoever_waits_hears_of_a_change_that_came_before_the_first_poll() {
    let table = empty();
    let changed = table.changed();
    table.replace(snapshot(Availability::Stopped).0);
    changed.await;
    assert!(matches!(table.admit(), Admission::Stopped));
}

#[test]
fn shows_the_page_to_a_request_that_was_held_when_the_application_went_offline() {
    let (show, page) = watch::channel(None);
    let table = Table::new(page, || {});
    table.replace(snapshot(Availability::Starting).0);
    assert!(matches!(table.admit(), Admission::Starting));
    show.send_replace(Some(Page::new("back soon")));
    table.replace(snapshot(Availability::Offline).0);
    assert!(matches!(table.admit(), Admission::Offline(page) if page == Page::new("back soon")));
}

/// A process that has ended.
#[cfg(unix)]
pub(crate) async fn ended() -> ProcessHandle {
    let (stdout, stderr) = (std::io::pipe().unwrap().1.into(), std::io::pipe().unwrap().1.into());
    let launch = crate::spawn::Launch {
        program: "/bin/true".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
        directory: "/".into(),
        stdout,
        stderr,
    };
    let child = crate::spawn::Spawner::Direct.spawn(launch).await.unwrap();
    child.wait().await;
    child.handle.clone()
}

#[cfg(unix)]
#[tokio::test]
async fn sends_nothing_more_to_a_process_whose_connection_broke_because_it_dies() {
    let dying = Backend { process: ended().await, ..backend(0) };
    let table = table(vec![dying, backend(1)]);
    let (first, second) = (admit(&table), admit(&table));
    assert_eq!((slot(&first), slot(&second)), (0, 1));
    first.backend().broke();
    second.backend().broke();
    let slots: Vec<_> = (0..3).map(|_| slot(&admit(&table))).collect();
    assert_eq!(slots, [1, 1, 1]);
}

#[cfg(unix)]
#[tokio::test]
async fn holds_requests_while_the_only_process_dies() {
    let table = table(vec![Backend { process: ended().await, ..backend(0) }]);
    admit(&table).backend().broke();
    assert!(matches!(table.admit(), Admission::Starting));
}
