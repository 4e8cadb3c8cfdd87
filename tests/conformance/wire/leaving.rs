//! Clients that leave before their answer has come.

use std::thread;

use crate::support::{app::App, client::get, frontend::Frontend, site};

/// The beginning of a request that announces more than it sends.
fn begin(length: usize, body: &str) -> String {
    format!(
        "POST /echo HTTP/1.1\r\nContent-Length: {length}\r\nHost: localhost\r\nConnection: close\r\n\r\n{body}"
    )
}

#[test]
fn R16_server_works_after_a_client_disconnect() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send(begin(100_000, "Hello"));
    assert_eq!(client.head().status, 200);
    drop(client);
    assert_eq!(frontend.get("/HelloWorld").text(), "Hello World");
    site::in_flight(&mut frontend.connect(), 0);
}

#[test]
fn R17_request_aborted_token_fires() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send(get("/slow?head=600000&id=mine", &["Connection: close"]));
    site::in_flight(&mut frontend.connect(), 1);
    let left = crate::support::unix_ms();
    drop(client);
    site::in_flight(&mut frontend.connect(), 0);
    assert!(site::noticed_leaving(&frontend, "mine", left) < 1000);
}

#[test]
fn R18_client_disconnect_stress() {
    const LENGTH: usize = 1000;
    const BLOCK: usize = 40;
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let pid = frontend.started(1).pid;
    let clients: Vec<_> = (0..100)
        .map(|n| {
            let mut client = frontend.connect();
            thread::spawn(move || {
                client.send(begin(LENGTH, ""));
                // Every client leaves elsewhere: after none of 25 blocks, after all but one, and all between.
                for _ in 0..n % (LENGTH / BLOCK) {
                    client.send([b'x'; BLOCK]);
                }
                // One in four without a goodbye.
                if n % 4 == 0 { client.reset() } else { drop(client) }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    site::in_flight(&mut frontend.connect(), 0);
    let response = frontend.get("/HelloWorld");
    assert_eq!(response.header("x-site-pid"), Some(pid.to_string().as_str()), "the process lives on");
    assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
    frontend.assert_sound();
}
