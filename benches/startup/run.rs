//! One start of the program, watched from outside.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{Failure, child::Child, port::free_address};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often we look whether a port is open; what is measured is not known better than that.
const STEP: Duration = Duration::from_micros(50);
/// Until the program has nothing left to do after its start.
const SETTLE: Duration = Duration::from_millis(200);

/// What one start took, in milliseconds.
pub(crate) struct Run {
    /// From exec until a client could connect.
    pub(crate) accepts: f64,
    /// From the application's listening until a held request reached it.
    pub(crate) known: f64,
    pub(crate) first_direct: f64,
    pub(crate) second_direct: f64,
    pub(crate) first_by_us: f64,
    pub(crate) second_by_us: f64,
}

// === impl Run ===

impl Run {
    pub(crate) fn make(ancm: &Path, out: &Path) -> Result<Self, Failure> {
        let (accepts, known) = held(ancm, out)?;
        let site = Site::write(out)?;
        let mut child = site.start(ancm, out)?;
        connect(site.address)?;
        // Who asks the application itself cannot disturb the frontend.
        connect(site.application)?;
        thread::sleep(SETTLE);
        child.check()?;
        let direct = &mut connect(site.application)?;
        let (first_direct, second_direct) = (timed(direct)?.0, timed(direct)?.0);
        let by_us = &mut connect(site.address)?;
        let (first_by_us, second_by_us) = (timed(by_us)?.0, timed(by_us)?.0);
        Ok(Self { accepts, known, first_direct, second_direct, first_by_us, second_by_us })
    }
}

/// A start with a client that does not wait for the application.
#[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
fn held(ancm: &Path, out: &Path) -> Result<(f64, f64), Failure> {
    let site = Site::write(out)?;
    let start = Instant::now();
    let _child = site.start(ancm, out)?;
    let mut client = connect(site.address)?;
    let accepts = start.elapsed();
    let (_, since) = timed(&mut client)?;
    Ok((milliseconds(accepts), since.parse::<f64>()? / 1_000.0))
}

/// Where one start takes place.
struct Site {
    address: SocketAddr,
    application: SocketAddr,
}

// === impl Site ===

impl Site {
    /// Writes a `web.config` whose application is this very program.
    fn write(out: &Path) -> Result<Self, Failure> {
        let site = Self { address: free_address()?, application: free_address()? };
        let program = std::env::current_exe()?.to_string_lossy().replace('&', "&amp;").replace('"', "&quot;");
        let port = site.application.port();
        let text = format!(
            "<configuration><system.webServer><aspNetCore processPath=\"{program}\" arguments=\"application\">\
             <environmentVariables><environmentVariable name=\"ASPNETCORE_PORT\" value=\"{port}\" />\
             </environmentVariables></aspNetCore></system.webServer></configuration>"
        );
        fs::write(out.join("web.config"), text)?;
        Ok(site)
    }

    fn start(&self, ancm: &Path, out: &Path) -> Result<Child, Failure> {
        let arguments = ["run", &out.to_string_lossy(), "-l", &self.address.to_string()];
        Ok(Child::start(ancm, &arguments, &[("RUST_LOG", "info,access=off")], &out.join("ancm.log"))?)
    }
}

/// Connects as soon as somebody listens there.
#[expect(clippy::disallowed_methods, reason = "the time that passes is what is limited")]
fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) if Instant::now() > end => return Err(format!("{address}: {error}").into()),
            Err(_) => thread::sleep(STEP),
        }
    }
}

/// Puts a request; how long the answer took, in milliseconds, and what it says.
#[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
fn timed(stream: &mut TcpStream) -> Result<(f64, String), Failure> {
    let start = Instant::now();
    stream.write_all(REQUEST)?;
    let mut answer = [0; 4 << 10];
    // So short an answer comes at once.
    let read = stream.read(&mut answer)?;
    let took = start.elapsed();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") && !body.is_empty() => {
            Ok((milliseconds(took), body.to_owned()))
        }
        _ => Err(format!("an answer that is not the application's: {answer}").into()),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
