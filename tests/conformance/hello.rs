//! What an application sees of a plain request: `HelloWorldTest.cs`.

use std::fs;

use serde_json::Value;

use crate::support::{app::App, client::get, frontend::Frontend, site::Seen};

#[test]
fn H1_hello_world_path_and_query_arrive_as_they_were_sent() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    assert_eq!(client.exchange(get("/HelloWorld", &[])).text(), "Hello World");
    let seen = Seen::of(&mut client, "/request/Path/%3F%3F?query", &[]);
    assert_eq!((seen.text("path"), seen.text("query")), ("/request/Path/??", "?query"));
    let seen = Seen::of(&mut client, "/request/Query/%3FPath?query?", &[]);
    assert_eq!((seen.text("path"), seen.text("query")), ("/request/Query/?Path", "?query?"));
    assert_eq!(seen.0["user"], Value::Null);
}

#[test]
fn H1_content_root_and_web_root_are_those_of_the_site() {
    let Some(app) = App::site() else { return };
    let process = Frontend::serve(&app).get("/process").json();
    let root = app.root().canonicalize().expect("it is there");
    let folder =
        |name: &str| fs::canonicalize(process[name].as_str().expect("a folder")).expect("it is there");
    assert_eq!((folder("content_root"), folder("web_root")), (root.clone(), root.join("wwwroot")));
    assert_eq!(folder("current_directory"), root);
}

#[test]
fn H1_the_applications_own_body_limit_is_its_own() {
    let Some(app) = App::site() else { return };
    let seen = Frontend::serve(&app).get("/request/x").json();
    assert_eq!(seen["max_body_size"], 30_000_000);
    let switch = "Microsoft.AspNetCore.Server.IISIntegration.ClearMaxRequestBodySize";
    app.configure_runtime(switch, true);
    let seen = Frontend::serve(&app).get("/request/x").json();
    assert_eq!(seen["max_body_size"], Value::Null);
}
