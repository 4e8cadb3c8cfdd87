//! How a server stops.

use std::process::Stdio;

use super::*;

#[tokio::test]
async fn drains_after_the_frontends_message() {
    let (app, mut was_asked, answer) = slow();
    let server = Running::start(paired(), app).await;
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: x\r\nMS-ASPNETCORE-TOKEN: TestToken\r\n\r\n").await;
    idle.head().await;
    idle.body(5).await;
    let mut unused = server.connect().await;
    let mut working = server.connect().await;
    working.send("GET /slow HTTP/1.1\r\nHost: x\r\nMS-ASPNETCORE-TOKEN: TestToken\r\n\r\n").await;
    was_asked.recv().await.unwrap();

    // As a frontend sends it: the host is empty, so that no list of allowed hosts refuses it.
    let mut message = server.connect().await;
    message
        .send(
            "POST /iisintegration HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\
             MS-ASPNETCORE-TOKEN: TestToken\r\nMS-ASPNETCORE-EVENT: shutdown\r\n\r\n",
        )
        .await;
    let head = message.head().await;
    assert!(head.starts_with("HTTP/1.1 202 Accepted\r\n"), "{head}");
    assert!(head.contains("content-length: 0\r\n") && !head.contains("connection: close"), "{head}");

    for closed in [&mut message, &mut idle, &mut unused] {
        assert_eq!(closed.rest().await, "");
    }
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("the listener stays open");
    assert!(!server.task.is_finished());

    answer.notify_one();
    let head = working.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("connection: close\r\n"), "{head}");
    assert_eq!(working.rest().await, "done");
    server.ended().await;
}

#[tokio::test]
async fn half_a_request_holds_the_exit_no_longer_than_the_limit() {
    let limit = Duration::from_millis(100);
    let server = Running::start(Settings { shutdown_limit: limit, ..alone() }, hello()).await;
    let mut half = server.connect().await;
    half.send("GET / HT").await;
    // Whoever came later has an answer, so the half is there too.
    let mut whole = server.connect().await;
    whole.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    whole.head().await;

    let start = tokio::time::Instant::now();
    server.shutdown.request();
    server.ended().await;
    assert!(start.elapsed() >= limit);
    assert_eq!(half.rest().await, "");
}

#[tokio::test]
async fn a_request_that_never_ends_is_let_go_at_the_limit() {
    let (app, mut was_asked, _answer) = slow();
    let settings = Settings { shutdown_limit: Duration::from_millis(100), ..alone() };
    let server = Running::start(settings, app).await;
    let mut working = server.connect().await;
    working.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    was_asked.recv().await.unwrap();
    server.shutdown.request();
    server.ended().await;
    assert_eq!(working.rest().await, "");
}

/// Set for the child of the test below.
const CHILD: &str = "ANCM_BACKEND_TEST_CHILD";

/// Not a test of its own: the process that the next test stops.
#[tokio::test]
async fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (app, mut was_asked, answer) = slow();
    let listening = Server::from_env().unwrap().listen().await.unwrap();
    println!("listening on {}", listening.addresses()[0]);
    let shutdown = listening.server.shutdown.clone();
    tokio::spawn(async move {
        was_asked.recv().await;
        println!("asked");
        shutdown.requested().await;
        answer.notify_one();
    });
    listening.serve(app).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a signal to this process would stop the other tests' servers")]
async fn finishes_a_request_on_sigterm_and_exits_with_0() {
    use tokio::process::Command;

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::tests::drain::child", "--nocapture"])
        .env(CHILD, "1")
        .env("ASPNETCORE_URLS", "http://127.0.0.1:0")
        .env("ASPNETCORE_TOKEN", "")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("the child ended");
        // The test harness writes the beginning of the line.
        if let Some((_, address)) = line.split_once("listening on ") {
            break address.parse().unwrap();
        }
    };
    let mut client = Raw::connect(address).await;
    client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    while lines.next_line().await.unwrap().expect("the child ended") != "asked" {}

    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(client.rest().await, "done");
    assert!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
}
