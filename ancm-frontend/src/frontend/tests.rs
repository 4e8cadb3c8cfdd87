use std::{
    io::{Read, Write},
    net::TcpStream,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response};
use tower_service::Service;

use super::*;

/// Has each answer wait for a timer of tokio's.
#[derive(Clone)]
struct SlowLayer;

#[derive(Clone)]
struct Slow<S> {
    inner: S,
}

impl<S> Layer<S> for SlowLayer {
    type Service = Slow<S>;

    fn layer(&self, inner: S) -> Slow<S> {
        Slow { inner }
    }
}

impl<S, B, R> Service<Request<B>> for Slow<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answered = self.inner.call(request);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut response = answered.await?;
            response.headers_mut().insert("x-slow", HeaderValue::from_static("yes"));
            Ok(response)
        })
    }
}

/// For an application that cannot be started.
fn options() -> Options {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"<configuration><system.webServer>
        <aspNetCore processPath="no-such-program" stdoutLogEnabled="false" />
    </system.webServer></configuration>"#;
    std::fs::write(folder.path().join("web.config"), text).unwrap();
    let config = crate::config::load(folder.path()).unwrap().config;
    Options::new(Arc::new(config)).listen("127.0.0.1:0".parse().unwrap()).workers(1)
}

fn answer(running: &Running) -> String {
    let mut client = TcpStream::connect(running.addresses()[0]).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_layer_of_its_user_may_use_the_timers_of_tokio() {
    let running = Frontend::new(options()).layer(SlowLayer).start().unwrap();
    let answer = answer(&running);
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("\r\nx-slow: yes\r\n"), "{answer}");
}

#[test]
fn its_own_layers_need_no_timers_of_the_worker() {
    let frontend = Frontend::new(options());
    assert!(!frontend.is_layered && frontend.layer(SlowLayer).is_layered);
    let running = Frontend::new(options()).start().unwrap();
    assert!(answer(&running).starts_with("HTTP/1.1 502 "));
}
