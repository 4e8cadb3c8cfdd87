//! Bodies: both ways at the same time, piece by piece, and no faster than the other end takes them.

use std::{fs, io::Write, thread, time::Duration};

use sha2::{Digest, Sha256};

use crate::support::{
    app::App,
    client::{Client, Framing, get, request},
    frontend::Frontend,
    log::Line,
    site,
};

const HUNDRED_MB: usize = 100 * 1024 * 1024;

/// A site that takes bodies of any length, which both sides have to be told.
fn site_without_limits() -> Option<App> {
    let app = App::site()?.body_limit(u64::from(u32::MAX));
    app.configure_runtime("Microsoft.AspNetCore.Server.IISIntegration.ClearMaxRequestBodySize", true);
    Some(app)
}

/// Byte i is i mod 251, as in `/bytes`.
fn pattern(from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Sends 100 MB to `/echo` while the answer is read; checks every byte.
fn echo_100_mb(chunked: bool) {
    let Some(app) = site_without_limits() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let length = format!("Content-Length: {HUNDRED_MB}");
    let framing = if chunked { "Transfer-Encoding: chunked" } else { length.as_str() };
    client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
    let mut upload = client.stream().try_clone().unwrap();
    let writer = thread::spawn(move || {
        let piece = pattern(0, 251 * 1024);
        let mut digest = Sha256::new();
        let mut left = HUNDRED_MB;
        while left > 0 {
            let now = &piece[..left.min(piece.len())];
            digest.update(now);
            if chunked {
                upload.write_all(format!("{:x}\r\n", now.len()).as_bytes()).unwrap();
                upload.write_all(now).unwrap();
                upload.write_all(b"\r\n").unwrap();
            } else {
                upload.write_all(now).unwrap();
            }
            left -= now.len();
        }
        if chunked {
            upload.write_all(b"0\r\n\r\n").unwrap();
        }
        digest.finalize()
    });
    let head = client.head();
    assert_eq!((head.status, head.framing(false)), (200, Framing::Chunked));
    assert!(!writer.is_finished(), "the answer comes while the request is being sent");
    let (mut length, mut digest) = (0, Sha256::new());
    while let Some(chunk) = client.try_chunk().unwrap() {
        length += chunk.len();
        digest.update(&chunk);
    }
    assert_eq!(length, HUNDRED_MB);
    assert_eq!(digest.finalize(), writer.join().unwrap());
    assert_eq!(client.exchange(get("/HelloWorld", &[])).status(), 200, "the connection goes on");
}

#[test]
fn carries_100_mb_of_known_length_both_ways_at_once() {
    echo_100_mb(false);
}

#[test]
fn carries_100_mb_of_chunks_both_ways_at_once() {
    echo_100_mb(true);
}

#[test]
fn delivers_every_event_within_50_ms() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut ages = Vec::new();
    // A busy machine may keep any process waiting; one that is buffered is late in every round.
    for _ in 0..5 {
        let mut client = frontend.connect();
        client.send(get("/sse?n=10&ms=80", &[]));
        assert_eq!(client.head().header("content-type"), Some("text/event-stream"));
        let mut round = Vec::new();
        while let Some(event) = client.try_chunk().unwrap() {
            round.push(site::age(&String::from_utf8(event).expect("one event is one chunk")));
        }
        assert_eq!(round.len(), 10);
        let slowest = *round.iter().max().unwrap();
        if slowest <= 50 {
            return;
        }
        ages.push(round);
    }
    panic!("events were late, in ms: {ages:?}");
}

#[test]
fn R19_request_and_answer_take_turns() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nfirst\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.try_chunk().unwrap().as_deref(), Some(&b"first"[..]));
    for turn in 0..100 {
        let text = format!("turn {turn:03}");
        client.send(format!("{:x}\r\n{text}\r\n", text.len()));
        assert_eq!(client.try_chunk().unwrap().as_deref(), Some(text.as_bytes()));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.try_chunk().unwrap(), None);
}

#[test]
fn sends_the_head_of_an_answer_before_its_body() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    // The body never comes within this test, so the head cannot wait for it.
    client.send(get("/slow?head=0&pieces=1&every=600000", &[]));
    assert_eq!(client.head().status, 200);
}

#[test]
fn uploads_arrive_whole() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let body = pattern(0, 5_000_000);
    let expected = hex(&Sha256::digest(&body));
    client.send(format!("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
    client.send(&body);
    let seen = client.response().json();
    assert_eq!((seen["length"].as_u64(), seen["sha256"].as_str()), (Some(5_000_000), Some(&*expected)));

    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in body.chunks(70_001) {
        client.send(format!("{:X};extension=1\r\n", piece.len())).send(piece).send("\r\n");
    }
    client.send("0\r\nX-Trailer: ignored\r\n\r\n");
    assert_eq!(client.response().json()["sha256"].as_str(), Some(&*expected));
}

#[test]
fn an_empty_body_is_a_body() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let none = client.exchange("POST /request/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").json();
    assert_eq!((none["content_length"].as_i64(), none["method"].as_str()), (Some(0), Some("POST")));
    let chunked = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(client.exchange(chunked).json()["length"], 0);
    // A request without a body is one without a body at the other end, too.
    let get = client.exchange(get("/request/x", &[])).json();
    assert_eq!((&get["content_length"], &get["can_have_body"]), (&serde_json::Value::Null, &false.into()));
}

#[test]
fn answers_of_every_size_arrive_whole() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    for size in [0, 1, 4095, 4096, 8192, 65_536, 65_537, 1_000_000, 20_000_000] {
        for chunked in ["false", "true"] {
            let response = client.exchange(get(&format!("/bytes/{size}?chunked={chunked}"), &[]));
            assert_eq!(response.body.len(), size);
            assert!(response.body == pattern(0, size), "{size} bytes, chunked {chunked}");
        }
    }
}

#[test]
fn answers_requests_that_were_sent_ahead_in_their_order() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send((0..20).map(|i| get(&format!("/bytes/{i}"), &[])).collect::<String>());
    for length in 0..20 {
        assert_eq!(client.response().body.len(), length);
    }
}

/// Resident memory of a process, in KiB.
fn memory(pid: i64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn large_answers_arrive_as_they_are_whoever_reads_when() {
    const LENGTH: usize = 20_000_000;
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for target in ["/bytes/20000000", "/bytes/20000000?chunked=true"] {
        let (mut late, mut early) = (frontend.connect(), frontend.connect());
        late.send(get(target, &[]));
        assert_eq!(late.head().status, 200);
        // The first one's answer waits in every buffer that there is, while others come by.
        for _ in 0..2 {
            let answer = early.exchange(get(target, &[]));
            assert!(answer.body == pattern(0, LENGTH), "{target}");
            assert_eq!(early.exchange(get("/HelloWorld", &[])).status(), 200);
        }
        let mut body = Vec::new();
        if target.contains("chunked") {
            while let Some(chunk) = late.try_chunk().unwrap() {
                body.extend(chunk);
            }
        } else {
            body = late.exactly(LENGTH).unwrap();
        }
        assert!(body == pattern(0, LENGTH), "{target}, read late");
        assert_eq!(late.exchange(get("/HelloWorld", &[])).status(), 200, "the connection goes on");
    }
    frontend.assert_sound();
}

#[test]
fn all_that_came_of_a_large_answer_that_breaks_off_is_passed_on() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send(get("/short?say=3000000&send=2000000", &[]));
    assert_eq!(client.head().framing(false), Framing::Length(3_000_000));
    assert_eq!(client.rest().len(), 2_000_000);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    frontend.assert_sound();
}

#[test]
fn a_client_that_reads_slowly_costs_no_memory() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    let before = memory(frontend.pid());
    let mut clients: Vec<Client> = (0..4)
        .map(|_| {
            let mut client = frontend.connect();
            client.send(get("/bytes/200000000", &[]));
            assert_eq!(client.head().status, 200);
            client
        })
        .collect();
    // Nobody reads; the application is stuck in its writes once all buffers between are full.
    for client in &mut clients {
        client.exactly(1_000_000).unwrap();
    }
    assert_eq!(frontend.get("/HelloWorld").status(), 200, "others are served meanwhile");
    let grown = memory(frontend.pid()).saturating_sub(before);
    assert!(grown < 20_000, "grown by {grown} KiB for 4 clients");
}

#[test]
fn an_upload_waits_for_an_application_that_reads_slowly() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    assert_eq!(frontend.get("/HelloWorld").status(), 200);
    let before = memory(frontend.pid());
    let client = frontend.connect();
    let mut stream = client.stream().try_clone().unwrap();
    // Never read to its end: 1 byte a second.
    stream.write_all(b"POST /upload?rate=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 29000000\r\n\r\n").unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let (piece, mut sent) = (vec![0; 64 * 1024], 0);
    while let Ok(n) = stream.write(&piece) {
        sent += n;
        assert!(sent < 28_000_000, "the upload does not wait");
    }
    let grown = memory(frontend.pid()).saturating_sub(before);
    assert!(grown < 10_000, "grown by {grown} KiB");
}

#[test]
fn passes_an_early_answer_and_the_next_request_is_served() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send("POST /early?code=403 HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n0123");
    assert_eq!(client.head().status, 403);
    drop(client);
    // The connection to the application that still waits for the body must not be used again.
    for _ in 0..20 {
        let response = frontend.connect().exchange(request("POST", "/upload", &[], "hello"));
        assert_eq!((response.status(), response.json()["length"].as_i64()), (200, Some(5)));
    }
    frontend.assert_sound();
}

#[test]
fn a_body_that_nobody_sends_keeps_nothing_from_the_others() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let stalled: Vec<Client> = (0..50)
        .map(|_| {
            let mut client = frontend.connect();
            client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
            client
        })
        .collect();
    site::in_flight(&mut frontend.connect(), 50);
    drop(stalled);
    site::in_flight(&mut frontend.connect(), 0);
    assert_eq!(frontend.log.count(|line: &Line| line.text.contains("panicked")), 0);
}
