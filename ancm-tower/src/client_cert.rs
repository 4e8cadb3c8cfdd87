//! Forwards the client's TLS certificate.
