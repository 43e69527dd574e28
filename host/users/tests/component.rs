//! Accounts kept by a real component: the guest `accounts`, which keeps them in its key-value store.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use luckystack_capabilities::{Options, all};
use luckystack_plugins::engine::EngineSettings;
use luckystack_plugins::{Plugin, Runtime};
use luckystack_tests::guests::Guest;
use luckystack_topology::{KeyValueGrant, ServiceSettings};
use luckystack_users::component::{ComponentUsers, LivePlugin};
use luckystack_users::{NewUser, UserError, UserStore};
use parking_lot::RwLock;
use serde_json::json;

/// The runtime and the plugin that is live in it.
struct Host {
    runtime: Arc<Runtime>,
    live: Arc<RwLock<Option<Arc<Plugin>>>>,
}

impl Host {
    async fn start() -> Host {
        let settings = EngineSettings { max_instances: 8, ..EngineSettings::default() };
        let runtime = Runtime::start(&settings, all(Options::default()), None).unwrap();
        let host = Host { runtime: Arc::new(runtime), live: Arc::default() };
        host.swap(&Guest::Accounts.component()).await;
        host
    }

    /// Loads the component anew and makes it the live one.
    async fn swap(&self, component: &Path) {
        let mut settings =
            ServiceSettings { deadline: Duration::from_secs(30), ..ServiceSettings::default() };
        settings.grants.keyvalue = Some(KeyValueGrant::default());
        let service = self.runtime.service("accounts", Arc::new(settings)).unwrap();
        let (plugin, _) =
            self.runtime.load(component, &service).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(plugin.manifest().user_store);
        *self.live.write() = Some(plugin);
    }

    fn users(&self) -> ComponentUsers {
        let live = Arc::clone(&self.live);
        ComponentUsers::new(LivePlugin::new("accounts", move || live.read().clone()))
    }
}

fn ada(provider: &str) -> NewUser {
    NewUser {
        email: "ada@example.com".into(),
        name: "Ada".into(),
        provider: provider.into(),
        password: Some("$argon2id$hash".into()),
        language: "en".into(),
        ..NewUser::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_keeps_accounts() {
    let host = Host::start().await;
    let users = host.users();
    assert!(users.is_up().await);
    assert!(users.by_email("ada@example.com", None).await.unwrap().is_none());
    let created = users.create(ada("credentials"), true).await.unwrap();
    assert!(!created.id().is_empty());
    assert_eq!(users.by_id(created.id()).await.unwrap().unwrap(), created);
    assert_eq!(users.by_email("ada@example.com", Some("credentials")).await.unwrap().unwrap(), created);
    assert!(users.by_email("ada@example.com", Some("google")).await.unwrap().is_none());

    assert!(matches!(users.create(ada("google"), true).await, Err(UserError::EmailTaken)));
    assert!(matches!(users.create(ada("credentials"), false).await, Err(UserError::EmailTaken)));

    let changes = json!({ "theme": "dark", "name": null, "recoveryCodes": ["h1", "h2"] });
    let updated = users.update(created.id(), changes.as_object().unwrap().clone()).await.unwrap().unwrap();
    assert_eq!((updated.text("theme"), updated.text("name")), (Some("dark"), None));
    assert!(users.update("nobody", changes.as_object().unwrap().clone()).await.unwrap().is_none());

    assert!(users.spend_recovery_code(created.id(), "h1").await.unwrap());
    assert!(!users.spend_recovery_code(created.id(), "h1").await.unwrap());
    assert!(users.delete(created.id()).await.unwrap());
    assert!(!users.delete(created.id()).await.unwrap());
    assert!(users.by_id(created.id()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_spend_one_code_at_once_one_succeeds() {
    let host = Host::start().await;
    let users = Arc::new(host.users());
    let created = users.create(ada("credentials"), true).await.unwrap();
    let codes: Vec<_> = (0..20).map(|n| format!("h{n}")).collect();
    let changes = json!({ "recoveryCodes": codes });
    users.update(created.id(), changes.as_object().unwrap().clone()).await.unwrap();
    for code in codes.iter().take(5) {
        let spend = || {
            let (users, id, code) = (Arc::clone(&users), created.id().to_owned(), code.clone());
            tokio::spawn(async move { users.spend_recovery_code(&id, &code).await.unwrap() })
        };
        let tasks: Vec<_> = (0..4).map(|_| spend()).collect();
        let mut spent = 0;
        for task in tasks {
            spent += u32::from(task.await.unwrap());
        }
        assert_eq!(spent, 1, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_changes_who_answers_and_keeps_what_is_kept() {
    let host = Host::start().await;
    let users = host.users();
    let created = users.create(ada("credentials"), true).await.unwrap();
    *host.live.write() = None;
    assert!(!users.is_up().await);
    assert!(matches!(users.by_id(created.id()).await, Err(UserError::Store(_))));
    host.swap(&Guest::Accounts.component()).await;
    assert_eq!(users.by_id(created.id()).await.unwrap().unwrap(), created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_keeps_no_accounts_is_a_failed_store() {
    let host = Host::start().await;
    let service = host.runtime.service("relay", Arc::new(ServiceSettings::default())).unwrap();
    let (relay, _) = host.runtime.load(&Guest::Relay.component(), &service).await.unwrap();
    *host.live.write() = Some(relay);
    match host.users().by_id("u1").await {
        Err(UserError::Store(message)) => {
            assert!(message.contains("does not export user-store"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
