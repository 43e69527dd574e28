//! Installing what is missing of a Rust toolchain; nothing that is installed is ever removed.

use std::path::PathBuf;

use tokio::sync::Mutex;

use super::TARGET;
use super::find::{self, Probes, RustToolchain};
use crate::error::{Attempt, MissingToolchain};
use crate::install::{Step, is_debian, is_root, run};
use crate::progress::Progress;

/// What the error calls the missing thing.
const MISSING: &str = "a Rust toolchain for wasm32-unknown-unknown";

/// Two installations at once would wait for each other's locks and report each other's failures.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// Which packages of Debian complete a toolchain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Debian {
    packages: Vec<String>,
}

impl RustToolchain {
    /// Looks for a toolchain and tries to install what is missing: through rustup, then, as root on
    /// Debian, from its packages.
    ///
    /// # Errors
    /// When there is none afterwards; the error holds everything that was tried and what to run.
    pub async fn find_or_install(progress: &dyn Progress) -> Result<Self, MissingToolchain> {
        let _alone = INSTALLING.lock().await;
        let mut probes = find::probe().await;
        let mut tried = match find::choose(&probes) {
            Ok(toolchain) => return Ok(toolchain),
            Err(tried) => tried,
        };
        if probes.rustup.is_some() {
            tried.extend(run(&rustup(), progress).await);
            probes = find::probe().await;
            if let Ok(toolchain) = find::choose(&probes) {
                return Ok(toolchain);
            }
        }
        // The name of the linker's package can be read only from what the compiler's packages install.
        for _round in 0..2 {
            let debian = match Debian::offers(&probes, is_root()) {
                Ok(debian) => debian,
                Err(Some(reason)) => {
                    tried.push(reason);
                    break;
                }
                Err(None) => break,
            };
            for step in debian.steps() {
                tried.extend(run(&step, progress).await);
            }
            probes = find::probe().await;
            match find::choose(&probes) {
                Ok(toolchain) => return Ok(toolchain),
                Err(after) => tried.extend(after),
            }
        }
        Err(missing(&probes, tried))
    }
}

/// The error, with the commands that help here.
pub(crate) fn missing(probes: &Probes, tried: Vec<Attempt>) -> MissingToolchain {
    let mut install = Vec::new();
    if probes.rustup.is_some() {
        install.push(rustup().to_string());
    } else {
        install.push(format!("install rustup (https://rustup.rs), then: rustup target add {TARGET}"));
    }
    if is_debian(&probes.path) {
        let steps: Vec<String> =
            Debian::for_probes(probes).steps().iter().map(|step| format!("sudo {step}")).collect();
        install.push(steps.join(" && "));
    }
    MissingToolchain { missing: MISSING, tried, install }
}

impl Debian {
    /// What to install, when this process may; otherwise why it may not, where that is worth saying.
    fn offers(probes: &Probes, is_root: bool) -> Result<Self, Option<Attempt>> {
        if !is_debian(&probes.path) {
            return Err(None);
        }
        if !is_root {
            let result = "not run: it needs root".to_owned();
            return Err(Some(Attempt { what: "apt-get install".to_owned(), result }));
        }
        Ok(Self::for_probes(probes))
    }

    /// `rustc-web` lives beside rustup and is current; `rust-web-src` holds its standard library.
    fn for_probes(probes: &Probes) -> Self {
        let mut packages = vec!["rustc-web".to_owned(), "rust-web-src".to_owned()];
        if probes.cargo.is_none() {
            packages.push("cargo-web".to_owned());
        }
        let rustup_has_linker = probes.compilers.iter().any(|compiler| {
            compiler.sysroot.join("lib/rustlib").join(&compiler.host).join("bin/rust-lld").is_file()
        });
        if !rustup_has_linker {
            packages.push("rust-web-llvm".to_owned());
            // Its rust-lld is a link to `lld-<version>`, which is the name of a package too.
            let links = probes.path.iter().map(|folder| folder.join("rust-lld"));
            let program = links.filter_map(|link| link.read_link().ok()).next();
            packages.extend(
                program
                    .and_then(|program: PathBuf| Some(program.file_name()?.to_str()?.to_owned()))
                    .filter(|name| name.starts_with("lld-")),
            );
        }
        Self { packages }
    }

    fn steps(&self) -> [Step; 2] {
        Step::debian(&self.packages)
    }
}

fn rustup() -> Step {
    Step::new("rustup", &["target", "add", TARGET])
}

#[cfg(test)]
mod tests;
