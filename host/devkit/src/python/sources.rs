//! The files of handlers in a plugin's folder. `_load.py` of the SDK reads the same ones.

use std::fs;
use std::path::{Path, PathBuf};

use luckystack_topology::Language;

/// Folders of handler files.
const MARKERS: [&str; 4] = ["_api", "_sync", "_hooks", "_functions"];

/// Folders that tools leave behind.
const IGNORED: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "build"];

/// How deep nested pages may lie below their service.
const MAX_DEPTH: usize = 8;

/// Whether the modules at the top of a folder are the plugin's. Where the folder is another language's, or
/// holds other services, they may be there for any reason.
pub(super) fn is_plain(dir: &Path, nested: bool) -> bool {
    nested && !dir.join("Cargo.toml").is_file() && !dir.join("plugin.json").is_file()
}

/// All files of handlers.
pub(super) fn handler_files(dir: &Path, nested: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if is_plain(dir, nested) {
        found.extend(modules(dir));
    }
    pages(dir, if nested { MAX_DEPTH } else { 0 }, &mut found);
    found
}

fn pages(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for path in list(dir) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !path.is_dir() {
            continue;
        }
        if MARKERS.contains(&name.as_str()) {
            found.extend(modules(&path));
        } else if depth > 0 && !name.starts_with(['_', '.']) && !IGNORED.contains(&name.as_str()) {
            pages(&path, depth - 1, found);
        }
    }
}

/// The modules of a folder that may hold handlers: no tests, and none whose name says that it is a helper.
fn modules(dir: &Path) -> Vec<PathBuf> {
    let is_handler = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Language::Python.owns(path) && !name.starts_with(['_', '.']) && name != "setup.py" && path.is_file()
    };
    list(dir).into_iter().filter(is_handler).collect()
}

/// A folder that cannot be read holds nothing to build; building it says why.
fn list(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_modules_at_the_top_and_in_marker_folders_of_all_pages() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            "forecast.py",
            "test_forecast.py",
            "forecast_test.py",
            "conftest.py",
            "_helpers.py",
            "setup.py",
            "notes.txt",
            "_api/getAll_v1.py",
            "reports/_api/list_v1.py",
            "reports/helpers.py",
            "target/_api/left_v1.py",
            "__pycache__/x.py",
        ];
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let names = |nested| {
            let found = handler_files(dir.path(), nested);
            found
                .iter()
                .map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(true), ["forecast.py", "_api/getAll_v1.py", "reports/_api/list_v1.py"]);
        // In the folder of all plugins, sub-folders and modules are other services'.
        assert_eq!(names(false), ["_api/getAll_v1.py"]);
        // Beside a Rust package, a script may be there for any reason.
        fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(names(true), ["_api/getAll_v1.py", "reports/_api/list_v1.py"]);
    }
}
