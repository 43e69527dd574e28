//! Bad input, at random: whatever bytes a component file holds, loading it ends with a plugin or an
//! error, in bounded time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use luckystack_plugins::Runtime;
use luckystack_plugins::engine::EngineSettings;
use luckystack_tests::{Act, Forge};
use luckystack_topology::ServiceSettings;
use proptest::prelude::*;
use serde_json::json;

struct Loader {
    tokio: tokio::runtime::Runtime,
    plugins: Arc<Runtime>,
    dir: tempfile::TempDir,
}

static LOADER: LazyLock<Loader> = LazyLock::new(|| {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = EngineSettings { max_instances: 8, ..EngineSettings::default() };
    let capabilities = luckystack_capabilities::all(luckystack_capabilities::Options::default());
    let plugins = Arc::new(Runtime::start(&settings, capabilities, None).unwrap());
    Loader { tokio, plugins, dir: tempfile::tempdir().unwrap() }
});

static SMALL: LazyLock<Vec<u8>> =
    LazyLock::new(|| Forge::new("rogue", "small").api("getIt", Act::success(json!(1))).build());

/// Loads bytes as a component of the service `rogue`; whether that made a plugin.
fn load(bytes: &[u8]) -> Result<bool, TestCaseError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = LOADER.dir.path().join(format!("{number}-mutant.wasm"));
    std::fs::write(&file, bytes).unwrap();
    // A mutant may loop in `describe`.
    let settings = ServiceSettings { deadline: Duration::from_secs(2), ..ServiceSettings::default() };
    LOADER.tokio.block_on(async {
        let service = LOADER.plugins.service("rogue", Arc::new(settings)).unwrap();
        let loading = LOADER.plugins.load(&file, &service);
        let loaded = tokio::time::timeout(Duration::from_secs(30), loading).await;
        match loaded {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) => {
                prop_assert!(!error.message.is_empty() && !error.remedy.is_empty(), "{error:?}");
                prop_assert!(error.to_string().contains("mutant.wasm"), "{error}");
                prop_assert!(!error.remedy.contains("report this"), "a bug of the host: {error}");
                Ok(false)
            }
            Err(_) => Err(TestCaseError::fail("loading takes for ever")),
        }
    })
}

#[test]
fn the_component_that_is_mutated_is_a_good_one() {
    assert!(load(&SMALL).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_component_with_changed_bytes_never_crashes_the_loader(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = SMALL.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        load(&bytes)?;
    }

    #[test]
    fn a_component_with_pieces_cut_out_or_doubled_never_crashes_the_loader(
        from in any::<prop::sample::Index>(), len in 1usize..64, doubled in any::<bool>()
    ) {
        let from = from.index(SMALL.len());
        let end = (from + len).min(SMALL.len());
        let middle: &[u8] = if doubled { &SMALL[from..end] } else { &[] };
        load(&[&SMALL[..end.min(if doubled { end } else { from })], middle, &SMALL[end..]].concat())?;
    }

    #[test]
    fn random_bytes_behind_any_header_never_crash_the_loader(
        header in prop::sample::select(vec![&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0"]),
        bytes in prop::collection::vec(any::<u8>(), 0..512)
    ) {
        load(&[header, &bytes].concat())?;
    }
}
