//! `web.config`, read into a [`Config`].

/// One application's configuration.
#[derive(Clone, Debug)]
pub struct Config {}
