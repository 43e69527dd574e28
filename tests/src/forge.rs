//! Components made in memory from WebAssembly text: those that no toolchain would make.
//!
//! A forged component is a core module written by hand and wrapped by the same encoder that the SDKs
//! use. Each interface that it exports does one thing ([`Act`]), good or evil, down to breaking the
//! component model's own rules: wild pointers, lengths and tags.

mod abi;
mod wit;

use std::fmt::Write;

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use abi::Data;

/// The version of the contract that components are forged for unless told otherwise.
pub const CONTRACT: &str = "0.1.0";

/// What an exported function does when it is called.
#[derive(Clone, Debug)]
pub enum Act {
    /// Gives these bytes: a handler's output, a function's result, a hook's replacement, a formatter's
    /// envelope.
    Give(Vec<u8>),
    /// Returns an error with this code; a hook stops with it.
    Fail(String, Option<u16>),
    /// A hook proceeds, a formatter leaves the error as it is.
    Nothing,
    /// Executes `unreachable`.
    Trap,
    /// Never ends.
    Spin,
    /// Calls itself without end.
    Recurse,
    /// Grows its memory without end.
    Grow,
    /// Loads from behind the end of its memory.
    OutOfBounds,
    /// Divides by zero.
    DivideByZero,
    /// Says that its result lies behind the end of its memory.
    WildPointer,
    /// Says that its result is four gigabytes long.
    WildLength,
    /// Returns a variant's case that does not exist.
    WildTag,
    /// Returns text that is not UTF-8 (`describe`, and error codes elsewhere).
    InvalidUtf8,
    /// Emits this chunk again and again.
    EmitForever(Vec<u8>),
    /// Gives a success whose `result` is how many calls this instance has seen, up to 9.
    Count,
    /// Sends these chunks, and gives these bytes then.
    Say(Vec<Chunk>, Vec<u8>),
    /// Emits this chunk until the client has gone or cancelled, and gives these bytes then.
    UntilAborted(Vec<u8>, Vec<u8>),
}

/// A chunk, and for whom.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// For the caller.
    Emit(Vec<u8>),
    /// For the room of a sync call.
    Broadcast(Vec<u8>),
}

/// An export of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Export {
    Plugin,
    Api,
    Hooks,
    Functions,
    ErrorFormatter,
    SyncServer,
    SyncClient,
}

/// A function that the component imports and never calls.
#[derive(Clone, Debug)]
struct Import {
    interface: String,
    function: String,
    signature: String,
}

/// A component in the making.
#[derive(Clone, Debug)]
pub struct Forge {
    contract: String,
    manifest: Value,
    describe: Option<Act>,
    exports: Vec<(Export, Act)>,
    imports: Vec<Import>,
    start: Option<Act>,
    initial_pages: u32,
    wild_realloc: bool,
    no_plugin: bool,
}

impl Act {
    /// A handler's success with this `result`.
    pub fn success(result: Value) -> Act {
        Act::Give(json!({ "status": "success", "result": result }).to_string().into())
    }
}

impl Forge {
    /// A plugin of this service that does nothing yet.
    pub fn new(service: &str, name: &str) -> Forge {
        Forge {
            contract: CONTRACT.to_owned(),
            manifest: json!({ "name": name, "version": "1.0.0", "service": service }),
            describe: None,
            exports: Vec::new(),
            imports: Vec::new(),
            start: None,
            initial_pages: 0,
            wild_realloc: false,
            no_plugin: false,
        }
    }

    /// Builds it for another version of the contract.
    pub fn contract(mut self, version: &str) -> Forge {
        self.contract = version.to_owned();
        self
    }

    /// Lists the API route `name` at version 1, a public GET, and answers every route with `act`.
    pub fn api(self, name: &str, act: Act) -> Forge {
        self.route(json!({ "kind": "api", "name": name, "version": 1, "method": "GET", "rateLimit": false }))
            .export(Export::Api, act)
    }

    /// Lists the sync route `name` at version 1, open to everybody, whose server half does `act`.
    pub fn sync(self, name: &str, act: Act) -> Forge {
        self.route(json!({ "kind": "sync-server", "name": name, "version": 1, "rateLimit": false }))
            .export(Export::SyncServer, act)
    }

    /// Lists the client half of the sync route `name` at version 1. It gives or fails, for up to
    /// 64 recipients at once.
    pub fn sync_client(self, name: &str, act: Act) -> Forge {
        self.route(json!({ "kind": "sync-client", "name": name, "version": 1 }))
            .export(Export::SyncClient, act)
    }

    /// Lists a route in the manifest, whether or not anything answers it.
    pub fn route(self, route: Value) -> Forge {
        self.list("routes", route)
    }

    /// Subscribes to a hook: `hook` is the manifest's entry.
    pub fn hook(self, hook: Value, act: Act) -> Forge {
        self.list("hooks", hook).export(Export::Hooks, act)
    }

    /// Provides a function.
    pub fn function(self, name: &str, act: Act) -> Forge {
        self.list("functions", json!({ "name": name })).export(Export::Functions, act)
    }

    /// Formats errors, those of all routes when `global`.
    pub fn error_formatter(self, global: bool, act: Act) -> Forge {
        let forge = if global { self.manifest("errorFormatter", json!("global")) } else { self };
        forge.export(Export::ErrorFormatter, act)
    }

    /// Sets a key of the manifest.
    pub fn manifest(mut self, key: &str, value: Value) -> Forge {
        self.manifest[key] = value;
        self
    }

    /// What `describe` does instead of returning the manifest.
    pub fn describe(mut self, act: Act) -> Forge {
        self.describe = Some(act);
        self
    }

    /// What the module does while it is instantiated.
    pub fn start(mut self, act: Act) -> Forge {
        self.start = Some(act);
        self
    }

    /// Imports a function, given its core signature such as `(param i32 i32) (result i32)`.
    pub fn import(mut self, interface: &str, function: &str, signature: &str) -> Forge {
        self.imports.push(Import {
            interface: interface.to_owned(),
            function: function.to_owned(),
            signature: signature.to_owned(),
        });
        self
    }

    /// Has this much memory from the start.
    pub fn initial_pages(mut self, pages: u32) -> Forge {
        self.initial_pages = pages;
        self
    }

    /// Wants its arguments written behind the end of its memory.
    pub fn wild_realloc(mut self) -> Forge {
        self.wild_realloc = true;
        self
    }

    /// Leaves the export `plugin` out.
    pub fn without_plugin(mut self) -> Forge {
        self.no_plugin = true;
        self
    }

    fn list(mut self, key: &str, entry: Value) -> Forge {
        match self.manifest[key].as_array_mut() {
            Some(list) => list.push(entry),
            None => self.manifest[key] = json!([entry]),
        }
        self
    }

    fn export(mut self, export: Export, act: Act) -> Forge {
        self.exports.retain(|(other, _)| *other != export);
        self.exports.push((export, act));
        self
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        let (resolve, world) = wit::world(&self.contract, &self.wit_world());
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }

    /// The core module inside: what a file holds that was not wrapped into a component.
    pub fn module(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap()
    }

    fn all_exports(&self) -> Vec<(Export, Act)> {
        let mut exports = self.exports.clone();
        if !self.no_plugin {
            let manifest = Act::Give(self.manifest.to_string().into());
            exports.push((Export::Plugin, self.describe.clone().unwrap_or(manifest)));
        }
        exports
    }

    fn emits(&self) -> bool {
        let emits = |act: &Act| matches!(act, Act::EmitForever(_) | Act::Say(..) | Act::UntilAborted(..));
        self.exports.iter().any(|(_, act)| emits(act))
    }

    /// The world of exactly what is imported and exported.
    fn wit_world(&self) -> String {
        let mut world = String::new();
        let mut interfaces: Vec<_> = self.imports.iter().map(|import| import.interface.clone()).collect();
        if self.emits() {
            interfaces.push(format!("luckystack:plugin/%stream@{}", self.contract));
        }
        interfaces.dedup();
        for interface in interfaces {
            writeln!(world, "  import {interface};").unwrap();
        }
        for (export, _) in self.all_exports() {
            writeln!(world, "  export luckystack:plugin/{}@{};", export.interface(), self.contract).unwrap();
        }
        world
    }

    /// The core module as text.
    fn text(&self) -> String {
        let mut data = Data::new();
        let mut functions = String::new();
        for (export, act) in self.all_exports() {
            let name =
                format!("luckystack:plugin/{}@{}#{}", export.interface(), self.contract, export.function());
            let body = act.body(export, &mut data);
            let (label, params) = (export.interface().replace('-', "_"), export.params());
            writeln!(
                functions,
                "(func ${label} (export \"{name}\") {params} (result i32)\n\
                 (global.set $heap (global.get $base))\n{body})",
            )
            .unwrap();
        }
        if let Some(act) = &self.start {
            let body = act.body(Export::Plugin, &mut data);
            writeln!(functions, "(func $plugin_start (result i32)\n{body})").unwrap();
            writeln!(functions, "(func $begin (drop (call $plugin_start)))\n(start $begin)").unwrap();
        }
        let mut imports = String::new();
        for Import { interface, function, signature } in &self.imports {
            writeln!(imports, "(import \"{interface}\" \"{function}\" (func {signature}))").unwrap();
        }
        if self.emits() {
            let interface = format!("luckystack:plugin/stream@{}", self.contract);
            for function in ["emit", "broadcast"] {
                writeln!(
                    imports,
                    "(import \"{interface}\" \"{function}\" (func ${function} (param i32 i32) (result i32)))"
                )
                .unwrap();
            }
            writeln!(imports, "(import \"{interface}\" \"aborted\" (func $aborted (result i32)))").unwrap();
        }
        let pages = self.initial_pages.max(data.pages());
        let (base, segment) = (data.end(), data.segment());
        let realloc = if self.wild_realloc { abi::WILD_REALLOC } else { abi::REALLOC };
        format!(
            "(module\n{imports}(memory (export \"memory\") {pages})\n\
             (global $base i32 (i32.const {base}))\n(global $heap (mut i32) (i32.const {base}))\n\
             {realloc}\n{functions}{segment})"
        )
    }
}

impl Export {
    fn interface(self) -> &'static str {
        match self {
            Export::Plugin => "plugin",
            Export::Api => "api",
            Export::Hooks => "hooks",
            Export::Functions => "functions",
            Export::ErrorFormatter => "error-formatter",
            Export::SyncServer => "sync-server",
            Export::SyncClient => "sync-client",
        }
    }

    fn function(self) -> &'static str {
        match self {
            Export::Plugin => "describe",
            Export::Api | Export::Functions | Export::SyncServer | Export::SyncClient => "call",
            Export::Hooks => "handle",
            Export::ErrorFormatter => "format",
        }
    }

    /// Core parameters: flattened, or one pointer where they are more than 16.
    fn params(self) -> &'static str {
        match self {
            Export::Plugin => "",
            Export::Api | Export::SyncServer => "(param i32)",
            Export::SyncClient => "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
            Export::Hooks | Export::Functions => "(param i32 i32 i32 i32)",
            Export::ErrorFormatter => "(param i32 i32 i32 i32 i32 i32 i32 i32)",
        }
    }
}
