//! Applications that do not start: what the client is shown, what is said, and that nothing is left behind.

use crate::support::{app::App, client::Response, frontend::Frontend, process};

fn is_start_failure(response: &Response) {
    assert_eq!(response.status(), 502, "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(response.text().contains("502.5"), "{}", response.text());
}

/// The failure page of an application whose start fails.
fn page(app: &App) -> (Frontend, String) {
    let frontend = Frontend::serve(app);
    let response = frontend.get("/");
    is_start_failure(&response);
    // Failed for good, both attempts.
    frontend.log.event(1020, 1);
    (frontend, response.text())
}

/// Nothing that was started for it lives on.
fn leaves_no_process(frontend: &Frontend) {
    crate::support::eventually("no backend is left", crate::support::PATIENCE, || {
        process::backends(frontend.marker()).is_empty().then_some(())
    });
}

#[test]
fn a_process_path_that_does_not_exist_is_named() {
    let app = App::empty().attribute("processPath", "nonexistent-program");
    let app = app.variable("ASPNETCORE_ENVIRONMENT", "Development");
    let (frontend, page) = page(&app);
    assert!(page.contains("nonexistent-program"), "{page}");
    frontend.log.first("the path", |line| line.is_event(1000) && line.text.contains("nonexistent-program"));
    frontend.assert_sound();
}

#[test]
fn a_process_path_that_cannot_be_run_is_named() {
    for (name, content) in [
        ("folder/", ""),
        ("not-executable", "#!/bin/sh\n"),
        ("wrong-architecture", "\u{7f}ELF\u{2}\u{1}\u{1}"),
    ] {
        let app = App::empty();
        match name.strip_suffix('/') {
            Some(folder) => std::fs::create_dir(app.path(folder)).unwrap(),
            None => app.write(name, content),
        }
        if name == "wrong-architecture" {
            let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
            std::fs::set_permissions(app.path(name), mode).unwrap();
        }
        let name = name.trim_end_matches('/');
        let app = app.attribute("processPath", &format!(r".\{name}"));
        let app = app.variable("ASPNETCORE_ENVIRONMENT", "Development");
        let (frontend, page) = page(&app);
        assert!(page.contains(name), "{page}");
        frontend.assert_sound();
    }
}

#[test]
fn an_application_that_exits_at_once_has_its_code_and_its_words_in_the_log() {
    let app = App::misbehaving("print:the database is not there <b>;exit:42");
    let (frontend, page) = page(&app);
    // Anybody may see the page; how the application ended is for those who see the log.
    assert!(!page.contains("the database is not there") && !page.contains("42"), "{page}");
    let failure = frontend.log.event(1020, 1);
    assert!(failure.text.contains("the database is not there"), "{}", failure.text);
    assert!(failure.text.contains("42"), "{}", failure.text);
    leaves_no_process(&frontend);
}

#[test]
fn in_development_the_page_shows_the_words_of_the_application() {
    let app = App::misbehaving("print:the database is not there <b>;exit:42");
    let (_frontend, page) = page(&app.variable("ASPNETCORE_ENVIRONMENT", "Development"));
    assert!(page.contains("the database is not there &lt;b&gt;"), "{page}");
}

#[test]
fn in_development_the_page_shows_the_exception() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_STARTUP", "throw").variable("ASPNETCORE_ENVIRONMENT", "Development");
    let (frontend, page) = page(&app);
    assert!(page.contains("thrown at the start"), "{page}");
    assert_eq!(frontend.log.count(|line| line.is_event(1001)), 0);
    leaves_no_process(&frontend);
}

#[test]
fn an_application_that_never_listens_is_given_up_at_the_limit() {
    let app = App::misbehaving("never-listen").attribute("startupTimeLimit", "1");
    let app = app.variable("ASPNETCORE_ENVIRONMENT", "Development");
    let (frontend, page) = page(&app);
    assert!(page.contains("UseUrls"), "{page}");
    assert!(page.contains("1 s"), "{page}");
    leaves_no_process(&frontend);
}

#[test]
fn an_application_that_listens_elsewhere_is_told_where() {
    let app = App::misbehaving("elsewhere")
        .attribute("startupTimeLimit", "1")
        .variable("ASPNETCORE_ENVIRONMENT", "Development");
    let (frontend, page) = page(&app);
    let (_, port) = page.split_once("elsewhere: ").expect("its own words are there");
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    assert!(page.contains(&format!("127.0.0.1:{port}")), "{page}");
    assert!(page.contains("UseUrls"), "{page}");
    leaves_no_process(&frontend);
}

#[test]
fn an_asp_net_core_application_that_listens_elsewhere_is_told_where() {
    let Some(app) = App::site() else { return };
    let port = crate::support::free_port();
    let app = app.variable("SITE_STARTUP", &format!("elsewhere:{port}")).attribute("startupTimeLimit", "2");
    let app = app.variable("ASPNETCORE_ENVIRONMENT", "Development");
    let (_frontend, page) = page(&app);
    assert!(page.contains(&format!("127.0.0.1:{port}")), "{page}");
    assert!(page.contains("UseUrls"), "{page}");
}

#[test]
fn without_the_page_the_answer_is_empty() {
    let app = App::misbehaving("exit:1").attribute("disableStartUpErrorPage", "true");
    let frontend = Frontend::serve(&app);
    let response = frontend.get("/");
    assert_eq!((response.status(), response.body.len()), (502, 0), "{response:?}");
}

#[test]
fn head_requests_get_the_length_of_the_page_only() {
    let frontend = Frontend::serve(&App::misbehaving("exit:1"));
    let response = frontend.connect().exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(response.status(), 502);
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
}

#[test]
fn a_second_attempt_that_succeeds_is_a_start() {
    let Some(app) = App::site() else { return };
    let once = app.path("once").display().to_string();
    let app = app.variable("SITE_STARTUP", &format!("once:{once};exit:3"));
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    assert_eq!(frontend.log.count(|line| line.is_event(1000)), 1);
    assert_eq!(frontend.log.count(|line| line.is_event(1020)), 0);
}

#[test]
fn a_failed_start_is_tried_again_by_itself() {
    let app = App::misbehaving("exit:1");
    let (frontend, _) = page(&app);
    // Nobody asks: the second failure comes all the same.
    frontend.log.event(1020, 2);
}

#[test]
fn a_request_wakes_an_application_that_was_mended() {
    let app = App::empty().attribute("processPath", "./start");
    let (frontend, _) = page(&app);
    let script = format!(
        "#!/bin/sh\n{}='' exec '{}' {}\n",
        crate::support::backend::ORDERS,
        crate::support::backend::program().display(),
        crate::support::backend::ARGUMENTS
    );
    app.write("start.tmp", script);
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(app.path("start.tmp"), mode).unwrap();
    std::fs::rename(app.path("start.tmp"), app.path("start")).unwrap();
    crate::support::eventually("the application answers", crate::support::PATIENCE, || {
        (frontend.get("/record").status() == 200).then_some(())
    });
}

#[test]
fn a_start_error_that_asp_net_core_captures_is_the_application_s_own() {
    let Some(app) = App::site() else { return };
    let mut frontend = Frontend::serve(&app.variable("SITE_STARTUP", "throw-pipeline"));
    let response = frontend.get("/HelloWorld");
    assert_eq!((response.status(), response.header("proxy-status")), (500, None));
    // Its answer to the message is 500, too; the signal ends it.
    assert_eq!(frontend.stop().code(), Some(0));
}

#[test]
fn every_request_of_a_failing_application_is_answered() {
    let frontend = Frontend::serve(&App::misbehaving("exit:1"));
    let address = frontend.address();
    let clients: Vec<_> = (0..50)
        .map(|_| {
            std::thread::spawn(move || {
                crate::support::client::Client::connect(address)
                    .exchange(crate::support::client::get("/", &[]))
                    .status()
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), 502);
    }
}
