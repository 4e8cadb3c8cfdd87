use std::{convert::Infallible, sync::Arc};

use ancm_tower::{
    client::{Client, Scheme},
    client_cert::ClientCertificate,
    startup_error::{Admission, StartFailure, WatchGate},
    windows_auth::WindowsAuthToken,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Service, ServiceExt, service_fn};

use super::*;

type Body = Full<Bytes>;

#[test]
fn the_order_of_the_layers_is_as_it_is_drawn() {
    let expected = [
        "Trace",
        "ResponseHeaders",
        "ErrorPage",
        "AppOffline",
        "StartupError",
        "Dispatch",
        "RequireTls",
        "UrlLimit",
        "HeadLimit",
        "BodyLimit",
        "RequestTimeout",
        "Upgrades",
        "SetForwarded",
        "SendToken",
        "ForwardClientCert",
        "WindowsAuth",
        "Upstream",
    ];
    assert_eq!(order(), expected);
}

#[tokio::test]
async fn token_certificate_and_identity_go_through_and_a_clients_own_do_not() {
    let (seen, mut headers) = tokio::sync::mpsc::unbounded_channel::<HeaderMap>();
    let app = service_fn(move |request: Request<_>| {
        seen.send(request.headers().clone()).unwrap();
        drop(request);
        async { Ok::<_, Infallible>(Response::new(Body::default())) }
    });
    let backend = crate::dispatch::tests::backend(0);
    let expected = backend.token.expose().to_owned();
    let table = crate::dispatch::tests::table(vec![backend]);
    let stack = super::inner(&Config::default(), app);
    let stacks = Arc::new(crate::dispatch::InnerStacks::new(move |_| stack.clone()));
    let (_offline, page) = watch::channel(None);
    let mut app = super::outer(
        ResponseHeadersLayer::default(),
        ErrorPageLayer::default(),
        page,
        StartupErrorLayer::new(table),
        Dispatch::new(stacks),
    );

    let mut request = Request::new(Body::default());
    for name in
        ["MS-ASPNETCORE-TOKEN", "ms-aspnetcore-clientcert", "Ms-AspNetCore-WinAuthToken", "X-Original-For"]
    {
        request.headers_mut().append(name.parse::<http::HeaderName>().unwrap(), "mine".parse().unwrap());
    }
    let extensions = request.extensions_mut();
    extensions.insert(Client::new("192.0.2.7:5".parse().unwrap(), Scheme::Https));
    extensions.insert(ClientCertificate::new(vec![0x30, 0x03, 0x02, 0x01, 0x05]));
    extensions.insert(WindowsAuthToken(0x2a4));
    let response = app.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    let headers = headers.recv().await.unwrap();
    let all = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(all("ms-aspnetcore-token"), [expected]);
    assert_eq!(all("ms-aspnetcore-clientcert"), ["MAMCAQU="]);
    assert_eq!(all("ms-aspnetcore-winauthtoken"), ["2a4"]);
    assert_eq!(all("x-forwarded-for"), ["192.0.2.7:5"]);
    assert_eq!(all("x-forwarded-proto"), ["https"]);
    assert!(all("x-original-for").is_empty());
}

fn gated(
    admission: Admission<()>,
) -> (
    watch::Sender<Admission<()>>,
    impl Service<Request<Body>, Response = Response<impl Sized>, Error = Infallible>,
) {
    let (sender, gate) = watch::channel(admission);
    let (_offline, page) = watch::channel(None);
    let app = service_fn(|_: Request<CountedBody<Body>>| async {
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    (
        sender,
        super::outer(
            ResponseHeadersLayer::default(),
            ErrorPageLayer::default(),
            page,
            StartupErrorLayer::new(WatchGate::new(gate)),
            app,
        ),
    )
}

#[tokio::test]
async fn shows_why_the_start_failed() {
    let failure = Arc::new(StartFailure::new("it exited with code 1"));
    let (_gate, mut app) = gated(Admission::Failed(failure));
    let response = app.ready().await.unwrap().call(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn refuses_once_it_is_stopped_for_good() {
    let (_gate, mut app) = gated(Admission::Stopped);
    let response = app.ready().await.unwrap().call(Request::new(Body::default())).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// Answers one request; what it was.
async fn answer_one(listener: &tokio::net::TcpListener) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"the body") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "it has left");
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn a_request_that_one_process_did_not_take_is_held_and_sent_whole_to_the_next() {
    use crate::{dispatch::tests as dispatch, supervisor::snapshot::Backend, upstream::Upstream};

    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = Backend { address: closed.local_addr().unwrap(), ..dispatch::backend(0) };
    drop(closed);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let next = Backend { address: listener.local_addr().unwrap(), ..dispatch::backend(1) };
    let token = next.token.expose().to_owned();
    let table = dispatch::table(vec![gone, next]);

    let upstream = Upstream::new(DefaultClient::new(), tokio_util::task::TaskTracker::new());
    let stacks = crate::dispatch::InnerStacks::new(move |config| super::inner(config, upstream.clone()));
    let (_offline, page) = watch::channel(None);
    let app = super::outer(
        ResponseHeadersLayer::default(),
        ErrorPageLayer::default(),
        page,
        StartupErrorLayer::new(table.clone()),
        Dispatch::new(Arc::new(stacks)),
    );
    let mut request = Request::post("/").body(Body::from("the body")).unwrap();
    request.extensions_mut().insert(Client::new("192.0.2.7:5".parse().unwrap(), Scheme::Http));
    let (seen, response) = tokio::join!(answer_one(&listener), app.oneshot(request));
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    let lines = |start: &str| seen.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    assert_eq!(lines("x-forwarded-for"), ["x-forwarded-for: 192.0.2.7:5"]);
    assert_eq!(lines("ms-aspnetcore-token"), [format!("ms-aspnetcore-token: {token}")]);
    // Nothing is counted any more, neither on the one nor on the other.
    for _ in 0..2 {
        let ancm_tower::startup_error::Admission::Admitted(ticket) =
            ancm_tower::startup_error::Gate::admit(&table)
        else {
            panic!("not admitted");
        };
        assert_eq!(ticket.backend().in_flight(), 1);
    }
}
