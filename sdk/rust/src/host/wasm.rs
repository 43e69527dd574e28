//! The host itself.

use std::time::Duration;

use crate::bindings::imports::luckystack::plugin as own;
use crate::bindings::imports::wasi;
use crate::log::Level;
use crate::{HandlerError, Session, kv};

pub(crate) fn stream_emit(chunk: &[u8]) -> bool {
    own::stream::emit(chunk)
}

pub(crate) fn stream_broadcast(chunk: &[u8]) -> bool {
    own::stream::broadcast(chunk)
}

pub(crate) fn stream_to(tokens: &[String], chunk: &[u8]) -> bool {
    own::stream::to(tokens, chunk)
}

pub(crate) fn stream_to_recipient(recipient: u32, chunk: &[u8]) -> bool {
    own::stream::to_recipient(recipient, chunk)
}

pub(crate) fn stream_aborted() -> bool {
    own::stream::aborted()
}

pub(crate) fn call_function(name: &str, args: &[u8]) -> Result<Vec<u8>, HandlerError> {
    own::function_call::call(name, args).map_err(failure)
}

fn failure(error: own::types::HandlerError) -> HandlerError {
    let params = error.error_params.into_iter().map(|param| (param.key, param.value));
    HandlerError::from_parts(error.error_code, params, error.http_status)
}

pub(crate) fn session_get(token: &str) -> Option<Session> {
    own::session_api::get(token).map(|session| Session { token: session.token, user: session.user })
}

pub(crate) fn session_update(token: &str, fields: &[u8]) -> Result<Session, HandlerError> {
    let session = own::session_api::update(token, fields).map_err(failure)?;
    Ok(Session { token: session.token, user: session.user })
}

pub(crate) fn session_end(token: &str) -> bool {
    own::session_api::end(token)
}

pub(crate) fn account_get(id: &str) -> Result<Option<Vec<u8>>, HandlerError> {
    own::accounts::get(id).map_err(failure)
}

pub(crate) fn account_update(id: &str, fields: &[u8]) -> Result<Vec<u8>, HandlerError> {
    own::accounts::update(id, fields).map_err(failure)
}

pub(crate) fn account_check_password(id: &str, password: &str) -> Result<(), HandlerError> {
    own::accounts::check_password(id, password).map_err(failure)
}

pub(crate) fn account_change_password(
    id: &str,
    current: Option<&str>,
    new: &str,
    keep: Option<&str>,
) -> Result<(), HandlerError> {
    own::accounts::change_password(id, current, new, keep).map_err(failure)
}

pub(crate) fn account_request_password_reset(email: &str, ip: &str) -> Result<(), HandlerError> {
    own::accounts::request_password_reset(email, ip).map_err(failure)
}

pub(crate) fn account_complete_password_reset(token: &str, new: &str) -> Result<(), HandlerError> {
    own::accounts::complete_password_reset(token, new).map_err(failure)
}

pub(crate) fn account_request_email_change(id: &str, email: &str) -> Result<(), HandlerError> {
    own::accounts::request_email_change(id, email).map_err(failure)
}

pub(crate) fn account_confirm_email_change(token: &str) -> Result<(), HandlerError> {
    own::accounts::confirm_email_change(token).map_err(failure)
}

pub(crate) fn account_delete(id: &str) -> Result<(), HandlerError> {
    own::accounts::delete(id).map_err(failure)
}

pub(crate) fn upload_put(name: &str, data: &[u8]) -> Result<(), HandlerError> {
    own::uploads::put(name, data).map_err(failure)
}

pub(crate) fn upload_remove(name: &str) -> Result<bool, HandlerError> {
    own::uploads::remove(name).map_err(failure)
}

pub(crate) fn log(level: Level, context: &str, message: &str) {
    use wasi::logging::logging::{Level as To, log};
    let level = match level {
        Level::Trace => To::Trace,
        Level::Debug => To::Debug,
        Level::Info => To::Info,
        Level::Warn => To::Warn,
        Level::Error => To::Error,
    };
    log(level, context, message);
}

pub(crate) fn now() -> Duration {
    let now = wasi::clocks::wall_clock::now();
    Duration::new(now.seconds, now.nanoseconds)
}

pub(crate) fn random_u64() -> u64 {
    wasi::random::random::get_random_u64()
}

pub(crate) fn random_bytes(len: usize) -> Vec<u8> {
    wasi::random::random::get_random_bytes(len as u64)
}

pub(crate) fn config_get(key: &str) -> Result<Option<String>, String> {
    wasi::config::store::get(key).map_err(config_error)
}

pub(crate) fn config_all() -> Result<Vec<(String, String)>, String> {
    wasi::config::store::get_all().map_err(config_error)
}

fn config_error(error: wasi::config::store::Error) -> String {
    match error {
        wasi::config::store::Error::Upstream(message) | wasi::config::store::Error::Io(message) => message,
    }
}

/// An open bucket.
#[derive(Debug)]
pub(crate) struct Bucket(wasi::keyvalue::store::Bucket);

pub(crate) fn kv_open(name: &str) -> Result<Bucket, kv::Error> {
    wasi::keyvalue::store::open(name).map(Bucket).map_err(kv_error)
}

fn kv_error(error: wasi::keyvalue::store::Error) -> kv::Error {
    match error {
        wasi::keyvalue::store::Error::NoSuchStore => kv::Error::NoSuchStore,
        wasi::keyvalue::store::Error::AccessDenied => kv::Error::AccessDenied,
        wasi::keyvalue::store::Error::Other(message) => kv::Error::Other(message),
    }
}

impl Bucket {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
        self.0.get(key).map_err(kv_error)
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), kv::Error> {
        self.0.set(key, value).map_err(kv_error)
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), kv::Error> {
        self.0.delete(key).map_err(kv_error)
    }

    pub(crate) fn exists(&self, key: &str) -> Result<bool, kv::Error> {
        self.0.exists(key).map_err(kv_error)
    }

    pub(crate) fn increment(&self, key: &str, delta: u64) -> Result<u64, kv::Error> {
        wasi::keyvalue::atomics::increment(&self.0, key, delta).map_err(kv_error)
    }

    pub(crate) fn list_keys(&self, cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), kv::Error> {
        self.0.list_keys(cursor).map(|page| (page.keys, page.cursor)).map_err(kv_error)
    }

    pub(crate) fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Vec<u8>)>, kv::Error> {
        let found = wasi::keyvalue::batch::get_many(&self.0, keys).map_err(kv_error)?;
        Ok(found.into_iter().flatten().collect())
    }

    pub(crate) fn set_many(&self, values: &[(String, Vec<u8>)]) -> Result<(), kv::Error> {
        wasi::keyvalue::batch::set_many(&self.0, values).map_err(kv_error)
    }

    pub(crate) fn delete_many(&self, keys: &[String]) -> Result<(), kv::Error> {
        wasi::keyvalue::batch::delete_many(&self.0, keys).map_err(kv_error)
    }
}
