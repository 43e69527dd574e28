//! What PostgreSQL refused, in words that name column and remedy. Its own messages repeat values, which may
//! be secrets, and its details whole rows: neither is passed on where there is a value in it.

use std::io;

use sqlx::postgres::PgDatabaseError;

use crate::UserError;
use crate::table::refused;

/// What went wrong, as far as it matters to what is done next.
#[derive(Debug)]
pub(super) enum Fault {
    /// The table is no longer what it was: look at it again.
    Stale,
    /// A value does not fit its column's type; the server does not say which.
    Value,
    /// For the caller.
    Error(UserError),
}

impl Fault {
    /// Reads an error of the server at `shown`.
    pub(super) fn of(error: &sqlx::Error, shown: &str) -> Self {
        let Some(refusal) = database(error) else {
            return Self::Error(UserError::Store(describe(error, shown)));
        };
        match refusal.code() {
            // A column or the table is gone or has another type, or a prepared statement's result has.
            "42703" | "42P01" | "42704" | "42804" | "0A000" => Self::Stale,
            code if code.starts_with("22") => Self::Value,
            // A domain's own constraint.
            code if code.starts_with("23") && refusal.data_type().is_some() => Self::Value,
            "23502" => {
                let column = refusal.column().unwrap_or("users");
                Self::Error(refused(column, "it needs a value, and the column has no default"))
            }
            "23505" => Self::Error(match key(refusal) {
                Some(columns) if columns.contains("email") => UserError::EmailTaken,
                Some(columns) => refused(&columns, "another user has this value"),
                None => refused(refusal.constraint().unwrap_or("users"), "another user has this value"),
            }),
            "23503" => match key(refusal) {
                Some(columns) if refusal.table() == Some("users") => {
                    Self::Error(refused(&columns, "the row that it refers to is not there"))
                }
                _ => Self::Error(UserError::Store(format!(
                    "{shown}: rows of the table `{}` refer to this user; remove them first, or let the \
                     constraint `{}` do it",
                    refusal.table().unwrap_or_default(),
                    refusal.constraint().unwrap_or_default()
                ))),
            },
            "23514" | "23P01" => {
                let constraint = refusal.constraint().unwrap_or_default();
                Self::Error(refused(
                    refusal.column().unwrap_or(constraint),
                    &format!("the constraint `{constraint}` of the table refuses it"),
                ))
            }
            _ => Self::Error(UserError::Store(describe(error, shown))),
        }
    }
}

/// The columns of `Key (email, provider)=(…) already exists.`
fn key(refusal: &PgDatabaseError) -> Option<String> {
    let (columns, _) = refusal.detail()?.strip_prefix("Key (")?.split_once(")=")?;
    Some(columns.replace('"', ""))
}

fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// Whether trying again shortly may help: nobody listens yet, or the server is just starting.
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => database(error).is_some_and(|refusal| refusal.code() == "57P03"),
    }
}

/// An error that no field is to blame for, with the remedy.
pub(super) fn describe(error: &sqlx::Error, shown: &str) -> String {
    let (reason, remedy) = match error {
        sqlx::Error::Io(error) => (
            format!("PostgreSQL cannot be reached ({error})"),
            "start the server, or correct host and port in users.url",
        ),
        sqlx::Error::PoolTimedOut => (
            "PostgreSQL gave no connection in time".to_owned(),
            "see whether the server runs and has connections left",
        ),
        sqlx::Error::PoolClosed => ("the user store was closed".to_owned(), "the host is stopping"),
        sqlx::Error::Tls(error) => (
            format!("no encrypted connection ({error})"),
            "set up TLS at the server, or choose another sslmode in users.url",
        ),
        other => match database(other) {
            Some(refusal) => {
                let remedy = match refusal.code() {
                    "28P01" | "28000" => "correct user and password in users.url",
                    "3D000" => "create the database, or correct its name in users.url",
                    "3F000" => "create the schema, or correct `schema` in users.url",
                    "42501" => "grant the user of users.url what it lacks",
                    "53300" => "raise max_connections at the server, or lower connection_limit in users.url",
                    _ => "see the server's log",
                };
                (format!("{} ({})", refusal.message(), refusal.code()), remedy)
            }
            None => (other.to_string(), "see the server's log"),
        },
    };
    format!("{shown}: {reason}; {remedy}")
}
