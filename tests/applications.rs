//! Several applications behind one frontend, by path and by host.

#![expect(non_snake_case, reason = "a test carries the name of the row that it is about")]

use std::{collections::BTreeSet, fs, time::Duration};

use crate::support::{
    PATIENCE,
    app::App,
    client::{get, request},
    eventually,
    frontend::{Frontend, Start},
    site::{pid, sites},
};

fn asks(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn H3_ten_applications_started_at_once_all_answer() {
    let Some(apps) = sites::<10>() else { return };
    let bindings: Vec<String> = (0..10).map(|number| format!("/app{number}")).collect();
    let pairs: Vec<(&str, &App)> = bindings.iter().map(String::as_str).zip(&apps).collect();
    let frontend = Start::run_several(&pairs).serve();
    let clients = bindings.iter().map(|binding| {
        let mut client = frontend.connect();
        // Ten runtimes start at the same time, perhaps on two cores.
        client.patience(PATIENCE * 6);
        client.send(get(&format!("{binding}/HelloWorld"), &[]));
        client
    });
    let clients: Vec<_> = clients.collect();
    let mut pids = BTreeSet::new();
    for mut client in clients {
        let response = client.response();
        assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
        pids.insert(pid(&response));
    }
    assert_eq!(pids.len(), 10);
    let ports: BTreeSet<u16> = bindings.iter().map(|binding| frontend.started_at(binding, 1).port).collect();
    assert_eq!(ports.len(), 10);
    frontend.assert_sound();
}

#[test]
fn H4_two_applications_have_processes_of_their_own() {
    let Some([one, two]) = sites() else { return };
    let frontend = Start::run_several(&[("/app1", &one), ("/app2", &two)]).serve();
    let (first, second) = (frontend.get("/app1/HelloWorld"), frontend.get("/app2/HelloWorld"));
    assert_eq!((first.status(), second.status()), (200, 200));
    assert_eq!(pid(&first), Some(frontend.started_at("/app1", 1).pid));
    assert_eq!(pid(&second), Some(frontend.started_at("/app2", 1).pid));
    assert_ne!(pid(&first), pid(&second));

    let environment = |target| frontend.get(target).json();
    let (first, second) = (environment("/app1/env"), environment("/app2/env"));
    assert_eq!(
        (&first["ASPNETCORE_APPL_PATH"], &second["ASPNETCORE_APPL_PATH"]),
        (&"/app1".into(), &"/app2".into())
    );
    for name in ["ASPNETCORE_TOKEN", "ASPNETCORE_PORT", "ASPNETCORE_IIS_PHYSICAL_PATH"] {
        assert_ne!(first[name], second[name], "{name}");
    }
    let response = frontend.get("/app3/HelloWorld");
    assert_eq!(response.status(), 404);
    assert!(response.text().contains("<h1>HTTP Error 404 - "), "{}", response.text());
    let as_json = frontend.connect().exchange(get("/app3", &["Accept: application/json"]));
    assert_eq!(as_json.json()["type"], "urn:problem-type:ancm:404");
    assert_eq!(response.header("proxy-status"), Some("ancm; error=http_request_denied"));
}

#[test]
fn an_application_sees_its_path_base_however_the_client_writes_it() {
    let Some([root, shop]) = sites() else { return };
    let frontend = Start::run_several(&[("/", &root), ("/my shop", &shop)]).serve();
    let (root, shop) = (frontend.started_at("/", 1).pid, frontend.started_at("/my shop", 1).pid);
    let mut client = frontend.connect();
    for (target, by, base, path) in [
        ("/request/a", root, "", "/request/a"),
        ("/my%20shop/request/a", shop, "/my shop", "/request/a"),
        ("/MY%20Shop/request/a%2Fb//c", shop, "/MY Shop", "/request/a%2Fb//c"),
        ("//my%20shop%2Frequest/a", shop, "/my shop", "/request/a"),
        ("/%6dy%20shop\\request/a\\b", shop, "/my shop", "/request/a\\b"),
        ("/request/../my%20shop/./request/a", shop, "/my shop", "/request/a"),
        ("/my%20shop/../request/a", root, "", "/request/a"),
        ("/request/my%20shop", root, "", "/request/my shop"),
    ] {
        let response = client.exchange(get(target, &[]));
        assert_eq!((response.status(), pid(&response)), (200, Some(by)), "{target}: {}", response.text());
        let seen = response.json();
        assert_eq!((&seen["path_base"], &seen["path"]), (&base.into(), &path.into()), "{target}: {seen}");
    }
    // Beside the path base nothing is touched.
    let raw = |target: &str| frontend.get(target).json()["raw_target"].clone();
    assert_eq!(raw("/My%20Shop/request/x/%2e./%7E?a=%2F"), "/My%20Shop/request/x/%2e./%7E?a=%2F");
    assert_eq!(raw("//My%20Shop/request/%7E//?a=//"), "/My%20Shop/request/%7E//?a=//");
    // The path base alone is the application's root, which sends people to where its links are right.
    let page = frontend.get("/my%20shop");
    assert_eq!((page.status(), pid(&page)), (301, Some(shop)));
    assert!(page.header("location").is_some_and(|to| to.ends_with("/my%20shop/")), "{page:?}");
    assert_eq!(pid(&frontend.get("/my%20shopping")), Some(root));
}

#[test]
fn a_host_that_is_named_has_applications_of_its_own() {
    let Some([one, two]) = sites() else { return };
    let three = App::misbehaving("");
    let all = [("shop.example.com/", &one), ("shop.example.com/app", &two), ("/", &three)];
    let frontend = Start::run_several(&all).serve();
    let (one, two) =
        (frontend.started_at("shop.example.com/", 1).pid, frontend.started_at("shop.example.com/app", 1).pid);
    let mut client = frontend.connect();
    for (host, target, by) in [
        ("shop.example.com", "/HelloWorld", one),
        ("SHOP.example.com.:8080", "/App/HelloWorld", two),
        ("ignored", "http://shop.example.com/HelloWorld", one),
    ] {
        assert_eq!(pid(&client.exchange(asks(host, target))), Some(by), "{host}{target}");
    }
    for host in ["other.example.com", "com", "127.0.0.1:80"] {
        let response = client.exchange(asks(host, "/record"));
        assert!(response.text().starts_with("GET /record HTTP/1.1\r\n"), "{host}: {}", response.text());
    }
    assert!(client.exchange("GET /record HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").status() == 200);
}

#[test]
fn limits_of_a_part_of_a_site_hold_below_the_path_base() {
    let app = App::misbehaving("");
    let text = fs::read_to_string(app.path("web.config")).unwrap();
    let limits = "<location path='up'><system.webServer><security><requestFiltering><requestLimits \
                  maxAllowedContentLength='3'/></requestFiltering></security></system.webServer></location>";
    app.write("web.config", text.replace("</configuration>", &format!("{limits}</configuration>")));
    let frontend = Start::run_several(&[("/shop", &app)]).serve();
    let status = |target| frontend.connect().exchange(request("POST", target, &[], "1234")).status();
    assert_eq!(status("/shop/up/x"), 413);
    assert_eq!(status("//SHOP%2Fup"), 413);
    assert_ne!(status("/shop/x"), 413);
}

#[test]
fn all_applications_are_stopped_at_the_same_time() {
    let Some([one, two]) = sites() else { return };
    let (one, two) =
        (one.variable("SITE_SHUTDOWN", "delay:1500"), two.variable("SITE_SHUTDOWN", "delay:1500"));
    let mut frontend = Start::run_several(&[("/one", &one), ("/two", &two)]).serve();
    frontend.started_at("/one", 1);
    frontend.started_at("/two", 1);
    assert_eq!(frontend.stop().code(), Some(0));
    frontend.log.ended();
    let of = |id: i64| {
        let lines = frontend.log.lines();
        lines.iter().enumerate().filter(|(_, line)| line.is_event(id)).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let (asked, ended) = (of(1006), of(1030));
    assert_eq!((asked.len(), ended.len()), (2, 2), "{}", frontend.log.report());
    assert!(asked.iter().max() < ended.iter().min(), "{}", frontend.log.report());
}

#[test]
fn developers_see_what_is_wrong() {
    let (right, wrong) = (App::misbehaving(""), App::misbehaving("").attribute("startupTimeLimit", "99999"));
    let start = Start::run_several(&[("/", &right), ("/wrong", &wrong)]);
    let frontend = start.variable("ASPNETCORE_ENVIRONMENT", "Development").serve();
    let page = frontend.get("/wrong").text();
    assert!(page.contains("startupTimeLimit=&quot;99999&quot; is out of range"), "{page}");
}

#[test]
fn a_page_of_app_offline_is_shown_in_front_of_a_wrong_configuration() {
    let (right, wrong) = (App::misbehaving(""), App::misbehaving("").attribute("startupTimeLimit", "99999"));
    wrong.take_offline("back soon");
    let frontend = Start::run_several(&[("/", &right), ("/wrong", &wrong)]).serve();
    let response = frontend.get("/wrong");
    assert_eq!((response.status(), response.text().as_str()), (503, "back soon"));
    wrong.bring_online();
    eventually("the fault is shown", PATIENCE, || (frontend.get("/wrong").status() == 500).then_some(()));
}

#[test]
fn nothing_is_served_if_no_application_can_be() {
    let wrong = || App::misbehaving("").attribute("startupTimeLimit", "99999");
    let (one, two) = (wrong(), wrong());
    let ended = Start::run_several(&[("/one", &one), ("h.example/two", &two)]).until_end();
    assert_eq!(ended.code, Some(78));
    for part in ["no application can be served", "application /one: ", "application h.example/two: ", "99999"]
    {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let only = Start::run_several(&[("/one", &one)]).until_end();
    assert_eq!(only.code, Some(78), "{}", only.stderr);
}

#[test]
fn a_command_line_that_makes_no_sense_says_what_to_write() {
    let app = App::misbehaving("");
    let dir = app.root().display();
    for (place, code, part) in [
        ("/x=/nowhere/at/all".to_owned(), 78, "application /x: "),
        (format!("/APP/={dir}"), 2, "is given to two applications"),
        (format!("app={dir}"), 2, "begins with a slash"),
        ("/x".to_owned(), 2, "write /x=DIR"),
        (format!("h:80/={dir}"), 2, "the port after -l"),
    ] {
        let start = Start::run_several(&[("/app", &app)]).argument("--app").argument(&place);
        let ended = start.until_end();
        assert_eq!(ended.code, Some(code), "{place}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{place}: {}", ended.stderr);
    }
}

#[test]
fn a_folder_beside_others_is_served_at_the_root() {
    let Some([root, app]) = sites() else { return };
    let place = format!("/app={}", app.root().display());
    let frontend = Start::run(&root).argument("--app").argument(&place).serve();
    assert_eq!(pid(&frontend.get("/HelloWorld")), Some(frontend.started_at("/", 1).pid));
    assert_eq!(pid(&frontend.get("/app/HelloWorld")), Some(frontend.started_at("/app", 1).pid));
}

#[test]
fn ends_with_69_when_one_of_them_does_not_become_ready() {
    let (right, dead) = (App::misbehaving(""), App::misbehaving("exit:3"));
    let start = Start::run_several(&[("/", &right), ("/dead", &dead)]).argument("--exit-on-failure");
    let ended = start.until_end();
    assert_eq!(ended.code, Some(69), "{}", ended.stderr);
    assert!(ended.stderr.contains("the application at /dead did not become ready"), "{}", ended.stderr);
}

#[test]
fn explains_each_application() {
    let (right, wrong) = (App::misbehaving(""), App::misbehaving("").attribute("startupTimeLimit", "99999"));
    let ended = Start::several("check", &[("/", &right), ("/wrong", &wrong)]).until_end();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("Application /\n") && ended.stdout.contains("Application /wrong\n"),
        "{}",
        ended.stdout
    );
    let ended = Start::several("check", &[("/", &right)]).argument("--json").until_end();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let value: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(value["applications"][0]["application"], "/");
}

#[test]
fn a_stop_is_as_patient_as_the_newest_configuration_says() {
    let Some([app]) = sites() else { return };
    let app = app.attribute("shutdownTimeLimit", "30").variable("SITE_SHUTDOWN", "ignore");
    let mut frontend = Frontend::serve(&app);
    frontend.started(1);
    let app = app.attribute("shutdownTimeLimit", "1");
    frontend.started(2);
    // The first process has 30 s, and the frontend's own stop is not to wait for that.
    frontend.signal(rustix::process::Signal::TERM);
    frontend.ended(Duration::from_secs(20));
    drop(app);
}
