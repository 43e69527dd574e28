//! From a configuration to a front door: sessions, accounts, providers, e-mail.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use luckystack_backplane::{Keys, SharedBackplane};
use luckystack_http::{Access, TestReset};
use luckystack_identity::{Identity, Mailer, Parts, SentMessage};
use luckystack_oauth::{OAuth, ProviderSetup, known_providers};
use luckystack_sessions::{Hooks, Sessions};
use luckystack_topology::{OAuthProviderConfig, ProjectConfig};
use luckystack_users::SharedUsers;
use tracing::Level;

use crate::serve::is_production;
use crate::terminal::{note, note_at};

/// What the front door stands on.
pub(crate) struct Ground {
    pub(crate) backplane: SharedBackplane,
    /// None on a host without login.
    pub(crate) users: Option<SharedUsers>,
    pub(crate) hooks: Arc<dyn Hooks>,
    /// Whether a login may return to an origin.
    pub(crate) may_return_to: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Where this host is reached, when nothing else is configured.
    pub(crate) url: String,
}

/// Opens the front door.
pub(crate) async fn open(project: &ProjectConfig, ground: Ground) -> anyhow::Result<Access> {
    let Ground { backplane, users, hooks, may_return_to, url } = ground;
    let mut access = Access {
        identity: None,
        backplane: Arc::clone(&backplane),
        hooks: Arc::clone(&hooks),
        secure_cookies: is_production()
            || env("SECURE").is_some_and(|secure| secure == "true")
            || project.tls.is_some(),
        test_reset: TestReset {
            enabled: env("NODE_ENV").is_some_and(|env| env == "development" || env == "test"),
            token: env("TEST_RESET_TOKEN"),
        },
    };
    let Some(users) = users else { return Ok(access) };
    let sessions =
        Sessions::open(&project.name, &project.session, Arc::clone(&backplane), Arc::clone(&hooks))
            .await
            .context("the sessions cannot be opened")?;
    let callback_base =
        project.app.oauth_callback_base.as_ref().or(project.app.public_url.as_ref()).unwrap_or(&url);
    let keys = Keys::new(&project.name);
    let oauth = OAuth::new(
        providers(project),
        callback_base,
        project.auth.oauth_state_ttl,
        Arc::clone(&backplane),
        keys.clone(),
    )
    .map_err(|problem| anyhow!(problem))?;
    let mailer =
        Mailer::new(&project.email, is_production(), Arc::new(show)).map_err(|problem| anyhow!(problem))?;
    access.identity = Some(Identity::new(
        project,
        Parts {
            sessions,
            users,
            oauth,
            mailer,
            backplane,
            keys,
            hooks,
            may_return_to,
            totp_key: env("TOTP_ENCRYPTION_KEY"),
            totp_legacy_keys: env("TOTP_ENCRYPTION_LEGACY_KEYS")
                .map(|keys| keys.split(',').map(|key| key.trim().to_owned()).collect())
                .unwrap_or_default(),
        },
    ));
    Ok(access)
}

/// The providers that have an id and a secret (§5.6).
fn providers(project: &ProjectConfig) -> Vec<ProviderSetup> {
    let known = known_providers().iter().map(|name| (*name).to_owned());
    let mut names: Vec<String> = known.chain(project.oauth.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter_map(|name| setup(&name, project.oauth.get(&name))).collect()
}

fn setup(name: &str, config: Option<&OAuthProviderConfig>) -> Option<ProviderSetup> {
    let prefix = if is_production() { "" } else { "DEV_" };
    let variable = |what: &str| format!("{prefix}{}_CLIENT_{what}", name.to_uppercase().replace('-', "_"));
    let of = |configured: Option<&String>, what| configured.cloned().or_else(|| env(&variable(what)));
    let client_id = of(config.and_then(|config| config.client_id.as_ref()), "ID");
    let client_secret = of(config.and_then(|config| config.client_secret.as_ref()), "SECRET");
    let (Some(client_id), Some(client_secret)) = (&client_id, &client_secret) else {
        let missing = if client_id.is_none() { ("client_id", "ID") } else { ("client_secret", "SECRET") };
        // A provider that nobody spoke of is off without a word.
        if config.is_some() || client_id.is_some() || client_secret.is_some() {
            note_at(
                Level::WARN,
                format!(
                    "warning: the login provider {name} is off: write {} into [oauth.{name}], or set {}",
                    missing.0,
                    variable(missing.1)
                ),
            );
        }
        return None;
    };
    let mut config = config.cloned().unwrap_or_default();
    if name == "microsoft" && config.tenant.is_none() {
        config.tenant = env("MICROSOFT_TENANT_ID");
    }
    Some(ProviderSetup {
        name: name.to_owned(),
        client_id: client_id.clone(),
        client_secret: client_secret.clone(),
        config,
    })
}

/// The development outbox: messages in the terminal, so that codes and links are at hand.
fn show(message: &SentMessage) {
    note(format!("e-mail    to {}: {}", message.to, message.subject));
    for line in message.text.lines() {
        note(format!("        | {line}"));
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
