//! Chooses the port that a backend is told to listen on.
//!
//! The port is only looked at, not taken: between the choice and the backend's own bind somebody else may take it,
//! which is one reason why a start has two attempts, each with a port of its own. Starts of this program do not get
//! into each other's way, since a chosen port stays [reserved](ReservedPort) among them.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::process::port;
//!
//! let (one, other) = (port::choose()?, port::choose()?);
//! assert!((10_000..=48_000).contains(&one.number()));
//! assert_ne!(one.number(), other.number());
//! # Ok::<(), port::PortError>(())
//! ```

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
};

use socket2::{Domain, Socket, Type};
use thiserror::Error;

use super::listeners;

/// Where ports are drawn from.
// ANCM: serverprocess.h (MIN_PORT_RANDOM, MAX_PORT).
const RANGE: RangeInclusive<u16> = 10_000..=48_000;

/// How many draws there are.
// ANCM: serverprocess.h (MAX_RETRY).
const DRAWS: usize = 10;

/// The kernel's default range for outgoing connections, if it does not tell.
const USUAL_EPHEMERAL: RangeInclusive<u16> =
    if cfg!(target_os = "linux") { 32_768..=60_999 } else { 49_152..=65_535 };

/// A port that no other start of this program gets as long as this value lives.
///
/// Keep it until the backend listens, or its start has failed.
#[derive(Debug)]
pub struct ReservedPort {
    port: u16,
}

/// No port was chosen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PortError {
    /// Every port that was drawn was in use.
    #[error("no free port found: {tried:?} are all in use; end what listens there, or set ASPNETCORE_PORT")]
    AllTaken {
        /// What was drawn.
        tried: Vec<u16>,
    },
    /// The operating system gave no random number.
    #[error("no port can be drawn: the operating system gave no random number: {0}")]
    Random(#[source] getrandom::Error),
    /// It cannot be told which ports are in use.
    #[error("no port can be chosen: it cannot be told which ports are in use: {0}")]
    Listeners(#[source] io::Error),
}

static RESERVED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Chooses a port at random from 10,000 to 48,000 that nobody listens on, on any address.
///
/// Ports that the kernel gives to outgoing connections (its ephemeral range, from 32,768 on by default) are left
/// out, unless that range covers all.
///
/// # Errors
///
/// Ten draws in a row were in use, or the operating system did not answer.
pub fn choose() -> Result<ReservedPort, PortError> {
    choose_from(&candidates(&ephemeral()), getrandom::u32, is_taken)
}

fn choose_from(
    candidates: &[RangeInclusive<u16>],
    mut random: impl FnMut() -> Result<u32, getrandom::Error>,
    mut is_taken: impl FnMut(u16) -> io::Result<bool>,
) -> Result<ReservedPort, PortError> {
    let mut tried = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let port = draw(candidates, &mut random).map_err(PortError::Random)?;
        tried.push(port);
        if !reserved().insert(port) {
            continue;
        }
        let reserved = ReservedPort { port };
        if !is_taken(port).map_err(PortError::Listeners)? {
            return Ok(reserved);
        }
    }
    Err(PortError::AllTaken { tried })
}

/// What is left of our range without the ephemeral one.
// ANCM: serverprocess.h draws from the whole range; on Windows the ephemeral one begins above it, at 49,152.
fn candidates(ephemeral: &RangeInclusive<u16>) -> Vec<RangeInclusive<u16>> {
    let below = *RANGE.start()..=(*RANGE.end()).min(ephemeral.start().saturating_sub(1));
    let above = (*RANGE.start()).max(ephemeral.end().saturating_add(1))..=*RANGE.end();
    let left: Vec<_> = [below, above].into_iter().filter(|range| !range.is_empty()).collect();
    if left.is_empty() { vec![RANGE] } else { left }
}

/// Draws one port, all being equally likely.
fn draw(
    candidates: &[RangeInclusive<u16>],
    random: &mut impl FnMut() -> Result<u32, getrandom::Error>,
) -> Result<u16, getrandom::Error> {
    let count = candidates.iter().map(|range| u32::try_from(range.len()).unwrap_or(0)).sum::<u32>().max(1);
    // A number from the last, incomplete round would favour the first ports.
    let complete = u32::MAX - u32::MAX % count;
    let mut number = random()?;
    while number >= complete {
        number = random()?;
    }
    let nth = usize::try_from(number % count).unwrap_or(0);
    Ok(candidates.iter().cloned().flatten().nth(nth).unwrap_or(*RANGE.start()))
}

fn ephemeral() -> RangeInclusive<u16> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    text.ok().and_then(|text| parse_range(&text)).unwrap_or(USUAL_EPHEMERAL)
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    let range = numbers.next()?.ok()?..=numbers.next()?.ok()?;
    if range.is_empty() { None } else { Some(range) }
}

/// Whether somebody listens on the port. Where the kernel cannot be asked, whether we could listen ourselves.
// ANCM: serverprocess.cpp looks at the IPv4 listeners only.
fn is_taken(port: u16) -> io::Result<bool> {
    if let Ok(listeners) = listeners::listening(port) {
        return Ok(!listeners.is_empty());
    }
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let bound = socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into());
    Ok(bound.is_err())
}

fn reserved() -> MutexGuard<'static, BTreeSet<u16>> {
    RESERVED.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl ReservedPort ===

impl ReservedPort {
    /// The number.
    pub fn number(&self) -> u16 {
        self.port
    }
}

impl Drop for ReservedPort {
    fn drop(&mut self) {
        reserved().remove(&self.port);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn leaves_out_the_ephemeral_range() {
        assert_eq!(candidates(&(32_768..=60_999)), [10_000..=32_767]);
        assert_eq!(candidates(&(49_152..=65_535)), [RANGE]);
        assert_eq!(candidates(&(20_000..=30_000)), [10_000..=19_999, 30_001..=48_000]);
        assert_eq!(candidates(&(1_024..=20_000)), [20_001..=48_000]);
        assert_eq!(candidates(&(10_001..=65_535)), [10_000..=10_000]);
    }

    #[test]
    fn draws_from_all_if_the_ephemeral_range_covers_all() {
        assert_eq!(candidates(&(1_024..=65_535)), [RANGE]);
        assert_eq!(candidates(&(10_000..=48_000)), [RANGE]);
        assert_eq!(candidates(&(0..=65_535)), [RANGE]);
    }

    #[test]
    fn draws_every_port_of_both_parts() {
        let parts = [10_000..=10_001, 20_000..=20_000];
        let mut numbers = 0..;
        let mut drawn = || draw(&parts, &mut || Ok(numbers.next().unwrap())).unwrap();
        assert_eq!([drawn(), drawn(), drawn(), drawn()], [10_000, 10_001, 20_000, 10_000]);
    }

    #[test]
    fn favours_no_port() {
        let mut numbers = [u32::MAX, u32::MAX - 1, 1].into_iter();
        let parts = [10_000..=10_002];
        // 2^32 - 1 is a multiple of 3, so that the only number left over is the last.
        assert_eq!(draw(&parts, &mut || Ok(numbers.next().unwrap())).unwrap(), 10_002);
    }

    #[test]
    fn draws_ten_times_and_names_what_it_drew() {
        let mut numbers = 0..;
        let error =
            choose_from(&[11_000..=11_999], || Ok(numbers.next().unwrap()), |_| Ok(true)).unwrap_err();
        assert!(error.to_string().contains("11000, 11001"), "{error}");
        assert_eq!(numbers.next(), Some(10));
        assert!(!reserved().contains(&11_000), "a refused port is not reserved");
    }

    #[test]
    fn never_gives_a_port_twice_as_long_as_it_is_reserved() {
        let only = [12_345..=12_345];
        let first = choose_from(&only, || Ok(0), |_| Ok(false)).unwrap();
        assert!(choose_from(&only, || Ok(0), |_| Ok(false)).is_err());
        drop(first);
        assert_eq!(choose_from(&only, || Ok(0), |_| Ok(false)).unwrap().number(), 12_345);
    }

    #[test]
    fn refuses_a_port_that_is_listened_on() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "127.0.0.2:0"] {
            let listener = TcpListener::bind(address).unwrap();
            assert!(is_taken(listener.local_addr().unwrap().port()).unwrap(), "{address}");
        }
    }

    #[test]
    fn reads_the_kernels_range_and_only_that() {
        assert_eq!(parse_range("32768\t60999\n"), Some(32_768..=60_999));
        for bad in ["", "1", "a b", "2 1", "1 65536", "-1 5"] {
            assert_eq!(parse_range(bad), None, "{bad:?}");
        }
    }
}
