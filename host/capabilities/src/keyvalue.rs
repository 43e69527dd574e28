//! `wasi:keyvalue`: one store per service, called `default`.
//!
//! The rule: a service sees its own store only, and its store is bounded (`grants.keyvalue` of its
//! preset). Stores belong to the backend, not to a plugin or its settings: they survive swaps and
//! reloads. What the WIT leaves open is decided as Redis does it, so that backends agree: a counter is
//! decimal text, and incrementing anything else is an error.

mod memory;

use std::sync::Arc;

use futures::future::BoxFuture;
use luckystack_plugins::capability::{Grant, Interface};
use luckystack_plugins::type_map::TypeMap;
use luckystack_plugins::{Capability, HostState};
use luckystack_topology::{KeyValueGrant, ServiceSettings};
use wasmtime::component::{HasSelf, Linker, Resource};

pub use self::memory::MemoryBackend;
use crate::wit::keyvalue::store::{Error, KeyResponse};
use crate::wit::keyvalue::{atomics, batch, store};

/// The version of the interfaces that there is.
const VERSION: &str = "0.2.0-draft";
/// The only store's identifier.
const STORE: &str = "default";
/// Longest key. Keys are names, and they are what listing a store costs.
const MAX_KEY: usize = 1024;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store would outgrow its bound.
    #[error(
        "the store would hold {wanted} bytes, the service's limit max_total is {limit}; delete keys or raise keyvalue.max_total in the preset"
    )]
    Full {
        /// Size it would have.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// A value to be incremented is no decimal number below 2⁶⁴.
    #[error("the value of `{0}` is not a decimal number, so it cannot be incremented")]
    NotANumber(String),
    /// A counter is at its end.
    #[error("incrementing `{0}` would exceed 18446744073709551615")]
    Overflow(String),
    /// The backend failed.
    #[error("the key-value backend failed: {0}")]
    Backend(String),
}

/// Future of a store's answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Some keys of a store, and where the next ones begin; no cursor when these were the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys, in the order of the store.
    pub keys: Vec<String>,
    /// For the next page.
    pub cursor: Option<u64>,
}

/// One service's store. A write is refused with [`StoreError::Full`] when it grows the store beyond
/// `max_total`.
pub trait KeyValueStore: Send + Sync {
    /// The value of `key`.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>>;
    /// Whether `key` has a value.
    fn exists<'a>(&'a self, key: &'a str) -> Answer<'a, bool>;
    /// Gives `key` a value.
    fn set(&self, key: String, value: Vec<u8>, max_total: u64) -> Answer<'_, ()>;
    /// Removes `key`, if it exists.
    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()>;
    /// Adds to the decimal number in `key`, from 0 when it does not exist, in one indivisible step;
    /// the sum.
    fn increment(&self, key: String, delta: u64, max_total: u64) -> Answer<'_, u64>;
    /// A page of keys. A key that exists throughout a listing is in it exactly once, whatever else is
    /// set or deleted meanwhile.
    fn keys(&self, cursor: Option<u64>) -> Answer<'_, Page>;
}

/// Where stores live.
pub trait KeyValueBackend: Send + Sync {
    /// The store of a service: the same one each time.
    fn store(&self, service: &str) -> Arc<dyn KeyValueStore>;
}

/// The capability.
pub struct KeyValue {
    backend: Arc<dyn KeyValueBackend>,
}

/// An open store: `wasi:keyvalue/store.bucket`.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn KeyValueStore>,
    bounds: KeyValueGrant,
}

// ---------------------------------------------------------------------------------------------
// KeyValue

impl KeyValue {
    /// Stores live in `backend`.
    pub fn new(backend: Arc<dyn KeyValueBackend>) -> Self {
        KeyValue { backend }
    }
}

impl Capability for KeyValue {
    fn name(&self) -> &'static str {
        "keyvalue"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.version == Some(VERSION)
            && matches!(
                interface.name,
                "wasi:keyvalue/store" | "wasi:keyvalue/atomics" | "wasi:keyvalue/batch"
            )
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        store::add_to_linker::<HostState, HasSelf<HostState>>(linker, |state| state)?;
        atomics::add_to_linker::<HostState, HasSelf<HostState>>(linker, |state| state)?;
        batch::add_to_linker::<HostState, HasSelf<HostState>>(linker, |state| state)
    }

    fn configure(&self, service: &str, settings: &ServiceSettings, data: &mut TypeMap) -> Result<(), String> {
        if let Some(bounds) = settings.grants.keyvalue {
            data.insert(Bucket { store: self.backend.store(service), bounds });
        }
        Ok(())
    }

    fn grant(&self, service: &str, settings: &ServiceSettings) -> Grant {
        match settings.grants.keyvalue {
            Some(_) => Grant::Granted,
            None => Grant::Missing(format!(
                "add `keyvalue = true` under [service.{service}.grants] in the preset"
            )),
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Bucket: the bounds that hold for every backend

impl Bucket {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        check_key(key)?;
        Ok(self.store.get(key).await?)
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        check_key(&key)?;
        let (bytes, limit) = (value.len() as u64, self.bounds.max_value);
        if bytes > limit {
            return Err(Error::Other(format!(
                "the value of `{key}` has {bytes} bytes, the service's limit max_value is {limit}; \
                 split it or raise keyvalue.max_value in the preset"
            )));
        }
        Ok(self.store.set(key, value, self.bounds.max_total).await?)
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        check_key(key)?;
        Ok(self.store.delete(key).await?)
    }

    /// `most` bounds what is gathered: the same large value may be asked for many times over.
    async fn get_many(&self, keys: Vec<String>, most: u64) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        let mut bytes = 0;
        for key in keys {
            let value = self.get(&key).await?;
            bytes += value.as_ref().map_or(0, Vec::len) as u64;
            if bytes > most {
                return Err(Error::Other(format!(
                    "the values of one get-many exceed {most} bytes, the service's limit memory; ask for fewer keys"
                )));
            }
            found.push(value.map(|value| (key, value)));
        }
        Ok(found)
    }
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.len() > MAX_KEY {
        let bytes = key.len();
        return Err(Error::Other(format!("a key has {bytes} bytes, the limit is {MAX_KEY}")));
    }
    Ok(())
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Error::Other(error.to_string())
    }
}

// ---------------------------------------------------------------------------------------------
// The WIT interfaces

/// The bucket behind a guest's handle. A handle that is none is the guest's bug: it traps.
fn bucket(state: &HostState, handle: &Resource<Bucket>) -> wasmtime::Result<Bucket> {
    Ok(state.table.get(handle)?.clone())
}

impl store::Host for HostState {
    async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, Error>> {
        let granted = self.service.data().get::<Bucket>();
        let bucket = match (self.call(), granted) {
            (Some(_), Some(bucket)) if identifier == STORE => bucket.clone(),
            (Some(_), Some(_)) => return Ok(Err(Error::NoSuchStore)),
            (None, _) | (_, None) => return Ok(Err(Error::AccessDenied)),
        };
        Ok(self.table.push(bucket).map_err(|error| Error::Other(format!("too many open handles: {error}"))))
    }
}

impl store::HostBucket for HostState {
    async fn get(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(bucket(self, &handle)?.get(&key).await)
    }

    async fn set(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(bucket(self, &handle)?.set(key, value).await)
    }

    async fn delete(&mut self, handle: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(bucket(self, &handle)?.delete(&key).await)
    }

    async fn exists(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let bucket = bucket(self, &handle)?;
        if let Err(error) = check_key(&key) {
            return Ok(Err(error));
        }
        Ok(bucket.store.exists(&key).await.map_err(Error::from))
    }

    async fn list_keys(
        &mut self,
        handle: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> wasmtime::Result<Result<KeyResponse, Error>> {
        let bucket = bucket(self, &handle)?;
        let page = bucket.store.keys(cursor).await;
        Ok(page.map(|Page { keys, cursor }| KeyResponse { keys, cursor }).map_err(Error::from))
    }

    async fn drop(&mut self, handle: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl atomics::Host for HostState {
    async fn increment(
        &mut self,
        handle: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, Error>> {
        let bucket = bucket(self, &handle)?;
        if let Err(error) = check_key(&key) {
            return Ok(Err(error));
        }
        Ok(bucket.store.increment(key, delta, bucket.bounds.max_total).await.map_err(Error::from))
    }
}

impl batch::Host for HostState {
    async fn get_many(
        &mut self,
        handle: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<(String, Vec<u8>)>>, Error>> {
        let most = self.service.settings().memory;
        Ok(bucket(self, &handle)?.get_many(keys, most).await)
    }

    async fn set_many(
        &mut self,
        handle: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let bucket = bucket(self, &handle)?;
        for (key, value) in key_values {
            if let Err(error) = bucket.set(key, value).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    async fn delete_many(
        &mut self,
        handle: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let bucket = bucket(self, &handle)?;
        for key in keys {
            if let Err(error) = bucket.delete(&key).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

impl std::fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyValue")
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(max_value: u64, max_total: u64) -> Bucket {
        let store = MemoryBackend::default().store("svc");
        Bucket { store, bounds: KeyValueGrant { max_value, max_total } }
    }

    fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result {
            Err(Error::Other(text)) => text,
            other => panic!("expected an error with a text, not {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_value_over_the_limit_is_refused_by_name() {
        let bucket = bucket(4, 1 << 20);
        assert!(bucket.set("k".into(), vec![0; 4]).await.is_ok());
        let error = text(bucket.set("k".into(), vec![0; 5]).await);
        assert!(error.contains("limit max_value is 4"), "{error}");
        assert_eq!(bucket.get("k").await.unwrap(), Some(vec![0; 4]));
    }

    #[tokio::test]
    async fn keys_are_at_most_1024_bytes() {
        let bucket = bucket(4, 1 << 20);
        assert!(bucket.set("k".repeat(1024), vec![]).await.is_ok());
        let long = "k".repeat(1025);
        assert!(text(bucket.set(long.clone(), vec![]).await).contains("limit is 1024"));
        assert!(text(bucket.get(&long).await).contains("limit is 1024"));
        assert!(text(bucket.delete(&long).await).contains("limit is 1024"));
    }

    #[tokio::test]
    async fn asking_for_one_large_value_many_times_is_bounded() {
        let bucket = bucket(1 << 20, 8 << 20);
        bucket.set("large".into(), vec![0; 1000]).await.unwrap();
        let keys = |count| vec!["large".to_owned(); count];
        assert_eq!(bucket.get_many(keys(10), 10_000).await.unwrap().len(), 10);
        assert!(text(bucket.get_many(keys(11), 10_000).await).contains("limit memory"));
    }
}
