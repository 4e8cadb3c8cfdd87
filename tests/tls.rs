//! HTTPS in front: what the application is told of it, certificates of clients, and the files.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::Signal;
use serde_json::Value;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::support::{
    PATIENCE,
    app::App,
    client::{get, request},
    eventually,
    frontend::{Frontend, Start},
    tls::{self, Files, Identity, TlsClient},
};

/// The variable that the application redirects by.
const HTTPS_PORT: &str = "ASPNETCORE_ANCM_HTTPS_PORT";

/// What the application sees of one request.
fn seen(client: &mut TlsClient) -> Value {
    let response = client.exchange(get("/request/x", &[]));
    assert_eq!(response.status(), 200, "{response:?}");
    response.json()
}

/// A variable in the application's environment.
fn variable(frontend: &Frontend, name: &str) -> Option<String> {
    frontend.get("/env").json()[name].as_str().map(str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

#[test]
fn S1_the_application_sees_https_and_knows_its_port() {
    let Some(app) = App::site() else { return };
    let files = Files::new();
    let frontend = files.run(&app).serve();
    let seen = seen(&mut files.connect(&frontend, None));
    assert_eq!(seen["scheme"], "https", "{seen}");
    let original: Vec<_> = seen["headers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|line| line[0].as_str().is_some_and(|name| name.eq_ignore_ascii_case("x-original-proto")))
        .map(|line| line[1].clone())
        .collect();
    assert_eq!(original, ["http"], "{seen}");
    assert_eq!(variable(&frontend, HTTPS_PORT), Some(tls::address(&frontend).port().to_string()));
}

#[test]
fn S2_the_port_in_web_config_wins() {
    let Some(app) = App::site() else { return };
    let app = app.variable(HTTPS_PORT, "123");
    let files = Files::new();
    let frontend = files.run(&app).serve();
    assert_eq!(variable(&frontend, HTTPS_PORT).as_deref(), Some("123"));
    assert_eq!(variable(&frontend, "ASPNETCORE_HTTPS_PORT"), None);
}

#[test]
fn S3_two_https_ports_are_no_port() {
    let Some(app) = App::site() else { return };
    let files = Files::new();
    let start = files.run(&app).argument("-l").argument("https://127.0.0.1:0");
    // What is inherited must not fill the gap.
    let frontend = start.variable(HTTPS_PORT, "77").serve();
    assert_eq!(variable(&frontend, HTTPS_PORT), None);
}

#[test]
fn S4_the_application_redirects_to_https_and_takes_what_comes_by_it() {
    let Some(app) = App::site() else { return };
    let app = app.variable("SITE_HTTPS_REDIRECT", "1");
    let files = Files::new();
    let frontend = files.run(&app).serve();
    let response = frontend.get("/HelloWorld?a=b");
    assert_eq!(response.status(), 307);
    let port = tls::address(&frontend).port();
    let expected = format!("https://example.test:{port}/HelloWorld?a=b");
    assert_eq!(response.header("location"), Some(expected.as_str()));
    let response = files.connect(&frontend, None).exchange(get("/HelloWorld", &[]));
    assert_eq!((response.status(), response.text().as_str()), (200, "Hello World"));
}

#[test]
fn S7_without_a_client_certificate_the_application_reports_none() {
    let Some(app) = App::site() else { return };
    let files = Files::new();
    for asked in ["off", "request"] {
        let frontend = files.run(&app).argument("--tls-client-cert").argument(asked).serve();
        assert_eq!(seen(&mut files.connect(&frontend, None))["client_certificate"], Value::Null, "{asked}");
    }
}

#[test]
fn S8_the_application_sees_the_clients_certificate_on_every_request() {
    let Some(app) = App::site() else { return };
    let (files, shown) = (Files::new(), Identity::new("Zoe Client"));
    let frontend = files.run(&app).variable("ANCM_FRONTEND_TLS_CLIENT_CERT", "request").serve();
    let mut client = files.connect(&frontend, Some(&shown));
    for _ in 0..2 {
        let certificate = &seen(&mut client)["client_certificate"];
        assert_eq!(certificate["thumbprint"], hex(&Sha1::digest(shown.der())), "{certificate}");
        assert_eq!(certificate["subject"], "CN=Zoe Client", "{certificate}");
    }
    // A plain connection has none to show, whatever it says.
    let claim = format!("MS-ASPNETCORE-CLIENTCERT: {}", STANDARD.encode(shown.der()));
    let seen = frontend.connect().exchange(get("/request/x", &[&claim])).json();
    assert_eq!(seen["client_certificate"], Value::Null);
}

#[test]
fn V22_http_and_https_both_reach_the_application() {
    let Some(app) = App::site() else { return };
    let files = Files::new();
    let frontend = files.run(&app).serve();
    assert_eq!(frontend.get("/HelloWorld").text(), "Hello World");
    let mut client = files.connect(&frontend, None);
    assert_eq!(client.exchange(get("/HelloWorld", &[])).text(), "Hello World");
    let digest = |body: &str| hex(&Sha256::digest(body));
    let body = "0123456789".repeat(300_000);
    let uploaded = client.exchange(request("POST", "/upload", &[], &body)).text();
    assert!(uploaded.to_uppercase().contains(&digest(&body)), "{uploaded}");
    let bytes = client.exchange(get("/bytes/3000000", &[])).body;
    assert_eq!(bytes.len(), 3_000_000);
    assert!(bytes.iter().enumerate().all(|(i, byte)| i % 251 == usize::from(*byte)));
    frontend.assert_sound();
}

#[test]
fn V24_the_header_is_the_certificate_in_base64_and_only_ours() {
    let (files, authority) = (Files::new(), Identity::authority("the authority"));
    files.write("ca.pem", authority.pem());
    let ca = files.path("ca.pem");
    let start = files.run(&App::misbehaving("")).argument("--tls-client-cert").argument("require");
    let frontend = start.argument("--tls-client-ca").argument(ca.to_str().unwrap()).serve();
    let shown = authority.issue("a client");
    let claim = "MS-ASPNETCORE-CLIENTCERT: MAA=";
    let head = files.connect(&frontend, Some(&shown)).exchange(get("/record", &[claim])).text();
    let name = "ms-aspnetcore-clientcert: ";
    let values: Vec<_> = head.lines().filter(|line| line.to_lowercase().starts_with(name)).collect();
    assert_eq!(values.len(), 1, "{head}");
    assert_eq!(values[0][name.len()..], STANDARD.encode(shown.der()));
    for other in [None, Some(&Identity::new("a stranger"))] {
        // In TLS 1.3 the refusal comes after what the client takes for the end of the handshake.
        let answer = tls::connect(tls::address(&frontend), &files.site, other)
            .and_then(|mut client| client.try_exchange(get("/record", &[])));
        assert!(answer.is_err(), "{answer:?}");
    }
}

#[test]
fn an_upgraded_connection_goes_through_tls() {
    let Some(app) = App::site() else { return };
    let files = Files::new();
    let frontend = files.run(&app).serve();
    let mut client = files.connect(&frontend, None);
    client.send(get("/raw-upgrade", &["Connection: Upgrade", "Upgrade: shout"]));
    assert_eq!(client.head().status, 101);
    assert_eq!(client.send("hello").exactly(5).unwrap(), b"HELLO");
}

/// Waits until new connections are shown this certificate.
fn shows(frontend: &Frontend, identity: &Identity) -> TlsClient {
    eventually("the new certificate is shown", PATIENCE, || {
        tls::connect(tls::address(frontend), identity, None).ok()
    })
}

#[test]
fn a_new_certificate_is_shown_without_a_signal_and_at_once_with_sighup() {
    let files = Files::new();
    let frontend = files.run(&App::misbehaving("")).serve();
    let mut kept = files.connect(&frontend, None);
    let next = Identity::new("the next");
    files.replace(&next);
    shows(&frontend, &next);
    // The same file again: a signal reads it, though nothing has changed.
    frontend.log.says("the certificate has been read anew");
    frontend.signal(Signal::HUP);
    frontend.log.nth("read anew", 2, |line| line.text.contains("the certificate has been read anew"));
    assert_eq!(kept.exchange(get("/record", &[])).status(), 200);
    files.write("site.key", "no key");
    frontend.log.says("the one before stays in use");
    assert_eq!(shows(&frontend, &next).exchange(get("/record", &[])).status(), 200);
    frontend.assert_sound();
}

#[test]
fn what_is_wrong_with_the_files_is_said_before_anything_starts() {
    let app = App::misbehaving("");
    let cases: [(&str, &str, &str); 4] = [
        ("site.key", "", "there is no private key in"),
        ("site.key", &Identity::new("other").key_pem(), "does not belong to the first certificate in"),
        ("site.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "is encrypted"),
        ("site.pem", "0", "there is no certificate in"),
    ];
    for (name, content, reason) in cases {
        let files = Files::new();
        files.write(name, content);
        let ended = files.run(&app).until_end();
        assert_eq!(ended.code, Some(78), "{}", ended.stderr);
        assert!(ended.stderr.contains(reason), "{reason}: {}", ended.stderr);
        assert!(ended.stderr.contains(name), "{name}: {}", ended.stderr);
        assert!(!ended.stderr.contains("listening on"), "{}", ended.stderr);
    }
}

#[test]
fn flags_that_do_not_go_together_are_a_bad_command_line() {
    let app = App::misbehaving("");
    let https = Start::run_at(&app, "https://127.0.0.1:0").until_end();
    assert_eq!(https.code, Some(2), "{}", https.stderr);
    assert!(https.stderr.contains("--tls-cert FILE --tls-key FILE"), "{}", https.stderr);
    let http = Start::run(&app).argument("--tls-cert").argument("a.pem").until_end();
    assert_eq!(http.code, Some(2), "{}", http.stderr);
}
