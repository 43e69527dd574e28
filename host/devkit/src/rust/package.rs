//! What cargo says of the packages that are to be built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::RustToolchain;
use super::owners::Local;
use crate::error::BuildError;
use crate::language::BuildRequest;
use crate::process::{self, Line};

const NO_PACKAGE: &str = "this is a workspace without a package; a plugin's folder holds its own package";

/// A package that is a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name, which is the component's.
    pub(crate) name: String,
    /// Cargo's identifier, as in its messages.
    pub(crate) id: String,
    /// Name of its library, which is the core module's.
    pub(crate) library: String,
    /// Whether it is also a library for other Rust code, such as its own integration tests.
    pub(crate) also_library: bool,
    /// Its `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    /// The root folder of its workspace (its own when it is in none).
    pub(crate) workspace: PathBuf,
    /// Itself and its dependencies in the workspace's folder.
    pub(crate) locals: Vec<Local>,
}

/// The part of `cargo metadata` that is used.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    id: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    /// Its folder, for a path dependency.
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

/// The part of a `Cargo.toml` that names the package.
#[derive(Deserialize)]
struct Manifest {
    package: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The name of the package in `dir`, without starting cargo.
pub(crate) fn name_in_manifest(dir: &Path) -> Result<String, BuildError> {
    let manifest = dir.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(BuildError::io(
        &dir.display().to_string(),
        "read",
        &manifest,
    ))?;
    match toml::from_str::<Manifest>(&text) {
        Ok(Manifest { package: Some(package) }) => Ok(package.name),
        Ok(Manifest { package: None }) => {
            Err(BuildError::Manifest { manifest, problem: NO_PACKAGE.to_owned() })
        }
        Err(error) => Err(BuildError::Manifest { manifest, problem: error.to_string() }),
    }
}

/// The package of each request. Cargo is asked once per workspace.
pub(crate) async fn read_all(
    requests: &[BuildRequest],
    toolchain: &RustToolchain,
) -> Vec<Result<Package, BuildError>> {
    let mut known: Vec<Metadata> = Vec::new();
    let mut packages = Vec::with_capacity(requests.len());
    for request in requests {
        packages.push(read(request, toolchain, &mut known).await);
    }
    packages
}

async fn read(
    request: &BuildRequest,
    toolchain: &RustToolchain,
    known: &mut Vec<Metadata>,
) -> Result<Package, BuildError> {
    let manifest = request.dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(BuildError::NoSources { dir: request.dir.clone() });
    }
    let manifest = fs::canonicalize(&manifest).map_err(BuildError::io(
        &request.dir.display().to_string(),
        "read",
        &manifest,
    ))?;
    let workspace = find(&manifest, toolchain, known).await?;
    let mut package = known[workspace].package(manifest)?;
    package.locals = locals(&package, toolchain, known).await?;
    Ok(package)
}

/// The index of what cargo says of the workspace that a manifest is in.
async fn find(
    manifest: &Path,
    toolchain: &RustToolchain,
    known: &mut Vec<Metadata>,
) -> Result<usize, BuildError> {
    if let Some(index) = known.iter().position(|metadata| metadata.described(manifest).is_some()) {
        return Ok(index);
    }
    known.push(ask(manifest, toolchain).await?);
    Ok(known.len() - 1)
}

/// The package and its direct and indirect path dependencies, as far as they are in the folder of its
/// workspace. (Cargo tells packages elsewhere apart by their absolute path.)
async fn locals(
    package: &Package,
    toolchain: &RustToolchain,
    known: &mut Vec<Metadata>,
) -> Result<Vec<Local>, BuildError> {
    let mut seen = BTreeSet::new();
    let mut locals = Vec::new();
    let mut open = vec![package.manifest.clone()];
    while let Some(manifest) = open.pop() {
        if !seen.insert(manifest.clone()) {
            continue;
        }
        let index = find(&manifest, toolchain, known).await?;
        let Some(described) = known[index].described(&manifest) else { continue };
        let dir = manifest.parent().unwrap_or(Path::new("/"));
        if let Ok(path) = dir.strip_prefix(&package.workspace) {
            let (name, id) = (described.name.clone(), described.id.clone());
            locals.push(Local { name, id, path: path.to_owned() });
        }
        let paths = described.dependencies.iter().filter_map(|dependency| dependency.path.as_ref());
        // One that does not exist is cargo's to complain about.
        open.extend(paths.filter_map(|path| fs::canonicalize(path.join("Cargo.toml")).ok()));
    }
    locals.sort();
    Ok(locals)
}

impl Metadata {
    fn described(&self, manifest: &Path) -> Option<&Described> {
        self.packages.iter().find(|package| {
            fs::canonicalize(&package.manifest_path).is_ok_and(|described| described == manifest)
        })
    }

    /// The plugin whose manifest this is.
    fn package(&self, manifest: PathBuf) -> Result<Package, BuildError> {
        let Some(described) = self.described(&manifest) else {
            return Err(BuildError::Manifest { manifest, problem: NO_PACKAGE.to_owned() });
        };
        let mut targets = described.targets.iter();
        let Some(library) = targets.find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
        else {
            let problem = format!(
                "package `{}` builds no cdylib, so it is no plugin; add\n    [lib]\n    crate-type = [\"cdylib\"]",
                described.name
            );
            return Err(BuildError::Manifest { manifest, problem });
        };
        let workspace = fs::canonicalize(&self.workspace_root).map_err(BuildError::io(
            &described.name,
            "read",
            &self.workspace_root,
        ))?;
        Ok(Package {
            name: described.name.clone(),
            id: described.id.clone(),
            library: library.name.clone(),
            also_library: library.crate_types.len() > 1,
            manifest,
            workspace,
            locals: Vec::new(),
        })
    }
}

async fn ask(manifest: &Path, toolchain: &RustToolchain) -> Result<Metadata, BuildError> {
    let mut command = super::cargo::command(toolchain, false);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(manifest);
    command.current_dir(manifest.parent().unwrap_or(Path::new("/")));
    let (mut answer, mut errors) = (String::new(), String::new());
    let status = process::run(command, |line| match line {
        Line::Out(text) => answer.push_str(&text),
        Line::Err(text) => {
            errors.push_str(&text);
            errors.push('\n');
        }
    })
    .await
    .map_err(|source| BuildError::Run {
        plugin: manifest.display().to_string(),
        program: toolchain.cargo().to_owned(),
        source,
    })?;
    if !status.success() {
        return Err(BuildError::Manifest {
            manifest: manifest.to_owned(),
            problem: errors.trim_end().to_owned(),
        });
    }
    serde_json::from_str(&answer).map_err(|error| BuildError::Manifest {
        manifest: manifest.to_owned(),
        problem: format!("`cargo metadata` answered in a form that this host does not know: {error}"),
    })
}
