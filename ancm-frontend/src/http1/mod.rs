//! HTTP/1.1 on the wire, as far as both sides of the proxy need it: `chunked` reads bodies, `outgoing` writes messages.

pub(crate) mod chunked;
pub(crate) mod outgoing;
