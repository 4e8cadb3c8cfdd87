//! Opens the sockets that clients connect to; the one place that does.
//!
//! The first socket of an address is bound without `SO_REUSEPORT`, so that a taken port is an error and not a
//! silent sharing with a stranger; then the option is set and each further worker gets a socket of its own, between
//! which the kernel spreads the connections.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel may complete before we accept them.
const BACKLOG: i32 = 4096;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", explain(.source))]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// The sockets of one address, one for each worker.
#[derive(Debug)]
pub struct Listeners {
    /// The address, with its real port.
    pub address: SocketAddr,
    /// As many as there are workers.
    pub sockets: Vec<TcpListener>,
}

/// Listens on an address for this many workers; port 0 takes a free one.
pub fn listen(address: SocketAddr, workers: usize) -> Result<Listeners, ListenError> {
    open(address, workers.max(1)).map_err(|source| ListenError { address, source })
}

fn open(address: SocketAddr, workers: usize) -> io::Result<Listeners> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    let bound = first
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("the system gave no address to the socket"))?;
    let mut sockets = vec![first];
    if shares_ports(&sockets[0]) {
        for _ in 1..workers {
            let next = socket(address)?;
            shares_ports(&next);
            next.bind(&bound.into())?;
            sockets.push(next);
        }
    }
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    // Where the kernel does not spread connections, the workers share one socket.
    while sockets.len() < workers {
        let shared = sockets[0].try_clone()?;
        sockets.push(shared);
    }
    Ok(Listeners { address: bound, sockets: sockets.into_iter().map(TcpListener::from).collect() })
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for old connections to be forgotten; on Windows the option means something else.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Inherited by accepted sockets, which saves a call for each connection.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn shares_ports(socket: &Socket) -> bool {
    socket.set_reuse_port(true).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shares_ports(_: &Socket) -> bool {
    false
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use by another program; stop it, or choose another address with --listen"
                .into()
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn gives_each_worker_a_socket_on_the_same_real_port() {
        let listeners = listen(any(), 3).unwrap();
        assert_eq!(listeners.sockets.len(), 3);
        assert_ne!(listeners.address.port(), 0);
        for socket in &listeners.sockets {
            assert_eq!(socket.local_addr().unwrap(), listeners.address);
        }
    }

    #[test]
    fn a_taken_port_is_an_error_that_says_so() {
        let taken = listen(any(), 2).unwrap();
        let error = listen(taken.address, 2).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("in use by another program"), "{error}");
    }

    #[test]
    fn a_port_can_be_taken_again_at_once() {
        let address = listen(any(), 2).unwrap().address;
        assert_eq!(listen(address, 2).unwrap().address, address);
    }
}
