//! Finds ports for programs that must be told theirs.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

/// An address that nobody uses now.
///
/// Not one of those that the kernel gives to clients: whoever knocks at such a port until somebody opens may end up
/// connected to himself.
pub(crate) fn free_address() -> Result<SocketAddr, Box<dyn Error>> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() % 8_000;
    for _ in 0..1_000 {
        let step = u32::from(NEXT.fetch_add(1, Relaxed));
        let port = u16::try_from(20_000 + (start + step) % 8_000)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err("no port is free between 20000 and 28000".into())
}
