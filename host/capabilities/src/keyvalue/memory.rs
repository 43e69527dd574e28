//! Stores in this process's memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::FutureExt as _;
use parking_lot::Mutex;

use super::{Answer, KeyValueBackend, KeyValueStore, Page, StoreError};

/// What an entry counts beside its key and value: about what its bookkeeping takes, so that a store
/// of a million empty values is not free.
const ENTRY: u64 = 128;
/// Most keys of a page, and most bytes of keys: one page is one crossing into the guest.
const PAGE_KEYS: usize = 1000;
const PAGE_BYTES: usize = 256 << 10;

/// All services' stores, in memory, until the process ends.
#[derive(Debug, Default)]
pub struct MemoryBackend(Mutex<HashMap<String, Arc<MemoryStore>>>);

#[derive(Debug, Default)]
struct MemoryStore(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    values: HashMap<Arc<str>, Entry>,
    /// Keys by the number they were given when they came: what makes a cursor stable.
    order: BTreeMap<u64, Arc<str>>,
    next: u64,
    total: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    value: Vec<u8>,
}

impl KeyValueBackend for MemoryBackend {
    fn store(&self, service: &str) -> Arc<dyn KeyValueStore> {
        let mut stores = self.0.lock();
        Arc::clone(stores.entry(service.to_owned()).or_default()) as Arc<dyn KeyValueStore>
    }
}

impl KeyValueStore for MemoryStore {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        ready(Ok(self.0.lock().values.get(key).map(|entry| entry.value.clone())))
    }

    fn exists<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        ready(Ok(self.0.lock().values.contains_key(key)))
    }

    fn set(&self, key: String, value: Vec<u8>, max_total: u64) -> Answer<'_, ()> {
        ready(self.0.lock().set(key, value, max_total))
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        self.0.lock().delete(key);
        ready(Ok(()))
    }

    fn increment(&self, key: String, delta: u64, max_total: u64) -> Answer<'_, u64> {
        ready(self.0.lock().increment(key, delta, max_total))
    }

    fn keys(&self, cursor: Option<u64>) -> Answer<'_, Page> {
        ready(Ok(self.0.lock().keys(cursor.unwrap_or(0))))
    }
}

fn ready<'a, T: Send + 'a>(answer: Result<T, StoreError>) -> Answer<'a, T> {
    std::future::ready(answer).boxed()
}

impl Entries {
    fn set(&mut self, key: String, value: Vec<u8>, max_total: u64) -> Result<(), StoreError> {
        let old = self.values.get(&*key).map_or(0, |entry| size(&key, &entry.value));
        let wanted = self.total - old + size(&key, &value);
        // A store that is over a bound that was lowered may still shrink.
        if wanted > max_total && wanted > self.total {
            return Err(StoreError::Full { wanted, limit: max_total });
        }
        self.total = wanted;
        match self.values.get_mut(&*key) {
            Some(entry) => entry.value = value,
            None => {
                let (key, number) = (Arc::<str>::from(key), self.next);
                self.next += 1;
                self.order.insert(number, Arc::clone(&key));
                self.values.insert(key, Entry { number, value });
            }
        }
        Ok(())
    }

    fn delete(&mut self, key: &str) {
        if let Some(entry) = self.values.remove(key) {
            self.order.remove(&entry.number);
            self.total -= size(key, &entry.value);
        }
    }

    fn increment(&mut self, key: String, delta: u64, max_total: u64) -> Result<u64, StoreError> {
        let current = match self.values.get(&*key) {
            None => 0,
            Some(entry) => decimal(&entry.value).ok_or_else(|| StoreError::NotANumber(key.clone()))?,
        };
        let sum = current.checked_add(delta).ok_or_else(|| StoreError::Overflow(key.clone()))?;
        self.set(key, sum.to_string().into_bytes(), max_total)?;
        Ok(sum)
    }

    fn keys(&self, from: u64) -> Page {
        let mut page = Page::default();
        let mut bytes = 0;
        for (number, key) in self.order.range(from..) {
            if page.keys.len() == PAGE_KEYS || bytes >= PAGE_BYTES {
                page.cursor = Some(*number);
                break;
            }
            bytes += key.len();
            page.keys.push(key.to_string());
        }
        page
    }
}

fn size(key: &str, value: &[u8]) -> u64 {
    ENTRY + key.len() as u64 + value.len() as u64
}

/// Digits only: `parse` alone would take a sign.
fn decimal(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(entries: &mut Entries, key: &str, value: &[u8]) -> Result<(), StoreError> {
        entries.set(key.into(), value.into(), u64::MAX)
    }

    #[test]
    fn a_store_outlives_whoever_asked_for_it_and_is_not_shared() {
        let backend = MemoryBackend::default();
        let now = |answer: Answer<'_, Option<Vec<u8>>>| answer.now_or_never().unwrap().unwrap();
        backend.store("a").set("k".into(), b"v".to_vec(), 1 << 20).now_or_never().unwrap().unwrap();
        assert_eq!(now(backend.store("a").get("k")), Some(b"v".to_vec()));
        assert_eq!(now(backend.store("b").get("k")), None);
    }

    #[test]
    fn growth_beyond_the_total_is_refused_and_shrinking_never_is() {
        let mut entries = Entries::default();
        entries.set("k".into(), vec![0; 100], 300).unwrap();
        let full = StoreError::Full { wanted: 458, limit: 300 };
        assert_eq!(entries.set("l".into(), vec![0; 100], 300), Err(full));
        assert_eq!(entries.set("k".into(), vec![0; 99], 10), Ok(()), "the bound was lowered meanwhile");
        assert!(entries.set("k".into(), vec![0; 100], 10).unwrap_err().to_string().contains("max_total"));
        entries.delete("k");
        assert_eq!(entries.total, 0);
    }

    #[test]
    fn empty_values_are_not_free() {
        let mut entries = Entries::default();
        let fitting = (0..).take_while(|n| entries.set(n.to_string(), vec![], 10_000).is_ok()).count();
        assert_eq!(fitting, 77, "10 × 129 + 67 × 130 bytes");
    }

    #[test]
    fn counters_are_decimal_text() {
        let mut entries = Entries::default();
        assert_eq!(entries.increment("n".into(), 5, 1000), Ok(5));
        assert_eq!(entries.increment("n".into(), 37, 1000), Ok(42));
        assert_eq!(entries.values["n"].value, b"42");
        for not_a_number in [&b"x"[..], b"", b"-1", b"+1", b" 1", b"18446744073709551616", b"\xff"] {
            set(&mut entries, "n", not_a_number).unwrap();
            assert_eq!(entries.increment("n".into(), 1, 1000), Err(StoreError::NotANumber("n".into())));
        }
        set(&mut entries, "n", b"18446744073709551615").unwrap();
        assert_eq!(entries.increment("n".into(), 1, 1000), Err(StoreError::Overflow("n".into())));
        assert_eq!(entries.increment("n".into(), 0, 1000), Ok(u64::MAX));
        assert!(matches!(entries.increment("m".into(), 1, 160), Err(StoreError::Full { .. })));
    }

    #[test]
    fn a_listing_has_every_lasting_key_once_whatever_happens_meanwhile() {
        let mut entries = Entries::default();
        for n in 0..2500 {
            set(&mut entries, &format!("key-{n}"), b"").unwrap();
        }
        let first = entries.keys(0);
        assert_eq!(first.keys.len(), PAGE_KEYS);
        for n in 0..500 {
            entries.delete(&format!("key-{n}"));
        }
        set(&mut entries, "key-700", b"overwritten").unwrap();
        let mut seen = first.keys;
        let mut cursor = first.cursor;
        while let Some(at) = cursor {
            let page = entries.keys(at);
            seen.extend(page.keys);
            cursor = page.cursor;
        }
        let mut lasting: Vec<_> = (500..2500).map(|n| format!("key-{n}")).collect();
        seen.retain(|key| lasting.contains(key));
        seen.sort();
        lasting.sort();
        assert_eq!(seen, lasting);
        assert_eq!(entries.keys(u64::MAX), Page::default());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(u8, Vec<u8>),
        Delete(u8),
        Increment(u8, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u8..8, prop::collection::vec(any::<u8>(), 0..64)).prop_map(|(k, v)| Step::Set(k, v)),
            (0u8..8).prop_map(Step::Delete),
            (0u8..8, any::<u64>()).prop_map(|(k, d)| Step::Increment(k, d)),
        ]
    }

    proptest! {
        #[test]
        fn the_count_of_bytes_is_always_right_and_within_the_bound(steps in prop::collection::vec(step(), 0..200)) {
            const LIMIT: u64 = 700;
            let mut entries = Entries::default();
            for step in steps {
                match step {
                    Step::Set(key, value) => drop(entries.set(key.to_string(), value, LIMIT)),
                    Step::Delete(key) => entries.delete(&key.to_string()),
                    Step::Increment(key, delta) => drop(entries.increment(key.to_string(), delta, LIMIT)),
                }
                let counted: u64 = entries.values.iter().map(|(key, entry)| size(key, &entry.value)).sum();
                prop_assert_eq!(entries.total, counted);
                prop_assert!(entries.total <= LIMIT);
                prop_assert_eq!(entries.order.len(), entries.values.len());
            }
        }
    }
}
