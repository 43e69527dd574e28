//! Keeping the accounts of the project: a service that `users.component` in the project's configuration
//! names.
//!
//! ```
//! use luckystack::prelude::*;
//! use luckystack::users::{self, Record, UserStore};
//!
//! struct InTheStore;
//!
//! impl UserStore for InTheStore {
//!     fn by_id(id: &str) -> Result<Option<Record>, HandlerError> {
//!         Ok(kv::open()?.get_json(&format!("user/{id}"))?)
//!     }
//!     // by_email, create, update, spend_recovery_code, delete
//! #   fn by_email(_: &str, _: Option<&str>) -> Result<Option<Record>, HandlerError> { Ok(None) }
//! #   fn create(_: Record, _: bool) -> Result<Record, HandlerError> { Err(users::email_taken()) }
//! #   fn update(_: &str, _: Record) -> Result<Option<Record>, HandlerError> { Ok(None) }
//! #   fn spend_recovery_code(_: &str, _: &str) -> Result<bool, HandlerError> { Ok(false) }
//! #   fn delete(_: &str) -> Result<bool, HandlerError> { Ok(false) }
//! }
//!
//! luckystack::plugin! {
//!     service = "people",
//!     user_store = InTheStore,
//!     handlers = [],
//! }
//! # fn main() {}
//! ```

use serde_json::{Map, Value};

use crate::HandlerError;

/// A user record: `id`, `email`, `name`, `provider`, `password` (its hash), `avatar`, `createdAt`, … and
/// whatever fields an application added. Secrets are among them: do not log one.
pub type Record = Map<String, Value>;

/// Where accounts are kept: implement it, and name the type in `plugin!` as `user_store`.
///
/// Any error but [`email_taken`] counts as a failure of the store.
pub trait UserStore {
    /// The user with this id.
    ///
    /// # Errors
    /// When the store fails.
    fn by_id(id: &str) -> Result<Option<Record>, HandlerError>;

    /// The user with this e-mail (lower case) at this provider; at any when none is named, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    fn by_email(email: &str, provider: Option<&str>) -> Result<Option<Record>, HandlerError>;

    /// Creates a user: with an id, and the dates `createdAt` and `updatedAt` (ISO 8601). With `unique_email`
    /// the e-mail must be new to all providers, else to its own.
    ///
    /// # Errors
    /// [`email_taken`].
    fn create(user: Record, unique_email: bool) -> Result<Record, HandlerError>;

    /// Sets fields, null removes one, and `updatedAt`. The record; none when there is no such user.
    ///
    /// # Errors
    /// [`email_taken`].
    fn update(id: &str, changes: Record) -> Result<Option<Record>, HandlerError>;

    /// Removes one recovery code from the list `recoveryCodes`, if it is there; whether it was. Of two who
    /// spend the same code at once, one succeeds.
    ///
    /// # Errors
    /// When the store fails.
    fn spend_recovery_code(id: &str, code_hash: &str) -> Result<bool, HandlerError>;

    /// Deletes a user; whether there was one.
    ///
    /// # Errors
    /// When the store fails.
    fn delete(id: &str) -> Result<bool, HandlerError>;
}

/// The error of an e-mail that somebody has already.
#[must_use]
pub fn email_taken() -> HandlerError {
    HandlerError::new("users.emailTaken").status(409)
}
