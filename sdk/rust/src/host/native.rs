//! What stands in for the host outside a component: state of the current thread, set and read through
//! [`crate::testing`].

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::log::Level;
use crate::{HandlerError, Session, http, kv};

type FunctionFake = Rc<dyn Fn(&[u8]) -> Result<Vec<u8>, HandlerError>>;
type HttpFake = Rc<dyn Fn(&http::Request) -> Result<http::Response, http::Error>>;

/// Who a chunk went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    Caller,
    Room,
    Tokens(Vec<String>),
}

/// One thread's host.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) chunks: Vec<(Audience, Vec<u8>)>,
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) aborted: bool,
    pub(crate) now: Option<Duration>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) store: BTreeMap<String, Vec<u8>>,
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) functions: HashMap<String, FunctionFake>,
    pub(crate) http: Option<HttpFake>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

/// Reads or changes the thread's host. Not to be called from within itself.
pub(crate) fn with<R>(act: impl FnOnce(&mut Host) -> R) -> R {
    HOST.with_borrow_mut(act)
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

fn send(audience: Audience, chunk: &[u8]) -> bool {
    with(|host| {
        if !host.aborted {
            host.chunks.push((audience, chunk.to_vec()));
        }
        !host.aborted
    })
}

pub(crate) fn stream_emit(chunk: &[u8]) -> bool {
    send(Audience::Caller, chunk)
}

pub(crate) fn stream_broadcast(chunk: &[u8]) -> bool {
    send(Audience::Room, chunk)
}

pub(crate) fn stream_to(tokens: &[String], chunk: &[u8]) -> bool {
    send(Audience::Tokens(tokens.to_vec()), chunk)
}

pub(crate) fn stream_aborted() -> bool {
    with(|host| host.aborted)
}

pub(crate) fn call_function(name: &str, args: &[u8]) -> Result<Vec<u8>, HandlerError> {
    match with(|host| host.functions.get(name).cloned()) {
        Some(function) => function(args),
        None => Err(HandlerError::from_parts("functions.notFound".into(), std::iter::empty(), Some(404))
            .param("name", name)),
    }
}

pub(crate) fn session_get(token: &str) -> Option<Session> {
    with(|host| host.sessions.get(token).cloned())
}

pub(crate) fn log(level: Level, context: &str, message: &str) {
    let line = if context.is_empty() { message.to_owned() } else { format!("{context}: {message}") };
    with(|host| host.logs.push((level, line)));
}

pub(crate) fn now() -> Duration {
    with(|host| host.now)
        .unwrap_or_else(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

pub(crate) fn random_u64() -> u64 {
    // A new hasher is keyed at random; tests need nothing better.
    RandomState::new().hash_one(0_u8)
}

pub(crate) fn random_bytes(len: usize) -> Vec<u8> {
    std::iter::repeat_with(random_u64).flat_map(u64::to_le_bytes).take(len).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the same signature as in a component")]
pub(crate) fn config_get(key: &str) -> Result<Option<String>, String> {
    Ok(with(|host| host.config.get(key).cloned()))
}

#[expect(clippy::unnecessary_wraps, reason = "the same signature as in a component")]
pub(crate) fn config_all() -> Result<Vec<(String, String)>, String> {
    Ok(with(|host| host.config.clone()).into_iter().collect())
}

pub(crate) fn http_send(request: &http::Request) -> Result<http::Response, http::Error> {
    http::target(&request.url)?;
    match with(|host| host.http.clone()) {
        Some(answer) => answer(request),
        None => Err(http::Error::Denied(request.url.clone())),
    }
}

/// The thread's store.
#[derive(Debug)]
pub(crate) struct Bucket;

#[expect(clippy::unnecessary_wraps, reason = "the same signature as in a component")]
pub(crate) fn kv_open(_name: &str) -> Result<Bucket, kv::Error> {
    Ok(Bucket)
}

#[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the same signatures as in a component")]
impl Bucket {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
        Ok(with(|host| host.store.get(key).cloned()))
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), kv::Error> {
        with(|host| host.store.insert(key.to_owned(), value.to_vec()));
        Ok(())
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), kv::Error> {
        with(|host| host.store.remove(key));
        Ok(())
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, kv::Error> {
        Ok(with(|host| host.store.contains_key(key)))
    }

    pub(crate) fn increment(&self, key: &str, delta: u64) -> Result<u64, kv::Error> {
        let before = match self.get(key)? {
            None => 0,
            Some(bytes) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
                .ok_or_else(|| kv::Error::Other(format!("the value under `{key}` is not a number")))?,
        };
        let sum = before.checked_add(delta).ok_or_else(|| kv::Error::Other(format!("`{key}` overflows")))?;
        self.set(key, sum.to_string().as_bytes())?;
        Ok(sum)
    }

    pub(crate) fn list_keys(&self, _cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), kv::Error> {
        Ok((with(|host| host.store.keys().cloned().collect()), None))
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Vec<u8>)>, kv::Error> {
        Ok(keys
            .iter()
            .filter_map(|key| with(|host| host.store.get(key).cloned()).map(|value| (key.clone(), value)))
            .collect())
    }

    pub(crate) fn set_many(&self, values: &[(String, Vec<u8>)]) -> Result<(), kv::Error> {
        with(|host| host.store.extend(values.iter().cloned()));
        Ok(())
    }

    pub(crate) fn delete_many(&self, keys: &[String]) -> Result<(), kv::Error> {
        with(|host| host.store.retain(|key, _| !keys.contains(key)));
        Ok(())
    }
}
