//! The behaviour of ASP.NET Core's own half, case by case.
//!
//! The numbered rows are Microsoft's tests (IISMiddlewareTests.cs) as far as they mean something to a Rust
//! application; the unnumbered ones are what ASP.NET Core 10.0.12 was seen to do where those tests are silent.
//!
//! Without a counterpart: host filtering, start-up errors that the host captures, and Kestrel's own limit for bodies,
//! all of which are an application's own affair here; and the version of the kernel, by which .NET guesses whether
//! upgrades are allowed if the frontend does not say.

use std::convert::Infallible;

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
};
use http::{Request, Response, StatusCode, Uri};
use tower::ServiceExt;
use tower_layer::Layer;

use crate::{
    Backend, BackendLayer, Client, ClientCertificate, PathBase, Settings, Shutdown, WindowsAuthToken,
    settings::{Address, Mode},
};

const TOKEN: &str = "ms-aspnetcore-token";
const EVENT: &str = "ms-aspnetcore-event";
const CERTIFICATE: &str = "ms-aspnetcore-clientcert";
const WINDOWS_TOKEN: &str = "ms-aspnetcore-winauthtoken";
/// The base64 of an empty SEQUENCE.
const EMPTY_CERTIFICATE: &str = "MAA=";

/// An application that says what it sees, behind the backend's layers.
struct Rig {
    backend: Backend<Router>,
    shutdown: Shutdown,
}

/// TOKEN=TestToken, PORT=12345, and this path base.
fn settings(path_base: &str) -> Settings {
    variables(&[
        ("ASPNETCORE_TOKEN", "TestToken"),
        ("ASPNETCORE_PORT", "12345"),
        ("ASPNETCORE_APPL_PATH", path_base),
    ])
}

fn variables(variables: &[(&str, &str)]) -> Settings {
    Settings::from_variables(|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
}

async fn see(
    uri: Uri,
    Extension(base): Extension<PathBase>,
    certificate: Option<Extension<ClientCertificate>>,
    identity: Option<Extension<WindowsAuthToken>>,
) -> String {
    let certificate = certificate.map(|Extension(certificate)| certificate.der().len());
    let identity = identity.map(|Extension(WindowsAuthToken(handle))| handle);
    format!("app base={base} uri={uri} certificate={certificate:?} identity={identity:?}")
}

impl Rig {
    fn new(settings: &Settings) -> Self {
        let layer = BackendLayer::new(settings);
        let shutdown = layer.handle();
        Self { backend: layer.layer(Router::new().fallback(see)), shutdown }
    }

    /// Status and body of the answer, which begins with `app` if the application was run.
    async fn send(&self, request: http::request::Builder) -> (u16, String) {
        let request = request.body(Body::empty()).unwrap();
        let response: Result<Response<Body>, Infallible> = self.backend.clone().oneshot(request).await;
        let (head, body) = response.unwrap().into_parts();
        let body = to_bytes(body, 10_000).await.unwrap();
        (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn assert_runs_app(&self, request: http::request::Builder) -> String {
        let (status, body) = self.send(request).await;
        assert_eq!(status, 200);
        assert!(body.starts_with("app "), "{body}");
        assert!(!self.shutdown.is_requested());
        body
    }

    async fn assert_answers_itself(&self, request: http::request::Builder, expected: StatusCode) {
        assert_eq!(self.send(request).await, (expected.as_u16(), String::new()));
    }
}

fn request(method: &str, uri: &str) -> http::request::Builder {
    Request::builder().method(method).uri(uri).header(TOKEN, "TestToken")
}

fn shutdown_message(uri: &str) -> http::request::Builder {
    request("POST", uri).header(EVENT, "shutdown")
}

#[tokio::test]
async fn row_1_is_skipped_if_no_token_is_configured() {
    let settings = variables(&[("ASPNETCORE_PORT", "12345"), ("ASPNETCORE_APPL_PATH", "/base")]);
    let rig = Rig::new(&settings);
    let body = rig.assert_runs_app(request("GET", "/base/x").header(CERTIFICATE, EMPTY_CERTIFICATE)).await;
    assert_eq!(body, "app base= uri=/base/x certificate=None identity=None");
    // Not even the message means anything.
    rig.assert_runs_app(shutdown_message("/iisintegration")).await;
}

#[tokio::test]
async fn row_2_rejects_a_request_without_the_token_header() {
    let rig = Rig::new(&settings("/"));
    rig.assert_answers_itself(Request::get("/"), StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn row_3_shuts_down_given_the_message() {
    for (base, path) in [("/", "/iisintegration"), ("/pathBase", "/pathBase/iisintegration")] {
        for event in ["shutdown", "Shutdown"] {
            let rig = Rig::new(&settings(base));
            rig.assert_answers_itself(request("POST", path).header(EVENT, event), StatusCode::ACCEPTED).await;
            assert!(rig.shutdown.is_requested());
        }
    }
}

#[tokio::test]
async fn row_4_ignores_shutdown_given_the_wrong_method() {
    for method in ["PUT", "TRACE", "GET", "DELETE", "OPTIONS"] {
        let rig = Rig::new(&settings("/"));
        rig.assert_runs_app(request(method, "/iisintegration").header(EVENT, "shutdown")).await;
    }
    // The answer to HEAD has no body to know the application by.
    let rig = Rig::new(&settings("/"));
    assert_eq!(rig.send(request("HEAD", "/iisintegration").header(EVENT, "shutdown")).await.0, 200);
    assert!(!rig.shutdown.is_requested());
}

#[tokio::test]
async fn row_5_ignores_shutdown_given_the_wrong_path() {
    for path in ["/", "/path", "/path/iisintegration"] {
        Rig::new(&settings("/")).assert_runs_app(shutdown_message(path)).await;
    }
}

#[tokio::test]
async fn row_6_ignores_shutdown_given_the_wrong_event() {
    let rig = Rig::new(&settings("/"));
    for event in ["event", ""] {
        rig.assert_runs_app(request("POST", "/iisintegration").header(EVENT, event)).await;
    }
    rig.assert_runs_app(request("POST", "/iisintegration")).await;
}

#[test]
fn row_7_the_port_of_the_frontend_wins_over_urls() {
    let settings = variables(&[
        ("ASPNETCORE_TOKEN", "TestToken"),
        ("ASPNETCORE_PORT", "12345"),
        ("ASPNETCORE_APPL_PATH", "/"),
        ("ASPNETCORE_URLS", "http://*:80"),
        ("PORT", "81"),
    ]);
    assert_eq!(settings.mode.addresses(), [Address::loopback(12345)]);
}

#[test]
fn row_8_path_base_is_hidden_from_the_server() {
    assert_eq!(settings("/pathBase").mode.addresses(), [Address::loopback(12345)]);
}

#[tokio::test]
async fn row_9_strips_the_path_base_in_the_requests_casing() {
    let body = Rig::new(&settings("/pathbase")).assert_runs_app(request("GET", "/PathBase/Path")).await;
    assert_eq!(body, "app base=/PathBase uri=/Path certificate=None identity=None");
}

#[tokio::test]
async fn row_12_a_request_without_an_identity_reaches_the_app() {
    for enabled in [true, false] {
        let mut settings = settings("/");
        let Mode::Paired(pairing) = &mut settings.mode else { panic!("paired") };
        pairing.windows_auth = enabled;
        let body = Rig::new(&settings).assert_runs_app(request("GET", "/")).await;
        assert!(body.ends_with("identity=None"), "{body}");
    }
}

#[tokio::test]
async fn row_e1_two_layers_are_as_good_as_one() {
    let layer = BackendLayer::new(&settings("/app"));
    let backend = layer.layer(layer.layer(Router::new().fallback(see)));
    let request =
        request("GET", "/app/x").header("x-forwarded-for", "192.0.2.7").body(Body::empty()).unwrap();
    let response = backend.oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    assert_eq!(body, "app base=/app uri=/x certificate=None identity=None");
}

#[tokio::test]
async fn token_wrong_or_in_wrong_case_or_repeated_or_empty_is_rejected() {
    let rig = Rig::new(&settings("/"));
    for tokens in [&["Other"][..], &["testtoken"], &["TestToken", "TestToken"], &[""], &["TestTokenX"]] {
        let request = tokens.iter().fold(Request::get("/"), |request, token| request.header(TOKEN, *token));
        rig.assert_answers_itself(request, StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn token_header_is_known_by_any_case_of_its_name_and_stays_visible() {
    let rig = Rig::new(&settings("/"));
    rig.assert_runs_app(Request::get("/").header("MS-AspNetCore-TOKEN", "TestToken")).await;

    let layer = BackendLayer::new(&settings("/"));
    let app = layer.layer(tower::service_fn(async |request: Request<Body>| {
        assert_eq!(request.headers()[TOKEN], "TestToken");
        assert_eq!(request.headers()["ms-aspnetcore-anything"], "x");
        Ok::<_, Infallible>(Response::new(Body::empty()))
    }));
    let request = request("GET", "/").header("ms-aspnetcore-anything", "x");
    app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
}

#[tokio::test]
async fn shutdown_needs_the_token_too() {
    let rig = Rig::new(&settings("/"));
    let message = Request::post("/iisintegration").header(EVENT, "shutdown");
    rig.assert_answers_itself(message, StatusCode::BAD_REQUEST).await;
    assert!(!rig.shutdown.is_requested());
}

#[tokio::test]
async fn shutdown_is_obeyed_in_other_writings() {
    for (method, uri) in [
        ("post", "/app/iisintegration"),
        ("POST", "/APP/IISIntegration"),
        ("POST", "/app/iisintegration?query"),
        ("POST", "/app/iis%69ntegration"),
        // Without the path base as well.
        ("POST", "/iisintegration"),
    ] {
        let rig = Rig::new(&settings("/app"));
        rig.assert_answers_itself(request(method, uri).header(EVENT, "shutdown"), StatusCode::ACCEPTED).await;
        assert!(rig.shutdown.is_requested(), "{method} {uri}");
    }
}

#[tokio::test]
async fn shutdown_with_a_trailing_slash_or_a_repeated_event_is_an_ordinary_request() {
    let rig = Rig::new(&settings("/"));
    rig.assert_runs_app(shutdown_message("/iisintegration/")).await;
    rig.assert_runs_app(shutdown_message("/iisintegration").header(EVENT, "shutdown")).await;
    rig.assert_runs_app(request("POST", "/iisintegration").header(EVENT, "shutdown;")).await;
}

#[tokio::test]
async fn client_certificate_good_or_bad_or_repeated() {
    let rig = Rig::new(&settings("/"));
    for (values, certificate) in [
        (&[EMPTY_CERTIFICATE][..], "Some(2)"),
        (&[], "None"),
        (&[""], "None"),
        (&["not base64"], "None"),
        (&["MAA"], "None"),
        (&["AAAA"], "None"),
        (&[EMPTY_CERTIFICATE, EMPTY_CERTIFICATE], "None"),
    ] {
        let request =
            values.iter().fold(request("GET", "/"), |request, value| request.header(CERTIFICATE, *value));
        let body = rig.assert_runs_app(request).await;
        assert!(body.contains(&format!("certificate={certificate} ")), "{values:?}: {body}");
    }
}

// ANCM: Kestrel answers 500 to any that can be read when it runs outside of Windows; we ignore all of them there.
#[tokio::test]
async fn rows_10_and_11_windows_token_is_read_only_where_there_are_such_tokens() {
    let mut on_windows = settings("/");
    let Mode::Paired(pairing) = &mut on_windows.mode else { panic!("paired") };
    pairing.windows_auth = true;
    let mut off = settings("/");
    let Mode::Paired(pairing) = &mut off.mode else { panic!("paired") };
    pairing.windows_auth = false;

    for (values, identity) in [
        (&["1a4"][..], "Some(420)"),
        (&["xyz"], "None"),
        (&["0x1a4"], "None"),
        (&["123456789"], "None"),
        (&["-1"], "None"),
        (&[""], "None"),
        (&["1a4", "1a4"], "None"),
    ] {
        for (settings, expected) in [(&on_windows, identity), (&off, "None")] {
            let request = values
                .iter()
                .fold(request("GET", "/"), |request, value| request.header(WINDOWS_TOKEN, *value));
            let body = Rig::new(settings).assert_runs_app(request).await;
            assert!(body.ends_with(&format!("identity={expected}")), "{values:?}: {body}");
        }
    }
}

#[tokio::test]
async fn path_base_with_a_slash_at_its_end_or_a_look_alike_or_escapes() {
    for (base, uri, seen) in [
        ("/app/", "/app/x", "base=/app uri=/x "),
        ("/app//", "/app/x", "base=/app uri=/x "),
        ("/app", "/apple", "base= uri=/apple "),
        ("/app", "/other", "base= uri=/other "),
        ("/app", "/app%2Fx", "base= uri=/app%2Fx "),
        ("/app", "/%61pp/x", "base=/%61pp uri=/x "),
        ("/a%20b", "/a%20b/x", "base= uri=/a%20b/x "),
        ("/a%20b", "/a%2520b/x", "base=/a%2520b uri=/x "),
        ("/a b", "/a%20b/x", "base=/a%20b uri=/x "),
        ("/äö", "/%C3%84%C3%96/x", "base=/%C3%84%C3%96 uri=/x "),
        ("/", "/x", "base= uri=/x "),
        ("//", "/x", "base= uri=/x "),
    ] {
        let body = Rig::new(&settings(base)).assert_runs_app(request("GET", uri)).await;
        assert!(body.contains(seen), "{base} {uri}: {body}");
    }
}

#[tokio::test]
async fn real_client_and_scheme_replace_the_frontends() {
    async fn client(Extension(client): Extension<Client>) -> String {
        format!("{} {}", client.scheme().as_str(), client.address())
    }
    let app = BackendLayer::new(&settings("/")).layer(Router::new().fallback(client));
    for (headers, seen) in [
        (
            &[("x-forwarded-for", "192.0.2.7:50123"), ("x-forwarded-proto", "https")][..],
            "https 192.0.2.7:50123",
        ),
        (&[("x-forwarded-for", "6.6.6.6, [2001:db8::1]:443")], "http [2001:db8::1]:443"),
        (&[("x-forwarded-for", "\", 9.9.9.9")], "http 127.0.0.1:0"),
        (&[], "http 127.0.0.1:0"),
    ] {
        let request =
            headers.iter().fold(request("GET", "/"), |request, (name, value)| request.header(*name, *value));
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), seen);
    }
}
