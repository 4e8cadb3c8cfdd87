//! The whole frontend, against real processes and real sockets.
