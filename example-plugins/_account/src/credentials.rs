//! Passwords, e-mail addresses, and the end of an account.
//!
//! Who may know what is the host's to decide: these routes ask it, and pass its reasons on.

use luckystack::prelude::*;

use crate::Me;
use crate::avatar::file_of;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangePassword {
    current_password: String,
    new_password: String,
    confirm_password: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RequestPasswordReset {
    email: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResetPassword {
    /// From the link.
    token: String,
    new_password: String,
    confirm_password: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestEmailChange {
    new_email: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ConfirmEmailChange {
    /// From the link.
    token: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct DeleteAccount {
    /// The word `DELETE`.
    confirmation: String,
    /// Of those who have one.
    #[serde(default)]
    password: Option<String>,
}

/// Changes the caller's password; all his other sessions end.
#[api(login = true, rate_limit = 10)]
pub(crate) fn change_password(ctx: &Ctx, input: ChangePassword) -> Result<(), HandlerError> {
    let me = Me::of(ctx)?;
    if input.current_password.is_empty() {
        return Err(error!("login.empty"));
    }
    check_new(&input.new_password, &input.confirm_password)?;
    let keep = ctx.caller().session.as_ref().map(|session| session.token.as_str());
    accounts::change_password(&me.id, Some(&input.current_password), &input.new_password, keep)
}

/// Sends a link for a new password, if the address is somebody's. The answer does not say.
#[api(rate_limit = 5)]
pub(crate) fn request_password_reset(ctx: &Ctx, input: RequestPasswordReset) -> Result<(), HandlerError> {
    let email = input.email.trim();
    if email.is_empty() {
        return Err(error!("login.empty"));
    }
    accounts::request_password_reset(email, ctx.ip())
}

/// Sets a new password with the token of a link; all sessions of the user end.
#[api(rate_limit = 10)]
pub(crate) fn reset_password(input: ResetPassword) -> Result<(), HandlerError> {
    if input.token.is_empty() {
        return Err(error!("login.empty"));
    }
    check_new(&input.new_password, &input.confirm_password)?;
    accounts::complete_password_reset(&input.token, &input.new_password)
}

/// Sends a link to a new e-mail address of the caller, which confirms it.
#[api(login = true, rate_limit = 5)]
pub(crate) fn request_email_change(ctx: &Ctx, input: RequestEmailChange) -> Result<(), HandlerError> {
    let me = Me::of(ctx)?;
    let email = input.new_email.trim();
    if email.is_empty() {
        return Err(error!("login.empty"));
    }
    accounts::request_email_change(&me.id, email)
}

/// Changes an e-mail address with the token of a link. Public: the link may be opened in another browser.
#[api(rate_limit = 10)]
pub(crate) fn confirm_email_change(input: ConfirmEmailChange) -> Result<(), HandlerError> {
    if input.token.is_empty() {
        return Err(error!("login.empty"));
    }
    accounts::confirm_email_change(&input.token)
}

/// Deletes the caller's account for good. Who logs in with a password gives it once more.
#[api(method = "POST", login = true, rate_limit = 3)]
pub(crate) fn delete_account(ctx: &Ctx, input: DeleteAccount) -> Result<(), HandlerError> {
    let me = Me::of(ctx)?;
    if input.confirmation != "DELETE" {
        return Err(error!("auth.forbidden").status(403));
    }
    let record = accounts::get(&me.id)?.ok_or_else(|| error!("auth.required").status(401))?;
    // The record and not the session: nobody changes how he logs in by changing his session.
    if record["provider"] == "credentials" || input.password.is_some() {
        accounts::check_password(&me.id, input.password.as_deref().unwrap_or_default())?;
    }
    accounts::delete(&me.id)?;
    // The account is gone either way.
    if let Err(error) = uploads::remove(&file_of(&me)) {
        log::warn!("the avatar of a deleted account stays: {}", error.code());
    }
    Ok(())
}

fn check_new(password: &str, again: &str) -> Result<(), HandlerError> {
    if password.is_empty() {
        return Err(error!("login.empty"));
    }
    if password != again {
        return Err(error!("login.passwordNotMatch"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use luckystack::testing::{self, AccountAct};

    use crate::PLUGIN;

    fn call(name: &str, input: &Value) -> Result<Value, HandlerError> {
        let call = testing::call().user(&json!({ "id": "u1" })).ip("10.0.0.1");
        testing::call_route(&PLUGIN, call.route(&format!("api/system/{name}/v1")).build(), input)
    }

    fn code(name: &str, input: &Value) -> String {
        call(name, input).unwrap_err().code().to_owned()
    }

    #[test]
    fn what_is_asked_for_reaches_the_host() {
        let (id, new) = ("u1".to_owned(), "n3w".to_owned());
        let passwords = json!({ "currentPassword": "old", "newPassword": "n3w", "confirmPassword": "n3w" });
        let keep = Some("test-token".to_owned());
        for (name, input, act) in [
            (
                "changePassword",
                passwords,
                AccountAct::ChangePassword {
                    id: id.clone(),
                    current: Some("old".into()),
                    new: new.clone(),
                    keep,
                },
            ),
            (
                "requestPasswordReset",
                json!({ "email": " ada@example.com " }),
                AccountAct::RequestPasswordReset { email: "ada@example.com".into(), ip: "10.0.0.1".into() },
            ),
            (
                "resetPassword",
                json!({ "token": "t", "newPassword": "n3w", "confirmPassword": "n3w" }),
                AccountAct::CompletePasswordReset { token: "t".into(), new },
            ),
            (
                "requestEmailChange",
                json!({ "newEmail": "new@example.com" }),
                AccountAct::RequestEmailChange { id, email: "new@example.com".into() },
            ),
            (
                "confirmEmailChange",
                json!({ "token": "t" }),
                AccountAct::ConfirmEmailChange { token: "t".into() },
            ),
        ] {
            assert_eq!(call(name, &input).unwrap()["status"], "success", "{name}");
            assert_eq!(testing::account_acts(), [act], "{name}");
        }
    }

    #[test]
    fn what_is_missing_or_differs_is_refused_before_the_host_is_asked() {
        let passwords = |new: &str, again: &str| json!({ "currentPassword": "old", "newPassword": new, "confirmPassword": again });
        assert_eq!(code("changePassword", &passwords("", "")), "login.empty");
        assert_eq!(code("changePassword", &passwords("a", "b")), "login.passwordNotMatch");
        let reset = json!({ "token": "t", "newPassword": "a", "confirmPassword": "b" });
        assert_eq!(code("resetPassword", &reset), "login.passwordNotMatch");
        assert_eq!(code("requestPasswordReset", &json!({ "email": "  " })), "login.empty");
        assert_eq!(code("requestEmailChange", &json!({ "newEmail": "" })), "login.empty");
        assert_eq!(code("confirmEmailChange", &json!({ "token": "" })), "login.empty");
        assert_eq!(code("deleteAccount", &json!({ "confirmation": "delete" })), "auth.forbidden");
        assert!(testing::account_acts().is_empty());
    }

    #[test]
    fn the_hosts_reasons_reach_the_client() {
        testing::accounts(|_| Err(error!("login.wrongPassword")));
        let input = json!({ "currentPassword": "x", "newPassword": "a", "confirmPassword": "a" });
        assert_eq!(code("changePassword", &input), "login.wrongPassword");
    }

    #[test]
    fn an_account_with_a_password_is_deleted_with_it_only() {
        testing::account(&json!({ "id": "u1", "provider": "credentials" }));
        uploads::put("u1.webp", b"picture").unwrap();
        testing::accounts(|act| match act {
            AccountAct::CheckPassword { password, .. } if password != "right" => {
                Err(error!("login.wrongPassword"))
            }
            _ => Ok(()),
        });
        for input in
            [json!({ "confirmation": "DELETE" }), json!({ "confirmation": "DELETE", "password": "wrong" })]
        {
            assert_eq!(code("deleteAccount", &input), "login.wrongPassword");
        }
        assert!(accounts::get("u1").unwrap().is_some() && testing::uploaded("u1.webp").is_some());
        call("deleteAccount", &json!({ "confirmation": "DELETE", "password": "right" })).unwrap();
        assert!(accounts::get("u1").unwrap().is_none() && testing::uploaded("u1.webp").is_none());
    }

    #[test]
    fn an_account_of_a_provider_is_deleted_without_one() {
        testing::account(&json!({ "id": "u1", "provider": "google" }));
        call("deleteAccount", &json!({ "confirmation": "DELETE" })).unwrap();
        assert_eq!(testing::account_acts(), [AccountAct::Delete { id: "u1".into() }]);
    }
}
