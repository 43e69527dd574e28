//! Where sessions, counters and accounts are kept: opened before the host is ready, closed after its end.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use luckystack_backplane::{Memory, Redis, SharedBackplane, Sqlite};
use luckystack_topology::{BackplaneStore, ProjectConfig, RateLimitStore};
use luckystack_users::SharedUsers;

/// Sessions, counters, one-time codes.
const BACKPLANE_FILE: &str = "backplane.sqlite";
/// Accounts.
const USERS_FILE: &str = "users.sqlite";

/// What is open.
pub(crate) struct Stores {
    pub(crate) backplane: SharedBackplane,
    /// The same, where it is a Redis server: other hosts are met there.
    pub(crate) redis: Option<Arc<Redis>>,
    /// None where a component keeps them, or on a host without login.
    pub(crate) users: Option<SharedUsers>,
    /// What they are, for people.
    pub(crate) description: String,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").field("description", &self.description).finish_non_exhaustive()
    }
}

impl Stores {
    /// Finishes what is under way and lets go of files and connections.
    pub(crate) async fn close(&self) {
        if let Some(users) = &self.users {
            users.close().await;
        }
        self.backplane.close().await;
    }
}

/// Opens both.
pub(crate) async fn open(project: &ProjectConfig) -> anyhow::Result<Stores> {
    let (backplane, users) = tokio::try_join!(open_backplane(project), open_users(project))
        .context("the host cannot keep its state")?;
    let (backplane, redis, kept_in) = backplane;
    let (users, accounts_in) = users;
    let description = match accounts_in {
        Some(accounts_in) => format!("sessions  {kept_in}\naccounts  {accounts_in}"),
        None => "accounts  none: auth.enabled = false".to_owned(),
    };
    Ok(Stores { backplane, redis, users, description })
}

async fn open_backplane(
    project: &ProjectConfig,
) -> anyhow::Result<(SharedBackplane, Option<Arc<Redis>>, String)> {
    let config = &project.backplane;
    let address = config.url.clone().or_else(|| redis_address(|name| std::env::var(name).ok()));
    let store = config.store.unwrap_or(match address {
        Some(_) => BackplaneStore::Redis,
        None => BackplaneStore::Sqlite,
    });
    if project.rate_limiting.store == RateLimitStore::Redis && store != BackplaneStore::Redis {
        bail!(
            "rate_limiting.store is \"redis\" and no Redis server is known; write its address as backplane.url (or in REDIS_URL), or count in memory"
        );
    }
    Ok(match (store, address) {
        (BackplaneStore::Memory, _) => {
            (Arc::new(Memory::new()), None, "in memory: a restart logs everybody out".to_owned())
        }
        (BackplaneStore::Sqlite, _) => {
            let file = project.paths.data.join(BACKPLANE_FILE);
            (Arc::new(Sqlite::open(&file).await?), None, shown(&file))
        }
        (BackplaneStore::Redis, Some(address)) => {
            let redis = Arc::new(Redis::connect(&address).await?);
            let kept_in = format!("redis at {}", without_secrets(&address));
            (Arc::clone(&redis) as SharedBackplane, Some(redis), kept_in)
        }
        (BackplaneStore::Redis, None) => {
            bail!(
                "backplane.store is \"redis\"; write the server's address as backplane.url, or in REDIS_URL"
            )
        }
    })
}

async fn open_users(project: &ProjectConfig) -> anyhow::Result<(Option<SharedUsers>, Option<String>)> {
    if !project.auth.enabled {
        return Ok((None, None));
    }
    if let Some(service) = &project.users.component {
        return Ok((None, Some(format!("in the service {service}"))));
    }
    if let Some(url) = &project.users.url {
        let store = luckystack_users::Postgres::open(url).await?;
        return Ok((Some(Arc::new(store)), Some(format!("postgres at {}", without_secrets(url)))));
    }
    let file = project.paths.data.join(USERS_FILE);
    let store = luckystack_users::Sqlite::open(&file).await?;
    Ok((Some(Arc::new(store)), Some(shown(&file))))
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// The address that the environment knows: `REDIS_URL`, else the parts of §5.1.
fn redis_address(env: impl Fn(&str) -> Option<String>) -> Option<String> {
    let of = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    if let Some(url) = of("REDIS_URL") {
        return Some(url);
    }
    let host = of("REDIS_HOST")?;
    let mut url = url::Url::parse("redis://localhost").ok()?;
    url.set_host(Some(&host)).ok()?;
    let port = of("REDIS_PORT").and_then(|port| port.parse().ok()).unwrap_or(6379);
    url.set_port(Some(port)).ok()?;
    // The setters escape what an address cannot hold.
    if let Some(user) = of("REDIS_USER") {
        url.set_username(&user).ok()?;
    }
    if let Some(password) = of("REDIS_PASSWORD") {
        url.set_password(Some(&password)).ok()?;
    }
    Some(url.into())
}

/// Host, port and path of an address.
fn without_secrets(address: &str) -> String {
    let Ok(url) = url::Url::parse(address) else { return "its address".to_owned() };
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_redis_server() {
        let address = |pairs: &[(&str, &str)]| {
            redis_address(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(address(&[]), None);
        assert_eq!(address(&[("REDIS_PORT", "1")]), None);
        assert_eq!(address(&[("REDIS_URL", "redis://a:1"), ("REDIS_HOST", "b")]).unwrap(), "redis://a:1");
        assert_eq!(address(&[("REDIS_HOST", "b")]).unwrap(), "redis://b:6379");
        let all = [
            ("REDIS_HOST", "b"),
            ("REDIS_PORT", "7000"),
            ("REDIS_USER", "me"),
            ("REDIS_PASSWORD", "p@ss/word"),
        ];
        assert_eq!(address(&all).unwrap(), "redis://me:p%40ss%2Fword@b:7000");
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        assert_eq!(without_secrets("redis://me:secret@b:7000/1"), "b:7000/1");
        assert_eq!(
            without_secrets("postgres://u:p@db.example.com/app?sslmode=require"),
            "db.example.com/app"
        );
    }
}
