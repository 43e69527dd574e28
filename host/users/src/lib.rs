//! Accounts: who is registered, and how passwords are kept.
//!
//! The rule of this crate: **a secret leaves it only to be checked.** A [`User`] keeps password hash,
//! second-factor secret and recovery codes apart from what may be shown, and [`User::shown`] is the only
//! way to the rest.
#![warn(missing_docs)]

pub mod component;
mod date;
mod id;
mod password;
mod policy;
mod postgres;
mod sqlite;
mod table;
mod user;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

pub use password::{Passwords, Verdict};
pub use policy::PasswordPolicy;
pub use postgres::Postgres;
pub use sqlite::Sqlite;
pub use user::{NewUser, User};

/// Future of a store's answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, UserError>>;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UserError {
    /// That e-mail is taken (for that provider, or at all under the unified strategy).
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// A field cannot be stored: unknown to the table, or of another type.
    #[error("the field `{field}` cannot be stored: {reason}")]
    Field {
        /// Its name.
        field: String,
        /// Why.
        reason: String,
    },
    /// The store failed.
    #[error("the user store failed: {0}")]
    Store(String),
}

/// Where accounts are kept.
pub trait UserStore: Send + Sync + 'static {
    /// The user with this id.
    fn by_id<'a>(&'a self, id: &'a str) -> Answer<'a, Option<User>>;
    /// The user with this e-mail (trimmed, lower case) at this provider; at any when none is named, the
    /// oldest account first.
    fn by_email<'a>(&'a self, email: &'a str, provider: Option<&'a str>) -> Answer<'a, Option<User>>;
    /// Creates a user. With `unique_email` the e-mail must be new to all providers, else to its own.
    fn create<'a>(&'a self, user: NewUser, unique_email: bool) -> Answer<'a, User>;
    /// Changes fields of a user, secrets among them; null removes a value. None when there is no such
    /// user. `updatedAt` follows by itself; `id` cannot be changed.
    fn update<'a>(&'a self, id: &'a str, changes: Map<String, Value>) -> Answer<'a, Option<User>>;
    /// Takes one recovery code (its hash) away from a user, if it is there: of two who spend the same code
    /// at once, one succeeds.
    fn spend_recovery_code<'a>(&'a self, id: &'a str, code_hash: &'a str) -> Answer<'a, bool>;
    /// Deletes a user; whether there was one.
    fn delete<'a>(&'a self, id: &'a str) -> Answer<'a, bool>;
    /// Whether the store answers.
    fn is_up(&self) -> BoxFuture<'_, bool>;
    /// Lets go of files and connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Any store.
pub type SharedUsers = Arc<dyn UserStore>;
