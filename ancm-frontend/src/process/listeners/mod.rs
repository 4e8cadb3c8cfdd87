//! Who listens where, asked of the kernel and never by connecting.
//!
//! A connect to a free port of the ephemeral range may end up connected to itself, and every other probe is seen by
//! the application; the kernel's own tables tell whose a socket is as well. `sock_diag` is asked first, since it
//! filters by port; `/proc/net/tcp` where a sandbox keeps it from us.
//!
//! # Example
//!
//! ```
//! # #[cfg(target_os = "linux")] {
//! use ancm_frontend::process::listeners::{self, Owner};
//!
//! let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let found = listeners::listening(socket.local_addr()?.port())?;
//! assert!(found[0].is_reachable_at_loopback());
//! assert!(matches!(listeners::owner(&found[0], &[std::process::id()]), Owner::Ours(_)));
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```

mod proc_net;
#[cfg(target_os = "linux")]
mod sock_diag;

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
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
    /// This process of the tree holds it.
    Ours(ProcessHandle),
    /// None of the tree does.
    Stranger,
    /// None of the tree seems to, but the open files of these processes of it may not be read by us (they run as
    /// another user, or have protected themselves).
    Unknown(Vec<u32>),
}

/// All listening sockets at a port, on whatever address.
///
/// # Errors
///
/// The kernel cannot be asked, by either of the two ways.
pub fn listening(port: u16) -> io::Result<Vec<Listener>> {
    let mut found = ask(port)?;
    found.retain(|listener| listener.address.port() == port);
    Ok(found)
}

/// Where these processes listen: what to tell when they do not listen where they should.
///
/// # Errors
///
/// As [`listening`]. Processes whose open files may not be read are left out.
pub fn listening_elsewhere(processes: &[u32]) -> io::Result<Vec<(u32, SocketAddr)>> {
    let by_inode: HashMap<u64, SocketAddr> =
        ask(0)?.into_iter().map(|listener| (listener.inode, listener.address)).collect();
    let mut found = Vec::new();
    for &pid in processes {
        let sockets = sockets(pid).unwrap_or_default();
        found.extend(sockets.iter().filter_map(|inode| Some((pid, *by_inode.get(inode)?))));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Finds out which of these processes holds a listening socket.
pub fn owner(listener: &Listener, processes: &[u32]) -> Owner {
    let mut unreadable = Vec::new();
    for &pid in processes {
        // Opened before the look at its files and asked after it, so that both were of the same process.
        let handle = match ProcessHandle::open(pid) {
            Ok(handle) => handle,
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                return Owner::Unknown(processes.to_vec());
            }
            Err(_) => continue,
        };
        match sockets(pid) {
            Ok(sockets) if sockets.contains(&listener.inode) && handle.is_alive() => {
                return Owner::Ours(handle);
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => unreadable.push(pid),
            _ => {}
        }
    }
    if unreadable.is_empty() { Owner::Stranger } else { Owner::Unknown(unreadable) }
}

/// All listening sockets; of those at other ports than `port`, if it is not 0, some may be missing.
fn ask(port: u16) -> io::Result<Vec<Listener>> {
    #[cfg(target_os = "linux")]
    if let Ok(found) = sock_diag::listening(port) {
        return Ok(found);
    }
    let _ = port;
    proc_net::listening()
}

/// The inodes of the sockets among a process's open files.
fn sockets(pid: u32) -> io::Result<Vec<u64>> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?;
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    Ok(targets.filter_map(|target| socket_inode(target.to_str()?)).collect())
}

/// Reads `socket:[inode]`.
fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

// === impl Listener ===

impl Listener {
    /// Whether a connection to 127.0.0.1 reaches it: bound to that address, to all, or to all of IPv6 with IPv4
    /// included. Where the kernel does not say whether IPv4 is, it counts as included, as is the default.
    pub fn is_reachable_at_loopback(&self) -> bool {
        let reachable = [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED];
        match self.address.ip() {
            IpAddr::V4(address) => reachable.contains(&address),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => self.v6_only != Some(true),
            IpAddr::V6(address) => {
                address.to_ipv4_mapped().is_some_and(|address| reachable.contains(&address))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn v6(address: &str, only: bool) -> Socket {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        socket.set_only_v6(only).unwrap();
        socket.bind(&address.parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.listen(1).unwrap();
        socket
    }

    fn port_of(socket: &Socket) -> u16 {
        socket.local_addr().unwrap().as_socket().unwrap().port()
    }

    /// By both ways, which must agree.
    #[cfg(target_os = "linux")]
    fn seen(port: u16) -> Vec<Listener> {
        let mut by_netlink = listening(port).unwrap();
        let mut by_proc = proc_net::listening().unwrap();
        by_proc.retain(|listener| listener.address.port() == port);
        by_netlink.sort_unstable_by_key(|listener| listener.inode);
        by_proc.sort_unstable_by_key(|listener| listener.inode);
        let comparable =
            |all: &[Listener]| all.iter().map(|one| (one.address, one.inode, one.uid)).collect::<Vec<_>>();
        assert_eq!(comparable(&by_netlink), comparable(&by_proc));
        by_netlink
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sees_what_127_0_0_1_reaches() {
        for (address, reachable) in [("127.0.0.1:0", true), ("0.0.0.0:0", true), ("127.0.0.2:0", false)] {
            let socket = TcpListener::bind(address).unwrap();
            let found = seen(socket.local_addr().unwrap().port());
            assert_eq!(found.len(), 1, "{address}: {found:?}");
            assert_eq!(found[0].address, socket.local_addr().unwrap());
            assert_eq!(found[0].is_reachable_at_loopback(), reachable, "{address}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn counts_all_of_ipv6_only_if_ipv4_is_included() {
        for (address, only, reachable) in
            [("[::]:0", false, true), ("[::]:0", true, false), ("[::1]:0", true, false)]
        {
            let socket = v6(address, only);
            let found = seen(port_of(&socket));
            assert_eq!(found.len(), 1, "{address}: {found:?}");
            assert_eq!(found[0].v6_only, Some(only));
            assert_eq!(found[0].is_reachable_at_loopback(), reachable, "{address}, v6 only: {only}");
        }
        let mapped = v6("[::ffff:127.0.0.1]:0", false);
        assert!(seen(port_of(&mapped))[0].is_reachable_at_loopback());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_bound_or_connected_socket_is_no_listener() {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        bound.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        assert!(seen(port_of(&bound)).is_empty());

        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
        assert!(seen(client.local_addr().unwrap().port()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn tells_our_own_socket_from_a_strangers() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listening(socket.local_addr().unwrap().port()).unwrap()[0];
        let us = std::process::id();
        assert!(matches!(owner(&found, &[1, us]), Owner::Ours(handle) if handle.pid() == us));
        assert!(matches!(owner(&found, &[]), Owner::Stranger));
        let stranger = Listener { inode: u64::MAX, ..found };
        assert!(matches!(owner(&stranger, &[us]), Owner::Stranger));
        assert!(matches!(owner(&found, &[u32::MAX]), Owner::Stranger), "a process that is gone");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_all_that_a_process_listens_on() {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("127.0.0.2:0").unwrap();
        let us = std::process::id();
        let found = listening_elsewhere(&[us, u32::MAX]).unwrap();
        assert!(found.contains(&(us, one.local_addr().unwrap())));
        assert!(found.contains(&(us, other.local_addr().unwrap())));
    }

    #[test]
    fn reads_socket_links_and_only_those() {
        assert_eq!(socket_inode("socket:[4711]"), Some(4711));
        for other in ["pipe:[4711]", "socket:[", "socket:[]", "socket:[x]", "/dev/null"] {
            assert_eq!(socket_inode(other), None, "{other}");
        }
    }
}
