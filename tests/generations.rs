//! What a changed `web.config` says holds for the generation that is started from it, in front of its processes too.

use crate::support::{PATIENCE, app::App, client::Response, eventually, frontend::Frontend};

fn until(what: &str, frontend: &Frontend, matching: impl Fn(&Response) -> bool) {
    eventually(what, PATIENCE, || matching(&frontend.get("/")).then_some(()));
}

#[test]
fn a_page_of_a_failed_start_can_be_switched_off_and_on_while_it_fails() {
    let app = App::empty().attribute("processPath", "nonexistent-program");
    let frontend = Frontend::serve(&app);
    until("the page", &frontend, |response| response.status() == 502 && response.text().contains("502.5"));
    let app = app.attribute("disableStartUpErrorPage", "true");
    until("no page", &frontend, |response| response.status() == 502 && response.body.is_empty());
    let app = app.attribute("disableStartUpErrorPage", "false");
    until("the page again", &frontend, |response| response.status() == 502 && !response.body.is_empty());
    drop(app);
}

#[test]
fn requests_are_held_as_long_as_the_newest_configuration_allows() {
    // At first a request is held for 5 s, and a process has no time to start at all.
    let app = App::misbehaving("never-listen").variable("ASPNETCORE_ENVIRONMENT", "Development");
    let app = app.attribute("startupTimeLimit", "0");
    let frontend = Frontend::serve(&app);
    frontend.log.event(1020, 1);
    let app = app.attribute("startupTimeLimit", "3");
    frontend.log.event(1021, 1);
    // Two attempts of 3 s each are more than that: who waits shall see how it ends.
    let response = eventually("it is held until the end", PATIENCE, || {
        let response = frontend.get("/");
        response.text().contains("within 3 s").then_some(response)
    });
    assert_eq!(response.status(), 502);
    assert_eq!(
        frontend.log.count(|line| line.text.contains("was not ready within")),
        0,
        "{}",
        frontend.log.text()
    );
    drop(app);
}
