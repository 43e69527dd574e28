//! Fills empty handler files: whoever makes `_api/getAll_v1.ts` in an editor finds a handler in it.
//!
//! The rules: a file is written whole, and only while it is still empty; a name that breaks a rule is an
//! error and the file stays as it is.

use std::fs;
use std::path::{Path, PathBuf};

use luckystack_topology::{IGNORED, MARKERS, SYSTEM};

use super::changes::replace;
use super::error::{FileRule, ScaffoldError};
use super::handler_file::{Dialect, Handler};
use super::target::Kind;

/// How deep nested pages may lie below their service; as deep as sources are looked for.
const MAX_DEPTH: usize = 8;

/// A handler file that was empty and is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The file.
    pub file: PathBuf,
    /// What it answers: a full route name such as `api/vehicles/getAll/v1`, or a hook.
    pub handler: String,
}

/// Writes the template into `file` if it is a handler file and empty: `None` when it is neither.
///
/// `dir` is the folder of the plugin's sources, in which the file lies, and `service` the service.
///
/// # Errors
/// When the file's name breaks a rule, which is named, or it cannot be read or written.
pub fn inject(dir: &Path, service: &str, file: &Path) -> Result<Option<Injected>, ScaffoldError> {
    let Some((marker, page)) = place(dir, service, file) else { return Ok(None) };
    let Some(dialect) = Dialect::of(file) else { return Ok(None) };
    let metadata = fs::metadata(file).map_err(ScaffoldError::io("read", file))?;
    // A template fits in a page; whatever is longer is not empty but for blanks that nobody types.
    if !metadata.is_file() || metadata.len() > 4096 {
        return Ok(None);
    }
    let Ok(before) = fs::read_to_string(file) else { return Ok(None) };
    if !before.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty() {
        return Ok(None);
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let handler = match Handler::read(&marker, &stem, &page) {
        // In Python a decorator says which hook, and a file in `_hooks` may be called anything.
        Err(FileRule::NoHook { .. }) if dialect == Dialect::Python => return Ok(None),
        read => read.map_err(|rule| ScaffoldError::FileName { file: file.to_owned(), rule })?,
    };
    let Some(handler) = handler else { return Ok(None) };
    let paired = match &handler {
        Handler::Route { kind: Kind::SyncClient, .. } => server_half(file, &stem),
        _ => None,
    };
    replace(file, &before, &handler.text(dialect, paired.as_deref()))?;
    let handler = match handler {
        Handler::Route { kind, target } => target.full(kind.prefix()),
        Handler::Hook(hook) => hook,
    };
    Ok(Some(Injected { file: file.to_owned(), handler }))
}

/// Fills every empty handler file of the source folder `dir`, and with `nested` those of its pages.
/// Files with invalid names are among the results, one error each; files that hold something are not.
#[must_use]
pub fn inject_empty(dir: &Path, service: &str, nested: bool) -> Vec<Result<Injected, ScaffoldError>> {
    let mut files = Vec::new();
    handler_files(dir, if nested { MAX_DEPTH } else { 0 }, &mut files);
    // A server half before its client half, whose template asks whether it is there.
    files.sort_by_key(|file| (file.to_string_lossy().contains("_client_v"), file.clone()));
    files.iter().filter_map(|file| inject(dir, service, file).transpose()).collect()
}

/// The files in the marker folders of `dir` and of the pages below it.
fn handler_files(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if !path.is_dir() {
            continue;
        }
        if MARKERS.contains(&name.as_ref()) {
            let inside = fs::read_dir(&path).into_iter().flatten().flatten();
            files.extend(inside.map(|entry| entry.path()).filter(|path| path.is_file()));
        } else if depth > 0 && !name.starts_with(['_', '.']) && !IGNORED.contains(&name.as_ref()) {
            handler_files(&path, depth - 1, files);
        }
    }
}

/// The marker folder that a file lies in, and the page that it belongs to.
fn place(dir: &Path, service: &str, file: &Path) -> Option<(String, String)> {
    let folder = file.parent()?;
    let marker = folder.file_name()?.to_str()?;
    if !MARKERS.contains(&marker) {
        return None;
    }
    let below = folder.parent()?.strip_prefix(dir).ok()?.to_str()?;
    match (service, below) {
        (_, "") => Some((marker.to_owned(), service.to_owned())),
        // What lies below the plugins folder is another service.
        (SYSTEM, _) => None,
        (_, below) => Some((marker.to_owned(), format!("{service}/{below}"))),
    }
}

/// The file of the server half beside a client half, if there is one in the same language.
fn server_half(file: &Path, stem: &str) -> Option<String> {
    let (name, version) = stem.rsplit_once("_client_v")?;
    let server = format!("{name}_server_v{version}.{}", file.extension()?.to_str()?);
    file.with_file_name(&server).is_file().then_some(server)
}
