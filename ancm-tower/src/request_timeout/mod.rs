//! Gives up on a backend that falls silent.
