//! What cargo says of the packages that are to be built.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::RustToolchain;
use crate::error::BuildError;
use crate::language::BuildRequest;
use crate::process::{self, Line};

/// A package that is a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name, which is the component's.
    pub(crate) name: String,
    /// Cargo's identifier, as in its messages.
    pub(crate) id: String,
    /// Name of its library, which is the core module's.
    pub(crate) library: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    /// The root folder of its workspace (its own when it is in none).
    pub(crate) workspace: PathBuf,
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
        Ok(Manifest { package: None }) => Err(BuildError::Manifest {
            manifest,
            problem: "this is a workspace without a package; a plugin's folder holds its own package"
                .to_owned(),
        }),
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
    if let Some(package) = known.iter().find_map(|metadata| metadata.package(&manifest)) {
        return package;
    }
    let metadata = ask(&manifest, toolchain).await?;
    let package = metadata.package(&manifest);
    known.push(metadata);
    package.unwrap_or_else(|| {
        Err(BuildError::Manifest {
            manifest,
            problem: "this is a workspace without a package; a plugin's folder holds its own package"
                .to_owned(),
        })
    })
}

impl Metadata {
    /// The plugin whose manifest this is, if cargo spoke of it.
    fn package(&self, manifest: &Path) -> Option<Result<Package, BuildError>> {
        let described = self.packages.iter().find(|package| {
            fs::canonicalize(&package.manifest_path).is_ok_and(|described| described == manifest)
        })?;
        let library =
            described.targets.iter().find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
        Some(match library {
            Some(library) => Ok(Package {
                name: described.name.clone(),
                id: described.id.clone(),
                library: library.name.clone(),
                manifest: manifest.to_owned(),
                workspace: self.workspace_root.clone(),
            }),
            None => Err(BuildError::Manifest {
                manifest: manifest.to_owned(),
                problem: format!(
                    "package `{}` builds no cdylib, so it is no plugin; add\n    [lib]\n    crate-type = \
                     [\"cdylib\"]",
                    described.name
                ),
            }),
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
    .map_err(|source| BuildError::Start {
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
