//! Carries bytes both ways once both ends have switched protocols.
//!
//! A copy loop of our own, because a tunnel must end when either side ends: waiting for the other one to finish, as
//! the usual loops do, leaves half-open connections that last for ever.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::Io;
use crate::dispatch::Ticket;

/// How long what has been read already may take to be written, once one side has ended.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
const BUFFER: usize = 16 * 1024;

/// One direction: what has been read and not yet written.
struct Direction {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    unflushed: bool,
}

/// What one direction can do now.
#[derive(PartialEq)]
enum Step {
    /// It waits for bytes or for room.
    Waiting,
    /// Its source has ended, and all of it has been written.
    Ended,
}

/// Runs until either side has ended; the ticket keeps the process from being stopped as if it were idle.
pub(super) async fn run(
    client: OnUpgrade,
    backend: impl Future<Output = io::Result<Box<dyn Io>>>,
    ticket: Ticket,
) {
    match tokio::join!(client, backend) {
        (Ok(client), Ok(backend)) => {
            if let Err(error) = copy(TokioIo::new(client), backend).await {
                tracing::debug!(target: "server", %error, "a tunnel broke");
            }
        }
        (client, backend) => {
            let (client, backend) = (client.err(), backend.err());
            tracing::debug!(target: "server", ?client, ?backend, "an upgrade was not completed");
        }
    }
    drop(ticket);
}

/// Copies both ways until one side ends, gives the other way a moment to be written, then closes both.
async fn copy<C, B>(mut client: C, mut backend: B) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut up, mut down) = (Direction::new(), Direction::new());
    poll_fn(|context| {
        let up = up.poll(context, &mut client, &mut backend)?;
        let down = down.poll(context, &mut backend, &mut client)?;
        if up == Step::Ended || down == Step::Ended { Poll::Ready(io::Result::Ok(())) } else { Poll::Pending }
    })
    .await?;
    let rest = async {
        // What the ended side's peer has sent until now is still delivered; nothing more is waited for.
        poll_fn(|context| up.poll_flush(context, &mut backend)).await?;
        poll_fn(|context| down.poll_flush(context, &mut client)).await?;
        io::Result::Ok(())
    };
    let flushed = timeout(FLUSH_LIMIT, rest).await;
    let closed = async {
        client.shutdown().await.ok();
        backend.shutdown().await.ok();
    };
    timeout(FLUSH_LIMIT, closed).await.ok();
    flushed.unwrap_or(Ok(()))
}

// === impl Direction ===

impl Direction {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, unflushed: false }
    }

    /// Moves what can be moved without waiting.
    fn poll<R, W>(&mut self, context: &mut Context<'_>, from: &mut R, to: &mut W) -> io::Result<Step>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            if self.start < self.end && self.poll_write(context, to)?.is_pending() {
                return Ok(Step::Waiting);
            }
            let mut buffer = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut *from).poll_read(context, &mut buffer)? {
                Poll::Pending => {
                    let _ = self.poll_flush(context, to)?;
                    return Ok(Step::Waiting);
                }
                Poll::Ready(()) => (self.start, self.end) = (0, buffer.filled().len()),
            }
            if self.end == 0 {
                return Ok(Step::Ended);
            }
        }
    }

    fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while self.start < self.end {
            let written = ready!(pin!(&mut *to).poll_write(context, &self.buffer[self.start..self.end]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.start += written;
            self.unflushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what has been read.
    fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_write(context, to))?;
        if self.unflushed {
            ready!(pin!(&mut *to).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    fn tunnel(room: usize) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<io::Result<()>>) {
        let (client, near) = duplex(room);
        let (far, backend) = duplex(room);
        (client, backend, tokio::spawn(copy(near, far)))
    }

    #[tokio::test]
    async fn carries_more_than_its_buffer_both_ways_at_once() {
        let (mut client, mut backend, task) = tunnel(1000);
        let sent: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let (mut up, mut down) = (vec![0; sent.len()], vec![0; sent.len()]);
        {
            let (mut client_read, mut client_write) = tokio::io::split(&mut client);
            let (mut backend_read, mut backend_write) = tokio::io::split(&mut backend);
            let (a, b, c, d) = tokio::join!(
                client_write.write_all(&sent),
                backend_write.write_all(&sent),
                client_read.read_exact(&mut down),
                backend_read.read_exact(&mut up),
            );
            a.and(b).and(c).and(d).unwrap();
        }
        assert!(up == sent && down == sent);
        drop(client);
        task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn ends_when_the_client_ends() {
        let (client, mut backend, task) = tunnel(100);
        drop(client);
        task.await.unwrap().ok();
        assert_eq!(backend.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn ends_when_the_backend_ends_and_delivers_its_last_words() {
        let (mut client, mut backend, task) = tunnel(100);
        backend.write_all(b"goodbye").await.unwrap();
        drop(backend);
        let mut words = String::new();
        client.read_to_string(&mut words).await.unwrap();
        assert_eq!(words, "goodbye");
        task.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_on_a_side_that_does_not_read() {
        let (mut client, mut backend, task) = tunnel(4);
        backend.write_all(b"ten bytes.").await.unwrap();
        client.shutdown().await.unwrap();
        // The client reads nothing; the paused clock jumps over the limit.
        task.await.unwrap().unwrap();
        drop(client);
    }
}
