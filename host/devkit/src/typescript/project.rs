//! What a plugin's folder says: its engine, and the files that it consists of.

use std::fs;
use std::path::{Path, PathBuf};

use luckystack_topology::Language;
use serde::{Deserialize, Serialize};

use crate::error::BuildError;
use crate::language::BuildRequest;

/// Files that say how the others are to be read; neither has to exist.
const FILES: [&str; 2] = ["package.json", "tsconfig.json"];

/// Folders of handler files.
const MARKERS: [&str; 4] = ["_api", "_sync", "_hooks", "_functions"];

/// Folders that tools leave behind.
const IGNORED: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "build"];

/// How deep nested pages may lie below their service.
const MAX_DEPTH: usize = 8;

/// The service whose top-level files are groups of functions.
const FUNCTIONS: &str = "functions";

/// What runs the script inside the component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    /// The small one.
    #[default]
    QuickJs,
    /// The complete one.
    StarlingMonkey,
}

#[derive(Deserialize)]
struct Package {
    luckystack: Option<Own>,
}

#[derive(Deserialize)]
struct Own {
    engine: Option<String>,
}

/// The engine that the folder's `package.json` asks for: `"luckystack": { "engine": "starlingmonkey" }`.
pub(super) fn engine(dir: &Path) -> Result<Engine, BuildError> {
    let manifest = dir.join("package.json");
    let Ok(text) = fs::read_to_string(&manifest) else { return Ok(Engine::default()) };
    let wrong = |problem: String| BuildError::Manifest { manifest: manifest.clone(), problem };
    let package: Package = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    match package.luckystack.and_then(|own| own.engine).as_deref() {
        None | Some("quickjs") => Ok(Engine::QuickJs),
        Some("starlingmonkey") => Ok(Engine::StarlingMonkey),
        Some(other) => Err(wrong(format!(
            "luckystack.engine is `{other}`; write \"quickjs\" (small, the default) or \"starlingmonkey\" (complete)"
        ))),
    }
}

/// The files of handlers, and those in [`FILES`].
pub(super) fn own_files(request: &BuildRequest) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = FILES.iter().map(|name| request.dir.join(name)).collect();
    if request.service == FUNCTIONS {
        found.extend(scripts(&request.dir));
    }
    pages(&request.dir, if request.nested { MAX_DEPTH } else { 0 }, &mut found);
    found
}

fn pages(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for path in list(dir).into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if MARKERS.contains(&name.as_str()) {
            found.extend(scripts(&path));
        } else if depth > 0 && !name.starts_with(['_', '.']) && !IGNORED.contains(&name.as_str()) {
            pages(&path, depth - 1, found);
        }
    }
}

fn scripts(dir: &Path) -> Vec<PathBuf> {
    list(dir).into_iter().filter(|path| path.is_file() && Language::TypeScript.owns(path)).collect()
}

/// A folder that cannot be read holds nothing to build; building it says why.
fn list(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_the_small_one_unless_package_json_says_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(engine(dir.path()).unwrap(), Engine::QuickJs);
        let cases = [
            ("{}", Some(Engine::QuickJs)),
            (r#"{"luckystack":{}}"#, Some(Engine::QuickJs)),
            (r#"{"luckystack":{"engine":"quickjs"}}"#, Some(Engine::QuickJs)),
            (r#"{"luckystack":{"engine":"starlingmonkey"}}"#, Some(Engine::StarlingMonkey)),
            (r#"{"luckystack":{"engine":"v8"}}"#, None),
            ("{", None),
        ];
        for (text, expected) in cases {
            fs::write(dir.path().join("package.json"), text).unwrap();
            assert_eq!(engine(dir.path()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn handler_files_count_and_tests_helpers_and_packages_do_not() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "_api/list_v1.ts",
            "_api/list_v1.test.ts",
            "_api/_lib/shared.ts",
            "_hooks/preApiExecute.js",
            "reports/_api/sum_v1.ts",
            "node_modules/x/_api/y_v1.js",
            "helper.ts",
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut request = BuildRequest {
            language: Language::TypeScript,
            service: "notes".into(),
            name: "notes".into(),
            dir: dir.path().into(),
            nested: true,
            output_dir: dir.path().into(),
            target_dir: dir.path().into(),
        };
        let found = |request: &BuildRequest| {
            let mut files: Vec<String> = own_files(request)
                .iter()
                .map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned())
                .filter(|path| !FILES.contains(&path.as_str()))
                .collect();
            files.sort();
            files
        };
        assert_eq!(found(&request), ["_api/list_v1.ts", "_hooks/preApiExecute.js", "reports/_api/sum_v1.ts"]);
        request.nested = false;
        assert_eq!(found(&request), ["_api/list_v1.ts", "_hooks/preApiExecute.js"]);
        request.service = "functions".into();
        assert_eq!(found(&request), ["_api/list_v1.ts", "_hooks/preApiExecute.js", "helper.ts"]);
    }
}
