//! Where the application is told to listen: `AspNetCorePortTests.cs`.

use std::net::TcpListener;

use crate::support::{
    app::App,
    client::{Client, get},
    frontend::Frontend,
};

/// Free now, and outside of what the system gives out by itself.
fn free_port() -> u16 {
    (20_000..30_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

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
