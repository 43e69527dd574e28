//! From a file to a [`Plugin`], one stage at a time.
//!
//! Read → recognise → pin → compile (or map from the cache) → link → describe (or take from the
//! cache) → manifest; → instantiate, for one that replaces another. Each stage can refuse with a [`LoadError`] that names the file, the stage, what
//! is wrong and what to do; nothing that runs is touched before all of them have passed.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::exports::luckystack::plugin as guest;
use crate::cache::{Entry, hex};
use crate::capability::{Grant, Interface};
use crate::error::{LoadError, Stage};
use crate::manifest::{Exported, Manifest, ManifestError};
use crate::plugin::{Exports, Plugin};
use crate::runtime::{Runtime, Tier};
use crate::service::ServiceRuntime;
use crate::state::HostState;

/// The contract that this host speaks; plugins of a compatible version (same minor while it is 0.x,
/// no newer patch) are accepted.
pub const CONTRACT_VERSION: &str = "0.1.0";
const CONTRACT_PACKAGE: &str = "luckystack:plugin/";

/// How a plugin came to be, for listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether its compiled code came from the cache.
    pub cached: bool,
}

/// How code is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    /// The best code.
    Best,
    /// The best code if it is in the cache, else the baseline compiler's at once.
    Draft,
}

impl Runtime {
    /// Loads the component in `file` for `service`. Everything slow happens off the async threads.
    pub async fn load(
        self: &Arc<Self>,
        file: &Path,
        service: &Arc<ServiceRuntime>,
    ) -> Result<(Arc<Plugin>, Origin), LoadError> {
        self.load_as(file, service, Haste::Best).await
    }

    /// Loads a component as fast as can be: where its best code is not in the cache, with the baseline
    /// compiler's ([`Plugin::is_draft`]), which answers about half as fast until [`Runtime::refine`]d. A
    /// component that the baseline compiler cannot compile gets the best code at once. Without
    /// [`crate::engine::EngineSettings::edits`] this is [`Runtime::load`].
    pub async fn load_draft(
        self: &Arc<Self>,
        file: &Path,
        service: &Arc<ServiceRuntime>,
    ) -> Result<(Arc<Plugin>, Origin), LoadError> {
        self.load_as(file, service, Haste::Draft).await
    }

    /// The same plugin with the best code; none when its file holds something else by now.
    pub async fn refine(self: &Arc<Self>, draft: &Plugin) -> Result<Option<Arc<Plugin>>, LoadError> {
        let (plugin, _) = self.load_as(&draft.file, &draft.service, Haste::Best).await?;
        Ok((plugin.sha256 == draft.sha256).then_some(plugin))
    }

    /// Makes one instance of a plugin that is about to take over from another.
    pub async fn rehearse(&self, plugin: &Arc<Plugin>) -> Result<(), LoadError> {
        plugin.instantiate().await.map_err(|error| LoadError {
            file: plugin.file.clone(),
            stage: Stage::Instantiate,
            message: format!("no instance of it can be made: {error}"),
            remedy: "look at what runs when it starts (initialisers, globals), and at the service's `memory` limit"
                .into(),
        })
    }

    async fn load_as(
        self: &Arc<Self>,
        file: &Path,
        service: &Arc<ServiceRuntime>,
        haste: Haste,
    ) -> Result<(Arc<Plugin>, Origin), LoadError> {
        let runtime = Arc::clone(self);
        let (path, owner) = (file.to_owned(), Arc::clone(service));
        let fail = |stage, message: String, remedy: &str| LoadError {
            file: file.to_owned(),
            stage,
            message,
            remedy: remedy.into(),
        };
        let compiled =
            tokio::task::spawn_blocking(move || runtime.compile(&path, &owner, haste)).await.map_err(
                |error| fail(Stage::Compile, error.to_string(), "report this: the compiler must not panic"),
            )??;
        let Compiled { sha256, entry, pre, exports, exported, draft } = compiled;
        let Entry { manifest: cached, hit, .. } = entry;

        let mut plugin = Plugin {
            file: file.to_owned(),
            sha256,
            manifest: Arc::new(unnamed_manifest(file, service.name())),
            service: Arc::clone(service),
            pre,
            exports,
            idle: Mutex::new(Vec::new()),
            shared: Arc::clone(&self.shared),
            draft,
        };
        let from_cache = cached.and_then(|text| Manifest::parse(&text).ok());
        let manifest = match from_cache {
            Some(manifest) => manifest,
            None => {
                let describing = Arc::new(plugin);
                let text = describing.describe().await.map_err(|error| {
                    fail(
                        Stage::Describe,
                        format!("`describe` failed: {error}"),
                        "`describe` must only build the manifest: no imports besides logging answer while it runs",
                    )
                })?;
                let manifest = Manifest::parse(&text)
                    .map_err(|error| fail(Stage::Manifest, error.message, &error.remedy))?;
                if let Some(cache) = &self.cache {
                    cache.store_manifest(&describing.sha256, &text);
                }
                plugin = Arc::try_unwrap(describing).map_err(|_| {
                    fail(
                        Stage::Describe,
                        "`describe` is still running".into(),
                        "report this: it is a bug of the host",
                    )
                })?;
                manifest
            }
        };
        let problems = manifest.check(service.name(), exported);
        if !problems.is_empty() {
            return Err(refuse_manifest(file, &problems));
        }
        plugin.manifest = Arc::new(manifest);
        let plugin = Arc::new(plugin);
        self.shared.register(&plugin);
        Ok((plugin, Origin { cached: hit }))
    }

    fn compile(&self, file: &Path, service: &ServiceRuntime, haste: Haste) -> Result<Compiled, LoadError> {
        let fail = |stage, message: String, remedy: String| LoadError {
            file: file.to_owned(),
            stage,
            message,
            remedy,
        };
        let bytes = std::fs::read(file).map_err(|error| {
            fail(Stage::Read, error.to_string(), "check that the file exists and can be read".into())
        })?;
        recognise(&bytes).map_err(|(message, remedy)| fail(Stage::Recognise, message, remedy))?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(pinned) = service.settings().pin.get(&name)
            && *pinned != sha256
        {
            return Err(fail(
                Stage::Pin,
                format!("the preset pins {name} to sha256 {pinned}, but its content has {sha256}"),
                "put the pinned version back, or change the pin in the preset".into(),
            ));
        }
        let (tier, entry) = self.code(&bytes, &sha256, haste).map_err(|error| {
            fail(
                Stage::Compile,
                format!("it is not a valid component: {error:#}"),
                "build it again; if it was copied, check that the copy is complete".into(),
            )
        })?;
        let exported = self
            .check_interfaces(&tier.engine, &entry.component, service)
            .map_err(|error| fail(Stage::Link, error.message, error.remedy))?;
        let pre = tier.linker.instantiate_pre(&entry.component).map_err(|error| {
            fail(
                Stage::Link,
                format!("its imports do not fit the host's: {error:#}"),
                format!("build it against wit/ of this host (luckystack:plugin {CONTRACT_VERSION})"),
            )
        })?;
        let exports = exports(&pre, exported).map_err(|error| {
            fail(
                Stage::Link,
                format!("its exports do not fit the contract: {error:#}"),
                format!("build it against wit/ of this host (luckystack:plugin {CONTRACT_VERSION})"),
            )
        })?;
        let draft = !std::ptr::eq(tier, &self.serving);
        Ok(Compiled { sha256, entry, pre, exports, exported, draft })
    }

    /// A component's native code, and the engine that runs it.
    fn code(&self, bytes: &[u8], sha256: &str, haste: Haste) -> wasmtime::Result<(&Tier, Entry)> {
        let engine = &self.serving.engine;
        if let (Haste::Draft, Some(draft)) = (haste, &self.draft) {
            if let Some(entry) = self.cache.as_ref().and_then(|cache| cache.find(engine, sha256)) {
                return Ok((&self.serving, entry));
            }
            // What this compiler does not know (tail calls, for one), the other one does.
            if let Ok(component) = Component::from_binary(&draft.engine, bytes) {
                let manifest = self.cache.as_ref().and_then(|cache| cache.manifest(sha256));
                return Ok((draft, Entry { component, manifest, hit: false }));
            }
        }
        let entry = match &self.cache {
            Some(cache) => cache.load(engine, sha256, bytes)?,
            None => Entry { component: Component::from_binary(engine, bytes)?, manifest: None, hit: false },
        };
        Ok((&self.serving, entry))
    }

    /// Compares what the component imports with what the host offers and the preset grants, and finds
    /// which of the contract's interfaces it exports.
    fn check_interfaces(
        &self,
        engine: &Engine,
        component: &Component,
        service: &ServiceRuntime,
    ) -> Result<Exported, ManifestError> {
        let ty = component.component_type();
        for (name, _) in ty.imports(engine) {
            let interface = Interface::parse(name);
            check_contract_version(interface)?;
            // An interface of types alone asks for nothing.
            if interface.name == "luckystack:plugin/types" {
                continue;
            }
            let Some(capability) = self.capabilities.iter().find(|capability| capability.provides(interface))
            else {
                let offered: Vec<_> = self.capabilities.iter().map(|capability| capability.name()).collect();
                return Err(ManifestError::new(
                    format!("it imports {name}, which this host does not offer"),
                    format!("the host offers: {}; see wit/luckystack.wit", offered.join(", ")),
                ));
            };
            if let Grant::Missing(grant) = capability.grant(service.name(), service.settings()) {
                return Err(ManifestError::new(
                    format!(
                        "it imports {name}, but the service {} was not granted {}",
                        service.name(),
                        capability.name()
                    ),
                    grant,
                ));
            }
        }
        let mut exported = Exported::default();
        let mut describes = false;
        for (name, _) in ty.exports(engine) {
            let interface = Interface::parse(name);
            check_contract_version(interface)?;
            match interface.name.strip_prefix(CONTRACT_PACKAGE) {
                Some("plugin") => describes = true,
                Some("api") => exported.api = true,
                Some("sync-server") => exported.sync_server = true,
                Some("sync-client") => exported.sync_client = true,
                Some("hooks") => exported.hooks = true,
                Some("functions") => exported.functions = true,
                Some("error-formatter") => exported.error_formatter = true,
                Some("user-store") => exported.user_store = true,
                _ => {}
            }
        }
        if !describes {
            return Err(ManifestError::new(
                format!(
                    "it is a component, but no plugin: it does not export luckystack:plugin/plugin@{CONTRACT_VERSION}"
                ),
                "export the interface `plugin` of wit/luckystack.wit, or build it with one of the SDKs",
            ));
        }
        Ok(exported)
    }
}

struct Compiled {
    sha256: String,
    entry: Entry,
    pre: InstancePre<HostState>,
    exports: Exports,
    exported: Exported,
    draft: bool,
}

fn exports(pre: &InstancePre<HostState>, exported: Exported) -> wasmtime::Result<Exports> {
    Ok(Exports {
        plugin: guest::plugin::GuestIndices::new(pre)?,
        api: exported.api.then(|| guest::api::GuestIndices::new(pre)).transpose()?,
        sync_server: exported.sync_server.then(|| guest::sync_server::GuestIndices::new(pre)).transpose()?,
        sync_client: exported.sync_client.then(|| guest::sync_client::GuestIndices::new(pre)).transpose()?,
        hooks: exported.hooks.then(|| guest::hooks::GuestIndices::new(pre)).transpose()?,
        functions: exported.functions.then(|| guest::functions::GuestIndices::new(pre)).transpose()?,
        error_formatter: exported
            .error_formatter
            .then(|| guest::error_formatter::GuestIndices::new(pre))
            .transpose()?,
        user_store: exported.user_store.then(|| guest::user_store::GuestIndices::new(pre)).transpose()?,
    })
}

fn check_contract_version(interface: Interface<'_>) -> Result<(), ManifestError> {
    if !interface.name.starts_with(CONTRACT_PACKAGE) {
        return Ok(());
    }
    let version = interface.version.unwrap_or("none");
    let compatible = match (parse_version(version), parse_version(CONTRACT_VERSION)) {
        (Some((major, minor, patch)), Some((own_major, own_minor, own_patch))) => {
            major == own_major && minor == own_minor && patch <= own_patch
        }
        _ => false,
    };
    if compatible {
        return Ok(());
    }
    Err(ManifestError::new(
        format!("it was built for luckystack:plugin {version}, this host speaks {CONTRACT_VERSION}"),
        "build it with the SDK of this host's version, or use a host of the plugin's version",
    ))
}

fn parse_version(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

/// Says what `bytes` are when they are not a component.
fn recognise(bytes: &[u8]) -> Result<(), (String, String)> {
    const MAGIC: &[u8] = b"\0asm";
    let convert = "wrap it into a component, for example with `wasm-tools component new`, or build it with one of the SDKs";
    let rebuild = "put the built component (a .wasm file) in its place";
    let refused = match bytes {
        [] => ("the file is empty".to_owned(), rebuild),
        _ if MAGIC.starts_with(bytes) || (bytes.starts_with(MAGIC) && bytes.len() < 8) => {
            ("the file is cut off within its first 8 bytes".to_owned(), rebuild)
        }
        _ if bytes.starts_with(MAGIC) => match &bytes[4..8] {
            [0x0d, 0, 1, 0] => return Ok(()),
            [1, 0, 0, 0] => ("it is a core WebAssembly module; a component was expected".to_owned(), convert),
            [version, _, 1, 0] => (
                format!("it is a component in binary version {version:#x}; version 0xd was expected"),
                "build it with current tools",
            ),
            other => (
                format!("it is WebAssembly of the unknown version {}", spaced(other)),
                "build it with current tools",
            ),
        },
        _ if Engine::detect_precompiled(bytes).is_some() => (
            "it is precompiled native code; the host accepts components only".to_owned(),
            "put the component itself here: the host compiles and caches it",
        ),
        _ if bytes.starts_with(b"\x7fELF") => ("it is a native ELF binary".to_owned(), rebuild),
        _ if bytes.starts_with(b"PK\x03\x04") => ("it is a zip archive".to_owned(), "unpack it"),
        _ if bytes.starts_with(b"\x1f\x8b") => ("it is gzip-compressed".to_owned(), "unpack it"),
        _ if looks_like_text(bytes, "(component") || looks_like_text(bytes, "(module") => {
            ("it is WebAssembly text".to_owned(), "convert it with `wasm-tools parse`")
        }
        _ if looks_like_text(bytes, "version https://git-lfs") => {
            ("it is a Git LFS pointer".to_owned(), "fetch the file with `git lfs pull`")
        }
        _ => (
            format!(
                "it is not WebAssembly: it begins with {}, a component with {}",
                spaced(&bytes[..bytes.len().min(8)]),
                spaced(b"\0asm\x0d\0\x01\0")
            ),
            rebuild,
        ),
    };
    Err((refused.0, refused.1.to_owned()))
}

/// Bytes as a person reads them in a hex dump: `00 61 73 6d`.
fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| hex(&[*byte])).collect::<Vec<_>>().join(" ")
}

fn looks_like_text(bytes: &[u8], start: &str) -> bool {
    bytes.trim_ascii_start().starts_with(start.as_bytes())
}

fn refuse_manifest(file: &Path, problems: &[ManifestError]) -> LoadError {
    let join = |pick: fn(&ManifestError) -> &String| {
        problems.iter().map(|problem| pick(problem).as_str()).collect::<Vec<_>>().join("; ")
    };
    LoadError {
        file: file.to_owned(),
        stage: Stage::Manifest,
        message: join(|problem| &problem.message),
        remedy: join(|problem| &problem.remedy),
    }
}

/// Stands in while `describe` runs, so that logs name the file.
fn unnamed_manifest(file: &Path, service: &str) -> Manifest {
    Manifest {
        name: file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
        version: String::new(),
        description: None,
        service: service.to_owned(),
        routes: Vec::new(),
        hooks: Vec::new(),
        functions: Vec::new(),
        error_formatter: None,
        user_store: false,
    }
}
