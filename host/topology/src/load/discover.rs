//! Finds services and their plugins on disk.
//!
//! ```text
//! plugins/
//!   session.wasm        a component of the root service `system`
//!   _health/Cargo.toml  a plugin source of `system`
//!   vehicles/           the service `vehicles`
//!     Cargo.toml        a plugin source
//!     tracker.wasm      a component
//!     _reports/         a further plugin source (or components) of `vehicles`
//!   functions/          the project functions, no service
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::language::{self, IGNORED, Language, MARKERS};
use super::{list, read};
use crate::document::{self, Value};
use crate::finding::{Finding, Place, sort};
use crate::names::{FUNCTIONS, SYSTEM, validate_service_name};
use crate::topology::Topology;

/// A service that has a folder, as far as validation cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskService {
    /// Its key.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
}

/// A service's folder and what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDir {
    /// The service key; [`FUNCTIONS`] for the project functions.
    pub service: String,
    /// Its folder; the plugins folder itself for [`SYSTEM`].
    pub dir: PathBuf,
    /// What can be built into components, in the order of their folders.
    pub sources: Vec<PluginSource>,
    /// Components that are there already, in the order of their paths.
    pub components: Vec<PathBuf>,
}

/// A folder from which a component is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSource {
    /// The folder.
    pub dir: PathBuf,
    /// The folder's name without a leading `_`, and the language where the folder holds several; unique
    /// within its service.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// Whether sub-folders are nested pages of the service. In the plugins folder itself they are other
    /// services.
    pub nested: bool,
}

impl From<&ServiceDir> for DiskService {
    fn from(service: &ServiceDir) -> Self {
        Self { name: service.service.clone(), dir: service.dir.clone() }
    }
}

// ---------------------------------------------------------------------------------------------

/// Finds the services in the plugins folder, by name; `system` is among them if it owns anything.
#[must_use]
pub fn discover(topology: &Topology) -> (Vec<ServiceDir>, Vec<Finding>) {
    let plugins = &topology.project.paths.plugins;
    let functions = &topology.project.paths.functions;
    let mut findings = Vec::new();
    let entries = match list(plugins) {
        Ok(entries) => entries,
        Err(error) => return (Vec::new(), vec![unreadable_plugins(topology, &error)]),
    };

    let mut system = ServiceDir::empty(SYSTEM, plugins);
    system.take_files_of(plugins, &entries, false, &mut findings);
    let mut services = Vec::new();
    for dir in entries.iter().filter(|path| path.is_dir()) {
        let Some(name) = dir.file_name() else { continue };
        let name = name.to_string_lossy();
        if name.starts_with('.') || IGNORED.contains(&name.as_ref()) || same_folder(dir, functions) {
            continue;
        }
        if name.starts_with('_') {
            if !MARKERS.contains(&name.as_ref()) {
                system.take_folder(dir, &mut findings);
            }
            continue;
        }
        if name == SYSTEM {
            findings.push(Place::whole(dir).error(
                "system-folder-forbidden",
                "`system` is the root service and has no folder of its own",
                format!(
                    "put its plugins directly in {} or in a sub-folder whose name begins with `_`",
                    plugins.display()
                ),
            ));
            continue;
        }
        if let Err(error) = validate_service_name(&name) {
            let remedy = if name == FUNCTIONS {
                "remove the folder, or set paths.functions to it"
            } else {
                "rename the folder; one that begins with `_` belongs to the service above it"
            };
            findings.push(Place::whole(dir).error(
                "invalid-service-name",
                format!("the folder `{name}` cannot be a service: {error}"),
                remedy,
            ));
            continue;
        }
        services.extend(ServiceDir::scan(&name, dir, &mut findings));
    }
    system.check_source_names(&mut findings);
    if !system.is_empty() {
        services.push(system);
    }
    services.sort_by(|a, b| a.service.cmp(&b.service));
    check_pins(topology, &services, &mut findings);
    sort(&mut findings);
    (services, findings)
}

/// Finds the project functions. The folder need not exist, unless the configuration names it.
#[must_use]
pub fn discover_functions(topology: &Topology) -> (Option<ServiceDir>, Vec<Finding>) {
    let paths = &topology.project.paths;
    let mut findings = Vec::new();
    if !paths.functions.exists() {
        if paths.functions != paths.plugins.join(FUNCTIONS) {
            findings.push(Place::whole(&paths.functions).error(
                "functions-dir-missing",
                "the folder of the project functions does not exist",
                "create it, or remove paths.functions from project.toml",
            ));
        }
        return (None, findings);
    }
    let functions = ServiceDir::scan(FUNCTIONS, &paths.functions, &mut findings);
    sort(&mut findings);
    (functions, findings)
}

/// What lies in one folder, wherever it is, read as the folder of a service.
#[must_use]
pub fn discover_folder(service: &str, dir: &Path) -> (Option<ServiceDir>, Vec<Finding>) {
    let mut findings = Vec::new();
    let found = ServiceDir::scan(service, dir, &mut findings);
    (found, findings)
}

fn unreadable_plugins(topology: &Topology, error: &io::Error) -> Finding {
    let plugins = Place::whole(&topology.project.paths.plugins);
    if error.kind() == io::ErrorKind::NotFound {
        return plugins.error(
            "plugins-dir-missing",
            "the plugins folder does not exist",
            "create it, or set paths.plugins in project.toml to the folder that holds the services",
        );
    }
    plugins.error(
        "unreadable-directory",
        format!("the plugins folder cannot be read: {error}"),
        "check that it is a folder and that this user may read it",
    )
}

fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// A pin for a component that never comes would look like protection. Where a plugin is built from
/// source, its component's name is not known yet, and loading checks the pin.
fn check_pins(topology: &Topology, services: &[ServiceDir], findings: &mut Vec<Finding>) {
    for preset in topology.presets.values() {
        for ((service, file), at) in &preset.pin_places {
            let Some(found) = services.iter().find(|found| found.service == *service) else { continue };
            let exists =
                found.components.iter().any(|path| path.file_name().is_some_and(|n| n == file.as_str()));
            if !exists && found.sources.is_empty() {
                findings.push(
                    at.error(
                        "pin-for-unknown-component",
                        format!("`{service}` has no component `{file}` to pin"),
                        format!("put it in {}, or remove the line", found.dir.display()),
                    )
                    .key(format!("service.{service}.pin.\"{file}\"")),
                );
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------

impl ServiceDir {
    fn empty(service: &str, dir: &Path) -> Self {
        Self { service: service.to_owned(), dir: dir.to_owned(), sources: Vec::new(), components: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.components.is_empty()
    }

    /// A service's folder: its files, and its sub-folders that begin with `_`.
    fn scan(service: &str, dir: &Path, findings: &mut Vec<Finding>) -> Option<Self> {
        let entries = readable(dir, findings)?;
        let mut found = Self::empty(service, dir);
        found.take_files_of(dir, &entries, true, findings);
        let is_package = !found.sources.is_empty();
        for sub in entries.iter().filter(|path| path.is_dir()) {
            let name = sub.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            if MARKERS.contains(&name.as_ref()) {
                // Handler files of the folder's own plugin.
            } else if name.starts_with('_') {
                found.take_folder(sub, findings);
            } else if !name.starts_with('.') && !IGNORED.contains(&name.as_ref()) && !is_package {
                warn_of_ignored(sub, &name, findings);
            }
        }
        found.check_source_names(findings);
        if found.is_empty() {
            findings.push(Place::whole(dir).warning(
                "service-without-plugins",
                format!("the folder of `{service}` has neither sources nor a component (*.wasm)"),
                "put a plugin in it, or remove the folder",
            ));
        }
        Some(found)
    }

    /// A sub-folder that begins with `_`: sources and components of the service above it.
    fn take_folder(&mut self, dir: &Path, findings: &mut Vec<Finding>) {
        if let Some(entries) = readable(dir, findings) {
            let before = (self.sources.len(), self.components.len());
            self.take_files_of(dir, &entries, true, findings);
            if before == (self.sources.len(), self.components.len()) {
                findings.push(Place::whole(dir).warning(
                    "folder-without-plugins",
                    "the folder has neither sources nor a component (*.wasm)",
                    "put a plugin in it, or remove the folder",
                ));
            }
        }
    }

    fn take_files_of(&mut self, dir: &Path, entries: &[PathBuf], nested: bool, findings: &mut Vec<Finding>) {
        let mut is_rust = false;
        for path in entries.iter().filter(|path| path.is_file()) {
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            if name.starts_with('.') {
                continue;
            }
            if name.ends_with(".wasm") {
                self.components.push(path.clone());
            } else if name == "Cargo.toml" {
                is_rust = is_package(path, findings);
            }
        }
        let mut languages = language::others_than_rust(dir, entries, is_rust, nested);
        if is_rust {
            languages.insert(0, Language::Rust);
        }
        let folder = dir.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let folder = if nested { folder.trim_start_matches('_') } else { self.service.as_str() };
        let several = languages.len() > 1;
        self.sources.extend(languages.into_iter().map(|language| PluginSource {
            dir: dir.to_owned(),
            name: if several { format!("{folder}-{}", language.key()) } else { folder.to_owned() },
            language,
            nested,
        }));
    }

    fn check_source_names(&self, findings: &mut Vec<Finding>) {
        for (n, source) in self.sources.iter().enumerate() {
            let Some(first) = self.sources[..n].iter().find(|other| other.name == source.name) else {
                continue;
            };
            findings.push(Place::whole(&source.dir).error(
                "duplicate-plugin-source",
                format!("`{}` has two plugin sources called `{}`", self.service, source.name),
                format!("rename this folder or {}", first.dir.display()),
            ));
        }
    }
}

fn readable(dir: &Path, findings: &mut Vec<Finding>) -> Option<Vec<PathBuf>> {
    list(dir)
        .map_err(|error| {
            findings.push(Place::whole(dir).error(
                "unreadable-directory",
                format!("the folder cannot be read: {error}"),
                "check that this user may read it",
            ));
        })
        .ok()
}

/// Whether a manifest describes a package; a workspace alone has nothing to build.
fn is_package(manifest: &Path, findings: &mut Vec<Finding>) -> bool {
    let bytes = match read(manifest) {
        Ok(bytes) => bytes,
        Err(finding) => {
            findings.push(*finding);
            return false;
        }
    };
    document::parse(manifest, &bytes, findings).is_some_and(|table| {
        table.entries.get("package").is_some_and(|entry| matches!(entry.node.value, Value::Table(_)))
    })
}

/// Plugins in a folder that is not looked into would be missed without a word.
fn warn_of_ignored(dir: &Path, name: &str, findings: &mut Vec<Finding>) {
    let Ok(entries) = list(dir) else { return };
    let holds_plugin = entries.iter().any(|path| {
        path.is_file()
            && (path.extension().is_some_and(|extension| extension == "wasm")
                || path.file_name().is_some_and(|name| name == "Cargo.toml"))
    });
    if holds_plugin {
        findings.push(Place::whole(dir).warning(
            "nested-plugin-ignored",
            format!("the plugin in `{name}` is not loaded: only sub-folders that begin with `_` are"),
            format!("rename it to `_{name}`; a plugin names its nested service in its manifest"),
        ));
    }
}
