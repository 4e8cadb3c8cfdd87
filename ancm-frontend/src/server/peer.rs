//! Asks the kernel what it knows of the other end of a socket, without reading.

use tokio::net::TcpStream;

/// Whether the peer has closed its side or reset the connection, even if bytes of it are still unread.
#[cfg(target_os = "linux")]
pub(super) fn has_left(stream: &TcpStream) -> bool {
    use rustix::event::PollFlags;

    says(stream, PollFlags::RDHUP, PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}

/// Whether there is something to read, even if the runtime has not heard of it yet.
#[cfg(target_os = "linux")]
pub(super) fn has_sent(stream: &TcpStream) -> bool {
    use rustix::event::PollFlags;

    says(stream, PollFlags::IN, PollFlags::IN)
}

/// Asked for these events, it says one of those.
#[cfg(target_os = "linux")]
fn says(stream: &TcpStream, asked: rustix::event::PollFlags, said: rustix::event::PollFlags) -> bool {
    use rustix::event::{PollFd, Timespec, poll};

    let mut fds = [PollFd::new(stream, asked)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&now)), Ok(1..)) && fds[0].revents().intersects(said)
}

/// Elsewhere a client that leaves behind unread bytes is noticed when they are read.
#[cfg(not(target_os = "linux"))]
pub(super) fn has_left(_: &TcpStream) -> bool {
    false
}

/// Elsewhere what the runtime has not heard of has not come.
#[cfg(not(target_os = "linux"))]
pub(super) fn has_sent(_: &TcpStream) -> bool {
    false
}
