//! Reads the sections that say who may come in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    AccountStrategy, AppConfig, AuthConfig, BackplaneConfig, BackplaneStore, CookieConfig, EmailConfig,
    LockoutConfig, OAuthProviderConfig, OnConflict, PasswordHash, PasswordPolicyConfig, SameSite,
    SessionConfig, SessionsPerUser, UploadsConfig, UsersConfig,
};
use crate::document::Node;
use crate::reader::{
    Reader, Wrong, boolean, choice, duration, header_value, integer, limit, list, size, text, token, word,
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

impl AppConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        self.public_url = r.get("public_url", web_address);
        r.set("login_redirect_url", &mut self.login_redirect_url, page);
        self.oauth_callback_base = r.get("oauth_callback_base", web_address);
    }
}

impl BackplaneConfig {
    pub(in crate::project) fn read(r: &mut Reader<'_, '_>) -> Self {
        let stores = &[
            ("memory", BackplaneStore::Memory),
            ("sqlite", BackplaneStore::Sqlite),
            ("redis", BackplaneStore::Redis),
        ];
        let config =
            Self { store: r.get("store", choice(stores)), url: r.get("url", url_of(&["redis", "rediss"])) };
        if let (Some(BackplaneStore::Memory | BackplaneStore::Sqlite), Some(at)) =
            (config.store, r.place("url").filter(|_| config.url.is_some()).cloned())
        {
            let path = r.path_of("url");
            r.findings.push(
                at.error(
                    "invalid-value",
                    format!("`{path}` is the address of a Redis server, and `store` asks for another kind"),
                    "remove one of the two",
                )
                .key(path),
            );
        }
        config
    }
}

impl SessionConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("based_token", &mut self.based_token, boolean);
        r.set("expiry", &mut self.expiry, duration(SECOND..=YEAR));
        let kinds = &[("single", SessionsPerUser::Single), ("multiple", SessionsPerUser::Multiple)];
        r.set("per_user", &mut self.per_user, choice(kinds));
        r.set("max_concurrent_per_user", &mut self.max_concurrent_per_user, limit(1..=100_000));
        let ways = &[("revoke-old", OnConflict::RevokeOld), ("reject-new", OnConflict::RejectNew)];
        r.set("on_conflict", &mut self.on_conflict, choice(ways));
        r.set("notify_old_device_on_revoke", &mut self.notify_old_device_on_revoke, boolean);
        r.set("max_unknown_tokens", &mut self.max_unknown_tokens, limit(1..=u32::MAX));
        r.set("cache_entries", &mut self.cache_entries, integer(1..=100_000_000));
    }
}

impl CookieConfig {
    /// Its keys stand in `[http]`.
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("session_cookie_name", &mut self.name, token);
        let kinds = &[("Strict", SameSite::Strict), ("Lax", SameSite::Lax), ("None", SameSite::None)];
        r.set("session_cookie_same_site", &mut self.same_site, choice(kinds));
        r.set("session_cookie_path", &mut self.path, |node| {
            let path = header_value(node)?;
            if path.starts_with('/') && !path.contains(';') {
                return Ok(path);
            }
            Err(Wrong::value("is no path of a cookie", "write a path such as \"/\""))
        });
        self.secure = r.get("session_cookie_secure", boolean);
        r.set("accept_bearer_in_cookie_mode", &mut self.accept_bearer, boolean);
    }
}

impl AuthConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("enabled", &mut self.enabled, boolean);
        r.set("credentials", &mut self.credentials, boolean);
        r.set("allow_registration", &mut self.allow_registration, boolean);
        let hashes = &[("argon2id", PasswordHash::Argon2id), ("bcrypt", PasswordHash::Bcrypt)];
        r.set("passwords", &mut self.passwords, choice(hashes));
        r.set("bcrypt_rounds", &mut self.bcrypt_rounds, integer(4..=16));
        r.section("password_policy", |r| self.password_policy.read(r));
        r.set("email_max_length", &mut self.email_max_length, integer(3..=254));
        r.set("name_max_length", &mut self.name_max_length, integer(1..=1000));
        let strategies =
            &[("per-provider", AccountStrategy::PerProvider), ("unified", AccountStrategy::Unified)];
        r.set("provider_account_strategy", &mut self.account_strategy, choice(strategies));
        r.set("oauth_state_ttl", &mut self.oauth_state_ttl, duration(SECOND..=DAY));
        r.set("forgot_password", &mut self.forgot_password, boolean);
        r.set("password_reset_ttl", &mut self.password_reset_ttl, duration(SECOND..=7 * DAY));
        r.set("email_change_ttl", &mut self.email_change_ttl, duration(SECOND..=7 * DAY));
        r.set("email_change_confirm_path", &mut self.email_change_confirm_path, page);
        r.set("email_code_login", &mut self.email_code_login, boolean);
        r.set("email_code_ttl", &mut self.email_code_ttl, duration(SECOND..=DAY));
        r.set("email_code_length", &mut self.email_code_length, integer(4..=12));
        r.set("email_code_max_attempts", &mut self.email_code_max_attempts, integer(1..=100));
        r.set("two_factor", &mut self.two_factor, boolean);
        r.set("two_factor_email_fallback", &mut self.two_factor_email_fallback, boolean);
        r.set("two_factor_challenge_ttl", &mut self.two_factor_challenge_ttl, duration(SECOND..=DAY));
        r.set("two_factor_max_attempts", &mut self.two_factor_max_attempts, integer(1..=100));
    }
}

impl PasswordPolicyConfig {
    fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("min_length", &mut self.min_length, integer(1..=72));
        r.set("max_length", &mut self.max_length, integer(8..=1000));
        r.set("require_uppercase", &mut self.require_uppercase, boolean);
        r.set("require_lowercase", &mut self.require_lowercase, boolean);
        r.set("require_number", &mut self.require_number, boolean);
        r.set("require_special", &mut self.require_special, boolean);
        r.set("forbid_common", &mut self.forbid_common, boolean);
        if let (true, Some(at)) = (self.min_length > self.max_length, r.place("min_length").cloned()) {
            let path = r.path_of("min_length");
            r.findings.push(
                at.error(
                    "invalid-value",
                    format!("`{path}` is more than `max_length`: no password would do"),
                    "lower min_length or raise max_length",
                )
                .key(path),
            );
        }
    }
}

impl LockoutConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("enabled", &mut self.enabled, boolean);
        r.set("max_attempts", &mut self.max_attempts, integer(1..=1_000_000));
        r.set("max_attempts_per_account", &mut self.max_attempts_per_account, integer(1..=1_000_000));
        r.set("window", &mut self.window, duration(SECOND..=DAY));
    }
}

impl UsersConfig {
    pub(in crate::project) fn read(r: &mut Reader<'_, '_>) -> Self {
        let config = Self {
            url: r.get("url", url_of(&["postgres", "postgresql"])),
            component: r.get("component", |node| {
                let name = word(node)?;
                crate::names::validate_service_name(&name).map(|_| name).map_err(|error| {
                    Wrong::value(
                        error.to_string(),
                        "write the name of a service whose plugin keeps the users",
                    )
                })
            }),
        };
        if let (Some(at), true) = (r.place("component").cloned(), config.url.is_some()) {
            let path = r.path_of("component");
            r.findings.push(
                at.error(
                    "invalid-value",
                    format!("`{path}` and `users.url` both say where users are kept"),
                    "remove one of the two",
                )
                .key(path),
            );
        }
        config
    }
}

/// Reads `[oauth.NAME]` sections.
pub(in crate::project) fn read_oauth(r: &mut Reader<'_, '_>) -> BTreeMap<String, OAuthProviderConfig> {
    let mut providers = BTreeMap::new();
    for (name, entry) in r.open("oauth") {
        let is_name = !name.is_empty()
            && name.len() <= 32
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name || ["credentials", "2fa", "email-code"].contains(&name) {
            let path = r.path_of(&format!("oauth.{name}"));
            Wrong::value(
                "cannot be the name of a provider",
                "use lower-case letters, digits and dashes; credentials, 2fa and email-code are taken",
            )
            .report(&entry.at, &path, r.findings);
            continue;
        }
        let provider = r.inside("oauth", name, entry, |r| OAuthProviderConfig {
            client_id: r.get("client_id", word),
            client_secret: r.get("client_secret", word),
            issuer: r.get("issuer", web_address),
            authorization_url: r.get("authorization_url", web_address),
            token_url: r.get("token_url", web_address),
            userinfo_url: r.get("userinfo_url", web_address),
            scopes: r.get("scopes", list(word)),
            tenant: r.get("tenant", word),
        });
        providers.insert(name.to_owned(), provider);
    }
    providers
}

impl EmailConfig {
    pub(in crate::project) fn read(r: &mut Reader<'_, '_>) -> Self {
        let config = Self {
            from: r.get("from", header_value),
            smtp_url: r.get("smtp_url", url_of(&["smtp", "smtps"])),
        };
        if let (Some(at), None) = (r.place("smtp_url").cloned(), &config.from) {
            let path = r.path_of("from");
            r.findings.push(
                at.error(
                    "missing-key",
                    format!("e-mails need a sender: `{path}`"),
                    "write from = \"App <no-reply@example.com>\"",
                )
                .key(path),
            );
        }
        config
    }
}

impl UploadsConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("max_bytes", &mut self.max_bytes, size(1..=64 << 20));
        r.set(
            "formats",
            &mut self.formats,
            list(|node| {
                let known = &[
                    ("webp", "webp"),
                    ("png", "png"),
                    ("jpg", "jpg"),
                    ("jpeg", "jpeg"),
                    ("gif", "gif"),
                    ("avif", "avif"),
                ];
                choice::<&str>(known)(node).map(str::to_owned)
            }),
        );
    }
}

/// An `http` or `https` address without a slash at its end.
fn web_address(node: &Node) -> Result<String, Wrong> {
    let address = url_of(&["http", "https"])(node)?;
    Ok(address.trim_end_matches('/').to_owned())
}

fn url_of(schemes: &'static [&'static str]) -> impl Fn(&Node) -> Result<String, Wrong> {
    move |node| {
        let address = word(node)?;
        let fits = url::Url::parse(&address)
            .is_ok_and(|url| schemes.contains(&url.scheme()) && url.host().is_some());
        if fits {
            return Ok(address);
        }
        // The address may hold a password: it is not repeated.
        Err(Wrong::value(
            "is no address of the right kind",
            format!("write {}://HOST…", schemes.join(":// or ")),
        ))
    }
}

/// A page of the front end.
fn page(node: &Node) -> Result<String, Wrong> {
    let path = text(node)?;
    let is_path = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    if is_path && path.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(path);
    }
    Err(Wrong::value("is no page of the front end", "write a path such as \"/welcome\""))
}
