//! Forwards a Windows authentication token.
