//! What a connection asks of its client's stream.

use tokio::{io::AsyncRead, net::TcpStream};

use crate::http1::recipient::Recipient;

/// A stream that can tell, without reading, what its client has done.
pub trait ClientStream: AsyncRead + Recipient + Send + 'static {
    /// Whether the client has closed its side or is gone, even behind bytes that have not been read.
    fn has_left(&self) -> bool;

    /// Whether the stream has to say itself that it ends; if not, the system says so when it is dropped.
    fn says_goodbye(&self) -> bool {
        true
    }

    /// Whether there is something to read that nobody has been told of yet.
    fn has_sent(&self) -> bool;
}

// === impl ClientStream ===

impl ClientStream for TcpStream {
    fn has_left(&self) -> bool {
        super::peer::has_left(self)
    }

    fn says_goodbye(&self) -> bool {
        false
    }

    fn has_sent(&self) -> bool {
        super::peer::has_sent(self)
    }
}
