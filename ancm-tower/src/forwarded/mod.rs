//! X-Forwarded-For and X-Forwarded-Proto, both ends.
