//! Installing what is missing, in the open: each command is reported before it runs, nothing that is
//! installed is ever removed, and what was tried is part of the error.

use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{Mutex, Notify};

use super::TARGET;
use super::find::{self, Probes, RustToolchain};
use crate::error::{Attempt, MissingToolchain};
use crate::process::{self, Line};
use crate::progress::{Event, Progress};

/// What the error calls the missing thing.
const MISSING: &str = "a Rust toolchain for wasm32-unknown-unknown";

/// How long an installer may stay silent. Downloads report progress more often; a connection that
/// nobody answers does not.
const SILENCE: Duration = Duration::from_secs(120);

/// How many lines of a failed command the error shows.
const TAIL: usize = 12;

/// Two installations at once would wait for each other's locks and report each other's failures.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    program: String,
    arguments: Vec<String>,
}

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
            tried.extend(run(&Step::rustup(), progress).await);
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
        install.push(Step::rustup().to_string());
    } else {
        install.push(format!("install rustup (https://rustup.rs), then: rustup target add {TARGET}"));
    }
    if is_debian(probes) {
        let steps: Vec<String> =
            Debian::for_probes(probes).steps().iter().map(|step| format!("sudo {step}")).collect();
        install.push(steps.join(" && "));
    }
    MissingToolchain { missing: MISSING, tried, install }
}

impl Debian {
    /// What to install, when this process may; otherwise why it may not, where that is worth saying.
    fn offers(probes: &Probes, is_root: bool) -> Result<Self, Option<Attempt>> {
        if !is_debian(probes) {
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
        let wait = "DPkg::Lock::Timeout=120";
        let mut install: Vec<String> =
            ["install", "-y", "-qq", "--no-remove", "-o", wait].map(str::to_owned).into();
        install.extend(self.packages.iter().cloned());
        [
            Step { program: "apt-get".to_owned(), arguments: ["update", "-qq"].map(str::to_owned).into() },
            Step { program: "apt-get".to_owned(), arguments: install },
        ]
    }
}

impl Step {
    fn rustup() -> Self {
        let arguments = ["target", "add", TARGET].map(str::to_owned).into();
        Self { program: "rustup".to_owned(), arguments }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.program, self.arguments.join(" "))
    }
}

/// Runs a step and says why it failed, if it did.
async fn run(step: &Step, progress: &dyn Progress) -> Option<Attempt> {
    let text = step.to_string();
    progress.event(Event::Running { command: &text });
    let mut command = Command::new(&step.program);
    command.args(&step.arguments).env("DEBIAN_FRONTEND", "noninteractive");
    run_unless_silent(command, SILENCE, progress).await.err().map(|result| Attempt { what: text, result })
}

/// Runs a command, and ends it when it prints nothing for as long as `silence`.
async fn run_unless_silent(
    command: Command,
    silence: Duration,
    progress: &dyn Progress,
) -> Result<(), String> {
    let heard = Notify::new();
    let mut lines: Vec<String> = Vec::new();
    let status = {
        let work = process::run(command, |line| {
            let (Line::Out(text) | Line::Err(text)) = line;
            progress.event(Event::Output { text: &text });
            lines.push(text);
            heard.notify_one();
        });
        let silent = async { while tokio::time::timeout(silence, heard.notified()).await.is_ok() {} };
        tokio::select! {
            status = work => Some(status),
            () = silent => None,
        }
    };
    let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
    match status {
        Some(Ok(status)) if status.success() => Ok(()),
        Some(Ok(status)) => Err(format!("{status}\n{tail}")),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("stopped: it printed nothing for {} seconds\n{tail}", silence.as_secs_f32())),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn is_debian(probes: &Probes) -> bool {
    probes.path.iter().any(|folder| folder.join("apt-get").is_file())
        && std::fs::read_to_string("/etc/os-release").is_ok_and(|text| is_debian_release(&text))
}

/// Whether an `os-release` file is Debian's or of a system that calls itself like it.
fn is_debian_release(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .any(|value| value.trim_matches('"').split_whitespace().any(|id| id == "debian"))
}

#[cfg(test)]
mod tests;
