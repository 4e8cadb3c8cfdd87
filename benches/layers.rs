//! What each layer costs a request: time and allocations, over the service that it is put around.
//!
//!     cargo bench --bench layers
//!
//! Every layer is measured as it is when it has nothing to do (*passes*), and at work. After criterion's own report
//! comes a table of the differences to the bare service, which is what a layer adds.

#![expect(clippy::cast_precision_loss, reason = "these are figures for people")]

mod support;

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ancm_frontend::{
    config::Config,
    dispatch::{Dispatch, InnerStacks},
    stack,
};
use ancm_tower::{
    app_offline::{AppOfflineLayer, Page},
    body_limit::BodyLimitLayer,
    client_cert::{ClientCertificate, ForwardClientCertLayer},
    error_page::ErrorPageLayer,
    forwarded::{
        consume::{ForwardedHeadersLayer, ForwardedHeadersOptions},
        send::SetForwardedLayer,
    },
    head_limit::{HeadLimitLayer, HeadLimits},
    pairing_token::{FixedToken, PairingToken, RequireTokenLayer, SendTokenLayer},
    request_timeout::RequestTimeoutLayer,
    require_tls::RequireTlsLayer,
    response_headers::ResponseHeadersLayer,
    startup_error::{Admission, Gate, StartupErrorLayer},
    trace::TraceLayer,
    windows_auth::{WindowsAuthLayer, WindowsAuthToken},
};
use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Request};
use http_body::{Body, Frame};
use http_body_util::Full;
use tokio::sync::watch;
use tower_layer::Layer;

use support::{
    Comparison,
    allocations::Counting,
    bare::{Bare, browser},
    process::one_process,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BARE: Bare = Bare { waits: false };
const WAITS: Bare = Bare { waits: true };
/// Where the process would be that nobody connects to.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// A body that does not know its length.
struct Unsized(Full<Bytes>);

/// Lets every request in.
#[derive(Clone, Copy)]
struct Open;

/// What [`Open`] puts into a request.
#[derive(Clone, Copy)]
struct Admitted;

fn main() {
    // The timers of the request timeout belong to a runtime, though nothing ever runs on it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let mut comparison = Comparison::new();
    refusing(&mut comparison);
    timing(&mut comparison);
    rewriting(&mut comparison);
    identifying(&mut comparison);
    consuming(&mut comparison);
    choosing(&mut comparison);
    assembled(&mut comparison);
    // Last, because tracing gets dearer once somebody has ever listened.
    tracing(&mut comparison);
    comparison.print();
}

fn refusing(to: &mut Comparison) {
    let limits = HeadLimits::default();
    to.measure("HeadLimit, within", BARE, HeadLimitLayer::new(limits).layer(BARE), get);
    let strict = HeadLimits { bytes: 100, ..limits };
    to.measure("HeadLimit, refuses", BARE, HeadLimitLayer::new(strict).layer(BARE), get);

    let (off, limit) = (BodyLimitLayer::new(None), BodyLimitLayer::new(Some(30_000_000)));
    to.measure("BodyLimit, passes (off)", BARE, off.layer(BARE), get);
    to.measure("BodyLimit, no body", BARE, limit.layer(BARE), get);
    to.measure("BodyLimit, known length", BARE, limit.layer(BARE), post);
    to.measure("BodyLimit, counts", BARE, limit.layer(BARE), || browser(Unsized(upload())));
    let low = BodyLimitLayer::new(Some(100));
    to.measure("BodyLimit, refuses", BARE, low.layer(BARE), post);

    let page = ErrorPageLayer::default();
    to.measure("ErrorPage, no refusal", BARE, page.layer(BARE), get);
    let axios = || with(get(), &[("accept", "application/json, text/plain, */*")]);
    to.measure("ErrorPage, no refusal, JSON preferred", BARE, page.layer(BARE), axios);
    to.measure("ErrorPage, explains", BARE, page.layer(low.layer(BARE)), post);
    to.measure("RequireTls, passes (off)", BARE, RequireTlsLayer::default().layer(BARE), get);
}

fn timing(to: &mut Comparison) {
    let (off, limit) = (Duration::ZERO, Duration::from_secs(120));
    to.measure("RequestTimeout, passes (off)", BARE, RequestTimeoutLayer::new(off).layer(BARE), get);
    let layer = RequestTimeoutLayer::new(limit);
    to.measure("RequestTimeout, answer at once", BARE, layer.layer(BARE), get);
    to.measure("RequestTimeout, waits", WAITS, layer.layer(WAITS), get);
    to.measure("RequestTimeout, waits, with a body", WAITS, layer.layer(WAITS), post);
}

fn rewriting(to: &mut Comparison) {
    let nothing = SendTokenLayer::new(|_: &Extensions| None);
    let token = PairingToken::random().expect("random numbers");
    let fixed = SendTokenLayer::new(FixedToken::new(&token));
    to.measure("SendToken, passes", BARE, nothing.layer(BARE), get);
    to.measure("SendToken, sends", BARE, fixed.layer(BARE), get);
    let forged = || with(get(), &[("ms-aspnetcore-token", "a guess"), ("ms-aspnetcore-clientcert", "MAA=")]);
    to.measure("SendToken, strips and sends", BARE, fixed.layer(BARE), forged);

    let unknown = || {
        let mut request = get();
        request.extensions_mut().clear();
        request
    };
    let layer = SetForwardedLayer::new();
    to.measure("SetForwarded, passes (client unknown)", BARE, layer.layer(BARE), unknown);
    to.measure("SetForwarded, no previous value", BARE, layer.layer(BARE), get);
    let previous = || with(get(), &[("x-forwarded-for", "203.0.113.9:1024"), ("x-forwarded-proto", "https")]);
    to.measure("SetForwarded, previous value", BARE, layer.layer(BARE), previous);
}

fn identifying(to: &mut Comparison) {
    let layer = ForwardClientCertLayer::new();
    let certificate = ClientCertificate::new(vec![0x30; 1_200]);
    to.measure("ForwardClientCert, passes", BARE, layer.layer(BARE), get);
    to.measure("ForwardClientCert, sends", BARE, layer.layer(BARE), || holding(get(), certificate.clone()));

    let (off, on) = (WindowsAuthLayer::new(false), WindowsAuthLayer::new(true));
    to.measure("WindowsAuth, passes (off)", BARE, off.layer(BARE), get);
    to.measure("WindowsAuth, sends", BARE, on.layer(BARE), || holding(get(), WindowsAuthToken(0x5a4)));
}

fn consuming(to: &mut Comparison) {
    let token = PairingToken::new("f7a24a5c-1c3f-4b6e-9d53-0d7c3a0f3b6e").expect("a token");
    let require = RequireTokenLayer::new(token.clone());
    let paired = || with(get(), &[("ms-aspnetcore-token", "f7a24a5c-1c3f-4b6e-9d53-0d7c3a0f3b6e")]);
    to.measure("RequireToken, accepts", BARE, require.layer(BARE), paired);

    let layer = ForwardedHeadersLayer::new(ForwardedHeadersOptions::default());
    to.measure("ForwardedHeaders, passes (peer unknown)", BARE, layer.layer(BARE), get);
    let proxied = || {
        let peer = ancm_tower::client::Client::new(
            ([127, 0, 0, 1], 40_000).into(),
            ancm_tower::client::Scheme::Http,
        );
        let request = with(get(), &[("x-forwarded-for", "203.0.113.9:1024"), ("x-forwarded-proto", "https")]);
        holding(request, peer)
    };
    to.measure("ForwardedHeaders, believes", BARE, layer.layer(BARE), proxied);
}

fn choosing(to: &mut Comparison) {
    let (page, pages) = watch::channel(None);
    let layer = AppOfflineLayer::new(pages);
    to.measure("AppOffline, passes", BARE, layer.layer(BARE), get);
    page.send_replace(Some(Page::new("<h1>Back soon</h1>")));
    to.measure("AppOffline, answers", BARE, layer.layer(BARE), get);

    let layer = StartupErrorLayer::new(Open);
    to.measure("StartupError, admits", BARE, layer.layer(BARE), get);
    let layer = StartupErrorLayer::new(one_process(NOWHERE));
    to.measure("StartupError, admits by the frontend's table", BARE, layer.layer(BARE), get);
}

/// The stacks as the frontend assembles them.
fn assembled(to: &mut Comparison) {
    let inner = stack::inner(&Config::default(), BARE);
    to.measure("inner stack", BARE, inner, get);
    let inner = stack::inner(&Config::default(), WAITS);
    to.measure("inner stack, backend waits", WAITS, inner, get);

    let (_page, pages) = watch::channel(None);
    let outer = stack::outer(
        ResponseHeadersLayer::default(),
        ErrorPageLayer::default(),
        pages.clone(),
        StartupErrorLayer::new(Open),
        BARE,
    );
    to.measure("outer stack", BARE, outer, get);

    let stacks = Arc::new(InnerStacks::new(|config| stack::inner(config, WAITS)));
    let whole = stack::outer(
        ResponseHeadersLayer::default(),
        ErrorPageLayer::default(),
        pages,
        StartupErrorLayer::new(one_process(NOWHERE)),
        Dispatch::new(stacks),
    );
    to.measure("both stacks, with the choice between", WAITS, whole, get);
}

fn tracing(to: &mut Comparison) {
    to.measure("Trace, passes (nobody listens)", BARE, TraceLayer::new().layer(BARE), get);
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || {
        to.measure("Trace, one line of text", BARE, TraceLayer::new().layer(BARE), get);
    });
}

fn get() -> Request<Full<Bytes>> {
    browser(Full::default())
}

fn post() -> Request<Full<Bytes>> {
    browser(upload())
}

fn upload() -> Full<Bytes> {
    Full::new(Bytes::from_static(&[b'x'; 16_384]))
}

fn with<B>(mut request: Request<B>, headers: &[(&'static str, &'static str)]) -> Request<B> {
    for (name, value) in headers {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

fn holding<B, T>(mut request: Request<B>, fact: T) -> Request<B>
where
    T: Clone + Send + Sync + 'static,
{
    request.extensions_mut().insert(fact);
    request
}

// === impl Open ===

impl Gate for Open {
    type Ticket = Admitted;

    fn admit(&self) -> Admission<Self::Ticket> {
        Admission::Admitted(Admitted)
    }

    fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        std::future::pending()
    }
}

// === impl Unsized ===

impl Body for Unsized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }
}
