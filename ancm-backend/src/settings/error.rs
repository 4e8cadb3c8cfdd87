//! What can be wrong in a backend's environment.

use std::{error::Error, fmt};

use ancm_tower::{contract::variable, pairing_token::InvalidToken};

use super::AddressError;

/// A variable says what cannot be done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SettingsError {
    /// A port is not digits from 1 to 65535.
    Port {
        /// The variable's name.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// `ASPNETCORE_TOKEN` cannot be a header value.
    Token(InvalidToken),
    /// `ASPNETCORE_APPL_PATH` does not begin with `/`.
    PathBase {
        /// What it says.
        value: String,
    },
    /// `ASPNETCORE_URLS` names an address where we cannot listen.
    Address(AddressError),
}

// === impl SettingsError ===

impl From<AddressError> for SettingsError {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { variable, value } => {
                write!(f, "{variable} is `{value}`: a port is a number from 1 to 65535, in digits only")
            }
            Self::Token(error) => write!(f, "{}: {error}", variable::TOKEN),
            Self::PathBase { value } => {
                let name = variable::APPL_PATH;
                write!(f, "{name} is `{value}`: a path base begins with a slash, so write `/{value}`")
            }
            Self::Address(error) => write!(f, "{}: {error}", variable::URLS),
        }
    }
}

// No `source`: the message has it already.
impl Error for SettingsError {}
