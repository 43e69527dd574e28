//! Logging in through another provider (§5.6): from its profile to an account, a session and a page.
//!
//! A provider's person is recognised by e-mail, as Node servers of the same app do, because user records
//! hold no provider ids. What follows from that:
//!
//! - Two accounts at one provider with the same e-mail are one user here. With a provider that lets people
//!   claim e-mails that are not theirs, that is a way into other people's accounts: do not switch one on.
//! - Under the unified strategy an account of another provider (or of e-mail and password) is joined only
//!   when this provider vouches for the e-mail. Nobody can vouch for whoever registered first: where people
//!   can register with e-mails that they never prove, they may wait for the owner to come by OAuth.

use std::sync::Arc;

use luckystack_oauth::{OAuthError, Profile};
use luckystack_sessions::Session;
use luckystack_users::{NewUser, User};
use serde_json::json;

use crate::arrival::{Arrival, Failure};
use crate::avatar::fallback_colour;
use crate::email_address;
use crate::identity::{AuthRequest, Begin, Callback, Identity};
use crate::input::{escape_html, is_longer};
use crate::redirect;
use crate::refusal::{BROKEN, Refusal};
use crate::settings::Settings;
use crate::throttle::Bucket;

/// `reason` of everything that is wrong with a profile or its account.
const UNRESOLVED: &str = "oauth.userResolveFailed";

impl Identity {
    /// `GET /auth/api/<provider>` (§5.6).
    pub async fn oauth_begin(
        &self,
        provider: &str,
        return_url: Option<&str>,
        request: AuthRequest<'_>,
    ) -> Begin {
        match self.try_oauth_begin(provider, return_url, request).await {
            Ok(begin) => begin,
            Err(refusal) if refusal.reason == BROKEN => Begin::Reply(refusal.status(500).reply()),
            Err(refusal) => Begin::Reply(refusal.reply()),
        }
    }

    async fn try_oauth_begin(
        &self,
        provider: &str,
        return_url: Option<&str>,
        request: AuthRequest<'_>,
    ) -> Result<Begin, Refusal> {
        let settings = self.settings();
        if !settings.auth.enabled {
            return Err(Refusal::of("auth.disabled"));
        }
        self.throttle(&settings, Bucket::of_api("oauth-init", &settings), request.ip).await?;
        // Judged at the end, under the configuration of that time; only its length matters now.
        let return_url = return_url.filter(|url| url.len() <= redirect::MAX_BYTES);
        match self.oauth().begin(provider, return_url).await {
            Ok(begun) => Ok(Begin::Redirect { location: begun.location, nonce: begun.nonce }),
            Err(error @ OAuthError::UnknownProvider(_)) => Err(Refusal::of(error.reason())),
            Err(error) => {
                tracing::error!(%error, provider, "a login could not begin");
                Err(Refusal::of("login.oauthStateInitFailed").status(500))
            }
        }
    }

    /// `GET /auth/callback/<provider>` (§5.6).
    pub async fn oauth_callback(
        &self,
        provider: &str,
        callback: luckystack_oauth::Callback<'_>,
        request: AuthRequest<'_>,
    ) -> Callback {
        let settings = self.settings();
        if !settings.auth.enabled {
            return Callback::Failed;
        }
        let completed = match self.oauth().complete(provider, callback).await {
            Ok(completed) => completed,
            Err(error) => {
                tracing::warn!(%error, provider, "an OAuth login failed");
                let failure = Failure { email: None, provider, stage: "oauth", ip: request.ip };
                self.tell_failure(&failure, &Refusal::of(error.reason()));
                return Callback::Failed;
            }
        };
        match self.log_in_by_profile(&settings, &completed.profile, request).await {
            Ok(session) => {
                let may_return_to = |origin: &str| self.may_return_to(origin);
                let location = redirect::target(completed.return_url.as_deref(), &settings, may_return_to);
                Callback::Redirect { location, session }
            }
            Err(refusal) => {
                tracing::info!(reason = %refusal.reason, provider, "an OAuth login was refused");
                let email = Some(&*completed.profile.email).filter(|email| !email.is_empty());
                let failure = Failure { email, provider, stage: "oauth", ip: request.ip };
                self.tell_failure(&failure, &refusal);
                Callback::Failed
            }
        }
    }

    async fn log_in_by_profile(
        &self,
        settings: &Settings,
        profile: &Profile,
        request: AuthRequest<'_>,
    ) -> Result<Arc<Session>, Refusal> {
        let email = email_address::normalise(&profile.email);
        if !email_address::is_valid(&email) || is_longer(&email, settings.auth.email_max_length) {
            tracing::warn!(provider = profile.provider, "the provider gave no e-mail that can be used");
            return Err(Refusal::of(UNRESOLVED));
        }
        let payload = || json!({ "email": email, "provider": profile.provider });
        if let Some(stop) = self.ask("preLogin", payload).await {
            return Err(stop.into());
        }
        let (user, is_new) = match self.account_of(settings, &email, &profile.provider).await? {
            Some(user) => (may_join(user, profile)?, false),
            None => self.register_by_profile(settings, profile, &email, request).await?,
        };
        self.sign_in(Arrival { user, provider: &profile.provider, is_new }, request).await
    }

    /// The new account, or that of somebody who was faster; and whether it is new.
    async fn register_by_profile(
        &self,
        settings: &Settings,
        profile: &Profile,
        email: &str,
        request: AuthRequest<'_>,
    ) -> Result<(User, bool), Refusal> {
        if !settings.auth.allow_registration {
            return Err(Refusal::of("auth.registrationDisabled"));
        }
        let name = display_name(&profile.name, email, settings.auth.name_max_length);
        let payload = || json!({ "email": email, "provider": profile.provider, "name": name });
        if let Some(stop) = self.ask("preRegister", payload).await {
            return Err(stop.into());
        }
        let new = NewUser {
            email: email.to_owned(),
            name: name.clone(),
            provider: profile.provider.clone(),
            password: None,
            avatar: picture(&profile.avatar).to_owned(),
            avatar_fallback: fallback_colour(),
            language: request.language.to_owned(),
        };
        match self.create_user(settings, new).await {
            Ok(user) => Ok((user, true)),
            Err(refusal) if refusal.reason == "login.emailExists" => {
                let user = self.account_of(settings, email, &profile.provider).await?.ok_or(refusal)?;
                Ok((may_join(user, profile)?, false))
            }
            Err(refusal) => Err(refusal),
        }
    }
}

/// The account, unless it is another provider's and this one does not vouch for the e-mail.
fn may_join(user: User, profile: &Profile) -> Result<User, Refusal> {
    if profile.email_verified || user.text("provider") == Some(&profile.provider) {
        return Ok(user);
    }
    tracing::warn!(
        provider = profile.provider,
        user = user.id(),
        "a login was refused: its e-mail has an account already, and the provider does not vouch for it"
    );
    Err(Refusal::of(UNRESOLVED).user(user.id()))
}

/// The provider's name of a person as records hold it; the e-mail's local part when there is none.
fn display_name(name: &str, email: &str, longest: u32) -> String {
    let name = name.trim();
    let name = if name.is_empty() { email.split('@').next().unwrap_or(email) } else { name };
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    escape_html(&name.chars().take(longest).collect::<String>())
}

/// The address of a picture, if browsers may load it as one.
fn picture(address: &str) -> &str {
    let is_picture = ["https://", "http://", "data:image/"].iter().any(|scheme| address.starts_with(scheme));
    if is_picture { address } else { "" }
}

#[cfg(test)]
mod tests {
    use luckystack_oauth::Profile;
    use luckystack_users::User;
    use serde_json::json;

    use super::{display_name, may_join, picture};

    #[test]
    fn only_a_vouched_for_e_mail_joins_another_providers_account() {
        let user = |provider: &str| {
            let fields = json!({ "id": "1", "email": "ann@example.com", "provider": provider });
            User::from_fields(fields.as_object().unwrap().clone()).unwrap()
        };
        let profile = |email_verified| Profile {
            provider: "google".into(),
            subject: "7".into(),
            email: "ann@example.com".into(),
            email_verified,
            name: "Ann".into(),
            avatar: String::new(),
        };
        assert!(may_join(user("credentials"), &profile(true)).is_ok());
        assert!(may_join(user("google"), &profile(false)).is_ok());
        let refused = may_join(user("credentials"), &profile(false)).unwrap_err();
        assert_eq!(refused.reason, "oauth.userResolveFailed");
        assert_eq!(refused.user_id.as_deref(), Some("1"));
    }

    #[test]
    fn names_are_escaped_and_bounded() {
        assert_eq!(display_name(" <Ann> ", "x@example.com", 191), "&lt;Ann&gt;");
        assert_eq!(display_name("  ", "ann@example.com", 191), "ann");
        assert_eq!(display_name("äöüß", "x@example.com", 2), "äö");
    }

    #[test]
    fn pictures_are_addresses_of_pictures() {
        assert_eq!(picture("https://example.com/a.png"), "https://example.com/a.png");
        assert_eq!(picture("javascript:alert(1)"), "");
        assert_eq!(picture("data:text/html,x"), "");
    }
}
