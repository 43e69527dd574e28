//! The service's own values from its preset (`[service.NAME.config]`).

use std::fmt;
use std::str::FromStr;

/// Why a value could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The host failed to read it.
    Host(String),
    /// The preset has no such key.
    Missing(String),
    /// The value is not of the type asked for.
    Invalid {
        /// The key.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
}

/// The value of `key`; none when the preset does not set it.
///
/// # Errors
/// When the host fails to read it.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    crate::host::config_get(key).map_err(Error::Host)
}

/// The value of `key` as a number, a boolean or anything else that parses.
///
/// # Errors
/// When the preset does not set it, or it does not parse.
pub fn require<T: FromStr<Err: fmt::Display>>(key: &str) -> Result<T, Error> {
    let value = get(key)?.ok_or_else(|| Error::Missing(key.to_owned()))?;
    value.parse().map_err(|reason| Error::Invalid { key: key.to_owned(), reason: format!("{reason}") })
}

/// All values of the service.
///
/// # Errors
/// When the host fails to read them.
pub fn all() -> Result<Vec<(String, String)>, Error> {
    crate::host::config_all().map_err(Error::Host)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(message) => write!(f, "configuration cannot be read: {message}"),
            Self::Missing(key) => {
                write!(
                    f,
                    "configuration value `{key}` is missing; set it under `[service.NAME.config]` of the preset"
                )
            }
            Self::Invalid { key, reason } => write!(f, "configuration value `{key}`: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
