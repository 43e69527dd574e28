//! The sections of `project.toml` that say who may come in: `[app]`, `[backplane]`, `[session]`,
//! `[auth]`, `[users]`, `[oauth.NAME]`, `[email]`, `[uploads]` (wire protocol §5, §12.1).

mod read;

use std::time::Duration;

pub(super) use read::read_oauth;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// `[app]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppConfig {
    /// `public_url`: where people reach the front end, such as `https://app.example.com`, without a slash
    /// at its end. Links in e-mails and redirects after a login begin with it.
    pub public_url: Option<String>,
    /// `login_redirect_url` (`/`): where a login that names no page ends.
    pub login_redirect_url: String,
    /// `oauth_callback_base`: scheme and host that providers send people back to; `public_url` when absent.
    pub oauth_callback_base: Option<String>,
}

/// `[backplane]`: where sessions, counters and one-time codes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackplaneConfig {
    /// `store`; when absent Redis if an address of one is known, else SQLite.
    pub store: Option<BackplaneStore>,
    /// `url`: `redis://…` or `rediss://…`. `REDIS_URL` and `REDIS_HOST` (§5.1) say it too.
    pub url: Option<String>,
}

/// The kinds of backplane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackplaneStore {
    /// This process's memory: a restart forgets everybody.
    Memory,
    /// One file in `paths.data`: survives restarts, belongs to one host.
    Sqlite,
    /// Shared by many hosts.
    Redis,
}

/// `[session]` (§5.1 to 5.4)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// `based_token` (false): token mode; cookie mode otherwise.
    pub based_token: bool,
    /// `expiry` (7 days), sliding.
    pub expiry: Duration,
    /// `per_user` (`single`): how many sessions one user may have.
    pub per_user: SessionsPerUser,
    /// `max_concurrent_per_user` (`false`), for `multiple`.
    pub max_concurrent_per_user: Option<u32>,
    /// `on_conflict` (`revoke-old`): what a login over the limit does.
    pub on_conflict: OnConflict,
    /// `notify_old_device_on_revoke` (true): send `sessionReplaced` before the logout.
    pub notify_old_device_on_revoke: bool,
    /// `max_unknown_tokens` (100; `false` for no limit): different unknown tokens that one address may
    /// present in a minute; beyond it tokens that are not cached are refused with 429.
    pub max_unknown_tokens: Option<u32>,
    /// `cache_entries` (100 000): sessions kept in memory, at about 1 KB each.
    pub cache_entries: u32,
}

/// How many sessions one user may have (§5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionsPerUser {
    /// A login ends all others.
    Single,
    /// Up to `max_concurrent_per_user`.
    Multiple,
}

/// What a login beyond the limit does (§5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// Ends the oldest sessions.
    RevokeOld,
    /// Is refused.
    RejectNew,
}

/// How session cookies are made (`[http]`, §5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieConfig {
    /// `session_cookie_name` (`token`)
    pub name: String,
    /// `session_cookie_same_site` (`Strict`)
    pub same_site: SameSite,
    /// `session_cookie_path` (`/`)
    pub path: String,
    /// `session_cookie_secure`; when absent, true with `SECURE=true` or in production.
    pub secure: Option<bool>,
    /// `accept_bearer_in_cookie_mode` (false): `Authorization: Bearer` beside the cookie.
    pub accept_bearer: bool,
}

/// `SameSite` of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// `Strict`
    Strict,
    /// `Lax`
    Lax,
    /// `None`, which browsers take only with `Secure`.
    None,
}

/// `[auth]` (§5.5 to 5.7)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// `enabled` (true): false is a host without login: no users, and CSRF by a cookie of its own.
    pub enabled: bool,
    /// `credentials` (true): e-mail and password.
    pub credentials: bool,
    /// `allow_registration` (true)
    pub allow_registration: bool,
    /// `passwords` (`argon2id`): how passwords are hashed. `bcrypt` keeps the users usable by Node servers.
    pub passwords: PasswordHash,
    /// `bcrypt_rounds` (10)
    pub bcrypt_rounds: u32,
    /// `[auth.password_policy]`
    pub password_policy: PasswordPolicyConfig,
    /// `email_max_length` (191)
    pub email_max_length: u32,
    /// `name_max_length` (191)
    pub name_max_length: u32,
    /// `provider_account_strategy` (`per-provider`)
    pub account_strategy: AccountStrategy,
    /// `oauth_state_ttl` (10 min)
    pub oauth_state_ttl: Duration,
    /// `forgot_password` (false): whether password resets can be asked for.
    pub forgot_password: bool,
    /// `password_reset_ttl` (1 h)
    pub password_reset_ttl: Duration,
    /// `email_change_ttl` (1 h)
    pub email_change_ttl: Duration,
    /// `email_change_confirm_path` (`/confirm-email-change`)
    pub email_change_confirm_path: String,
    /// `email_code_login` (false)
    pub email_code_login: bool,
    /// `email_code_ttl` (10 min)
    pub email_code_ttl: Duration,
    /// `email_code_length` (6)
    pub email_code_length: u32,
    /// `email_code_max_attempts` (5)
    pub email_code_max_attempts: u32,
    /// `two_factor` (false): whether users can protect their account with a second factor.
    pub two_factor: bool,
    /// `two_factor_email_fallback` (true): a code by e-mail instead of the authenticator's.
    pub two_factor_email_fallback: bool,
    /// `two_factor_challenge_ttl` (5 min)
    pub two_factor_challenge_ttl: Duration,
    /// `two_factor_max_attempts` (5)
    pub two_factor_max_attempts: u32,
}

/// How passwords are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PasswordHash {
    /// argon2id; bcrypt hashes of users who came from elsewhere are verified and replaced at login.
    Argon2id,
    /// bcrypt, as the Node framework writes them.
    Bcrypt,
}

/// Whether one person has one account per provider or one for all (§5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountStrategy {
    /// The same e-mail may exist once per provider.
    PerProvider,
    /// One account per e-mail; OAuth joins it when the provider verified the e-mail.
    Unified,
}

/// `[auth.password_policy]` (§5.5)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordPolicyConfig {
    /// `min_length` (8), in characters.
    pub min_length: u32,
    /// `max_length` (191), in characters; 72 bytes hold besides.
    pub max_length: u32,
    /// `require_uppercase` (false)
    pub require_uppercase: bool,
    /// `require_lowercase` (false)
    pub require_lowercase: bool,
    /// `require_number` (false)
    pub require_number: bool,
    /// `require_special` (false)
    pub require_special: bool,
    /// `forbid_common` (true)
    pub forbid_common: bool,
}

/// `[rate_limiting.auth]`: lockout after wrong passwords (§5.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockoutConfig {
    /// `enabled` (true; the original's default is false)
    pub enabled: bool,
    /// `max_attempts` (5) a window for one e-mail from one address.
    pub max_attempts: u32,
    /// `max_attempts_per_account` (50) a window for one e-mail from anywhere.
    pub max_attempts_per_account: u32,
    /// `window` (15 min)
    pub window: Duration,
}

/// `[users]`: where accounts are kept. One of `url` and `component`, or neither for SQLite in `paths.data`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsersConfig {
    /// `url`: `postgres://…`.
    pub url: Option<String>,
    /// `component`: the service with a plugin that exports the user store.
    pub component: Option<String>,
}

/// `[oauth.NAME]`: one provider. Those that the host knows (google, github, discord, facebook, microsoft)
/// need no section: client id and secret in the environment switch them on (§5.6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OAuthProviderConfig {
    /// `client_id`; else `<NAME>_CLIENT_ID`, with `DEV_` before it outside production.
    pub client_id: Option<String>,
    /// `client_secret`; else `<NAME>_CLIENT_SECRET` likewise.
    pub client_secret: Option<String>,
    /// `issuer`: an OpenID Connect issuer; its endpoints are discovered and its ID tokens verified.
    pub issuer: Option<String>,
    /// `authorization_url`, over what is known or discovered.
    pub authorization_url: Option<String>,
    /// `token_url` likewise.
    pub token_url: Option<String>,
    /// `userinfo_url` likewise.
    pub userinfo_url: Option<String>,
    /// `scopes` likewise.
    pub scopes: Option<Vec<String>>,
    /// `tenant` (`common`), microsoft only; else `MICROSOFT_TENANT_ID`.
    pub tenant: Option<String>,
}

/// `[email]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmailConfig {
    /// `from`: `App <no-reply@example.com>`; needed with `smtp_url`.
    pub from: Option<String>,
    /// `smtp_url`: `smtps://user:password@host:465`, `smtp://host:587?tls=required`. Without it messages
    /// are shown in the terminal in development, and cannot be sent in production.
    pub smtp_url: Option<String>,
}

/// `[uploads]`: files that services put up for everybody to read (§6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadsConfig {
    /// `max_bytes` (512 KiB) of one file.
    pub max_bytes: u64,
    /// `formats` (`["webp"]`): extensions tried in this order.
    pub formats: Vec<String>,
}

// ---------------------------------------------------------------------------------------------
// Defaults

impl Default for AppConfig {
    fn default() -> Self {
        Self { public_url: None, login_redirect_url: "/".to_owned(), oauth_callback_base: None }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            based_token: false,
            expiry: 7 * DAY,
            per_user: SessionsPerUser::Single,
            max_concurrent_per_user: None,
            on_conflict: OnConflict::RevokeOld,
            notify_old_device_on_revoke: true,
            max_unknown_tokens: Some(100),
            cache_entries: 100_000,
        }
    }
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: "token".to_owned(),
            same_site: SameSite::Strict,
            path: "/".to_owned(),
            secure: None,
            accept_bearer: false,
        }
    }
}

impl SameSite {
    /// As a cookie says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            credentials: true,
            allow_registration: true,
            passwords: PasswordHash::Argon2id,
            bcrypt_rounds: 10,
            password_policy: PasswordPolicyConfig::default(),
            email_max_length: 191,
            name_max_length: 191,
            account_strategy: AccountStrategy::PerProvider,
            oauth_state_ttl: Duration::from_secs(600),
            forgot_password: false,
            password_reset_ttl: Duration::from_secs(3600),
            email_change_ttl: Duration::from_secs(3600),
            email_change_confirm_path: "/confirm-email-change".to_owned(),
            email_code_login: false,
            email_code_ttl: Duration::from_secs(600),
            email_code_length: 6,
            email_code_max_attempts: 5,
            two_factor: false,
            two_factor_email_fallback: true,
            two_factor_challenge_ttl: Duration::from_secs(300),
            two_factor_max_attempts: 5,
        }
    }
}

impl Default for PasswordPolicyConfig {
    fn default() -> Self {
        Self {
            min_length: 8,
            max_length: 191,
            require_uppercase: false,
            require_lowercase: false,
            require_number: false,
            require_special: false,
            forbid_common: true,
        }
    }
}

impl Default for LockoutConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            max_attempts: 5,
            max_attempts_per_account: 50,
            window: Duration::from_secs(900),
        }
    }
}

impl Default for UploadsConfig {
    fn default() -> Self {
        Self { max_bytes: 512 << 10, formats: vec!["webp".to_owned()] }
    }
}
