//! Small guests written as core modules, a host to run them in, and the log they write.
//!
//! A guest here is a function `$run (param $args i32) (param $len i32) (result i32)` in WebAssembly
//! text, called with the bytes that a test passes; it returns the address of a
//! `result<list<u8>, handler-error>` (helper: `$ok`). Optionally it has `$describing`, which runs
//! while the manifest is asked for. `wit-component` makes a real component of it.
#![allow(dead_code, reason = "no file of tests uses all of it")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use luckystack_capabilities::{Options, all};
use luckystack_plugins::engine::EngineSettings;
use luckystack_plugins::{
    CallContext, CallError, Caller, HandlerError, LoadError, Plugin, Runtime, ServiceRuntime, Transport,
};
use luckystack_topology::ServiceSettings;
use parking_lot::Mutex;
use serde_json::Value;
use tracing_subscriber::EnvFilter;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A runtime with all capabilities, and a folder for its components.
pub struct Host {
    runtime: Arc<Runtime>,
    dir: tempfile::TempDir,
}

/// What a guest answered.
pub type Answer = Result<Result<Vec<u8>, HandlerError>, CallError>;

/// The log of this process, shared by all tests: each looks for its own requests.
static LOG: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(Arc::default);

struct LogWriter;

impl std::io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log's lines that `pick` wants, as JSON.
pub fn log(pick: impl Fn(&Value) -> bool) -> Vec<Value> {
    let text = String::from_utf8(LOG.lock().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).filter(pick).collect()
}

/// Level and message of each line of a request.
pub fn log_of(call: &CallContext) -> Vec<(String, String)> {
    log(|line| line["fields"]["request_id"] == *call.caller.request_id)
        .iter()
        .map(|line| (text(&line["level"]), text(&line["fields"]["message"])))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Host {
    pub fn start() -> Host {
        Host::with(Options::default())
    }

    pub fn with(options: Options) -> Host {
        // Fails when another test of this process was first, which is just as well.
        let _ = tracing_subscriber::fmt()
            .json()
            .with_writer(|| LogWriter)
            .with_env_filter(EnvFilter::new("plugin=debug,luckystack_capabilities=info"))
            .try_init();
        let settings = EngineSettings { max_instances: 8, ..EngineSettings::default() };
        let runtime = Runtime::start(&settings, all(options), None).unwrap();
        Host { runtime: Arc::new(runtime), dir: tempfile::tempdir().unwrap() }
    }

    pub fn service(&self, name: &str, settings: ServiceSettings) -> Arc<ServiceRuntime> {
        self.try_service(name, settings).unwrap()
    }

    /// A service, or why there is none.
    pub fn try_service(&self, name: &str, settings: ServiceSettings) -> Result<Arc<ServiceRuntime>, String> {
        self.runtime.service(name, Arc::new(settings)).map_err(|error| error.to_string())
    }

    pub async fn load(&self, service: &Arc<ServiceRuntime>, guest: &str) -> Result<Arc<Plugin>, LoadError> {
        let file = self.dir.path().join(format!("{}.wasm", service.name()));
        std::fs::write(&file, component(service.name(), guest)).unwrap();
        self.runtime.load(&file, service).await.map(|(plugin, _)| plugin)
    }

    /// A plugin of a service of its own.
    pub async fn plugin(&self, name: &str, settings: ServiceSettings, guest: &str) -> Arc<Plugin> {
        let service = self.service(name, settings);
        self.load(&service, guest).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A call with a request id of its own.
pub fn call() -> CallContext {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let caller = Caller {
        session: None,
        ip: "unknown".into(),
        language: "en".into(),
        request_id: format!("request-{}", NEXT.fetch_add(1, Ordering::Relaxed)).into(),
        traceparent: None,
        transport: Transport::Http,
    };
    // Far off: these tests share two cores with everything else.
    CallContext::new("api/svc/run/v1".into(), caller, Instant::now() + Duration::from_secs(60))
}

pub async fn run(plugin: &Arc<Plugin>, call: &Arc<CallContext>, args: impl AsRef<[u8]>) -> Answer {
    let args = Bytes::copy_from_slice(args.as_ref());
    plugin.call_function(Arc::clone(call), "test/run".into(), args).await
}

/// Runs a guest that is expected to answer, in a call of its own.
pub async fn answer(plugin: &Arc<Plugin>, args: impl AsRef<[u8]>) -> String {
    let answer = run(plugin, &Arc::new(call()), args).await;
    String::from_utf8(answer.unwrap().unwrap()).unwrap()
}

fn component(service: &str, guest: &str) -> Vec<u8> {
    const WORLD: &str = "
        package test:guest;
        world guest {
            include luckystack:plugin/imports@0.1.0;
            import wasi:cli/stdout@0.2.12;
            import wasi:cli/stderr@0.2.12;
            import wasi:cli/environment@0.2.12;
            import wasi:clocks/monotonic-clock@0.2.12;
            export luckystack:plugin/plugin@0.1.0;
            export luckystack:plugin/functions@0.1.0;
        }
        package wasi:cli@0.2.12 {
            interface stdout {
                use wasi:io/streams@0.2.12.{output-stream};
                get-stdout: func() -> output-stream;
            }
            interface stderr {
                use wasi:io/streams@0.2.12.{output-stream};
                get-stderr: func() -> output-stream;
            }
            interface environment {
                get-environment: func() -> list<tuple<string, string>>;
            }
        }
    ";
    let mut module = wat::parse_str(core_module(service, guest)).unwrap();
    let mut resolve = Resolve::default();
    resolve.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
    let package = resolve.push_str("guest.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// Memory: 8 the manifest's address and length, 16 the area of `$ok`, 32–511 for the guest, 512 texts,
/// 1024 the manifest, 4096 for the guest's own data, from 65536 the heap, emptied after every call.
fn core_module(service: &str, guest: &str) -> String {
    let manifest = format!(
        r#"{{"name":"guest","version":"1.0.0","service":"{service}","functions":[{{"name":"test/run"}}]}}"#
    );
    let (data, length) = (manifest.replace('"', "\\\""), manifest.len());
    // Imports stand before everything else in a module.
    let (imports, rest) = guest.split_once(";; end of imports").unwrap_or(("", guest));
    let describing = if rest.contains("(func $describing") { "" } else { "(func $describing)" };
    format!(
        r#"(module
            {imports}
            (memory (export "memory") 64)
            (global $heap (mut i32) (i32.const 65536))
            (data (i32.const 512) "true    false   none    ")
            (data (i32.const 1024) "{data}")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (global.get $heap))
                (global.set $heap
                    (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
                (local.get $at))
            (func (export "luckystack:plugin/plugin@0.1.0#describe") (result i32)
                (call $describing)
                (i32.store (i32.const 8) (i32.const 1024))
                (i32.store (i32.const 12) (i32.const {length}))
                (i32.const 8))
            (func $ok (param $text i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 16) (i32.const 0))
                (i32.store (i32.const 20) (local.get $text))
                (i32.store (i32.const 24) (local.get $len))
                (i32.const 16))
            (func $bool (param $value i32) (result i32)
                (if (result i32) (local.get $value)
                    (then (call $ok (i32.const 512) (i32.const 4)))
                    (else (call $ok (i32.const 520) (i32.const 5)))))
            (func $none (result i32) (call $ok (i32.const 528) (i32.const 4)))
            ;; One small number as a character: 0 is "0".
            (func $digit (param $value i32) (result i32)
                (i32.store8 (i32.const 500) (i32.add (local.get $value) (i32.const 48)))
                (call $ok (i32.const 500) (i32.const 1)))
            (func (export "luckystack:plugin/functions@0.1.0#call") (param i32 i32 i32 i32) (result i32)
                (call $run (local.get 2) (local.get 3)))
            (func (export "cabi_post_luckystack:plugin/functions@0.1.0#call") (param i32)
                (global.set $heap (i32.const 65536)))
            {describing}
            {rest}
        )"#
    )
}
