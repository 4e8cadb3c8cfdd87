//! Applications that answer badly, late or not at all, and clients that leave.

use std::time::Duration;

use crate::support::{
    PATIENCE,
    app::App,
    client::{Client, get},
    eventually,
    frontend::Frontend,
    site::{in_flight, noticed_leaving},
    unix_ms,
};

#[test]
fn A1_answer_that_breaks_off_before_its_head_is_502() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let response = client.exchange(get("/reset?after=0", &[]));
    assert_eq!((response.status(), response.header("x-site-pid")), (502, None));
    let status = response.header("proxy-status").expect("whose fault it is");
    assert!(status.starts_with("ancm; error=connection_"), "{status}");
    assert_eq!(client.exchange(get("/HelloWorld", &[])).status(), 200, "the connection goes on");
}

#[test]
fn A1_answer_that_breaks_off_in_the_middle_is_cut() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for target in ["/reset?after=1000", "/short?say=100&send=10"] {
        let mut client = frontend.connect();
        let outcome = client.try_exchange(get(target, &[]));
        assert!(outcome.is_err(), "{target} must not look whole: {outcome:?}");
    }
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    frontend.assert_sound();
}

#[test]
fn a_backend_that_ends_its_answer_early_is_not_hidden() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    for target in ["/cut", "/cut-chunked"] {
        let mut client = frontend.connect();
        let outcome = client.try_exchange(get(target, &[]));
        assert!(outcome.is_err(), "{target} must not look whole: {outcome:?}");
    }
    assert_eq!(frontend.get("/record").status(), 200);
}

#[test]
fn a_head_that_is_none_is_502() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    for target in [
        "/malformed",
        "/close",
        "/endless-head",
        "/answer?",
        "/answer?HTTP/1.1%20200%20OK%0D%0ABad%20Name:%20x%0D%0A%0D%0A",
        "/answer?HTTP/1.1%20200%20OK%0D%0AContent-Length:%203%0D%0AContent-Length:%204%0D%0A%0D%0Aabc",
        "/answer?HTTP/1.1%20200%20OK%0D%0AContent-Length:%20x%0D%0A%0D%0Aabc",
        "/answer?SSH-2.0-server%0D%0A%0D%0A",
    ] {
        let response = frontend.get(target);
        assert_eq!(response.status(), 502, "{target}: {response:?}");
        assert!(response.header("proxy-status").is_some_and(|status| status.starts_with("ancm; ")));
    }
    assert_eq!(frontend.get("/record").status(), 200);
    frontend.assert_sound();
}

#[test]
fn an_answer_that_ends_with_its_connection_is_passed() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let response = frontend.get("/answer?HTTP/1.0%20200%20OK%0D%0A%0D%0Aall%20of%20it");
    assert_eq!((response.status(), response.text().as_str()), (200, "all of it"));
}

#[test]
fn nothing_behind_an_answer_becomes_another_answer() {
    let frontend = Frontend::serve(&App::misbehaving(""));
    let smuggled = "/answer?HTTP/1.1%20200%20OK%0D%0AContent-Length:%202%0D%0A%0D%0Aok\
                    HTTP/1.1%20200%20OK%0D%0AContent-Length:%204%0D%0A%0D%0Aevil";
    let mut client = frontend.connect();
    assert_eq!(client.exchange(get(smuggled, &[])).text(), "ok");
    for _ in 0..5 {
        assert!(client.exchange(get("/record", &[])).text().starts_with("GET /record"));
    }
}

#[test]
fn an_application_that_throws_answers_for_itself() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let response = frontend.get("/throw");
    assert_eq!((response.status(), response.header("proxy-status")), (500, None));
    assert_eq!(frontend.get("/challenge").status(), 500, "there is no Windows scheme here");
}

#[test]
fn a_silent_application_is_504_and_sees_an_abort() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("requestTimeout", "00:00:01"));
    frontend.started(1);
    let asked = unix_ms();
    let response = frontend.get("/slow?head=60000&id=silent");
    assert_eq!(response.status(), 504, "{response:?}");
    assert_eq!(response.header("proxy-status"), Some("ancm; error=http_response_timeout"));
    let after = noticed_leaving(&frontend, "silent", asked);
    assert!((1000..5000).contains(&after), "the application was aborted after {after} ms");
}

#[test]
fn an_application_that_falls_silent_in_the_middle_is_cut() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("requestTimeout", "00:00:01"));
    let mut client = frontend.connect();
    client.send(get("/slow?head=0&pieces=2&every=60000&id=middle", &[]));
    assert_eq!(client.head().status, 200);
    let asked = unix_ms();
    assert!(client.try_chunk().is_err(), "the answer must not look whole");
    noticed_leaving(&frontend, "middle", asked);
}

#[test]
fn the_timeout_counts_silence_and_not_the_whole() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("requestTimeout", "00:00:02"));
    // 3 s in all, never 2 s of silence.
    let response = frontend.get("/slow?head=500&pieces=5&every=500");
    assert_eq!((response.status(), response.text().lines().count()), (200, 5));
}

#[test]
fn a_timeout_of_zero_is_none() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("requestTimeout", "00:00:00"));
    assert_eq!(frontend.get("/slow?head=1500").status(), 200);
}

#[test]
fn a_client_that_takes_its_time_is_not_timed_out() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app.attribute("requestTimeout", "00:00:01"));
    let mut client = frontend.connect();
    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
    // Meanwhile another request runs into the limit: that long we have been silent.
    assert_eq!(frontend.get("/hang").status(), 504);
    client.send("whole");
    assert_eq!(client.response().json()["length"], 10);
}

/// Starts a request, leaves, and checks that the application hears of it within a second.
fn leave(frontend: &Frontend, id: &str, start: impl FnOnce(&mut Client), leave: impl FnOnce(Client)) {
    let mut client = frontend.connect();
    start(&mut client);
    in_flight(&mut frontend.connect(), 1);
    let left = unix_ms();
    leave(client);
    let after = noticed_leaving(frontend, id, left);
    assert!(after < 1000, "{id}: noticed after {after} ms");
    in_flight(&mut frontend.connect(), 0);
}

#[test]
fn the_application_hears_within_a_second_that_its_client_left() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    let hang = |id: &str| get(&format!("/slow?head=60000&id={id}"), &[]);
    leave(
        &frontend,
        "closed",
        |client| {
            client.send(hang("closed"));
        },
        drop,
    );
    leave(
        &frontend,
        "reset",
        |client| {
            client.send(hang("reset"));
        },
        Client::reset,
    );
}

#[test]
fn the_application_hears_it_in_the_middle_of_an_answer() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let sse = |client: &mut Client| {
        client.send(get("/sse?n=1000&ms=100&id=sse", &[]));
        assert_eq!(client.head().status, 200);
    };
    leave(&frontend, "sse", sse, drop);
    let endless = |client: &mut Client| {
        client.send(get("/bytes/100000000000?id=bytes", &[]));
        assert_eq!(client.head().status, 200);
    };
    leave(&frontend, "bytes", endless, drop);
}

#[test]
fn the_application_hears_it_while_an_upload_is_stalled() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    frontend.started(1);
    let stall = |client: &mut Client| {
        client.send("POST /upload?id=stalled HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    };
    let mut client = frontend.connect();
    stall(&mut client);
    in_flight(&mut frontend.connect(), 1);
    drop(client);
    // A broken body fails the application's read; whether it also counts as an abort is its own affair.
    in_flight(&mut frontend.connect(), 0);
}

#[test]
fn a_client_that_leaves_is_noticed_while_nobody_reads_its_upload() {
    // Kestrel does not look at a connection whose body its application does not read; this backend does.
    let frontend = Frontend::serve(&App::misbehaving(""));
    let mut client = frontend.connect();
    client.send("POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n");
    // As much as goes without anybody reading at the other end.
    client.stream().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let piece = vec![0; 64 * 1024];
    while std::io::Write::write(&mut client.stream(), &piece).is_ok() {}
    let left = tokio::time::Instant::now();
    client.reset();
    frontend.log.says("the client of /hang has left");
    assert!(left.elapsed() < Duration::from_secs(1), "noticed after {:?}", left.elapsed());
}

#[test]
fn a_client_that_leaves_while_its_request_is_held_is_forgotten() {
    let Some(app) = App::site() else { return };
    let ledger = app.path("ledger");
    let app =
        app.variable("SITE_STARTUP", "delay:1500").variable("SITE_LEDGER", &ledger.display().to_string());
    let frontend = Frontend::serve(&app);
    let mut leaving = frontend.connect();
    leaving.send("POST /ledger/left HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    drop(leaving);
    assert_eq!(frontend.post("/ledger/stayed").status(), 200);
    let lines = eventually("the ledger", PATIENCE, || std::fs::read_to_string(&ledger).ok());
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("stayed"), "{lines}");
}
