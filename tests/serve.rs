//! Published applications, served as they are.

use crate::support::{
    app::App,
    client::{get, request},
    frontend::{Frontend, Start},
    log::Line,
    websocket::WebSocket,
};

fn notes(frontend: &Frontend, text: &str) -> usize {
    frontend.log.count(|line: &Line| line.text.contains(text))
}

#[test]
fn serves_a_published_site_unchanged() {
    let Some(app) = App::kestrel("site") else { return };
    let frontend = Frontend::serve(&app);
    let response = frontend.get("/HelloWorld");
    assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
    let started = frontend.started(1);
    assert_eq!(response.header("x-site-pid"), Some(started.pid.to_string().as_str()));

    let process = frontend.get("/process").json();
    assert_eq!(process["pid"], started.pid);
    assert_eq!(process["integrated"], true);
    assert_eq!(process["urls"], serde_json::json!([format!("http://127.0.0.1:{}", started.port)]));
    let root = app.root().canonicalize().unwrap();
    assert_eq!(process["content_root"].as_str().unwrap().trim_end_matches('/'), root.to_str().unwrap());
    frontend.assert_sound();
}

#[test]
fn says_once_that_inprocess_is_run_out_of_process() {
    let Some(app) = App::kestrel("site") else { return };
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    assert_eq!(frontend.get("/").status(), 200);
    assert_eq!(notes(&frontend, "inprocess"), 1, "{}", frontend.log.text());
}

#[test]
fn serves_the_static_files_of_a_site() {
    let Some(app) = App::kestrel("site") else { return };
    let frontend = Frontend::serve(&app);
    let response = frontend.get("/");
    assert_eq!(response.status(), 200);
    assert!(response.header("content-type").unwrap().starts_with("text/html"));
    assert!(response.text().contains("<html"), "{}", response.text());
}

#[test]
fn runs_the_portable_assembly_beside_a_windows_program() {
    let Some(app) = App::kestrel("site-win") else { return };
    let frontend = Frontend::serve(&app);
    let process = frontend.get("/process").json();
    assert!(process["executable"].as_str().unwrap().ends_with("/dotnet"), "{process}");
    assert!(process["command_line"][0].as_str().unwrap().ends_with("Site.dll"), "{process}");
    let said = |line: &Line| line.text.contains("Site.exe") && line.text.contains("Site.dll");
    frontend.log.first("that it runs dotnet Site.dll for Site.exe", said);
}

#[test]
fn runs_the_program_without_exe_of_a_self_contained_site() {
    let Some(app) = App::kestrel("site8") else { return };
    // It brings its own .NET, so that of the machine is none of its business.
    let start = Start::run(&app).variable("DOTNET_ROOT", "/nonexistent");
    let frontend = start.serve();
    let process = frontend.get("/process").json();
    assert!(process["runtime"].as_str().unwrap().starts_with("8."), "{process}");
    assert!(process["executable"].as_str().unwrap().ends_with("/Site"), "{process}");
    frontend.log.says("Site.exe");
}

#[test]
fn serves_an_application_of_a_single_file() {
    let Some(app) = App::kestrel("single") else { return };
    let frontend = Frontend::serve(&app);
    let response = frontend.get("/some/path");
    assert_eq!(response.text(), "Hello from Single at /some/path");
}

#[test]
fn serves_an_application_that_knows_nothing_of_the_pairing() {
    let Some(app) = App::kestrel("slim") else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/").text(), "Hello from Slim");
    assert_eq!(frontend.get("/pid").text(), frontend.started(1).pid.to_string());
}

#[test]
fn stops_an_application_that_knows_nothing_of_the_pairing_by_signal() {
    let Some(app) = App::kestrel("slim") else { return };
    let mut frontend = Frontend::serve(&app);
    frontend.started(1);
    assert_eq!(frontend.stop().code(), Some(0));
    // Its answer to the message is its own 404.
    assert!(frontend.log.count(|line| line.is_event(1005)) == 0, "{}", frontend.log.text());
}

/// The cookies of an answer, as a client sends them back.
fn cookies(head: &crate::support::client::Head) -> String {
    let pairs = head.all("set-cookie").into_iter().filter_map(|cookie| cookie.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

#[test]
fn keeps_sessions_and_antiforgery_of_a_classic_application() {
    let Some(app) = App::kestrel("classic") else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let page = client.exchange(get("/", &[]));
    assert_eq!(page.status(), 200);
    let cookies = format!("Cookie: {}", cookies(&page.head));
    assert!(page.head.all("set-cookie").len() >= 2, "session and antiforgery: {:?}", page.head);

    let text = page.text();
    let (_, field) = text.split_once("__RequestVerificationToken").expect("a form with a token");
    let (_, value) = field.split_once("value=\"").expect("its value");
    let token = value.split('"').next().unwrap();
    let form = "Content-Type: application/x-www-form-urlencoded";
    let body = format!("word=hello&__RequestVerificationToken={token}");
    let accepted = client.exchange(request("POST", "/Home/Guess", &[&cookies, form], &body));
    assert_eq!((accepted.status(), accepted.header("location")), (302, Some("/")), "{accepted:?}");
    let refused = client.exchange(request("POST", "/Home/Guess", &[&cookies, form], "word=hello"));
    assert_eq!(refused.status(), 400);
}

#[test]
fn gives_a_classic_application_what_it_builds_links_from() {
    let Some(app) = App::kestrel("classic") else { return };
    let frontend = Frontend::serve(&app);
    let links = frontend.get("/Home/Links").json();
    assert_eq!(links["absolute"], "http://example.test/");
    assert_eq!(links["remote"], "127.0.0.1");
}

#[test]
fn passes_compressed_answers_and_uploaded_files() {
    let Some(app) = App::kestrel("classic") else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let page = client.exchange(get("/", &["Accept-Encoding: gzip"]));
    assert_eq!(page.header("content-encoding"), Some("gzip"));
    assert_eq!(&page.body[..2], [0x1f, 0x8b]);

    let body =
        "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let form = "Content-Type: multipart/form-data; boundary=b";
    let files = client.exchange(request("POST", "/Home/Files", &[form], body)).json();
    assert_eq!(files[0]["length"], 5, "{files}");
    assert_eq!(files[0]["fileName"], "a.txt", "{files}");
}

#[tokio::test]
async fn carries_a_signalr_connection() {
    let Some(app) = App::kestrel("classic") else { return };
    let frontend = Frontend::serve(&app);
    let negotiated = frontend.post("/chat/negotiate?negotiateVersion=1").json();
    let token = negotiated["connectionToken"].as_str().expect("a token");
    let mut socket = WebSocket::open(frontend.address(), &format!("/chat?id={token}")).await;
    // Records of SignalR's JSON protocol end with this byte.
    socket.send("{\"protocol\":\"json\",\"version\":1}\u{1e}").await;
    assert_eq!(socket.text().await, "{}\u{1e}");
    socket.send("{\"type\":1,\"target\":\"Say\",\"arguments\":[\"hello\"]}\u{1e}").await;
    let said = socket.text().await;
    assert!(said.contains("\"said\"") && said.contains("hello"), "{said}");
}
