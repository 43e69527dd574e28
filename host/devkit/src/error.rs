//! What can go wrong, each with the plugin, the step, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a plugin was not built. What was there before is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder has no sources in a language that can be built.
    #[error(
        "{}: no sources to build: a Rust plugin has a Cargo.toml there, with a package that builds a cdylib",
        dir.display()
    )]
    NoSources {
        /// The folder.
        dir: PathBuf,
    },

    /// The package's manifest cannot be used.
    #[error("{}: {problem}", manifest.display())]
    Manifest {
        /// The `Cargo.toml`.
        manifest: PathBuf,
        /// What is wrong with it, and the remedy.
        problem: String,
    },

    /// A tool could not be run.
    #[error("{plugin}: cannot run {}: {source}", program.display())]
    Run {
        /// Name of the package, or its folder where that is not known yet.
        plugin: String,
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The compiler refused the sources.
    #[error("{plugin}: compiling failed ({status})\n{}", output.trim_end())]
    Compile {
        /// Name of the package.
        plugin: String,
        /// How the compiler ended.
        status: String,
        /// What it printed about this plugin, unchanged.
        output: String,
    },

    /// What the compiler produced is not a plugin.
    #[error(
        "{plugin}: compiled, but no component can be made of {}: {problem}\n\
         A plugin exports the interfaces of wit/luckystack.wit and imports nothing but those of its world \
         `imports`; imports of `env` or `wasi_snapshot_preview1` come from a crate that needs an operating \
         system or C code.",
        module.display()
    )]
    Encode {
        /// Name of the package.
        plugin: String,
        /// The core module that the compiler wrote.
        module: PathBuf,
        /// The encoder's explanation.
        problem: String,
    },

    /// A file or folder could not be read or written.
    #[error("{plugin}: cannot {action} {}: {source}", path.display())]
    Io {
        /// Name of the package, or its folder where that is not known yet.
        plugin: String,
        /// What was being done, such as `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The toolchain is not complete.
    #[error(transparent)]
    MissingToolchain(#[from] MissingToolchain),
}

/// No complete toolchain was found, nor could one be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MissingToolchain {
    /// What is missing, such as `a Rust toolchain for wasm32-unknown-unknown`.
    pub missing: &'static str,
    /// Everything that was looked at or run, in order.
    pub tried: Vec<Attempt>,
    /// Commands that install it; any one of them suffices. Best first.
    pub install: Vec<String>,
}

/// One thing that was looked at, or one command that was run, and why it did not help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What it was.
    pub what: String,
    /// Why it did not help; for a command, the end of its output.
    pub result: String,
}

impl BuildError {
    /// The failure of a file operation, for `map_err`.
    pub(crate) fn io(
        plugin: &str,
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let (plugin, path) = (plugin.to_owned(), path.into());
        move |source| Self::Io { plugin, action, path, source }
    }
}

impl fmt::Display for MissingToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} is missing. Tried:", self.missing)?;
        for attempt in &self.tried {
            let mut lines = attempt.result.trim_end().lines();
            writeln!(f, "  - {}: {}", attempt.what, lines.next().unwrap_or("no output"))?;
            for line in lines {
                writeln!(f, "      {line}")?;
            }
        }
        write!(f, "Install it with {}:", if self.install.len() == 1 { "this" } else { "one of these" })?;
        for command in &self.install {
            write!(f, "\n    {command}")?;
        }
        Ok(())
    }
}
