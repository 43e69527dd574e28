//! C: a folder with `plugin.json` and C files, or with C files in its `src/`.
//!
//! `plugin.json` is the manifest without `service` and `name`, which the folder says. From it come the table
//! of handlers and the declarations that the macros of `luckystack.h` check ([`manifest`]); the compiler and
//! the linker then refuse a handler without an entry and an entry without a handler. The SDK's own files are
//! compiled once per target folder, the plugin's each time: that takes tenths of a second.
//!
//! The C library is wasi-libc; what it asks an operating system for is answered by `sdk/c/src/wasi.c`, so that a
//! component imports nothing but what the contract offers and no adapter is needed.

mod compile;
mod find;
mod install;
mod manifest;
mod module;

use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};

use self::compile::Compiler;
pub use self::find::CToolchain;
use self::manifest::Plugin;
use crate::component;
use crate::error::BuildError;
use crate::freshness;
use crate::language::{BuildRequest, Built};
use crate::progress::{Event, Progress};
use crate::sdk::{self, File, embedded};

/// The SDK, as the compiler sees it.
pub(crate) const SDK: &[File] = embedded!("sdk/c":
    "generated/api_handlers.c",
    "generated/api_handlers.h",
    "generated/api_handlers_component_type.c",
    "generated/error_formatting.c",
    "generated/error_formatting.h",
    "generated/error_formatting_component_type.c",
    "generated/function_provider.c",
    "generated/function_provider.h",
    "generated/function_provider_component_type.c",
    "generated/hook_handlers.c",
    "generated/hook_handlers.h",
    "generated/hook_handlers_component_type.c",
    "generated/imports.c",
    "generated/imports.h",
    "generated/imports_component_type.c",
    "generated/manifest.c",
    "generated/manifest.h",
    "generated/manifest_component_type.c",
    "generated/sync_client_handlers.c",
    "generated/sync_client_handlers.h",
    "generated/sync_client_handlers_component_type.c",
    "generated/sync_server_handlers.c",
    "generated/sync_server_handlers.h",
    "generated/sync_server_handlers_component_type.c",
    "include/luckystack.h",
    "src/abi.h",
    "src/arena.c",
    "src/call.c",
    "src/export.h",
    "src/export_api.c",
    "src/export_error_formatter.c",
    "src/export_functions.c",
    "src/export_hooks.c",
    "src/export_manifest.c",
    "src/export_sync_client.c",
    "src/export_sync_server.c",
    "src/exports.h",
    "src/host.c",
    "src/identity.c",
    "src/imports.c",
    "src/imports.h",
    "src/internal.h",
    "src/json_read.c",
    "src/json_write.c",
    "src/throttle.c",
    "src/wasi.c",
);

/// What every plugin is linked with.
const CORE: [&str; 12] = [
    "src/arena.c",
    "src/call.c",
    "src/export_manifest.c",
    "src/host.c",
    "src/identity.c",
    "src/imports.c",
    "src/json_read.c",
    "src/json_write.c",
    "src/throttle.c",
    "src/wasi.c",
    "generated/imports_component_type.c",
    "generated/manifest_component_type.c",
];

/// The settings of every build, for the comparison with those of an earlier one.
pub(crate) fn settings() -> String {
    format!(
        "c sdk {} zig {} {} {}",
        sdk::digest(&[SDK]),
        install::ZIG,
        compile::COMPILE.join(" "),
        compile::LINK.join(" ")
    )
}

/// Files that count as soon as they appear.
pub(crate) fn own_files(request: &BuildRequest) -> Vec<PathBuf> {
    let mut files = sources(&request.dir).unwrap_or_default();
    files.push(request.dir.join(manifest::FILE));
    files
}

/// The C files of a plugin: those of its folder and of `src/` in it, in the order of their names.
fn sources(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in [dir.to_owned(), dir.join("src")] {
        if folder != dir && !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path.extension().is_some_and(|extension| extension == "c") && !is_hidden && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Builds one plugin.
pub(crate) async fn build(
    request: &BuildRequest,
    toolchain: &CToolchain,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    let name = &request.name;
    let io = |action, path: &Path| BuildError::io(name, action, path.to_owned());
    let began = freshness::now_on_disk(&request.target_dir)
        .map_err(io("keep intermediate results in", &request.target_dir))?;
    let started = Instant::now();
    let dir = std::fs::canonicalize(&request.dir).map_err(io("read", &request.dir))?;
    let plugin = Plugin::read(request, &dir)?;
    let sources = sources(&dir).map_err(io("read", &dir))?;
    progress.event(Event::Compiling { plugins: std::slice::from_ref(name) });

    let compiler = Compiler::new(toolchain, request, progress).await?;
    let work = work_dir(&compiler.target, &dir);
    std::fs::create_dir_all(&work).map_err(io("create", &work))?;
    for (file, text) in [("plugin.c", plugin.table()), ("plugin_json.h", plugin.declarations())] {
        std::fs::write(work.join(file), text).map_err(io("write", &work.join(file)))?;
    }
    let compiled = compiler.plugin(&dir, &work, &sources).await?;
    let mut objects: Vec<PathBuf> = CORE.iter().map(|file| compiler.sdk_object(file)).collect();
    objects.extend(plugin.exports().iter().map(|file| compiler.sdk_object(file)));
    objects.extend(compiled.objects);
    let linked = work.join("plugin.wasm");
    compiler.link(&dir, &objects, &linked, &plugin).await?;
    let compile = started.elapsed();

    progress.event(Event::Encoding { plugin: name });
    let encoding = Instant::now();
    let core = std::fs::read(&linked).map_err(io("read", &linked))?;
    let failed = |problem| BuildError::Encode { plugin: name.clone(), module: linked.clone(), problem };
    let core = module::without_debug_information(&core)
        .ok_or_else(|| failed("the linker's output is damaged".to_owned()))?;
    let bytes = component::encode(&core).map_err(failed)?;
    let mut inputs = compiled.inputs;
    inputs.push(dir.join(manifest::FILE));
    let (path, changed) = component::install(request, &bytes, began, inputs)?;
    let built = Built {
        plugin: name.clone(),
        component: path,
        bytes: bytes.len() as u64,
        changed,
        compile,
        encode: encoding.elapsed(),
    };
    progress.event(Event::Built(&built));
    Ok(built)
}

/// A folder for the intermediate results of one plugin.
fn work_dir(target: &Path, dir: &Path) -> PathBuf {
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    target.join("luckystack").join(format!("c-{name}-{short}"))
}

#[cfg(test)]
mod tests;
