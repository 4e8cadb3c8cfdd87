//! How many instructions the steps of the request path take, counted by valgrind: the same from run to run, whatever
//! else the machine does.
//!
//!     cargo bench --bench instructions
//!
//! Needs valgrind and gungraun-runner; if one is missing, it says how to install it. What the kernel does for a call is not
//! counted.

#![expect(missing_docs, reason = "gungraun's macros write public items without")]

#[path = "support/backend.rs"]
mod backend;
#[path = "support/bare.rs"]
mod bare;
#[path = "support/heads.rs"]
mod heads;
#[path = "support/process.rs"]
mod process;
#[path = "support/whole.rs"]
mod whole;

use std::{
    convert::Infallible,
    future::Ready,
    hint::black_box,
    pin::pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
};

use ancm_backend::{BackendLayer, settings::Settings};
use ancm_frontend::{
    server::{HeadGuard, Verdict},
    upstream::{Client as _, Http1Client, Http1Connection, Pool, hop},
};
use ancm_tower::{
    forwarded::send::{SetForwarded, SetForwardedLayer},
    pairing_token::{FixedToken, PairingToken, RequireTokenLayer, SendToken, SendTokenLayer},
};
use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn, util::ServiceFn};
use tower_service::Service;

use bare::{Bare, browser};
use whole::Whole;

const TOKEN: &str = "f7a24a5c-1c3f-4b6e-9d53-0d7c3a0f3b6e";
/// Until every buffer has the size that it keeps.
const WARM_UP: usize = 8;

type Sent = Request<Full<Bytes>>;

fn main() -> ExitCode {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    // `cargo test` runs benchmarks too; valgrind runs this program again and again, each time for one figure.
    if !has("--bench") && !has("--gungraun-run") {
        return ExitCode::SUCCESS;
    }
    if has("--bench") && !has("--gungraun-run") {
        for (program, install) in [
            ("valgrind", "sudo apt-get install valgrind"),
            ("gungraun-runner", "cargo install --locked gungraun-runner --version 0.20.0"),
        ] {
            if !is_installed(program) {
                eprintln!("{program} is missing, which counts the instructions:\n    {install}");
                return ExitCode::FAILURE;
            }
        }
    }
    harness::run();
    ExitCode::SUCCESS
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

mod harness {
    use super::{backend_side, frontend_side, heads_read, whole_requests};

    gungraun::main!(library_benchmark_groups = heads_read, frontend_side, backend_side, whole_requests);

    pub(super) fn run() {
        main();
    }
}

// === Reading heads ===

#[library_benchmark]
#[bench::hello(HeadGuard::new(), heads::HELLO)]
#[bench::load_generator(HeadGuard::new(), heads::WRK)]
#[bench::browser(HeadGuard::new(), heads::BROWSER)]
fn request_head(mut guard: HeadGuard, head: &'static [u8]) -> HeadGuard {
    assert_eq!(guard.inspect(black_box(head)), Verdict::Pass);
    guard
}

/// A connection to a backend, and what it needs.
struct Connected {
    runtime: Runtime,
    client: Http1Client<Full<Bytes>>,
    connection: Option<Http1Connection>,
}

fn connected() -> Connected {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = Http1Client::new();
    let address = backend::listen().expect("a socket");
    let connection = runtime.block_on(client.connect(address)).expect("a connection");
    Connected { runtime, client, connection: Some(connection) }
}

// The request's head goes out, the answer's head and body come in.
#[library_benchmark]
#[bench::hello(connected(), Request::default())]
#[bench::browser(connected(), browser(Full::default()))]
fn exchange_with_a_backend(with: Connected, request: Sent) -> (Connected, Response<Bytes>) {
    exchange(with, request)
}

// A function of its own: one within a function that is counted, such as an `async` block, would end the counting.
fn exchange(mut with: Connected, request: Sent) -> (Connected, Response<Bytes>) {
    let connection = with.connection.take().expect("one");
    let exchange = with.client.exchange(connection, request);
    let answer = with.runtime.block_on(async {
        let (head, body) = exchange.await.expect("an answer").into_parts();
        Response::from_parts(head, body.collect().await.expect("its body").to_bytes())
    });
    (with, answer)
}

library_benchmark_group!(name = heads_read, benchmarks = [request_head, exchange_with_a_backend]);

// === The frontend's side ===

type Rewriting = SetForwarded<SendToken<ServiceFn<fn(Sent) -> Ready<Result<Sent, Infallible>>>, FixedToken>>;

/// Both layers, with a service inside that hands out what reaches it.
fn rewriting() -> Rewriting {
    let hand_out: fn(Sent) -> Ready<Result<Sent, Infallible>> = |request| std::future::ready(Ok(request));
    ServiceBuilder::new()
        .layer(SetForwardedLayer::new())
        .layer(SendTokenLayer::new(FixedToken::new(&PairingToken::new(TOKEN).expect("a token"))))
        .service(service_fn(hand_out))
}

fn forged() -> Sent {
    let names = ["x-forwarded-for", "x-forwarded-proto", "ms-aspnetcore-token", "ms-aspnetcore-clientcert"];
    let values = ["203.0.113.9:1024", "https", "a guess", "MAA="];
    let mut request = browser(Full::default());
    for (name, value) in names.into_iter().zip(values) {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

// Forwarded headers, token, and what belongs to the connection only.
#[library_benchmark]
#[bench::browser(rewriting(), browser(Full::default()))]
#[bench::forged(rewriting(), forged())]
fn header_rewriting(mut layers: Rewriting, request: Sent) -> (Rewriting, Sent) {
    let Ok(mut request) = layers.call(black_box(request)).into_inner();
    hop::prepare_request(&mut request);
    (layers, request)
}

/// A pool with one idle connection, and what that needs.
type Pooled = (Connected, Pool<Http1Connection>);

fn pooled() -> Pooled {
    let (mut connected, pool) = (connected(), Pool::default());
    pool.put(connected.connection.take().expect("one"));
    (connected, pool)
}

// Taken out of the pool, looked at, put back.
#[library_benchmark]
#[bench::one_idle(pooled())]
fn pool_checkout_and_return(pooled: Pooled) -> Pooled {
    let connection = pooled.1.take(Http1Client::<Full<Bytes>>::reuse).expect("it is idle");
    pooled.1.put(black_box(connection));
    pooled
}

library_benchmark_group!(name = frontend_side, benchmarks = [header_rewriting, pool_checkout_and_return]);

// === The backend's side ===

fn paired() -> Sent {
    let mut request = browser(Full::default());
    let token = HeaderName::from_static("ms-aspnetcore-token");
    request.headers_mut().insert(token, HeaderValue::from_static(TOKEN));
    request
}

fn guessed() -> Sent {
    let mut request = paired();
    let guess = HeaderValue::from_static("f7a24a5c-1c3f-4b6e-9d53-0d7c3a0f3b6f");
    request.headers_mut().insert(HeaderName::from_static("ms-aspnetcore-token"), guess);
    request
}

fn token_layer() -> RequireTokenLayer {
    RequireTokenLayer::new(PairingToken::new(TOKEN).expect("a token"))
}

fn backend_layer() -> BackendLayer {
    let settings = Settings::from_variables(|name| {
        let value = match name {
            "ASPNETCORE_PORT" => "5000",
            "ASPNETCORE_TOKEN" => TOKEN,
            "ASPNETCORE_APPL_PATH" => "/",
            _ => return None,
        };
        Some(value.to_owned())
    });
    BackendLayer::new(&settings.expect("settings"))
}

// With the bare service that it is put around.
#[library_benchmark]
#[bench::bare(tower::layer::util::Identity::new(), paired())]
#[bench::right(token_layer(), paired())]
#[bench::wrong(token_layer(), guessed())]
#[bench::all_of_ancm_backend(backend_layer(), paired())]
fn token_check<L>(layer: L, request: Sent) -> Response<Full<Bytes>>
where
    L: tower_layer::Layer<Bare, Service: Service<Sent, Response = Response<Full<Bytes>>, Error = Infallible>>,
{
    answer(&mut layer.layer(Bare { waits: false }), black_box(request))
}

/// What a service answers that waits for nothing.
fn answer<S, B: Body>(service: &mut S, request: Request<B>) -> Response<Full<Bytes>>
where
    S: Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let mut future = pin!(service.call(request));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => panic!("it waits"),
    }
}

library_benchmark_group!(name = backend_side, benchmarks = [token_check]);

// === All of it ===

fn whole(head: &'static [u8]) -> Whole {
    let mut whole = Whole::new().expect("sockets");
    whole.check(head).expect("the right answer");
    whole.exchange(head, WARM_UP);
    whole
}

// From the client's bytes to the answer's: server, router, both stacks, pool and client.
#[library_benchmark]
#[bench::hello(whole(heads::HELLO), heads::HELLO)]
#[bench::browser(whole(heads::BROWSER), heads::BROWSER)]
fn proxied_request(mut whole: Whole, head: &'static [u8]) -> Whole {
    whole.exchange(head, 1);
    whole
}

library_benchmark_group!(name = whole_requests, benchmarks = [proxied_request]);
