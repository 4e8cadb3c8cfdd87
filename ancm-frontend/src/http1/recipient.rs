//! Where messages are written to.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::AsyncWrite,
    net::{TcpStream, tcp::OwnedWriteHalf},
};

/// What a message can be written to.
pub trait Recipient: AsyncWrite + Unpin {
    /// The socket, if what is written comes to it unchanged: then it may be written to directly.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }

    /// Writes like [`AsyncWrite::poll_write`] the last bytes before the stream is shut down, which follows at once:
    /// they may be held back until then, so that they go out together with the end.
    fn poll_write_end(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(context, bytes)
    }
}

// === impl Recipient ===

impl Recipient for TcpStream {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self)
    }

    /// One segment instead of two: to send one, and to have it acknowledged, takes longer than all else that is done
    /// for the end of a connection.
    #[cfg(target_os = "linux")]
    fn poll_write_end(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        use rustix::net::{SendFlags, send};

        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        poll_write_by(&self, context, || Ok(send(&*self, bytes, flags)?))
    }
}

impl Recipient for OwnedWriteHalf {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

/// Writes to the socket by this call, once it takes anything.
#[cfg(target_os = "linux")]
pub(crate) fn poll_write_by<R>(
    socket: &TcpStream,
    context: &mut Context<'_>,
    mut write: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    loop {
        std::task::ready!(socket.poll_write_ready(context))?;
        match socket.try_io(tokio::io::Interest::WRITABLE, &mut write) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::future::poll_fn;

    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    /// Two ends of a connection.
    async fn pair() -> (TcpStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        far.set_nonblocking(true).unwrap();
        (listener.accept().await.unwrap().0, far)
    }

    /// What has come by now.
    fn read(mut stream: &std::net::TcpStream) -> io::Result<String> {
        let mut bytes = [0; 100];
        let count = io::Read::read(&mut stream, &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }

    /// On a connection within the system what is sent has come, as a rule, when the call returns.
    #[tokio::test]
    async fn the_end_goes_out_with_the_end_of_the_stream() {
        let mut was_held = false;
        // The system waits for a fifth of a second, and a busy machine may take longer than that.
        for _ in 0..20 {
            let (mut near, far) = pair().await;
            let written = poll_fn(|context| Pin::new(&mut near).poll_write_end(context, b"the end")).await;
            assert_eq!(written.unwrap(), 7);
            let first = read(&far);
            near.shutdown().await.unwrap();
            was_held |= first.is_err();
            far.set_nonblocking(false).unwrap();
            assert_eq!(first.or_else(|_| read(&far)).unwrap(), "the end");
            assert_eq!(read(&far).unwrap(), "", "the end of the stream has come, too");
        }
        assert!(was_held);
    }

    #[tokio::test]
    async fn the_end_waits_for_room() {
        let (mut near, far) = pair().await;
        let bytes = vec![b'x'; 1 << 20];
        let mut write = || {
            let mut context = Context::from_waker(std::task::Waker::noop());
            Pin::new(&mut near).poll_write_end(&mut context, &bytes)
        };
        let mut sent = 0;
        while let Poll::Ready(count) = write() {
            sent += count.unwrap();
        }
        assert!(sent > 0);
        let mut come = 0;
        while come < sent {
            // The system may have to be waited for, at the most until all has come.
            come += read(&far).map_or(0, |text| text.len());
        }
        let written = poll_fn(|context| Pin::new(&mut near).poll_write_end(context, b"the end")).await;
        assert_eq!(written.unwrap(), 7);
    }
}
