//! Which C compiler builds plugins: one with a WebAssembly target, its linker, and wasi-libc.
//!
//! In order: the Zig that the host installed for itself, whose version is known; Zig on the PATH; clang on
//! the PATH with wasm-ld and wasi-libc, as distributions package them. Each is its own compiler, linker and C
//! library.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::compile::{COMPILE, LINK};
use super::install;
use crate::error::{Attempt, MissingToolchain};
use crate::install::{on_path, path};
use crate::process::{self, Line};

/// The oldest Zig that these command lines were tried with.
const OLDEST_ZIG: (u32, u32) = (0, 17);

/// A C toolchain that can build plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CToolchain {
    /// `zig cc`.
    Zig {
        /// The program.
        zig: PathBuf,
        /// Its version.
        version: String,
        /// Where it keeps the C library that it compiles at its first use; its own place when none.
        cache: Option<PathBuf>,
    },
    /// Clang with wasm-ld and a wasi-libc that it finds by itself.
    Clang {
        /// The program.
        clang: PathBuf,
        /// The first line that it says of its version.
        version: String,
    },
}

impl CToolchain {
    /// Looks for a toolchain without changing anything.
    ///
    /// # Errors
    /// When there is none; the error says what was looked at and which commands install one.
    pub async fn find() -> Result<Self, MissingToolchain> {
        look().await.map_err(install::missing)
    }

    /// The program to run.
    pub(crate) fn program(&self) -> &Path {
        match self {
            Self::Zig { zig, .. } => zig,
            Self::Clang { clang, .. } => clang,
        }
    }

    /// A name for what it compiles, for folders: objects of different compilers are not mixed.
    pub(crate) fn key(&self) -> String {
        let (kind, version) = match self {
            Self::Zig { version, .. } => ("zig", version),
            Self::Clang { version, .. } => ("clang", version),
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        format!("{kind}-{}", version.chars().map(plain).take(40).collect::<String>())
    }

    /// A command line that begins as every run of the compiler does, in the folder `dir`.
    pub(crate) fn command(&self, dir: &Path, target: &Path) -> Command {
        let mut command = Command::new(self.program());
        command.current_dir(dir);
        if let Self::Zig { cache, .. } = self {
            command.arg("cc").env("ZIG_LOCAL_CACHE_DIR", target.join("luckystack").join("zig"));
            if let Some(cache) = cache {
                command.env("ZIG_GLOBAL_CACHE_DIR", cache);
            }
        }
        command
    }
}

/// Looks at the machine; otherwise says why nothing will do.
pub(crate) async fn look() -> Result<CToolchain, Vec<Attempt>> {
    let path = path();
    let mut tried = Vec::new();
    let own = install::zig();
    let candidates = [(Some(own), true), (on_path(&path, "zig"), false)];
    for (zig, is_own) in candidates {
        let what = if is_own { "Zig installed by the host" } else { "zig on the PATH" };
        match zig.filter(|zig| zig.is_file()) {
            None => tried.push(Attempt { what: what.to_owned(), result: "there is none".to_owned() }),
            Some(zig) => match ask_zig(zig, is_own).await {
                Ok(toolchain) => return Ok(toolchain),
                Err(result) => tried.push(Attempt { what: what.to_owned(), result }),
            },
        }
    }
    let what = "clang on the PATH".to_owned();
    match on_path(&path, "clang") {
        None => tried.push(Attempt { what, result: "there is none".to_owned() }),
        Some(clang) => match ask_clang(clang).await {
            Ok(toolchain) => return Ok(toolchain),
            Err(result) => tried.push(Attempt { what, result }),
        },
    }
    Err(tried)
}

async fn ask_zig(zig: PathBuf, is_own: bool) -> Result<CToolchain, String> {
    let mut command = Command::new(&zig);
    command.arg("version");
    let version = said(command).await?.trim().to_owned();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if number < OLDEST_ZIG {
        return Err(format!("version {version} is older than {}.{}", OLDEST_ZIG.0, OLDEST_ZIG.1));
    }
    Ok(CToolchain::Zig { zig, version, cache: is_own.then(install::zig_cache) })
}

/// Whether clang has the target, the linker and the C library shows only when it is asked to link.
async fn ask_clang(clang: PathBuf) -> Result<CToolchain, String> {
    let mut command = Command::new(&clang);
    command.arg("--version");
    let version = said(command).await?.lines().next().unwrap_or_default().trim().to_owned();
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = "#include <stdio.h>\n#include <stdlib.h>\nint luckystack_probe(double x) { return snprintf(NULL, 0, \"%g\", x); }\n";
    std::fs::write(dir.path().join("probe.c"), source).map_err(|error| error.to_string())?;
    let toolchain = CToolchain::Clang { clang, version };
    let mut command = toolchain.command(dir.path(), dir.path());
    command.args(COMPILE).args(LINK.iter().skip(2)).args([
        "-Wl,--export=luckystack_probe",
        "probe.c",
        "-o",
        "probe.wasm",
    ]);
    said(command).await?;
    Ok(toolchain)
}

/// What a program prints when all goes well; otherwise why it did not.
async fn said(command: Command) -> Result<String, String> {
    let (mut out, mut all) = (String::new(), String::new());
    let status = process::run(command, |line| {
        let (Line::Out(text) | Line::Err(text)) = &line;
        for into in [matches!(line, Line::Out(_)).then_some(&mut out), Some(&mut all)].into_iter().flatten() {
            into.push_str(text);
            into.push('\n');
        }
    });
    match status.await {
        Ok(status) if status.success() => Ok(out),
        Ok(status) => Err(format!("{status}\n{}", all.trim_end())),
        Err(error) => Err(error.to_string()),
    }
}
