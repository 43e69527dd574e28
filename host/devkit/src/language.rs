//! What the languages have in common: what a build is asked for and what it yields. A further language
//! is a variant of [`Language`] and one of [`Toolchain`].

use std::path::PathBuf;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
pub use luckystack_topology::Language;

use crate::c::{self, CToolchain};
use crate::error::{BuildError, MissingToolchain};
use crate::progress::Progress;
use crate::python::{self, PythonToolchain};
use crate::rust::{self, RustToolchain};
use crate::typescript::{self, TypeScriptToolchain};

/// One plugin to build.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BuildRequest {
    /// What it is written in.
    pub language: Language,
    /// The service that it belongs to: what its manifest says where the sources do not.
    pub service: String,
    /// Name of the plugin and of its component. (A Rust plugin is called as its package is.)
    pub name: String,
    /// The folder of the sources: for Rust, the one with the package's `Cargo.toml`.
    pub dir: PathBuf,
    /// Whether sub-folders of `dir` are nested pages of the service.
    pub nested: bool,
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
    /// Node, and packages of npm.
    TypeScript(TypeScriptToolchain),
    /// Python, and a virtual environment.
    Python(PythonToolchain),
    /// A C compiler with a WebAssembly target.
    C(CToolchain),
}

/// The settings of every build in a language; a component built with others is stale.
pub(crate) fn settings(language: Language) -> String {
    match language {
        Language::Rust => rust::settings(),
        Language::TypeScript => typescript::settings(),
        Language::Python => python::settings(),
        Language::C => c::settings(),
    }
}

/// Files of a source folder that count as soon as they appear in it, whether the last build knew them
/// or not. Those that do not exist may be listed.
pub(crate) fn own_files(request: &BuildRequest) -> Vec<PathBuf> {
    match request.language {
        Language::Rust => rust::OWN_FILES.iter().map(|name| request.dir.join(name)).collect(),
        Language::TypeScript => typescript::own_files(request),
        Language::Python => python::own_files(request),
        Language::C => c::own_files(request),
    }
}

impl BuildRequest {
    /// Where the component will be: `output_dir/<name>.wasm`.
    ///
    /// # Errors
    /// When the folder of a Rust plugin does not say the package's name.
    pub fn component(&self) -> Result<PathBuf, BuildError> {
        let name = match self.language {
            Language::Rust => rust::package_name(&self.dir)?,
            Language::TypeScript | Language::Python | Language::C => self.name.clone(),
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
            Language::TypeScript => TypeScriptToolchain::find().await.map(Self::TypeScript),
            Language::Python => PythonToolchain::find().await.map(Self::Python),
            Language::C => CToolchain::find().await.map(Self::C),
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
            Language::TypeScript => {
                TypeScriptToolchain::find_or_install(progress).await.map(Self::TypeScript)
            }
            Language::Python => PythonToolchain::find_or_install(progress).await.map(Self::Python),
            Language::C => CToolchain::find_or_install(progress).await.map(Self::C),
        }
    }

    /// The language that it builds.
    #[must_use]
    pub fn language(&self) -> Language {
        match self {
            Self::Rust(_) => Language::Rust,
            Self::TypeScript(_) => Language::TypeScript,
            Self::Python(_) => Language::Python,
            Self::C(_) => Language::C,
        }
    }

    /// Builds one plugin. Dropping the future stops the compiler.
    ///
    /// # Errors
    /// When a step fails; the component that was there before is left as it was.
    pub async fn build(&self, request: &BuildRequest, progress: &dyn Progress) -> Result<Built, BuildError> {
        match self {
            Self::Rust(toolchain) => rust::build(request, toolchain, progress).await,
            Self::TypeScript(toolchain) => typescript::build(request, toolchain, progress).await,
            Self::Python(toolchain) => python::build(request, toolchain, progress).await,
            Self::C(toolchain) => c::build(request, toolchain, progress).await,
        }
    }

    /// Builds several plugins of this toolchain's language and answers in their order. One that fails
    /// does not keep the others from being built. Rust plugins share one run of cargo; others are built
    /// side by side, `jobs` at a time.
    pub async fn build_all(
        &self,
        requests: &[BuildRequest],
        jobs: usize,
        progress: &dyn Progress,
    ) -> Vec<Result<Built, BuildError>> {
        if let Self::Rust(toolchain) = self {
            return rust::build_all(requests, toolchain, progress).await;
        }
        let builds: Vec<_> = requests.iter().map(|request| self.build(request, progress).boxed()).collect();
        futures::stream::iter(builds).buffered(jobs.max(1)).collect().await
    }
}
