//! What the tests stand on: applications, the running program, a client for exact bytes, processes, load.
//!
//! Nothing here uses the library: the tests know of `ancm` what a user knows, its command line and what it prints.

pub(crate) mod app;
pub(crate) mod backend;
pub(crate) mod client;
pub(crate) mod frontend;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod process;
pub(crate) mod site;
pub(crate) mod tls;
pub(crate) mod websocket;

use std::{env, net::TcpListener, path::PathBuf, thread, time::Duration};

use tokio::time::Instant;

/// How long a test waits for what must come: generous, because many run at the same time on few cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// When a client that was not served comes back.
///
/// One that came back at once would be refused some ten thousand times a second, and take the processors from the
/// application that is to start or to end.
pub(crate) const RETURN: Duration = Duration::from_millis(2);

/// The folder of real ASP.NET Core applications, or None with the reason printed.
///
/// With `ANCM_TEST_REQUIRE=1` there is no None: a test that would be skipped fails.
pub(crate) fn kestrel() -> Option<PathBuf> {
    match env::var_os("ANCM_TEST_KESTREL").map(PathBuf::from) {
        Some(folder) if folder.join("site").is_dir() => {
            Some(folder.canonicalize().expect("the folder is there"))
        }
        Some(folder) => {
            panic!("ANCM_TEST_KESTREL is {}, which has no folder `site`", folder.display())
        }
        None => {
            skip("ANCM_TEST_KESTREL does not name a folder of ASP.NET Core applications");
            None
        }
    }
}

fn skip(reason: &str) {
    let required = env::var("ANCM_TEST_REQUIRE").is_ok_and(|value| value == "1");
    assert!(!required, "cannot be skipped (ANCM_TEST_REQUIRE=1): {reason}");
    println!("skipped: {reason}");
}

/// Looks until there is something to see, and fails after `limit`.
///
/// For what cannot be waited for: a file's content, a process table.
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "after {limit:?} still not: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// A port that is free now, outside of what the system gives out by itself, and rarely another test's.
pub(crate) fn free_port() -> u16 {
    let first = u16::try_from(std::process::id() % 10_000).expect("four digits");
    let mut ports = (20_000 + first..30_000).chain(20_000..20_000 + first);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Milliseconds since 1970, as the applications stamp what they write.
pub(crate) fn unix_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("before the year 292 million")
}
