//! A real component whose exports do what a test says: each asks the test through an import, and gives back
//! what it was told. So a test decides in Rust what a handler or hook does, and everything between them is
//! the real thing.

use std::fmt::Write as _;
use std::sync::Arc;

use futures::future::BoxFuture;
use luckystack_plugins::capability::Interface;
use luckystack_plugins::{CallContext, Capability, HostState};
use parking_lot::Mutex;
use serde_json::Value;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: &str = "
    package test:puppet;
    interface strings {
        ask: func(what: string, first: list<u8>, second: list<u8>, count: u32) -> list<u8>;
    }
    world puppet {
        import strings;
        export luckystack:plugin/plugin@0.1.0;
        export luckystack:plugin/sync-server@0.1.0;
        export luckystack:plugin/sync-client@0.1.0;
        export luckystack:plugin/hooks@0.1.0;
        export luckystack:plugin/error-formatter@0.1.0;
    }
";

/// What a component was asked.
pub struct Scene {
    /// `server`, `client`, `hook` or `formatter`.
    pub what: String,
    /// The input; a hook's name; the envelope.
    pub first: String,
    /// Of a server half the room, of a client half the server's output, of a hook the payload, of a formatter
    /// the route.
    pub second: String,
    /// Recipients of a client half.
    pub count: u32,
    /// The call.
    pub call: Arc<CallContext>,
}

impl Scene {
    /// A hook's payload, or what else is JSON there.
    pub fn payload(&self) -> Value {
        serde_json::from_str(&self.second).unwrap()
    }

    /// Whether it is that hook.
    pub fn is_hook(&self, name: &str) -> bool {
        self.what == "hook" && self.first == name
    }
}

/// What it does then.
pub enum Act {
    /// Gives these, one for each recipient of a client half, else one. A hook proceeds when there is none.
    Give(Vec<Said>),
    /// Traps.
    Trap,
    /// Computes without end.
    Spin,
}

/// One result.
pub enum Said {
    /// JSON text: a handler's success, a hook's replacement, a formatted envelope.
    Json(String),
    /// An error, or a hook's stop.
    Error(&'static str, Option<u16>),
    /// A hook's stop with `overrideOutput`.
    Instead(&'static str),
}

/// One success, or one replacement.
pub fn give(json: impl Into<String>) -> Act {
    Act::Give(vec![Said::Json(json.into())])
}

/// One error, or a stop.
pub fn fail(code: &'static str, status: Option<u16>) -> Act {
    Act::Give(vec![Said::Error(code, status)])
}

/// Nothing: a hook proceeds.
pub fn nothing() -> Act {
    Act::Give(Vec::new())
}

/// What all components of a test do.
pub type Script = Arc<dyn Fn(Scene) -> BoxFuture<'static, Act> + Send + Sync>;

/// The host's side of the strings.
pub struct Strings {
    pub script: Arc<Mutex<Script>>,
}

impl Capability for Strings {
    fn name(&self) -> &'static str {
        "strings"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "test:puppet/strings"
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        let script = Arc::clone(&self.script);
        linker.instance("test:puppet/strings")?.func_wrap_async(
            "ask",
            move |store: StoreContextMut<'_, HostState>,
                  (what, first, second, count): (String, Vec<u8>, Vec<u8>, u32)| {
                let call = Arc::clone(store.data().call().unwrap());
                let text = |bytes| String::from_utf8(bytes).unwrap();
                let scene = Scene { what, first: text(first), second: text(second), count, call };
                let act = (script.lock().clone())(scene);
                Box::new(async move { Ok((act.await.encode(),)) })
            },
        )
    }
}

impl Act {
    /// Number of entries; each a tag, a status, a length and as many bytes, in fours.
    fn encode(self) -> Vec<u8> {
        let said = match self {
            Act::Trap => return u32::MAX.to_le_bytes().to_vec(),
            Act::Spin => return (u32::MAX - 1).to_le_bytes().to_vec(),
            Act::Give(said) => said,
        };
        let mut out = u32::try_from(said.len()).unwrap().to_le_bytes().to_vec();
        for one in said {
            let (tag, status, bytes) = match &one {
                Said::Json(json) => (0, 0, json.as_bytes()),
                Said::Error(code, status) => (1, status.unwrap_or(0), code.as_bytes()),
                Said::Instead(json) => (2, 0, json.as_bytes()),
            };
            for word in [tag, u32::from(status), u32::try_from(bytes.len()).unwrap()] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        out
    }
}

/// A component with this manifest.
pub fn component(manifest: &Value) -> Vec<u8> {
    let mut module = wat::parse_str(module(&manifest.to_string())).unwrap();
    let mut resolve = Resolve::default();
    resolve.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
    let package = resolve.push_str("puppet.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], Some("puppet")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// Memory: 8 the manifest's address and length, 16 where `ask` returns, 32 where a client half returns, 64
/// words, 1024 the manifest, from 65536 the heap, emptied after every call.
fn module(manifest: &str) -> String {
    let mut data = String::new();
    for byte in manifest.bytes() {
        write!(data, "\\{byte:02x}").unwrap();
    }
    let len = manifest.len();
    assert!(len < 60_000);
    let mut length = String::new();
    for byte in (len as u32).to_le_bytes() {
        write!(length, "\\{byte:02x}").unwrap();
    }
    let mut posts = String::new();
    for export in [
        "sync-server@0.1.0#call",
        "sync-client@0.1.0#call",
        "hooks@0.1.0#handle",
        "error-formatter@0.1.0#format",
    ] {
        writeln!(
            posts,
            "(func (export \"cabi_post_luckystack:plugin/{export}\") (param i32)
              (global.set $heap (i32.const 65536)))"
        )
        .unwrap();
    }
    format!(
        r#"(module
(import "test:puppet/strings" "ask" (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32)))
(memory (export "memory") 64)
(global $heap (mut i32) (i32.const 65536))
(data (i32.const 8) "\00\04\00\00{length}")
(data (i32.const 64) "serverclienthookformatter")
(data (i32.const 1024) "{data}")
(func $alloc (param $len i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
  (global.set $heap (i32.add (local.get $at) (local.get $len)))
  (local.get $at))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))
{posts}
;; Asks; the address of the first entry, or the end of the call.
(func $asked (param $what i32) (param $what_len i32) (param $a i32) (param $a_len i32)
  (param $b i32) (param $b_len i32) (param $count i32) (result i32)
  (local $at i32)
  (call $ask (local.get $what) (local.get $what_len) (local.get $a) (local.get $a_len)
    (local.get $b) (local.get $b_len) (local.get $count) (i32.const 16))
  (local.set $at (i32.load (i32.const 16)))
  (if (i32.eq (i32.load (local.get $at)) (i32.const -1)) (then unreachable))
  (if (i32.eq (i32.load (local.get $at)) (i32.const -2)) (then (loop $again (br $again))))
  (local.get $at))
;; `result<json, handler-error>` of each entry; the address of the first.
(func $results (param $at i32) (result i32)
  (local $left i32) (local $array i32) (local $to i32)
  (local.set $left (i32.load (local.get $at)))
  (local.set $array (call $alloc (i32.mul (local.get $left) (i32.const 24))))
  (local.set $to (local.get $array))
  (memory.fill (local.get $array) (i32.const 0) (i32.mul (local.get $left) (i32.const 24)))
  (local.set $at (i32.add (local.get $at) (i32.const 4)))
  (block $done (loop $next
    (br_if $done (i32.eqz (local.get $left)))
    (i32.store8 (local.get $to) (i32.load (local.get $at)))
    (i32.store offset=4 (local.get $to) (i32.add (local.get $at) (i32.const 12)))
    (i32.store offset=8 (local.get $to) (i32.load offset=8 (local.get $at)))
    (if (i32.load offset=4 (local.get $at)) (then
      (i32.store8 offset=20 (local.get $to) (i32.const 1))
      (i32.store16 offset=22 (local.get $to) (i32.load offset=4 (local.get $at)))))
    (local.set $at (i32.add (local.get $at) (i32.add (i32.const 12)
      (i32.and (i32.add (i32.load offset=8 (local.get $at)) (i32.const 3)) (i32.const -4)))))
    (local.set $to (i32.add (local.get $to) (i32.const 24)))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br $next)))
  (local.get $array))
(func (export "luckystack:plugin/plugin@0.1.0#describe") (result i32) (i32.const 8))
;; Its parameters lie in memory: last the room and the input.
(func (export "luckystack:plugin/sync-server@0.1.0#call") (param $args i32) (result i32)
  (call $results (call $asked (i32.const 64) (i32.const 6)
    (i32.load offset=76 (local.get $args)) (i32.load offset=80 (local.get $args))
    (i32.load offset=68 (local.get $args)) (i32.load offset=72 (local.get $args)) (i32.const 1))))
(func (export "luckystack:plugin/sync-client@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (call $asked (i32.const 70) (i32.const 6) (local.get 4) (local.get 5)
    (local.get 6) (local.get 7) (local.get 9)))
  (i32.store (i32.const 32) (call $results (local.get $at)))
  (i32.store (i32.const 36) (i32.load (local.get $at)))
  (i32.const 32))
(func (export "luckystack:plugin/hooks@0.1.0#handle") (param i32 i32 i32 i32) (result i32)
  (local $at i32) (local $to i32)
  (local.set $at (call $asked (i32.const 76) (i32.const 4) (local.get 0) (local.get 1)
    (local.get 2) (local.get 3) (i32.const 1)))
  (local.set $to (call $alloc (i32.const 28)))
  (memory.fill (local.get $to) (i32.const 0) (i32.const 28))
  (if (i32.load (local.get $at)) (then
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (i32.store8 (local.get $to) (i32.const 1))
    (if (i32.load (local.get $at)) (then (i32.store8 (local.get $to) (i32.const 2))))
    (if (i32.eq (i32.load (local.get $at)) (i32.const 2))
      (then
        (i32.store8 offset=16 (local.get $to) (i32.const 1))
        (i32.store offset=20 (local.get $to) (i32.add (local.get $at) (i32.const 12)))
        (i32.store offset=24 (local.get $to) (i32.load offset=8 (local.get $at))))
      (else
        (i32.store offset=4 (local.get $to) (i32.add (local.get $at) (i32.const 12)))
        (i32.store offset=8 (local.get $to) (i32.load offset=8 (local.get $at)))
        (if (i32.load offset=4 (local.get $at)) (then
          (i32.store8 offset=12 (local.get $to) (i32.const 1))
          (i32.store16 offset=14 (local.get $to) (i32.load offset=4 (local.get $at)))))))))
  (local.get $to))
(func (export "luckystack:plugin/error-formatter@0.1.0#format")
  (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (local $at i32) (local $to i32)
  (local.set $at (call $asked (i32.const 80) (i32.const 9) (local.get 6) (local.get 7)
    (local.get 0) (local.get 1) (i32.const 1)))
  (local.set $to (call $alloc (i32.const 12)))
  (memory.fill (local.get $to) (i32.const 0) (i32.const 12))
  (if (i32.load (local.get $at)) (then
    (i32.store8 (local.get $to) (i32.const 1))
    (i32.store offset=4 (local.get $to) (i32.add (local.get $at) (i32.const 16)))
    (i32.store offset=8 (local.get $to) (i32.load offset=12 (local.get $at)))))
  (local.get $to))
)"#
    )
}
