//! User records, passwords and e-mail addresses. The preset must grant `accounts`.
//!
//! A service with the grant reaches every account, so a handler names whom it means: in nearly all cases
//! the id of its caller.
//!
//! ```
//! # use luckystack::{accounts, testing, Ctx, HandlerError};
//! # use luckystack::serde_json::{Value, json};
//! fn rename(ctx: &Ctx, name: &str) -> Result<Value, HandlerError> {
//!     let user: Value = ctx.session()?;
//!     accounts::update(user["id"].as_str().unwrap_or_default(), &json!({ "name": name }))
//! }
//!
//! testing::account(&json!({ "id": "u1", "name": "Ada" }));
//! let ctx = testing::call().user(&json!({ "id": "u1" })).build();
//! assert_eq!(rename(&ctx, "Grace").unwrap()["name"], "Grace");
//! ```
//!
//! Errors carry the framework's reasons, such as `login.passwordTooCommon`; `auth.disabled` on a host
//! without login.

use serde::Serialize;
use serde_json::Value;

use crate::{HandlerError, host};

/// The user record with this id, without its secrets.
///
/// # Errors
/// When the accounts cannot be reached.
pub fn get(user_id: &str) -> Result<Option<Value>, HandlerError> {
    host::account_get(user_id)?.as_deref().map(record).transpose()
}

/// Sets fields of a user record, null removes one, and alike in all sessions of the user. The record as it
/// is now.
///
/// # Errors
/// `account.fieldNotAllowed` for `id`, `email`, `provider` and secrets.
pub fn update(user_id: &str, fields: &impl Serialize) -> Result<Value, HandlerError> {
    record(&host::account_update(user_id, &serde_json::to_vec(fields)?)?)
}

/// Checks a user's password, for what is asked for twice, such as a deletion.
///
/// # Errors
/// `login.wrongPassword`, also for a user who has none.
pub fn check_password(user_id: &str, password: &str) -> Result<(), HandlerError> {
    host::account_check_password(user_id, password)
}

/// Sets a new password, if `current` is right (none: the caller was identified otherwise). All other
/// sessions of the user end; `keep` is the token of the one that goes on.
///
/// # Errors
/// `login.wrongPassword`; the reason why the new one will not do.
pub fn change_password(
    user_id: &str,
    current: Option<&str>,
    new: &str,
    keep: Option<&str>,
) -> Result<(), HandlerError> {
    host::account_change_password(user_id, current, new, keep)
}

/// Sends a link for a new password, if somebody has that e-mail address; the same answer if not. `ip` is
/// the address that asked.
///
/// # Errors
/// When resets are switched off or asked for too often.
pub fn request_password_reset(email: &str, ip: &str) -> Result<(), HandlerError> {
    host::account_request_password_reset(email, ip)
}

/// Sets a new password with the token of such a link, once. All sessions of the user end.
///
/// # Errors
/// When the token is wrong or spent; the reason why the password will not do.
pub fn complete_password_reset(token: &str, new: &str) -> Result<(), HandlerError> {
    host::account_complete_password_reset(token, new)
}

/// Sends a link to a new e-mail address, which confirms it.
///
/// # Errors
/// The reason why the address will not do.
pub fn request_email_change(user_id: &str, email: &str) -> Result<(), HandlerError> {
    host::account_request_email_change(user_id, email)
}

/// Changes the e-mail address with the token of such a link, once.
///
/// # Errors
/// When the token is wrong or spent, or somebody else has the address by now.
pub fn confirm_email_change(token: &str) -> Result<(), HandlerError> {
    host::account_confirm_email_change(token)
}

/// Deletes the user and ends all sessions.
///
/// # Errors
/// When a hook refuses, or there is no such user.
pub fn delete(user_id: &str) -> Result<(), HandlerError> {
    host::account_delete(user_id)
}

fn record(text: &[u8]) -> Result<Value, HandlerError> {
    serde_json::from_slice(text)
        .map_err(|error| HandlerError::internal(format_args!("the user record is not JSON: {error}")))
}
