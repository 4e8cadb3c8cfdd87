//! What the hold layer promises.
