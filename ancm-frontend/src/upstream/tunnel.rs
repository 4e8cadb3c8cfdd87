//! Carries bytes both ways once both ends have switched protocols.
//!
//! A copy loop of our own, because a tunnel must end when either side ends: waiting for the other one to finish, as
//! the usual loops do, leaves half-open connections that last for ever.

use std::{
    future::{Future, poll_fn},
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use ancm_tower::timers::timeout;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::Io;
use crate::{dispatch::Ticket, http1::turn, server::OnUpgrade};

/// How long what has been read already may take to be written, once one side has ended.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// Read at once, and moved in one direction before the others have their turn: many tunnels may be busy at once.
const PIECE: usize = 16 * 1024;

/// One direction: what has been read and not yet written. A tunnel that is idle holds no buffer.
#[derive(Default)]
struct Direction {
    rest: Bytes,
    unflushed: bool,
    ended: bool,
}

/// Runs until either side has ended; the ticket keeps the process from being stopped as if it were idle.
pub(super) async fn run(
    client: OnUpgrade,
    backend: impl Future<Output = io::Result<Box<dyn Io>>>,
    ticket: Ticket,
) {
    match tokio::join!(client, backend) {
        (Ok(client), Ok(backend)) => {
            if let Err(error) = copy(client, backend).await {
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

/// Copies both ways until one side ends, gives what has been read a moment to be written, then closes both.
async fn copy<C, B>(mut client: C, mut backend: B) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let copied = poll_fn(|context| {
        // Both, also when one of them breaks: what the other has to say last is on its way already.
        let sent = up.poll(context, &mut client, &mut backend);
        let received = down.poll(context, &mut backend, &mut client);
        let over = up.ended || down.ended || sent.is_err() || received.is_err();
        if over { Poll::Ready(sent.and(received)) } else { Poll::Pending }
    })
    .await;
    let rest = async {
        // Of two directions that have come to their end, one may never be written.
        tokio::join!(
            poll_fn(|context| up.poll_flush(context, &mut backend)),
            poll_fn(|context| down.poll_flush(context, &mut client)),
        )
    };
    let _ = timeout(FLUSH_LIMIT, rest).await;
    let _ = timeout(FLUSH_LIMIT, async { tokio::join!(client.shutdown(), backend.shutdown()) }).await;
    copied
}

// === impl Direction ===

impl Direction {
    /// Moves what can be moved without waiting.
    fn poll<R, W>(&mut self, context: &mut Context<'_>, from: &mut R, to: &mut W) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut storage = [MaybeUninit::uninit(); PIECE];
        let mut moved = 0;
        while !self.ended {
            if moved >= PIECE {
                turn::end(context);
                return Ok(());
            }
            if self.poll_write_rest(context, to)?.is_pending() {
                return Ok(());
            }
            let mut buffer = ReadBuf::uninit(&mut storage);
            if Pin::new(&mut *from).poll_read(context, &mut buffer)?.is_pending() {
                let _ = self.poll_flush(context, to)?;
                return Ok(());
            }
            moved += buffer.filled().len();
            self.ended = buffer.filled().is_empty();
            self.write(context, buffer.filled(), to)?;
        }
        Ok(())
    }

    /// Writes what can be written at once, and keeps the rest.
    fn write<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        mut piece: &[u8],
        to: &mut W,
    ) -> io::Result<()> {
        while !piece.is_empty() {
            let Poll::Ready(written) = Pin::new(&mut *to).poll_write(context, piece)? else { break };
            self.wrote(written)?;
            piece = &piece[written..];
        }
        if !piece.is_empty() {
            self.rest = Bytes::copy_from_slice(piece);
        }
        Ok(())
    }

    fn poll_write_rest<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(context, &self.rest))?;
            self.wrote(written)?;
            self.rest.advance(written);
        }
        self.rest = Bytes::new();
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, written: usize) -> io::Result<()> {
        self.unflushed = true;
        if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    /// Writes what has been read.
    fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_write_rest(context, to))?;
        if self.unflushed {
            ready!(Pin::new(&mut *to).poll_flush(context))?;
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

    #[tokio::test]
    async fn delivers_the_last_words_of_a_backend_that_takes_no_more() {
        let (mut client, near) = duplex(100);
        let (far, mut backend) = duplex(100);
        client.write_all(b"too late").await.unwrap();
        backend.write_all(b"goodbye").await.unwrap();
        // Before the tunnel is looked at, so that one direction breaks while the other has something to say.
        drop(backend);
        let task = tokio::spawn(copy(near, far));
        let mut words = String::new();
        client.read_to_string(&mut words).await.unwrap();
        assert_eq!(words, "goodbye");
        task.await.unwrap().unwrap_err();
    }

    #[tokio::test]
    async fn holds_nothing_while_it_is_idle() {
        let (near, mut client) = duplex(100);
        let (far, mut backend) = duplex(4);
        let (mut near, mut far, mut up) = (near, far, Direction::default());
        let mut step = tokio_test::task::spawn(());
        client.write_all(b"ten bytes.").await.unwrap();
        step.enter(|context, _| up.poll(context, &mut near, &mut far)).unwrap();
        assert_eq!(&up.rest[..], b"bytes.");
        let mut read = [0; 4];
        while !up.rest.is_empty() {
            backend.read_exact(&mut read).await.unwrap();
            step.enter(|context, _| up.poll(context, &mut near, &mut far)).unwrap();
        }
        assert!(up.rest.is_empty() && !up.ended);
    }

    #[tokio::test]
    async fn lets_others_have_their_turn_when_there_is_no_end_of_bytes() {
        let (mut near, mut client) = duplex(PIECE * 10);
        let (mut far, mut backend) = duplex(PIECE * 10);
        let mut up = Direction::default();
        client.write_all(&vec![b'x'; PIECE * 10]).await.unwrap();
        let mut step = tokio_test::task::spawn(());
        for _ in 0..10 {
            step.enter(|context, _| up.poll(context, &mut near, &mut far)).unwrap();
            tokio::task::yield_now().await;
            assert!(step.is_woken(), "it would never go on");
            let mut moved = vec![0; PIECE * 2];
            assert_eq!(backend.read(&mut moved).await.unwrap(), PIECE);
        }
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
