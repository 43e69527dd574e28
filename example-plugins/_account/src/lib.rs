//! The routes of a settings page, in the root service `system`: profile, avatar, password, e-mail address,
//! deletion. Its preset grants `accounts` and `uploads`.
//!
//! They are an application's routes, not the framework's: change them as you need. Each names the user whom
//! it is for, its caller, and leaves to the host what must hold for every account (passwords, links, ends of
//! sessions).

mod avatar;
mod credentials;
mod picture;
mod profile;

use luckystack::prelude::*;

/// The caller, as far as these routes care.
#[derive(Deserialize)]
struct Me {
    id: String,
}

impl Me {
    fn of(ctx: &Ctx) -> Result<Me, HandlerError> {
        ctx.session()
    }
}

luckystack::plugin! {
    service = "system",
    description = "What a settings page is made of: profile, avatar, password, e-mail, deletion",
    handlers = [
        profile::update_user,
        avatar::upload_avatar,
        avatar::remove_avatar,
        credentials::change_password,
        credentials::request_password_reset,
        credentials::reset_password,
        credentials::request_email_change,
        credentials::confirm_email_change,
        credentials::delete_account,
    ],
}

#[cfg(test)]
mod tests {
    use super::*;
    use luckystack::testing;

    #[test]
    fn only_what_works_without_a_session_is_public() {
        let manifest = testing::manifest(&PLUGIN);
        let routes = manifest["routes"].as_array().unwrap();
        let public: Vec<_> =
            routes.iter().filter(|route| route.get("auth").is_none()).map(|route| &route["name"]).collect();
        assert_eq!(public, ["requestPasswordReset", "resetPassword", "confirmEmailChange"]);
        for route in routes {
            let limit =
                route["rateLimit"].as_u64().unwrap_or_else(|| panic!("{} has no limit", route["name"]));
            assert!(limit <= 20, "{}", route["name"]);
        }
    }
}
