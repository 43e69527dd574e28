//! Many hosts, and Node servers of the same app among them: keys and values are those of wire protocol
//! §5.1, plain strings, sets and integers. Redis 6.2 or later.
//!
//! Three connections, each of which comes back by itself: one for commands, one for messages, one for
//! the changes of keys. While the first is down, commands fail at once.

mod bus;
mod error;
mod link;
mod roles;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use redis::{Client, Cmd, FromRedisValue, IntoConnectionInfo as _, ProtocolVersion, RedisError, Script};
use redis::{ScriptInvocation, cmd};

pub use self::bus::RedisBus;
use self::link::{Link, Outage, PATIENCE};
use self::roles::{Changes, Commands, Messages};
use crate::{Answer, Backplane, BackplaneError, Changed, Count, Living, integer, life};

/// How long a copy may stand that a silent loss made stale: a ping's interval and this.
const WATCH_PATIENCE: Duration = Duration::from_secs(1);
/// Keys looked at in one step of clearing.
const SCAN_STEP: u32 = 1000;

/// State in a Redis server.
pub struct Redis {
    address: String,
    client: Client,
    commands: Link,
    messages: (Link, Arc<Messages>),
    changes: (Link, Arc<Changes>),
    scripts: Scripts,
    outage: Arc<Outage>,
}

/// What takes more than one command. A script runs as one.
struct Scripts {
    get_living: Script,
    swap: Script,
    count: Script,
    counted: Script,
    add: Script,
}

// --- Scripts ---

impl Scripts {
    fn new() -> Self {
        Self {
            get_living: Script::new(
                "local value = redis.call('GET', KEYS[1]) \
                 if not value then return false end \
                 return {value, redis.call('PTTL', KEYS[1])}",
            ),
            // An error of GET, at a set, ends the script.
            swap: Script::new(
                "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                 if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2]) \
                 else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end \
                 return 1",
            ),
            // A counter without an end is one that another program left behind half made.
            count: Script::new(
                "local count = redis.call('INCR', KEYS[1]) \
                 local left = redis.call('PTTL', KEYS[1]) \
                 if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) left = tonumber(ARGV[1]) end \
                 return {count, left}",
            ),
            counted: Script::new(
                "local count = redis.call('GET', KEYS[1]) \
                 if not count then return false end \
                 return {count, redis.call('PTTL', KEYS[1])}",
            ),
            add: Script::new(
                "redis.call('SADD', KEYS[1], ARGV[1]) \
                 redis.call('PEXPIRE', KEYS[1], ARGV[2]) \
                 return 1",
            ),
        }
    }
}

// --- Redis ---

impl Redis {
    /// Connects to the server at `redis://[user:password@]host[:port][/database]` (`rediss` for TLS).
    ///
    /// # Errors
    /// An address that is none; a server that cannot be reached, is too old, or refuses the password.
    /// They name the host and the remedy, never the password.
    pub async fn connect(url: &str) -> Result<Redis, BackplaneError> {
        let refused = |reason: &str| BackplaneError::Refused { store: "redis".into(), reason: reason.into() };
        let client = client(url).map_err(|error| {
            // The detail may repeat the address, and with it the password.
            let kind = error.category().to_owned();
            refused(&format!(
                "the address of the backplane is none ({kind}): write redis://USER:PASSWORD@HOST:PORT"
            ))
        })?;
        let address = client.get_connection_info().addr().to_string();
        let fail = |error: RedisError| error::of_connecting(&address, &error);
        let outage = Arc::new(Outage::default());
        let (messages, changes) = (Arc::new(Messages::default()), Arc::new(Changes::default()));
        let commands =
            Link::open(client.clone(), Arc::new(Commands), PATIENCE, &outage).await.map_err(fail)?;
        let messages_link =
            Link::open(client.clone(), messages.clone(), PATIENCE, &outage).await.map_err(fail)?;
        let changes_link =
            Link::open(client.clone(), changes.clone(), WATCH_PATIENCE, &outage).await.map_err(fail)?;
        Ok(Redis {
            address,
            client,
            commands,
            messages: (messages_link, messages),
            changes: (changes_link, changes),
            scripts: Scripts::new(),
            outage,
        })
    }

    /// Another two connections to the server, for messages between hosts.
    ///
    /// # Errors
    /// As [`Redis::connect`].
    pub async fn bus(&self) -> Result<RedisBus, BackplaneError> {
        let opened = RedisBus::open(self.client.clone(), &self.outage).await;
        opened.map_err(|error| error::of_connecting(&self.address, &error))
    }

    async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BackplaneError> {
        let mut connection = self.commands.connection()?;
        let answer = command.query_async(&mut connection).await;
        answer.map_err(|error| self.failed(&error))
    }

    async fn script<T: FromRedisValue>(&self, script: ScriptInvocation<'_>) -> Result<T, BackplaneError> {
        let mut connection = self.commands.connection()?;
        script.invoke_async(&mut connection).await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &RedisError) -> BackplaneError {
        if error::is_demoted(error) {
            self.commands.renew();
        }
        error::of_command(error)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("address", &self.address)
            .field("is_up", &self.is_up())
            .finish_non_exhaustive()
    }
}

fn client(url: &str) -> Result<Client, RedisError> {
    let info = url.into_connection_info()?;
    // With RESP3 the server may speak first: messages and changes need no protocol of their own.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    // Commands are small and somebody waits for each.
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

/// What PTTL says: no end is negative.
fn remaining(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// A prefix as a pattern that matches nothing but what begins with it.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for letter in prefix.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('*');
    pattern
}

fn set(key: &str, value: &Bytes, life: Option<Duration>) -> Cmd {
    let mut command = cmd("SET");
    command.arg(key).arg(&value[..]);
    if let Some(life) = life {
        command.arg("PX").arg(life::millis(life));
    }
    command
}

// --- Backplane ---

impl Backplane for Redis {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        async move { self.command::<Option<Bytes>>(cmd("GET").arg(key)).await }.boxed()
    }

    fn get_living<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Living>> {
        async move {
            let found: Option<(Bytes, i64)> = self.script(self.scripts.get_living.key(key)).await?;
            Ok(found.map(|(value, left)| Living { value, remaining: remaining(left) }))
        }
        .boxed()
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, ()> {
        async move { self.command(&set(key, &value, life)).await }.boxed()
    }

    fn set_new<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, bool> {
        async move {
            let answer: Option<String> = self.command(set(key, &value, life).arg("NX")).await?;
            Ok(answer.is_some())
        }
        .boxed()
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Bytes,
        value: Bytes,
        life: Option<Duration>,
    ) -> Answer<'a, bool> {
        async move {
            let mut script = self.scripts.swap.key(key);
            script.arg(&expected[..]).arg(&value[..]);
            match life {
                Some(life) => script.arg(life::millis(life)),
                None => script.arg(""),
            };
            self.script(script).await
        }
        .boxed()
    }

    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        async move { self.command(cmd("GETDEL").arg(key)).await }.boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        async move { self.command(cmd("DEL").arg(key)).await }.boxed()
    }

    fn expire<'a>(&'a self, key: &'a str, life: Duration) -> Answer<'a, bool> {
        async move { self.command(cmd("PEXPIRE").arg(key).arg(life::millis(life))).await }.boxed()
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        async move {
            let (pattern, mut cursor, mut cleared) = (pattern(prefix), 0_u64, 0);
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_STEP);
                // Keys of other programs may be no text: bytes.
                let (next, keys): (u64, Vec<Vec<u8>>) = self.command(&scan).await?;
                if !keys.is_empty() {
                    cleared += self.command::<u64>(cmd("UNLINK").arg(keys)).await?;
                }
                if next == 0 {
                    return Ok(cleared);
                }
                cursor = next;
            }
        }
        .boxed()
    }

    fn count<'a>(&'a self, key: &'a str, window: Duration) -> Answer<'a, Count> {
        async move {
            let mut script = self.scripts.count.key(key);
            script.arg(life::millis(window));
            let (count, left): (i64, i64) = self.script(script).await?;
            Ok(Count { count: integer::count(count), remaining: remaining(left).unwrap_or_default() })
        }
        .boxed()
    }

    fn counted<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Count>> {
        async move {
            let found: Option<(Bytes, i64)> = self.script(self.scripts.counted.key(key)).await?;
            let Some((value, left)) = found else { return Ok(None) };
            let count = integer::parse(&value).ok_or_else(|| BackplaneError::Refused {
                store: "redis".into(),
                reason: integer::NOT_A_COUNTER.into(),
            })?;
            let remaining = remaining(left).unwrap_or_default();
            Ok(Some(Count { count: integer::count(count), remaining }))
        }
        .boxed()
    }

    fn add<'a>(&'a self, key: &'a str, member: &'a str, life: Duration) -> Answer<'a, ()> {
        async move {
            let mut script = self.scripts.add.key(key);
            script.arg(member).arg(life::millis(life));
            self.script(script).await
        }
        .boxed()
    }

    fn remove<'a>(&'a self, key: &'a str, member: &'a str) -> Answer<'a, ()> {
        async move { self.command(cmd("SREM").arg(key).arg(member)).await }.boxed()
    }

    fn members<'a>(&'a self, key: &'a str) -> Answer<'a, Vec<String>> {
        async move { self.command(cmd("SMEMBERS").arg(key)).await }.boxed()
    }

    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> Answer<'a, ()> {
        async move { self.command(cmd("PUBLISH").arg(channel).arg(&message[..])).await }.boxed()
    }

    fn subscribe<'a>(&'a self, channel: &'a str) -> Answer<'a, BoxStream<'static, Bytes>> {
        async move {
            let (link, messages) = &self.messages;
            let stream = messages.note(channel);
            messages.ask(channel, link).await?;
            Ok(stream)
        }
        .boxed()
    }

    fn watch<'a>(&'a self, prefix: &'a str) -> Answer<'a, BoxStream<'static, Changed>> {
        async move {
            let (link, changes) = &self.changes;
            let stream = changes.note(prefix);
            changes.ask(link).await?;
            Ok(stream)
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// All three connections: a host that hears of no changes is not well either.
    fn is_up(&self) -> bool {
        [&self.commands, &self.messages.0, &self.changes.0].iter().all(|link| link.is_up())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.messages.0.close();
            self.messages.1.close();
            self.changes.0.close();
            self.changes.1.close();
            self.commands.close();
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn a_prefix_matches_itself_only() {
        assert_eq!(pattern("app-session:"), "app-session:*");
        assert_eq!(pattern(r"a*b?[c]\"), r"a\*b\?\[c\]\\*");
        assert_eq!(pattern(""), "*");
    }
}
