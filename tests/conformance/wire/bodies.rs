//! Bodies on the wire: slow ones, large ones, and ones that are not read.

use std::{fs, io::Write};

use crate::support::{
    app::App,
    client::{Client, Framing, get, request},
    frontend::Frontend,
};

/// Read at once from a large body; longer than what Kestrel makes a chunk of.
const PIECE: usize = 1024 * 1024;

#[test]
fn R4_read_and_write_echo() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let body = "a".repeat(100_000);
    let response = frontend.connect().exchange(request("POST", "/echo", &[], &body));
    assert_eq!(response.status(), 200);
    assert!(response.text() == body, "{} bytes came back", response.body.len());
}

#[test]
fn R5_read_and_write_echo_twice() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    let body = "a".repeat(10_000);
    let response = frontend.connect().exchange(request("POST", "/echo-twice", &[], &body));
    assert_eq!(response.status(), 200);
    assert!(response.text() == body.repeat(2), "{} bytes came back", response.body.len());
}

#[test]
fn R6_read_and_write_slow_connection() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let text = "hello world";
    let request =
        format!("POST /repeat HTTP/1.0\r\nContent-Length: {}\r\nHost: localhost\r\n\r\n{text}", text.len());
    for byte in request.bytes() {
        // Each byte has been taken from the socket before the next one is sent.
        client.send([byte]).await_read();
    }
    let head = client.head();
    assert_eq!((head.status, head.framing(false)), (200, Framing::UntilClose), "{head:?}");
    for _ in 0..100 {
        assert_eq!(client.exactly(text.len()).unwrap(), text.as_bytes());
    }
    assert!(client.rest().is_empty(), "then the connection ends");
}

#[test]
fn R7_consume_partial_body() {
    let Some(app) = App::wire() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let head = "POST /five HTTP/1.1\r\nContent-Length: 100\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    client.send(head).send("Hello");
    let response = client.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "Hello"));
    assert!(client.rest().is_empty(), "then the connection ends");
    // The application's connection still waits for 95 bytes; nobody else's request may become them.
    for _ in 0..20 {
        let response = frontend.connect().exchange(request("POST", "/five", &[], "0123456789"));
        assert_eq!((response.status(), response.text().as_str()), (200, "01234"));
    }
}

#[test]
fn R8_async_chunked_post_is_accepted() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    for _ in 0..100 {
        let mut client = frontend.connect();
        client.send(
            "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        client.send("5\r\nHello\r\n").send("0\r\n\r\n");
        let response = client.response();
        assert_eq!((response.status(), response.json()["length"].as_u64()), (200, Some(5)));
        assert!(client.rest().is_empty(), "then the connection ends");
    }
}

/// Reads a body in pieces, each of which must be what is expected from its first byte on; counts its bytes.
fn count(client: &mut Client, framing: Framing, is_expected: impl Fn(usize, &[u8]) -> bool) -> usize {
    let mut read = 0;
    let mut check = |piece: Vec<u8>| {
        assert!(is_expected(read, &piece), "the piece that begins with byte {read}");
        read += piece.len();
    };
    match framing {
        Framing::Length(length) => {
            let mut left = usize::try_from(length).expect("a length");
            while left > 0 {
                let piece = client.exactly(left.min(PIECE)).expect("all of it comes");
                left -= piece.len();
                check(piece);
            }
        }
        Framing::Chunked => {
            while let Some(piece) = client.try_chunk().expect("all of it comes") {
                check(piece);
            }
        }
        Framing::UntilClose => panic!("it has no length and no chunks"),
    }
    read
}

#[test]
fn R14_large_response_body() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    let pattern: Vec<u8> = (0..=250).cycle().take(PIECE + 251).collect();
    for length in [65_000, 1_000_000, 10_000_000, 100_000_000] {
        client.send(get(&format!("/bytes/{length}?chunked=true"), &[]));
        let head = client.head();
        assert_eq!((head.status, head.framing(false)), (200, Framing::Chunked));
        let is_expected = |from: usize, piece: &[u8]| pattern[from % 251..].starts_with(piece);
        assert_eq!(count(&mut client, Framing::Chunked, is_expected), length);
    }
}

#[test]
fn R15_large_response_body_from_a_file() {
    const LENGTH: usize = 200_000_000;
    const END: &[u8] = b"the end";
    let Some(app) = App::site() else { return };
    app.write("wwwroot/large.bin", "");
    // Nearly all of it is a hole, which costs nothing and reads as zeros.
    let mut file = fs::File::options().append(true).open(app.path("wwwroot/large.bin")).unwrap();
    file.set_len((LENGTH - END.len()).try_into().unwrap()).unwrap();
    file.write_all(END).unwrap();
    let frontend = Frontend::serve(&app);
    let mut client = frontend.connect();
    client.send(get("/large.bin", &[]));
    let head = client.head();
    assert_eq!((head.status, head.framing(false)), (200, Framing::Length(LENGTH as u64)));
    let zeros = vec![0; PIECE];
    let is_expected = |from: usize, piece: &[u8]| {
        let (hole, end) = piece.split_at(piece.len().min(LENGTH - END.len() - from));
        zeros.starts_with(hole) && (end.is_empty() || end == END)
    };
    // The last piece holds the whole end.
    assert!(LENGTH % PIECE > END.len());
    assert_eq!(count(&mut client, head.framing(false), is_expected), LENGTH);
    assert_eq!(client.exchange(get("/HelloWorld", &[])).status(), 200, "the connection goes on");
}
