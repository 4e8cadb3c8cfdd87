//! Who listens where, asked of the kernel and never by connecting.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use super::ProcessHandle;

/// A TCP socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address that it is bound to.
    pub address: SocketAddr,
    /// Whether it was told to leave IPv4 alone; `None` if the kernel's table does not say.
    pub v6_only: Option<bool>,
    /// Names the socket among the open files of processes.
    pub inode: u64,
    /// The user that made it.
    pub uid: u32,
}

/// Whose a listening socket is, as seen from a tree of processes.
#[derive(Clone, Debug)]
pub enum Owner {
    /// A process of the tree holds it.
    Ours(ProcessHandle),
    /// None of the tree does, and the open files of all of them could be read.
    Stranger,
    /// None of the tree seems to, but the open files of these could not be read.
    Unknown(Vec<u32>),
}

/// All listening sockets at a port, on any address.
///
/// # Errors
///
/// Neither `sock_diag` nor `/proc/net/tcp` can be read.
pub fn listening(port: u16) -> io::Result<Vec<Listener>> {
    let _ = port;
    Err(io::ErrorKind::Unsupported.into())
}

/// All listening sockets.
///
/// # Errors
///
/// As [`listening`].
pub fn all() -> io::Result<Vec<Listener>> {
    listening(0)
}

/// Finds out which of these processes holds a listening socket.
pub fn owner(listener: &Listener, processes: &[u32]) -> Owner {
    let _ = listener;
    Owner::Unknown(processes.to_vec())
}

/// Where these processes listen.
///
/// # Errors
///
/// As [`listening`].
pub fn listening_elsewhere(processes: &[u32]) -> io::Result<Vec<(u32, SocketAddr)>> {
    let _ = processes;
    Err(io::ErrorKind::Unsupported.into())
}

// === impl Listener ===

impl Listener {
    /// Whether a connection to 127.0.0.1 reaches it.
    pub fn is_reachable_at_loopback(&self) -> bool {
        matches!(self.address.ip(), IpAddr::V4(_))
    }
}
