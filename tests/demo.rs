//! `ancm demo`: the whole chain with nothing else installed.

use crate::support::{
    PATIENCE,
    app::App,
    client::request,
    eventually,
    frontend::{Frontend, Start},
    process::{self, Watched, kill},
};

#[test]
fn serves_a_real_folder_through_a_real_process() {
    let temporary = App::empty();
    let mut frontend = Start::demo(&temporary).serve();
    let pid = frontend.started(1).pid;
    assert_ne!(pid, frontend.pid());
    assert_eq!(frontend.get("/pid").text().trim(), pid.to_string());
    assert!(frontend.get("/").text().contains("<html"));
    assert_eq!(frontend.connect().exchange(request("POST", "/echo", &[], "hello")).text(), "hello");
    let facts = frontend.get("/facts");
    assert_eq!(facts.status(), 200);
    assert!(!facts.text().to_lowercase().contains("ms-aspnetcore-token"), "{}", facts.text());
    assert_eq!(temporary.files(".").len(), 1, "the demo's folder");
    assert_eq!(frontend.stop().code(), Some(0));
    assert_eq!(frontend.log.event(1006, 1).number("status"), 202);
    assert_eq!(temporary.files(".").len(), 0, "it is removed");
    assert_eq!(process::with_marker(frontend.marker()), Vec::<i64>::new());
}

#[test]
fn its_application_can_be_killed_taken_offline_and_changed() {
    let temporary = App::empty();
    let frontend = Start::demo(&temporary).serve();
    let first = frontend.started(1);
    let watched = Watched::new(first.pid);
    kill(first.pid);
    assert!(watched.ends_within(PATIENCE));
    let page_of = |frontend: &Frontend| frontend.get("/pid").text().trim().to_owned();
    let second = frontend.started(2);
    assert_eq!(page_of(&frontend), second.pid.to_string());

    let folder = temporary.files(".").remove(0);
    std::fs::write(folder.join("app_offline.htm"), "gone fishing").unwrap();
    eventually("it is offline", PATIENCE, || {
        let response = frontend.get("/");
        (response.status() == 503 && response.text() == "gone fishing").then_some(())
    });
    std::fs::remove_file(folder.join("app_offline.htm")).unwrap();
    let third = frontend.started(3);
    assert_eq!(page_of(&frontend), third.pid.to_string());

    let file = folder.join("web.config");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text).unwrap();
    let fourth = frontend.started(4);
    eventually("the new process answers", PATIENCE, || {
        (page_of(&frontend) == fourth.pid.to_string()).then_some(())
    });
}
