//! Asks the kernel whether the other end of a socket has left.

/// Whether the peer has closed its side or reset the connection, even if bytes of it are still unread.
#[cfg(target_os = "linux")]
pub(super) fn has_left(stream: &tokio::net::TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    matches!(poll(&mut fds, Some(&now)), Ok(1..)) && fds[0].revents().intersects(gone)
}

/// Elsewhere a client that leaves behind unread bytes is noticed when they are read.
#[cfg(not(target_os = "linux"))]
pub(super) fn has_left(_: &tokio::net::TcpStream) -> bool {
    false
}
