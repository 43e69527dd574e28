//! What the server and the way to it say, in this crate's terms. Passwords are never among it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::BackplaneError;

/// Codes of a server that is there and cannot serve now: another attempt later may succeed.
const FOR_NOW: &[&str] =
    &["LOADING", "BUSY", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "OOM", "MISCONF", "NOREPLICAS"];

/// Why a command failed.
pub(super) fn of_command(error: &RedisError) -> BackplaneError {
    let (store, reason) = ("redis".to_owned(), reason(error));
    let is_server = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
    let is_for_now = error.code().is_some_and(|code| FOR_NOW.contains(&code));
    let is_wrong_answer = matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Parse);
    if (is_server && !is_for_now) || (is_wrong_answer && !error.is_unrecoverable_error()) {
        return BackplaneError::Refused { store, reason };
    }
    BackplaneError::Unavailable { store, reason }
}

/// Why the first connection to the server at this address failed, and what to do.
pub(super) fn of_connecting(address: &str, error: &RedisError) -> BackplaneError {
    let reason = reason(error);
    let is_login = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"));
    if is_login {
        let reason = format!(
            "the server at {address} does not let this user in ({reason}): correct the user and password in \
             the address of the backplane, or the server's list of users"
        );
        return BackplaneError::Refused { store: "redis".into(), reason };
    }
    if error.kind() == ErrorKind::RESP3NotSupported {
        let reason = format!("the server at {address} is too old: use Redis 6.2 or later");
        return BackplaneError::Refused { store: "redis".into(), reason };
    }
    let reason = format!(
        "no connection to {address} ({reason}): start the server there, or correct the address of the backplane"
    );
    BackplaneError::Unavailable { store: "redis".into(), reason }
}

/// One line about an error.
pub(super) fn reason(error: &RedisError) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    match (error.code(), error.detail()) {
        (Some("ERR"), Some(detail)) => detail.to_owned(),
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
}

/// Whether the connection leads to a server that takes no writes any more, as after a failover.
pub(super) fn is_demoted(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
