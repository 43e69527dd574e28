//! What the languages have in common: how a source folder is recognised, what a build is asked for and
//! what it yields. A further language is a variant of [`Language`] and one of [`Toolchain`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{BuildError, MissingToolchain};
use crate::progress::Progress;
use crate::rust::{self, RustToolchain};

/// A language that plugins can be built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// A cargo package with a `cdylib` library.
    Rust,
}

/// One plugin to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// The folder of the sources: for Rust, the one with the package's `Cargo.toml`.
    pub dir: PathBuf,
    /// The folder that the component goes to: the service's.
    pub output_dir: PathBuf,
    /// The folder for intermediate results. Share one between all plugins: the standard library and
    /// common dependencies are then compiled once.
    pub target_dir: PathBuf,
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Name of the plugin's package.
    pub plugin: String,
    /// Where the component is.
    pub component: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether the bytes differ from what was there before.
    pub changed: bool,
    /// How long the compiler ran. Plugins compiled by one run of it share this number.
    pub compile: Duration,
    /// How long making a component of the compiler's output took, validation included.
    pub encode: Duration,
}

/// The toolchain of one language, ready to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// Cargo, a compiler and a linker for WebAssembly.
    Rust(RustToolchain),
}

impl Language {
    /// The language of the sources in `dir`, if it holds any.
    pub fn of(dir: &Path) -> Option<Self> {
        dir.join("Cargo.toml").is_file().then_some(Self::Rust)
    }

    /// The settings of every build in this language; a component built with others is stale.
    pub(crate) fn settings(self) -> String {
        match self {
            Self::Rust => rust::settings(),
        }
    }

    /// Files of a source folder that count as soon as they appear in it.
    pub(crate) fn own_files(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &rust::OWN_FILES,
        }
    }
}

impl BuildRequest {
    /// Where the component will be: `output_dir/<name of the package>.wasm`.
    ///
    /// # Errors
    /// When the folder holds no sources, or they do not say the package's name.
    pub fn component(&self) -> Result<PathBuf, BuildError> {
        let name = match Language::of(&self.dir) {
            Some(Language::Rust) => rust::package_name(&self.dir)?,
            None => return Err(BuildError::NoSources { dir: self.dir.clone() }),
        };
        Ok(self.output_dir.join(format!("{name}.wasm")))
    }
}

impl Toolchain {
    /// Looks for the toolchain of `language` without changing anything.
    ///
    /// # Errors
    /// When none is complete; the error says what was looked at and which commands install it.
    pub async fn find(language: Language) -> Result<Self, MissingToolchain> {
        match language {
            Language::Rust => RustToolchain::find().await.map(Self::Rust),
        }
    }

    /// Looks for the toolchain of `language` and tries to install what is missing, reporting each
    /// command before it runs ([`crate::Event::Running`]).
    ///
    /// # Errors
    /// When none is complete afterwards; the error holds everything that was tried.
    pub async fn find_or_install(
        language: Language,
        progress: &dyn Progress,
    ) -> Result<Self, MissingToolchain> {
        match language {
            Language::Rust => RustToolchain::find_or_install(progress).await.map(Self::Rust),
        }
    }

    /// Builds one plugin. Dropping the future stops the compiler.
    ///
    /// # Errors
    /// When a step fails; the component that was there before is left as it was.
    pub async fn build(&self, request: &BuildRequest, progress: &dyn Progress) -> Result<Built, BuildError> {
        match self {
            Self::Rust(toolchain) => rust::build(request, toolchain, progress).await,
        }
    }

    /// Builds several plugins of this toolchain's language and answers in their order. One that fails
    /// does not keep the others from being built.
    pub async fn build_all(
        &self,
        requests: &[BuildRequest],
        progress: &dyn Progress,
    ) -> Vec<Result<Built, BuildError>> {
        match self {
            Self::Rust(toolchain) => rust::build_all(requests, toolchain, progress).await,
        }
    }
}
