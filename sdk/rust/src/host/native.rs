//! What stands in for the host outside a component: state of the current thread, set and read through
//! [`crate::testing`].

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::log::Level;
use crate::testing::AccountAct;
use crate::{HandlerError, Session, http, kv};

type FunctionFake = Rc<dyn Fn(&[u8]) -> Result<Vec<u8>, HandlerError>>;
type AccountFake = Rc<dyn Fn(&AccountAct) -> Result<(), HandlerError>>;
type HttpFake = Rc<dyn Fn(&http::Request) -> Result<http::Response, http::Error>>;

/// Who a chunk went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    Caller,
    Room,
    Tokens(Vec<String>),
    Recipient(u32),
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
    pub(crate) session_fields: Vec<String>,
    pub(crate) accounts: BTreeMap<String, Map<String, Value>>,
    pub(crate) account_acts: Vec<AccountAct>,
    pub(crate) account: Option<AccountFake>,
    pub(crate) uploads: BTreeMap<String, Vec<u8>>,
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

pub(crate) fn stream_to_recipient(recipient: u32, chunk: &[u8]) -> bool {
    send(Audience::Recipient(recipient), chunk)
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

pub(crate) fn session_update(token: &str, fields: &[u8]) -> Result<Session, HandlerError> {
    let fields: Map<String, Value> = object(fields, "session.invalidFields")?;
    with(|host| {
        if let Some(field) = fields.keys().find(|field| !host.session_fields.contains(field)) {
            return Err(HandlerError::new("session.fieldNotAllowed").param("field", field).status(403));
        }
        let Some(session) = host.sessions.get_mut(token) else {
            return Err(HandlerError::new("session.notFound").status(404));
        };
        let mut user = object(&session.user, "session.notFound")?;
        set(&mut user, fields);
        session.user = serde_json::to_vec(&user)?;
        Ok(session.clone())
    })
}

pub(crate) fn session_end(token: &str) -> bool {
    with(|host| host.sessions.remove(token)).is_some()
}

fn object(text: &[u8], otherwise: &'static str) -> Result<Map<String, Value>, HandlerError> {
    serde_json::from_slice(text).map_err(|_| HandlerError::new(otherwise))
}

fn set(record: &mut Map<String, Value>, fields: Map<String, Value>) {
    for (field, value) in fields {
        match value {
            Value::Null => record.remove(&field),
            value => record.insert(field, value),
        };
    }
}

/// What an account handler did, unless the test refuses it.
fn account(act: AccountAct) -> Result<(), HandlerError> {
    let fake = with(|host| host.account.clone());
    let answer = fake.map_or(Ok(()), |fake| fake(&act));
    with(|host| host.account_acts.push(act));
    answer
}

fn account_not_found() -> HandlerError {
    HandlerError::new("account.notFound").status(404)
}

pub(crate) fn account_get(id: &str) -> Result<Option<Vec<u8>>, HandlerError> {
    with(|host| host.accounts.get(id).cloned()).map(|record| Ok(serde_json::to_vec(&record)?)).transpose()
}

pub(crate) fn account_update(id: &str, fields: &[u8]) -> Result<Vec<u8>, HandlerError> {
    const NEVER: [&str; 6] = ["id", "email", "provider", "password", "totpSecret", "recoveryCodes"];
    let fields = object(fields, "account.invalidFields")?;
    if let Some(field) = fields.keys().find(|field| NEVER.contains(&field.as_str())) {
        return Err(HandlerError::new("account.fieldNotAllowed").param("field", field).status(403));
    }
    account(AccountAct::Update { id: id.to_owned(), fields: Value::Object(fields.clone()) })?;
    with(|host| {
        let record = host.accounts.get_mut(id).ok_or_else(account_not_found)?;
        set(record, fields);
        Ok(serde_json::to_vec(record)?)
    })
}

pub(crate) fn account_check_password(id: &str, password: &str) -> Result<(), HandlerError> {
    account(AccountAct::CheckPassword { id: id.to_owned(), password: password.to_owned() })
}

pub(crate) fn account_change_password(
    id: &str,
    current: Option<&str>,
    new: &str,
    keep: Option<&str>,
) -> Result<(), HandlerError> {
    account(AccountAct::ChangePassword {
        id: id.to_owned(),
        current: current.map(str::to_owned),
        new: new.to_owned(),
        keep: keep.map(str::to_owned),
    })
}

pub(crate) fn account_request_password_reset(email: &str, ip: &str) -> Result<(), HandlerError> {
    account(AccountAct::RequestPasswordReset { email: email.to_owned(), ip: ip.to_owned() })
}

pub(crate) fn account_complete_password_reset(token: &str, new: &str) -> Result<(), HandlerError> {
    account(AccountAct::CompletePasswordReset { token: token.to_owned(), new: new.to_owned() })
}

pub(crate) fn account_request_email_change(id: &str, email: &str) -> Result<(), HandlerError> {
    account(AccountAct::RequestEmailChange { id: id.to_owned(), email: email.to_owned() })
}

pub(crate) fn account_confirm_email_change(token: &str) -> Result<(), HandlerError> {
    account(AccountAct::ConfirmEmailChange { token: token.to_owned() })
}

pub(crate) fn account_delete(id: &str) -> Result<(), HandlerError> {
    account(AccountAct::Delete { id: id.to_owned() })?;
    with(|host| host.accounts.remove(id)).map(drop).ok_or_else(account_not_found)
}

fn is_upload(name: &str) -> bool {
    let of_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.split_once('.').is_some_and(|(id, format)| {
        (1..=128).contains(&id.len())
            && id.bytes().all(of_id)
            && ["webp", "png", "jpg", "jpeg", "gif", "avif"].contains(&format)
    })
}

pub(crate) fn upload_put(name: &str, data: &[u8]) -> Result<(), HandlerError> {
    if !is_upload(name) {
        return Err(HandlerError::new("uploads.invalidName"));
    }
    with(|host| host.uploads.insert(name.to_owned(), data.to_vec()));
    Ok(())
}

pub(crate) fn upload_remove(name: &str) -> Result<bool, HandlerError> {
    if !is_upload(name) {
        return Err(HandlerError::new("uploads.invalidName"));
    }
    Ok(with(|host| host.uploads.remove(name)).is_some())
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
