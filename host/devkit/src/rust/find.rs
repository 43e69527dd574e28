//! Which Rust toolchain builds plugins.
//!
//! [`probe`] looks at the machine, [`choose`] decides from what was seen and does nothing else. In
//! order: a compiler whose sysroot has the target (rustup's, or a distribution's package for it), then
//! a compiler that has the sources of its own standard library and builds it (Debian's `rustc-web`
//! with `rust-web-src`, where rustup's servers cannot be reached). Within each step the compiler that
//! cargo uses by itself comes before the system's.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::TARGET;
use super::install;
use crate::error::{Attempt, MissingToolchain};
use crate::install::{on_path, path};
use crate::process::{self, Line};

/// Where distributions put their compiler.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// A Rust toolchain that can build plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RustToolchain {
    /// The standard library for the target is in the compiler's sysroot.
    Prebuilt {
        /// The cargo to run.
        cargo: PathBuf,
        /// The compiler, where it is not the one that cargo uses by itself.
        rustc: Option<PathBuf>,
    },
    /// The compiler builds the standard library from its sources, once per target folder (about a
    /// minute on two cores).
    BuildStd {
        /// The cargo to run.
        cargo: PathBuf,
        /// The compiler.
        rustc: PathBuf,
        /// A linker for WebAssembly.
        linker: PathBuf,
    },
}

/// What there is on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Probes {
    /// Cargo on the PATH.
    pub(crate) cargo: Option<PathBuf>,
    /// Rustup on the PATH.
    pub(crate) rustup: Option<PathBuf>,
    /// The compilers, the one that cargo uses by itself first.
    pub(crate) compilers: Vec<Compiler>,
    /// Folders of the PATH.
    pub(crate) path: Vec<PathBuf>,
    /// What could not be looked at.
    pub(crate) problems: Vec<Attempt>,
}

/// A compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// The program.
    pub(crate) rustc: PathBuf,
    /// Whether cargo uses it by itself.
    pub(crate) is_cargos: bool,
    /// Its version, such as `1.95.0`.
    pub(crate) version: String,
    /// The platform that it runs on, such as `x86_64-unknown-linux-gnu`.
    pub(crate) host: String,
    /// The folder of its libraries.
    pub(crate) sysroot: PathBuf,
}

impl RustToolchain {
    /// Looks for a toolchain without changing anything.
    ///
    /// # Errors
    /// When there is none; the error says what was looked at and which commands install one.
    pub async fn find() -> Result<Self, MissingToolchain> {
        let probes = probe().await;
        choose(&probes).map_err(|tried| install::missing(&probes, tried))
    }

    /// The cargo to run.
    pub(crate) fn cargo(&self) -> &Path {
        match self {
            Self::Prebuilt { cargo, .. } | Self::BuildStd { cargo, .. } => cargo,
        }
    }
}

/// Looks at the machine.
pub(crate) async fn probe() -> Probes {
    let path = path();
    let mut probes = Probes {
        cargo: on_path(&path, "cargo"),
        rustup: on_path(&path, "rustup"),
        path,
        ..Probes::default()
    };
    let cargos = on_path(&probes.path, "rustc");
    let system =
        Some(PathBuf::from(SYSTEM_RUSTC)).filter(|rustc| rustc.is_file() && cargos.as_ref() != Some(rustc));
    for (rustc, is_cargos) in
        cargos.into_iter().map(|rustc| (rustc, true)).chain(system.map(|rustc| (rustc, false)))
    {
        match Compiler::ask(rustc.clone(), is_cargos).await {
            Ok(compiler) => probes.compilers.push(compiler),
            Err(result) => probes.problems.push(Attempt { what: rustc.display().to_string(), result }),
        }
    }
    probes
}

/// Decides, or says why nothing that was seen will do.
pub(crate) fn choose(probes: &Probes) -> Result<RustToolchain, Vec<Attempt>> {
    let mut tried = probes.problems.clone();
    let Some(cargo) = probes.cargo.clone() else {
        tried.push(Attempt { what: "cargo".to_owned(), result: "not on the PATH".to_owned() });
        return Err(tried);
    };
    for compiler in &probes.compilers {
        if compiler.has_target() {
            let rustc = (!compiler.is_cargos).then(|| compiler.rustc.clone());
            return Ok(RustToolchain::Prebuilt { cargo, rustc });
        }
    }
    for compiler in &probes.compilers {
        let linker = compiler.has_sources().and_then(|()| linker(compiler, probes));
        match linker {
            Ok(linker) => {
                let rustc = compiler.rustc.clone();
                return Ok(RustToolchain::BuildStd { cargo, rustc, linker });
            }
            Err(problem) => tried.push(Attempt {
                what: compiler.to_string(),
                result: format!("no {TARGET} in {}, and {problem}", compiler.sysroot.display()),
            }),
        }
    }
    if probes.compilers.is_empty() && probes.problems.is_empty() {
        tried.push(Attempt {
            what: "rustc".to_owned(),
            result: format!("neither on the PATH nor at {SYSTEM_RUSTC}"),
        });
    }
    Err(tried)
}

/// A linker for WebAssembly: the compiler's own, any other compiler's, then one on the PATH.
/// Links to a program that is not installed are passed over.
fn linker(compiler: &Compiler, probes: &Probes) -> Result<PathBuf, String> {
    let others = probes.compilers.iter().filter(|other| *other != compiler);
    let in_sysroots = std::iter::once(compiler)
        .chain(others)
        .map(|compiler| compiler.sysroot.join("lib/rustlib").join(&compiler.host).join("bin/rust-lld"));
    let on_path = ["rust-lld", "wasm-ld"]
        .into_iter()
        .flat_map(|name| probes.path.iter().map(move |folder| folder.join(name)));
    let mut dangling = None;
    for candidate in in_sysroots.chain(on_path) {
        if candidate.is_file() {
            return Ok(candidate);
        }
        if candidate.is_symlink() {
            dangling = dangling.or(Some(candidate));
        }
    }
    Err(match dangling {
        Some(link) => format!("its linker {} points to a program that is not installed", link.display()),
        None => "no linker for WebAssembly was found (rust-lld or wasm-ld)".to_owned(),
    })
}

impl Compiler {
    /// Asks a compiler for its version and sysroot.
    async fn ask(rustc: PathBuf, is_cargos: bool) -> Result<Self, String> {
        let version = output(&rustc, &["-vV"]).await?;
        let sysroot = output(&rustc, &["--print", "sysroot"]).await?;
        let field = |name: &str| {
            version
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(str::to_owned)
                .ok_or_else(|| format!("`rustc -vV` does not say its {name}"))
        };
        Ok(Self {
            version: field("release")?,
            host: field("host")?,
            sysroot: PathBuf::from(sysroot.trim()),
            rustc,
            is_cargos,
        })
    }

    /// Whether the sysroot has the standard library for the target. An empty folder is what remains of
    /// an interrupted installation.
    fn has_target(&self) -> bool {
        let libraries = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        let Ok(libraries) = libraries.read_dir() else { return false };
        libraries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    }

    /// Whether the sources of this compiler's standard library are where cargo looks for them.
    fn has_sources(&self) -> Result<(), String> {
        let root = self.sysroot.join("lib/rustlib/src/rust");
        if !root.join("library/Cargo.lock").is_file() {
            return Err(format!("no sources of the standard library in {}", root.display()));
        }
        // Distributions package the sources separately, so the two can differ. The file is missing
        // where rustup put the sources, which always match.
        match std::fs::read_to_string(root.join("src/version")) {
            Ok(version) if version.trim() != self.version => Err(format!(
                "the sources of the standard library in {} are of version {}",
                root.display(),
                version.trim()
            )),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.rustc.display(), self.version)
    }
}

async fn output(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments);
    let (mut out, mut err) = (String::new(), String::new());
    let status = process::run(command, |line| {
        let (text, into) = match line {
            Line::Out(text) => (text, &mut out),
            Line::Err(text) => (text, &mut err),
        };
        into.push_str(&text);
        into.push('\n');
    })
    .await
    .map_err(|error| error.to_string())?;
    if status.success() { Ok(out) } else { Err(format!("{status}\n{err}")) }
}

#[cfg(test)]
mod tests;
