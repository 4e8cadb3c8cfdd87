//! A backend that does wrong on order, and needs nothing installed: this very test program, started again.
//!
//! `web.config` names the program with arguments that make it run one test only, the one below, which is a backend
//! when the variable [`ORDERS`] is there and nothing otherwise.
//!
//! At the start it carries out its orders, separated by `;`: `print:TEXT`, `print-token`, `exit:CODE`,
//! `never-listen`, `elsewhere` (listens on another port), `ignore-stop` (the message and SIGTERM), `spawn` (leaves a grandchild in a session of
//! its own). Then it serves, by path:
//!
//! | path | does |
//! |---|---|
//! | `/record` | answers the bytes of the request's head, as they came |
//! | `/body` | answers the bytes of the request's head, then of the body by its length |
//! | `/chunked` | answers the bytes of the request's head, then of its body in chunks, as they came |
//! | `/count` | takes a body by its length and answers how long it was |
//! | `/flood?N` | answers N bytes |
//! | `/cut` | promises 100 bytes, sends 10, ends the connection |
//! | `/cut-chunked` | sends one chunk, ends the connection |
//! | `/close` | ends the connection without an answer |
//! | `/malformed` | sends a head that is none |
//! | `/endless-head` | sends header lines until somebody stops it |
//! | `/hang` | never answers and never reads the body; says when the other side has left |
//! | `/interim` | sends 100 and 103 before the answer |
//! | `/answer?TEXT` | sends the text, percent-decoded, as it is |

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::event::{PollFd, PollFlags, poll};

/// The variable that makes the test below a backend.
pub(crate) const ORDERS: &str = "ANCM_TEST_ORDERS";

/// What makes the program run the test below and nothing else.
pub(crate) const ARGUMENTS: &str =
    "--exact support::backend::plays_the_backend_that_a_web_config_asks_for --nocapture --test-threads=1";

static IGNORES_STOP: AtomicBool = AtomicBool::new(false);

pub(crate) fn program() -> PathBuf {
    std::env::current_exe().expect("a test has a program")
}

#[test]
fn plays_the_backend_that_a_web_config_asks_for() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let port: u16 = std::env::var("ASPNETCORE_PORT").expect("ancm sets it").parse().expect("a number");
    for order in orders.split(';').filter(|order| !order.is_empty()) {
        obey(order);
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            // The other side may leave at any moment; that is no fault of ours.
            let _ = serve(stream);
        });
    }
}

fn obey(order: &str) {
    let (verb, value) = order.split_once(':').unwrap_or((order, ""));
    match verb {
        "print" => println!("{value}"),
        "print-token" => println!("the token is {}.", std::env::var("ASPNETCORE_TOKEN").unwrap_or_default()),
        "exit" => std::process::exit(value.parse().expect("a code")),
        "never-listen" => wait_for_ever(),
        "elsewhere" => {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            println!("elsewhere: {}", listener.local_addr().expect("a bound socket").port());
            wait_for_ever();
        }
        "ignore-stop" => {
            IGNORES_STOP.store(true, Ordering::Relaxed);
            ignore_sigterm();
        }
        "spawn" => {
            #[expect(clippy::disallowed_methods, reason = "a grandchild that the frontend knows nothing of")]
            let child = Command::new("setsid").args(["sleep", "1000"]).stdout(Stdio::null()).spawn();
            println!("grandchild: {}", child.expect("setsid starts").id());
        }
        other => panic!("unknown order {other:?}"),
    }
}

fn wait_for_ever() -> ! {
    loop {
        thread::park();
    }
}

/// A signal that somebody listens for does not end the process.
fn ignore_sigterm() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut signals = tokio::signal::unix::signal(kind).expect("a handler");
            println!("SIGTERM is ignored");
            loop {
                signals.recv().await;
                println!("SIGTERM came and was ignored");
            }
        });
    });
}

/// Serves the requests of one connection until it ends.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let head = read_head(&mut stream)?;
        let text = String::from_utf8_lossy(&head).into_owned();
        let target = text.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match path {
            "/iisintegration" => {
                if IGNORES_STOP.load(Ordering::Relaxed) {
                    wait_for_ever();
                }
                stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
                std::process::exit(0);
            }
            "/cut" => return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"),
            "/cut-chunked" => {
                return stream
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
            }
            "/close" => return Ok(()),
            "/malformed" => return stream.write_all(b"HTTP/1.1 abc\r\nwhat is this\r\n\r\n"),
            "/endless-head" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                loop {
                    stream.write_all(b"X-More: and more\r\n")?;
                }
            }
            "/hang" => {
                // Until the other side gives up; nothing of the body is read.
                let mut fds = [PollFd::new(&stream, PollFlags::RDHUP)];
                poll(&mut fds, None)?;
                println!("the client of /hang has left");
                return Ok(());
            }
            "/interim" => {
                stream.write_all(
                    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                )?;
                answer(&mut stream, b"after all")?;
            }
            "/answer" => {
                stream.write_all(&percent_decoded(query))?;
                return Ok(());
            }
            "/chunked" => {
                // The bodies of the tests have no empty line but their last.
                let body = read_head(&mut stream)?;
                answer(&mut stream, &[head, body].concat())?;
            }
            "/count" => {
                let count = io::copy(&mut (&mut stream).take(length(&text)), &mut io::sink())?;
                answer(&mut stream, count.to_string().as_bytes())?;
            }
            "/flood" => {
                let length = query.parse().expect("a number");
                stream
                    .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes())?;
                flood(&mut stream, length)?;
            }
            "/body" => {
                let body = read_body(&mut stream, &text)?;
                answer(&mut stream, &[head, body].concat())?;
            }
            _ => answer(&mut stream, &head)?,
        }
    }
}

fn answer(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())?;
    stream.write_all(body)
}

/// Byte by byte, so that nothing of the body is taken.
fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn read_body(stream: &mut TcpStream, head: &str) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    stream.take(length(head)).read_to_end(&mut body)?;
    Ok(body)
}

/// What a head says of its body's length.
fn length(head: &str) -> u64 {
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    length.unwrap_or(0)
}

/// Writes this many bytes.
pub(crate) fn flood(stream: &mut impl Write, length: u64) -> io::Result<()> {
    let piece = vec![b'x'; 1 << 20];
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        stream.write_all(&piece[..now])?;
        left -= now as u64;
    }
    Ok(())
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
            let digits = std::str::from_utf8(&digits).expect("two digits");
            decoded.push(u8::from_str_radix(digits, 16).expect("two digits"));
        } else {
            decoded.push(byte);
        }
    }
    decoded
}
