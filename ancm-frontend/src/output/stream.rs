//! The way of one stream: from the pipe through the mask to the file, the capture and the log.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex},
};

use tokio::{io::AsyncReadExt, net::unix::pipe, sync::watch};

use super::{
    capture::{Decoder, Kept, Phase, lock},
    lines::{Lines, Origin},
    log_file::LogFile,
    mask::Masker,
};
use crate::lease::Lease;

const READ: usize = 16 * 1024;
/// The most that a pipe can hold by default limits, and so the most that may be left in a pipe that is closed.
const LEFT: usize = 1024 * 1024;

/// Everything that one stream's bytes go through.
pub(super) struct Stream {
    masker: Masker,
    decoder: Decoder,
    lines: Lines,
    kept: Arc<Mutex<Kept>>,
    log_file: Option<LogFile>,
    origin: Origin,
}

// === impl Stream ===

impl Stream {
    pub(super) fn new(
        masker: Masker,
        kept: Arc<Mutex<Kept>>,
        log_file: Option<LogFile>,
        origin: Origin,
    ) -> Self {
        Self { masker, decoder: Decoder::default(), lines: Lines::default(), kept, log_file, origin }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut shown = Vec::with_capacity(bytes.len());
        self.masker.push(bytes, &mut shown);
        self.show(&shown);
    }

    fn finish(&mut self) {
        let mut shown = Vec::new();
        self.masker.finish(&mut shown);
        self.show(&shown);
        let mut rest = String::new();
        self.decoder.finish(&mut rest);
        lock(&self.kept).push(&rest);
        self.lines.push(&rest, |line| self.origin.log(line));
        self.lines.finish(|line| self.origin.log(line));
    }

    fn show(&mut self, shown: &[u8]) {
        if shown.is_empty() {
            return;
        }
        if let Some(file) = &self.log_file {
            file.write(shown);
        }
        let mut text = String::with_capacity(shown.len());
        self.decoder.push(shown, &mut text);
        lock(&self.kept).push(&text);
        self.lines.push(&text, |line| self.origin.log(line));
    }
}

/// Reads until the last writer is gone, or until the capture is closed and the pipe is empty.
pub(super) async fn pump(
    mut pipe: pipe::Receiver,
    mut stream: Stream,
    mut phase: watch::Receiver<Phase>,
    lease: Lease,
) {
    // An error means that the capture was dropped, which closes it.
    let begun = phase.wait_for(|phase| phase.pid.is_some() || phase.closed).await.map(|phase| phase.pid);
    stream.origin.pid = begun.ok().flatten();
    let mut closed = pin!(phase.wait_for(|phase| phase.closed));
    let mut buffer = vec![0; READ];
    let result = loop {
        tokio::select! {
            biased;
            _ = &mut closed => break drain(&pipe, &mut stream, &mut buffer),
            read = pipe.read(&mut buffer) => match read {
                Ok(0) => break Ok(()),
                Ok(count) => stream.take(&buffer[..count]),
                Err(error) => break Err(error),
            },
        }
    };
    if let Err(error) = result {
        let Origin { stream, pid, .. } = stream.origin;
        tracing::warn!(target: "server", stream, pid, %error, "cannot read the output of the application");
    }
    stream.finish();
    // Closed before it is said to be.
    drop((pipe, stream, lease));
}

/// Takes what is in the pipe. Asks the kernel, as the runtime may not have heard yet that there is something.
fn drain(pipe: &pipe::Receiver, stream: &mut Stream, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = LEFT;
    while left > 0 {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) | Err(rustix::io::Errno::AGAIN) => break,
            Ok(count) => {
                stream.take(&buffer[..count]);
                left = left.saturating_sub(count);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
