//! The toolchain: Node and npm of the machine, and packages in a folder of the host's own.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

use super::project::Engine;
use crate::error::{Attempt, MissingToolchain};
use crate::install::{self, Step, is_debian, is_root, on_path, path, put_in_place, run, toolchains};
use crate::progress::Progress;
use crate::sdk::{self, File, embedded};

/// What the error calls the missing thing.
const MISSING: &str = "Node.js 18 or later with npm, and the packages that build TypeScript";

/// The oldest Node that the packages run on.
const OLDEST: u32 = 18;

/// Two installations at once would download the same twice.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// Packages that are installed together, with the exact versions of all of them.
struct Packages {
    /// The beginning of their folder's name.
    name: &'static str,
    files: &'static [File],
    /// A file of each that matters.
    proof: &'static [&'static str],
}

/// Compiler, bundler and the small engine.
static BUILD: Packages = Packages {
    name: "ts-build",
    files: embedded!("sdk/typescript/toolchain/build": "package.json", "package-lock.json"),
    proof: &["typescript/package.json", "esbuild/package.json", "componentize-qjs/package.json"],
};

/// The complete engine, which few plugins need and which is a hundred times larger.
static COMPLETE_ENGINE: Packages = Packages {
    name: "ts-complete-engine",
    files: embedded!("sdk/typescript/toolchain/complete-engine": "package.json", "package-lock.json"),
    proof: &["@bytecodealliance/componentize-js/package.json"],
};

/// What it takes to build TypeScript plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeScriptToolchain {
    /// Node.
    pub(crate) node: PathBuf,
    /// The folder of the tools' packages.
    pub(crate) modules: PathBuf,
}

impl TypeScriptToolchain {
    /// Looks for Node and the packages that [`Self::find_or_install`] installs, without changing
    /// anything.
    ///
    /// # Errors
    /// When one is missing; the error says what was looked at and which commands install it.
    pub async fn find() -> Result<Self, MissingToolchain> {
        let mut tried = Vec::new();
        let node = node(&mut tried).await;
        match (node, BUILD.look()) {
            (Some(node), Ok(modules)) => Ok(Self { node, modules }),
            (node, look) => {
                tried.extend(look.err());
                Err(missing(node.is_some(), &BUILD, tried))
            }
        }
    }

    /// Looks for a toolchain and installs what is missing: Node as root on Debian, then the packages.
    ///
    /// # Errors
    /// When there is none afterwards; the error holds everything that was tried.
    pub async fn find_or_install(progress: &dyn Progress) -> Result<Self, MissingToolchain> {
        let _alone = INSTALLING.lock().await;
        let mut tried = Vec::new();
        let mut found = node(&mut tried).await;
        if (found.is_none() || npm().is_none()) && is_debian(&path()) {
            if is_root() {
                for step in Step::debian(&debian()) {
                    tried.extend(run(&step, progress).await);
                }
                found = node(&mut tried).await;
            } else {
                let result = "not run: it needs root".to_owned();
                tried.push(Attempt { what: "apt-get install".to_owned(), result });
            }
        }
        let Some(node) = found else { return Err(missing(false, &BUILD, tried)) };
        match BUILD.provide(progress).await {
            Ok(modules) => Ok(Self { node, modules }),
            Err(attempt) => {
                tried.push(attempt);
                Err(missing(true, &BUILD, tried))
            }
        }
    }

    /// The folder of an engine's packages; the complete one is installed when it is first asked for.
    pub(super) async fn engine(
        &self,
        engine: Engine,
        progress: &dyn Progress,
    ) -> Result<PathBuf, MissingToolchain> {
        if engine == Engine::QuickJs {
            return Ok(self.modules.clone());
        }
        let _alone = INSTALLING.lock().await;
        COMPLETE_ENGINE
            .provide(progress)
            .await
            .map_err(|attempt| missing(true, &COMPLETE_ENGINE, vec![attempt]))
    }
}

impl Packages {
    /// Their folder: another version of any of them gets another.
    fn place(&self) -> PathBuf {
        toolchains().join(format!("{}-{}", self.name, sdk::digest(&[self.files])))
    }

    /// Where they are, when they are whole.
    fn look(&self) -> Result<PathBuf, Attempt> {
        let modules = self.place().join("node_modules");
        match self.proof.iter().find(|file| !modules.join(file).is_file()) {
            None => Ok(modules),
            Some(file) => {
                let result = match modules.is_dir() {
                    true => format!("{file} is not in it"),
                    false => "not there".to_owned(),
                };
                Err(Attempt { what: modules.display().to_string(), result })
            }
        }
    }

    /// Installs them unless they are there.
    async fn provide(&self, progress: &dyn Progress) -> Result<PathBuf, Attempt> {
        if let Ok(modules) = self.look() {
            return Ok(modules);
        }
        let Some(npm) = npm() else {
            return Err(Attempt { what: "npm".to_owned(), result: "not on the PATH".to_owned() });
        };
        let place = self.place();
        let failed =
            |error: std::io::Error| Attempt { what: place.display().to_string(), result: error.to_string() };
        let made = self.prepare(&place).map_err(failed)?;
        let step = npm_install(&npm.display().to_string(), made.path());
        if let Some(attempt) = run(&step, progress).await {
            return Err(attempt);
        }
        if place.is_dir() && self.look().is_err() {
            // Half of an installation, by hand or from a disk that was full.
            fs::remove_dir_all(&place).map_err(failed)?;
        }
        put_in_place(&made.keep(), &place).map_err(failed)?;
        self.look()
    }

    /// A folder beside their place that says what to install.
    fn prepare(&self, place: &Path) -> std::io::Result<tempfile::TempDir> {
        let parent = place.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let made = tempfile::Builder::new().prefix(".installing-").tempdir_in(parent)?;
        for (name, text) in self.files {
            fs::write(made.path().join(name), text)?;
        }
        Ok(made)
    }

    /// What one would type: the exact versions, without the lock file.
    fn by_hand(&self) -> String {
        let manifest: serde_json::Value = self
            .files
            .iter()
            .find(|(name, _)| *name == "package.json")
            .and_then(|(_, text)| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let versions = manifest["dependencies"].as_object().into_iter().flatten();
        let packages: Vec<String> = versions
            .map(|(name, version)| format!("{name}@{}", version.as_str().unwrap_or_default()))
            .collect();
        let place = self.place();
        format!("npm install --prefix {} {}", place.display(), packages.join(" "))
    }
}

/// A short name of all versions that a build uses.
pub(super) fn digest() -> String {
    sdk::digest(&[BUILD.files, COMPLETE_ENGINE.files])
}

fn npm() -> Option<PathBuf> {
    on_path(&path(), "npm")
}

/// The packages' own scripts are not needed, and not run.
fn npm_install(npm: &str, folder: &Path) -> Step {
    let folder = folder.display().to_string();
    let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
    Step::new(npm, &[&["install", "--prefix", &folder], quiet.as_slice()].concat())
}

/// A Node that is new enough; those that are not are added to `tried`.
async fn node(tried: &mut Vec<Attempt>) -> Option<PathBuf> {
    let folders = path();
    let candidates: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| ["node", "nodejs"].map(|name| folder.join(name)))
        .filter(|program| program.is_file())
        .collect();
    if candidates.is_empty() {
        tried.push(Attempt { what: "node".to_owned(), result: "not on the PATH".to_owned() });
    }
    for candidate in candidates {
        let mut command = Command::new(&candidate);
        command.arg("--version").kill_on_drop(true);
        let result = match command.output().await {
            Ok(output) => {
                let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                match major(&version) {
                    Some(major) if major >= OLDEST => return Some(candidate),
                    _ => format!("it is `{version}`; version {OLDEST} is the oldest that works"),
                }
            }
            Err(error) => error.to_string(),
        };
        tried.push(Attempt { what: candidate.display().to_string(), result });
    }
    None
}

/// `20` of `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn debian() -> [String; 2] {
    ["nodejs".to_owned(), "npm".to_owned()]
}

/// The error, with the commands that help here.
fn missing(has_node: bool, packages: &Packages, tried: Vec<Attempt>) -> MissingToolchain {
    let mut commands = Vec::new();
    let by_hand = packages.by_hand();
    if has_node && npm().is_some() {
        commands.push(by_hand);
    } else {
        if is_debian(&install::path()) {
            let steps = Step::debian(&debian()).map(|step| format!("sudo {step}")).join(" && ");
            commands.push(format!("{steps} && {by_hand}"));
        }
        commands.push(format!("install Node.js (https://nodejs.org), then: {by_hand}"));
    }
    MissingToolchain { missing: MISSING, tried, install: commands }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read_as_it_prints_them() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v8.1.0"), Some(8));
        assert_eq!(major("Node"), None);
    }

    #[test]
    fn the_command_for_the_packages_names_exact_versions() {
        let command = BUILD.by_hand();
        assert!(
            command.contains("typescript@5.9.3") && command.contains("componentize-qjs@0.4.5"),
            "{command}"
        );
        assert!(!command.contains('^') && !command.contains('~'), "{command}");
    }

    #[test]
    fn lock_files_say_versions_and_nothing_of_where_they_come_from() {
        for packages in [&BUILD, &COMPLETE_ENGINE] {
            for (name, text) in packages.files {
                assert!(!text.contains("\"resolved\""), "{} {name}", packages.name);
            }
        }
    }
}
