//! One application of `ancm-backend`, the example `axum_backend`: behind `ancm`, alone, and behind a frontend that
//! sends garbage.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::Signal;
use sha1::{Digest, Sha1};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::{
    PATIENCE,
    app::App,
    client::{Client, get, request},
    frontend::Frontend,
    log::Log,
    process::{self, Watched},
    tls::{Files, Identity},
    websocket::WebSocket,
};

const TOKEN: &str = "2c5f2f6e-6a8f-4c9d-9a53-7a5b4b9f4b0e";

/// The example, started by the test.
struct Backend {
    child: Child,
    address: SocketAddr,
    log: Log,
}

// === impl Backend ===

impl Backend {
    fn start(environment: &[(&str, &str)]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "here the test is the frontend")]
        let mut command = Command::new(program());
        let mut child = command
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let log = Log::read(child.stdout.take().expect("it is piped"));
        let line = log.says("listening on http://").text;
        let (_, address) = line.split_once("listening on http://").expect("it says so");
        let address = address.split(' ').next().and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("no address in {line:?}")), log }
    }

    /// Paired, at `/shop`.
    fn paired() -> Self {
        let port = free_port();
        let backend = Self::start(&[
            ("ASPNETCORE_PORT", &port),
            ("ASPNETCORE_TOKEN", TOKEN),
            ("ASPNETCORE_APPL_PATH", "/shop"),
            // Not for one who is paired.
            ("HTTP_PLATFORM_PORT", "1"),
            ("ASPNETCORE_URLS", "http://*:1"),
        ]);
        assert_eq!(backend.address.to_string(), format!("127.0.0.1:{port}"));
        backend
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    fn ended(&mut self) -> Option<i32> {
        assert!(Watched::new(self.child.id().into()).ends_within(PATIENCE), "{}", self.log.text());
        self.child.wait().expect("it has ended").code()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- what the example printed\n{}---", self.log.text());
        }
    }
}

/// `target/debug/examples/axum_backend` for `target/debug/deps/main-…`.
fn program() -> PathBuf {
    let ours = std::env::current_exe().expect("a test has a program");
    let folder = ours.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    folder.join("examples").join(format!("axum_backend{}", std::env::consts::EXE_SUFFIX))
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket").port().to_string()
}

/// The example with this element in its web.config.
fn app(element: &str) -> App {
    let app = App::empty();
    let path = program().display().to_string();
    let text = format!(
        "<configuration><system.webServer><{element} processPath=\"{path}\" /></system.webServer></configuration>"
    );
    app.write("web.config", text);
    app
}

/// What the example says of a certificate.
fn described(certificate: &[u8]) -> String {
    let thumbprint = Sha1::digest(certificate);
    format!("a certificate of {} bytes, thumbprint {thumbprint:X}\n", certificate.len())
}

#[test]
fn behind_ancm_it_knows_client_scheme_and_certificate() {
    let (files, authority) = (Files::new(), Identity::authority("an authority"));
    files.write("ca.pem", authority.pem());
    let start = files.run(&app("aspNetCore")).argument("--tls-client-cert").argument("request");
    let frontend = start.argument("--tls-client-ca").argument(files.path("ca.pem").to_str().unwrap()).serve();
    let shown = authority.issue("a client");
    let mut client = files.connect(&frontend, Some(&shown));
    for _ in 0..2 {
        assert_eq!(client.exchange(get("/certificate", &[])).text(), described(shown.der()));
    }
    assert!(client.exchange(get("/", &[])).text().contains("and speak https."));
    let mut plain = frontend.connect();
    let claim = format!("MS-ASPNETCORE-CLIENTCERT: {}", STANDARD.encode(shown.der()));
    assert_eq!(plain.exchange(get("/certificate", &[&claim])).text(), "no certificate\n");
    let forged = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https"];
    let home = plain.exchange(get("/", &forged)).text();
    assert!(home.contains(&format!("You are {} and speak http.", plain.local_address())), "{home}");
    assert_eq!(plain.exchange(request("POST", "/echo", &[], "hello")).text(), "hello");
    // Past the frontend there is no way in.
    let around = SocketAddr::from(([127, 0, 0, 1], frontend.started(1).port));
    assert_eq!(Client::connect(around).exchange(get("/", &[])).status(), 400);
    frontend.assert_sound();
}

#[tokio::test]
async fn behind_ancm_its_web_sockets_hear_of_the_stop() {
    let mut frontend = Frontend::serve(&app("aspNetCore"));
    let mut socket = WebSocket::open(frontend.address(), "/ws").await;
    socket.send("hello").await;
    assert_eq!(socket.text().await, "hello");
    frontend.signal(Signal::TERM);
    let goodbye = socket.closed().await.expect("a code");
    assert_eq!((goodbye.code, goodbye.reason.as_str()), (CloseCode::Away, "stopping"));
    assert_eq!(frontend.ended(PATIENCE).code(), Some(0));
}

#[test]
fn below_http_platform_ancm_pairs_with_it_too() {
    let frontend = Frontend::serve(&app("httpPlatform"));
    assert_eq!(frontend.get("/certificate").text(), "no certificate\n");
    let around = SocketAddr::from(([127, 0, 0, 1], frontend.started(1).port));
    assert_eq!(Client::connect(around).exchange(get("/", &[])).status(), 400);
}

/// Whoever asks is the client, whatever the headers say: nobody vouches for them.
fn is_plain(backend: &Backend) {
    let mut client = backend.connect();
    let claims = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "MS-ASPNETCORE-CLIENTCERT: MAA="];
    let home = client.exchange(get("/", &claims)).text();
    assert!(home.contains(&format!("You are {} and speak http.", client.local_address())), "{home}");
    assert_eq!(client.exchange(get("/certificate", &claims)).text(), "no certificate\n");
    let stop = request("POST", "/iisintegration", &["MS-ASPNETCORE-EVENT: shutdown"], "");
    assert_eq!(client.exchange(stop).status(), 404);
}

#[test]
fn alone_it_believes_nobody_and_stops_on_a_signal() {
    let mut backend = Backend::start(&[("ASPNETCORE_URLS", "http://127.0.0.1:0")]);
    is_plain(&backend);
    process::signal(backend.child.id().into(), Signal::TERM);
    assert_eq!(backend.ended(), Some(0));
}

#[test]
fn behind_http_platform_handler_it_listens_where_that_looks_and_believes_nobody() {
    let port = free_port();
    let environment = [
        ("HTTP_PLATFORM_PORT", port.as_str()),
        ("HTTP_PLATFORM_TOKEN", TOKEN),
        ("HTTP_PLATFORM_APPL_PATH", "/shop"),
        ("ASPNETCORE_URLS", "http://*:1"),
    ];
    let backend = Backend::start(&environment);
    assert_eq!(backend.address.to_string(), format!("127.0.0.1:{port}"));
    is_plain(&backend);
}

/// The frontend's own requests, in the form that it gives them.
fn of_frontend(target: &str, lines: &[&str]) -> String {
    let token = format!("MS-ASPNETCORE-TOKEN: {TOKEN}");
    get(target, &[&[token.as_str()], lines].concat())
}

/// It still serves its frontend, and only that.
fn is_well(backend: &Backend) {
    let mut client = backend.connect();
    let home = client
        .exchange(of_frontend("/shop/", &["X-Forwarded-For: 192.0.2.7:50123", "X-Forwarded-Proto: https"]));
    assert!(home.text().contains("You are 192.0.2.7:50123 and speak https."), "{home:?}");
    assert!(home.text().contains("href=\"/shop/certificate\""), "{home:?}");
    assert_eq!(client.exchange(get("/shop/", &[])).status(), 400);
}

#[test]
fn a_frontend_without_the_right_token_gets_nothing() {
    let backend = Backend::paired();
    let token = |value: &str| format!("MS-ASPNETCORE-TOKEN: {value}");
    let right = token(TOKEN);
    for lines in [
        &[][..],
        &[token("")],
        &[token("wrong")],
        &[token(&TOKEN.to_ascii_uppercase())],
        &[token(&TOKEN[1..])],
        &[token(&format!("{TOKEN},{TOKEN}"))],
        &[right.clone(), right.clone()],
        &[right.clone(), token("wrong")],
        &[format!("X-{right}")],
        &[format!("Cookie: {TOKEN}")],
    ] {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let answer = backend.connect().exchange(get("/shop/certificate", &lines));
        assert_eq!((answer.status(), answer.body.len()), (400, 0), "{lines:?}");
        let event = [&lines[..], &["MS-ASPNETCORE-EVENT: shutdown"]].concat();
        assert_eq!(backend.connect().exchange(request("POST", "/iisintegration", &event, "")).status(), 400);
    }
    is_well(&backend);
}

#[test]
fn a_frontend_that_passes_forgeries_on_is_believed_only_for_its_own_entry() {
    let backend = Backend::paired();
    for (lines, client) in [
        (
            &["X-Forwarded-For: 6.6.6.6, 192.0.2.7:1", "X-Forwarded-Proto: https, http"][..],
            "192.0.2.7:1 and speak http.",
        ),
        (&["X-Forwarded-For: \", 9.9.9.9"], "127.0.0.1:"),
        (&["X-Forwarded-For: unknown", "X-Forwarded-Proto: https"], "127.0.0.1:"),
        (&["X-Forwarded-For: 192.0.2.7:99999", "X-Forwarded-Host: evil.test"], "127.0.0.1:"),
        (
            &["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Prefix: /evil"],
            "192.0.2.7:0 ",
        ),
    ] {
        let home = backend.connect().exchange(of_frontend("/shop/", lines)).text();
        assert!(home.contains(&format!("You are {client}")), "{lines:?}: {home}");
        assert!(home.contains("href=\"/shop/certificate\""), "{lines:?}: {home}");
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_none() {
    let backend = Backend::paired();
    let whole = Identity::new("a client");
    let good = STANDARD.encode(whole.der());
    let pem = STANDARD.encode(whole.pem());
    let truncated = STANDARD.encode(&whole.der()[..whole.der().len() - 1]);
    let line = |value: &str| format!("MS-ASPNETCORE-CLIENTCERT: {value}");
    let certificate = |lines: &[String]| {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let answer = backend.connect().exchange(of_frontend("/shop/certificate", &lines));
        assert_eq!(answer.status(), 200, "{lines:?}");
        answer.text()
    };
    assert_eq!(certificate(&[line(&good)]), described(whole.der()));
    for broken in [good.trim_end_matches('='), &truncated, &pem, "AAAA", "-_-_", "not base64", ""] {
        if broken != good {
            assert_eq!(certificate(&[line(broken)]), "no certificate\n", "{broken}");
        }
    }
    assert_eq!(certificate(&[line(&good), line(&good)]), "no certificate\n");
}

#[test]
fn a_frontend_that_sends_garbage_gets_no_further_than_its_connection() {
    let backend = Backend::paired();
    let head = of_frontend("/shop/", &[]);
    let open = head.trim_end();
    let upload = open.replace("GET /shop/", "POST /shop/echo");
    let long = "v".repeat(300_000);
    let mut requests = vec![
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n".to_vec(),
        format!("{open}\r\nno colon\r\n\r\n").into_bytes(),
        format!("{open}\r\nX: a\0b\r\n\r\n").into_bytes(),
        format!("{open}\r\n: empty\r\n\r\n").into_bytes(),
        format!("{open}\r\nX-Long: {long}\r\n\r\n").into_bytes(),
        format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes(),
        format!("{open}{}\r\n\r\n", "\r\nX-Many: line".repeat(10_000)).into_bytes(),
        format!("{open}\r\nContent-Length: x\r\n\r\n").into_bytes(),
        format!("{upload}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").into_bytes(),
        // Half of something, and then the end.
        open.as_bytes()[..open.len() / 2].to_vec(),
        format!("{upload}\r\nContent-Length: 10\r\n\r\nhalf").into_bytes(),
    ];
    // The same bytes in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    requests.extend((0..100).map(|length| (0..length).flat_map(|_| random()).collect::<Vec<u8>>()));
    for bytes in &requests {
        let mut client = backend.connect();
        // Whoever refuses early need not read on.
        let _ = std::io::Write::write_all(&mut client.stream(), bytes);
        let _ = client.stream().shutdown(std::net::Shutdown::Write);
        let answer = String::from_utf8_lossy(&client.rest()).into_owned();
        let refused =
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 5");
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
        assert!(refused, "{answer:?} to {shown:?}");
    }
    is_well(&backend);
    assert!(!backend.log.text().contains("panicked"), "{}", backend.log.text());
    assert!(!backend.log.text().contains(TOKEN), "{}", backend.log.text());
}

#[test]
fn a_head_may_be_as_long_as_with_kestrel() {
    let backend = Backend::paired();
    for (length, status) in [(32_000, 200), (41_000, 431), (300_000, 431)] {
        let mut client = backend.connect();
        let line = format!("X-Long: {}", "v".repeat(length));
        let _ = std::io::Write::write_all(&mut client.stream(), of_frontend("/shop/", &[&line]).as_bytes());
        match client.try_head() {
            Ok(head) => assert_eq!(head.status, status, "{length}"),
            // What is still being sent when the refusal comes can overtake it.
            Err(error) => assert_eq!(status, 431, "{length}: {error}"),
        }
    }
    is_well(&backend);
}

#[test]
fn a_frontend_with_the_right_token_can_stop_it() {
    let mut backend = Backend::paired();
    let stop = [&*format!("MS-ASPNETCORE-TOKEN: {TOKEN}"), "MS-ASPNETCORE-EVENT: shutdown"];
    let answer = backend.connect().exchange(request("POST", "/shop/iisintegration", &stop, ""));
    assert_eq!(answer.status(), 202);
    assert_eq!(backend.ended(), Some(0));
}
