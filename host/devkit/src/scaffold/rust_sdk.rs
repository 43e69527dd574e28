//! The SDK that a Rust plugin depends on: the checkout's where there is one, else the host's own copy,
//! unpacked into `<project>/.luckystack`.
//!
//! The rule: the copy is the host's. It is written whole, and replaced when it is not what this host
//! would write; so after another version of the host a plugin is built against that version's SDK.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::ScaffoldError;
use crate::sdk::{File, WIT, digest, embedded};

/// The folder of what the host keeps in a project.
pub(super) const FOLDER: &str = ".luckystack";

/// Where the digest of a copy is kept.
const MARK: &str = "sdk/rust/.digest";

/// `sdk/rust`, without its own tests.
const RUST: &[File] = embedded!("sdk/rust":
    "macros/src/args.rs",
    "macros/src/handler.rs",
    "macros/src/json.rs",
    "macros/src/lib.rs",
    "macros/src/names.rs",
    "macros/src/plugin.rs",
    "macros/src/signature.rs",
    "src/accounts.rs",
    "src/allocator.rs",
    "src/bindings.rs",
    "src/config.rs",
    "src/ctx.rs",
    "src/descriptor.rs",
    "src/error.rs",
    "src/exports.rs",
    "src/functions.rs",
    "src/handler.rs",
    "src/host/mod.rs",
    "src/host/native.rs",
    "src/host/outgoing.rs",
    "src/host/wasm.rs",
    "src/http.rs",
    "src/json_out/compound.rs",
    "src/json_out/key.rs",
    "src/json_out/mod.rs",
    "src/json_out/number.rs",
    "src/json_out/text.rs",
    "src/kv.rs",
    "src/lib.rs",
    "src/log.rs",
    "src/manifest.rs",
    "src/outcome.rs",
    "src/panic.rs",
    "src/random.rs",
    "src/reply.rs",
    "src/session.rs",
    "src/sync.rs",
    "src/testing.rs",
    "src/throttle.rs",
    "src/time.rs",
    "src/uploads.rs",
    "src/users.rs",
);

/// The manifests as they stand in the workspace, from which those of the copy are made.
const WORKSPACE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
const MANIFESTS: [(&str, &str); 2] = [
    ("Cargo.toml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/rust/Cargo.toml"))),
    (
        "macros/Cargo.toml",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/rust/macros/Cargo.toml")),
    ),
];

/// What a generated manifest begins with.
const HEAD: &str =
    "# Written by luckystack-host, which replaces this folder when it brings another version of the SDK.\n\n";

/// A copy of the SDK that a project needs.
#[derive(Debug)]
pub(super) struct Wanted {
    root: PathBuf,
}

impl Wanted {
    /// The copy for the project at `root`; the checkout's SDK as the error where the project lies in one.
    pub(super) fn unless_in_checkout(root: &Path) -> Result<Self, PathBuf> {
        let sdk = |above: &Path| above.join("sdk/rust");
        let is_sdk = |dir: &PathBuf| {
            crate::rust::package_name(dir).is_ok_and(|name| name == "luckystack")
                && dir.join("macros").is_dir()
        };
        match root.ancestors().map(sdk).find(is_sdk) {
            Some(checkout) => Err(checkout),
            None => Ok(Self { root: root.to_owned() }),
        }
    }

    /// Where the crate is going to be.
    pub(super) fn place(&self) -> PathBuf {
        self.root.join(FOLDER).join("sdk/rust")
    }

    /// Unpacks it, unless it is there.
    pub(super) fn unpack(&self) -> Result<(), ScaffoldError> {
        unpack(&self.root).map(|_| ()).map_err(ScaffoldError::io("unpack the SDK into", self.place()))
    }
}

/// Brings the project's copy of the Rust SDK, if it has one, to the version that this host has. Returns
/// whether it was another.
///
/// # Errors
/// When it cannot be written; the old one is then still there.
pub fn refresh_rust_sdk(project: &Path) -> io::Result<bool> {
    Ok(project.join(FOLDER).join("sdk/rust").is_dir() && unpack(project)?)
}

/// Writes the copy; whether it was not there.
fn unpack(root: &Path) -> io::Result<bool> {
    let folder = root.join(FOLDER);
    let [(_, sdk), (_, macros)] = MANIFESTS;
    let digest =
        digest(&[RUST, WIT, &[("sdk", sdk), ("macros", macros), ("workspace", WORKSPACE), ("head", HEAD)]]);
    if fs::read_to_string(folder.join(MARK)).is_ok_and(|known| known.trim() == digest) {
        return Ok(false);
    }
    fs::create_dir_all(folder.join("sdk"))?;
    let made = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(&folder)?;
    let write = |path: PathBuf, text: &str| -> io::Result<()> {
        let file = made.path().join(path);
        fs::create_dir_all(file.parent().unwrap_or(made.path()))?;
        fs::write(file, text)
    };
    for (path, text) in RUST {
        write(Path::new("sdk/rust").join(path), text)?;
    }
    for (path, text) in MANIFESTS {
        write(Path::new("sdk/rust").join(path), &standalone(text).map_err(io::Error::other)?)?;
    }
    for (path, text) in WIT {
        write(Path::new("wit").join(path), text)?;
    }
    write(PathBuf::from(MARK), &digest)?;
    // The contract first: a copy counts by its mark, which comes with the SDK.
    for part in ["wit", "sdk/rust"] {
        let place = folder.join(part);
        if place.is_dir() {
            fs::rename(&place, made.path().join(part.replace('/', "-") + "-old"))?;
        }
        fs::rename(made.path().join(part), place)?;
    }
    Ok(true)
}

/// A manifest of this workspace as one that needs no workspace: what it inherits is written out, what
/// only its own tests need is left out.
fn standalone(manifest: &str) -> Result<String, toml::de::Error> {
    let workspace: Table = WORKSPACE.parse()?;
    let inherited = |of: &str, key: &str| workspace.get("workspace")?.get(of)?.get(key).cloned();
    let mut manifest: Table = manifest.parse()?;
    manifest.remove("lints");
    manifest.remove("dev-dependencies");
    if let Some(Value::Table(package)) = manifest.get_mut("package") {
        for (key, value) in package.iter_mut() {
            if is_inherited(value)
                && let Some(known) = inherited("package", key)
            {
                *value = known;
            }
        }
    }
    each_dependency(&mut manifest, &mut |name, dependency| {
        if is_inherited(dependency)
            && let Some(known) = inherited("dependencies", name)
        {
            *dependency = joined(known, dependency);
        }
    });
    if manifest.get("lib").and_then(|lib| lib.get("proc-macro")).is_none() {
        // A workspace of its own, and of the macros below it: one around the project does not list them.
        manifest.insert("workspace".to_owned(), Value::Table(Table::new()));
    }
    Ok(format!("{HEAD}{manifest}"))
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// Calls `change` for each dependency, also those of a target.
fn each_dependency(manifest: &mut Table, change: &mut dyn FnMut(&str, &mut Value)) {
    if let Some(Value::Table(dependencies)) = manifest.get_mut("dependencies") {
        dependencies.iter_mut().for_each(|(name, dependency)| change(name, dependency));
    }
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        for (_, target) in targets.iter_mut() {
            if let Value::Table(target) = target {
                each_dependency(target, change);
            }
        }
    }
}

/// What the workspace says of a dependency, with what the package says besides `workspace = true`.
fn joined(known: Value, own: &Value) -> Value {
    let mut table = match known {
        Value::Table(table) => table,
        version => Table::from_iter([("version".to_owned(), version)]),
    };
    // The workspace's path to the macros; in the copy they lie in the SDK's folder, as in the checkout.
    if let Some(Value::String(path)) = table.get_mut("path") {
        *path = path.trim_start_matches("sdk/rust/").to_owned();
    }
    for (key, value) in own.as_table().into_iter().flatten().filter(|(key, _)| *key != "workspace") {
        table.insert(key.clone(), value.clone());
    }
    Value::Table(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_sdk_is_embedded() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/rust"));
        let mut open = vec![root.join("src"), root.join("macros/src")];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                    let below = path.strip_prefix(root).unwrap().to_str().unwrap();
                    assert!(RUST.iter().any(|(path, _)| *path == below), "{below} is not in RUST");
                }
            }
        }
    }

    #[test]
    fn a_copys_manifests_inherit_nothing() {
        for (path, text) in MANIFESTS {
            let text = standalone(text).unwrap();
            assert!(!text.contains("workspace = true"), "{path}: {text}");
            assert!(text.contains("edition = \"2024\""), "{path}: {text}");
        }
        let sdk: Table = standalone(MANIFESTS[0].1).unwrap().parse().unwrap();
        assert_eq!(sdk["dependencies"]["luckystack-macros"]["path"].as_str(), Some("macros"));
    }

    #[test]
    fn a_copy_is_replaced_when_it_is_another_and_only_then() {
        let project = tempfile::tempdir().unwrap();
        assert!(!refresh_rust_sdk(project.path()).unwrap());
        assert!(!project.path().join(FOLDER).exists());
        assert!(unpack(project.path()).unwrap());
        assert!(!refresh_rust_sdk(project.path()).unwrap());
        fs::write(project.path().join(FOLDER).join(MARK), "another").unwrap();
        fs::write(project.path().join(FOLDER).join("sdk/rust/src/old.rs"), "").unwrap();
        assert!(refresh_rust_sdk(project.path()).unwrap());
        assert!(!project.path().join(FOLDER).join("sdk/rust/src/old.rs").exists());
        assert!(project.path().join(FOLDER).join("wit/luckystack.wit").is_file());
    }
}
