//! Where the application is told to listen: `AspNetCorePortTests.cs`.

use crate::support::{
    app::App,
    client::{Client, get},
    free_port,
    frontend::{Frontend, Start},
};

/// The port that the application itself says its requests come in by, and the one in its environment.
fn ports_of_the_application(frontend: &Frontend) -> (u16, u16) {
    let seen = frontend.get("/request/x").json();
    let (_, listens) = seen["local"].as_str().expect("an address").rsplit_once(':').expect("a port");
    let told = frontend.get("/env").json()["ASPNETCORE_PORT"].as_str().expect("it is set").parse();
    (listens.parse().expect("a number"), told.expect("a number"))
}

#[test]
fn P1_configured_port_is_where_the_application_listens() {
    let Some(app) = App::site() else { return };
    let port = free_port();
    let frontend = Frontend::serve(&app.variable("ASPNETCORE_PORT", &port.to_string()));
    assert_eq!(ports_of_the_application(&frontend), (port, port));
    assert_eq!(frontend.started(1).port, port);
    // It is there for whoever knocks, and knows who does not have its token.
    let stranger = Client::connect(([127, 0, 0, 1], port).into()).exchange(get("/HelloWorld", &[]));
    assert_eq!(stranger.status(), 400);
}

#[test]
fn P2_empty_port_is_drawn_from_the_range() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.variable("ASPNETCORE_PORT", ""));
    let (listens, told) = ports_of_the_application(&frontend);
    assert!((10_000..=48_000).contains(&listens), "{listens}");
    assert_eq!(told, listens);
}

#[test]
fn P3_configured_port_out_of_range_is_502() {
    for port in ["1024", "48001", "noninteger", "-1", "80;http://0.0.0.0:81"] {
        let app = App::misbehaving("").variable("ASPNETCORE_PORT", port);
        let app = app.variable("ASPNETCORE_ENVIRONMENT", "Development");
        let frontend = Frontend::serve(&app);
        let response = frontend.get("/record");
        assert_eq!(response.status(), 502, "{port}: {response:?}");
        let page = response.text();
        assert!(page.contains("502.5") && page.contains("ASPNETCORE_PORT in web.config is"), "{page}");
        // A second attempt would fail in the same way.
        frontend.log.event(1020, 1);
        let attempts = frontend.log.count(|line| line.is_event(1000) && line.number("attempt") > 1);
        assert_eq!(
            (attempts, frontend.log.count(|line| line.is_event(1001))),
            (0, 0),
            "{}",
            frontend.log.text()
        );
        let checked = Start::command("check", app.root()).until_end();
        assert_eq!(checked.code, Some(1), "{}", checked.stdout);
        assert!(checked.stdout.contains("ASPNETCORE_PORT"), "{}", checked.stdout);
    }
}
