//! The service's key-value store. The preset must grant `keyvalue`.
//!
//! ```
//! # use luckystack::{kv, HandlerError};
//! # fn main() -> Result<(), HandlerError> {
//! let store = kv::open()?;
//! store.set_json("invoice/1", &["wheels", "paint"])?;
//! let lines: Option<Vec<String>> = store.get_json("invoice/1")?;
//! assert_eq!(lines.unwrap().len(), 2);
//! # Ok(())
//! # }
//! ```

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host;

/// An open store.
#[derive(Debug)]
pub struct Store(host::Bucket);

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is no store of that name.
    NoSuchStore,
    /// The service may not use it.
    AccessDenied,
    /// The store failed.
    Other(String),
    /// A value is not what was asked for.
    Value {
        /// The key.
        key: String,
        /// What does not fit.
        reason: String,
    },
}

/// Opens the service's store.
///
/// # Errors
/// When the host has no store for this service.
pub fn open() -> Result<Store, Error> {
    host::kv_open("default").map(Store)
}

impl Store {
    /// The bytes under `key`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.get(key)
    }

    /// Stores bytes under `key`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.0.set(key, value)
    }

    /// The value under `key`, from JSON.
    ///
    /// # Errors
    /// When the store fails or the value does not fit `T`.
    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.get(key)?
            .map(|bytes| serde_json::from_slice(&bytes).map_err(|error| value_error(key, &error)))
            .transpose()
    }

    /// Stores a value under `key`, as JSON.
    ///
    /// # Errors
    /// When the store fails or the value has no JSON form.
    pub fn set_json(&self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| value_error(key, &error))?;
        self.set(key, &bytes)
    }

    /// Removes `key`; nothing happens when it is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.delete(key)
    }

    /// Whether `key` is there.
    ///
    /// # Errors
    /// When the store fails.
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        self.0.exists(key)
    }

    /// Adds to the number under `key` in one step, from 0 when it is not there, and returns the sum.
    ///
    /// # Errors
    /// When the store fails or the value is not a number.
    pub fn increment(&self, key: &str, delta: u64) -> Result<u64, Error> {
        self.0.increment(key, delta)
    }

    /// All keys, in no order to rely on.
    ///
    /// # Errors
    /// When the store fails.
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        let (mut keys, mut cursor) = self.0.list_keys(None)?;
        while let Some(next) = cursor {
            let (more, then) = self.0.list_keys(Some(next))?;
            keys.extend(more);
            cursor = then;
        }
        Ok(keys)
    }

    /// Several values in one crossing: those that are there, with their keys.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.0.get_many(keys)
    }

    /// Stores several values in one crossing.
    ///
    /// # Errors
    /// When the store fails; some may have been stored.
    pub fn set_many(&self, values: &[(String, Vec<u8>)]) -> Result<(), Error> {
        self.0.set_many(values)
    }

    /// Removes several keys in one crossing.
    ///
    /// # Errors
    /// When the store fails; some may have been removed.
    pub fn delete_many(&self, keys: &[String]) -> Result<(), Error> {
        self.0.delete_many(keys)
    }
}

fn value_error(key: &str, error: &serde_json::Error) -> Error {
    Error::Value { key: key.to_owned(), reason: error.to_string() }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStore => f.write_str("the key-value store does not exist"),
            Self::AccessDenied => f.write_str("the service may not use the key-value store"),
            Self::Other(message) => write!(f, "the key-value store failed: {message}"),
            Self::Value { key, reason } => write!(f, "the value under `{key}` does not fit: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
