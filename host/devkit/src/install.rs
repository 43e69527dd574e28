//! Installing what is missing, in the open: each command is reported before it runs, and what was tried
//! is part of the error. And where what was installed is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Notify;

use crate::error::Attempt;
use crate::process::{self, Line};
use crate::progress::{Event, Progress};

/// How long an installer may stay silent. Downloads report progress more often; a connection that
/// nobody answers does not.
pub(crate) const SILENCE: Duration = Duration::from_secs(120);

/// How many lines of a failed command the error shows.
pub(crate) const TAIL: usize = 12;

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

impl Step {
    /// A command line.
    pub(crate) fn new(program: impl Into<String>, arguments: &[&str]) -> Self {
        Self { program: program.into(), arguments: arguments.iter().map(|&text| text.to_owned()).collect() }
    }

    /// The two commands that install packages of Debian.
    pub(crate) fn debian(packages: &[String]) -> [Self; 2] {
        let wait = "DPkg::Lock::Timeout=120";
        let mut install: Vec<String> =
            ["install", "-y", "-qq", "--no-remove", "-o", wait].map(str::to_owned).into();
        install.extend(packages.iter().cloned());
        [Self::new("apt-get", &["update", "-qq"]), Self { program: "apt-get".to_owned(), arguments: install }]
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.program, self.arguments.join(" "))
    }
}

/// Runs a step and says why it failed, if it did.
pub(crate) async fn run(step: &Step, progress: &dyn Progress) -> Option<Attempt> {
    let text = step.to_string();
    progress.event(Event::Running { command: &text });
    let mut command = Command::new(&step.program);
    command.args(&step.arguments).env("DEBIAN_FRONTEND", "noninteractive");
    run_unless_silent(command, SILENCE, progress).await.err().map(|result| Attempt { what: text, result })
}

/// Runs a command, and ends it when it prints nothing for as long as `silence`.
pub(crate) async fn run_unless_silent(
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

/// Whether this process may install packages of the system.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the system's packages are Debian's.
pub(crate) fn is_debian(path: &[PathBuf]) -> bool {
    path.iter().any(|folder| folder.join("apt-get").is_file())
        && std::fs::read_to_string("/etc/os-release").is_ok_and(|text| is_debian_release(&text))
}

/// Whether an `os-release` file is Debian's or of a system that calls itself like it.
pub(crate) fn is_debian_release(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .any(|value| value.trim_matches('"').split_whitespace().any(|id| id == "debian"))
}

/// Folders of the PATH.
pub(crate) fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect()
}

/// A program on the PATH.
pub(crate) fn on_path(path: &[PathBuf], program: &str) -> Option<PathBuf> {
    path.iter().map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// The folder of what the host itself installed: `$LUCKYSTACK_TOOLCHAINS`, else
/// `luckystack-host/toolchains` in the user's cache. A toolchain's folder in it is named after its language
/// and the versions of everything in it, so that another version of the host installs its own beside it.
pub(crate) fn toolchains() -> PathBuf {
    let of = |name| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    if let Some(dir) = of("LUCKYSTACK_TOOLCHAINS") {
        return dir;
    }
    let cache = of("XDG_CACHE_HOME")
        .or_else(|| of("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    cache.join("luckystack-host").join("toolchains")
}

/// Makes a toolchain's folder whole or not at all: `fill` is given a folder beside it, which takes its
/// place when all went well. Another process that was faster wins.
///
/// Programs that remember their own path (a virtual environment's) cannot be made this way.
pub(crate) fn put_in_place(made: &Path, place: &Path) -> std::io::Result<()> {
    match std::fs::rename(made, place) {
        Err(_) if place.is_dir() => std::fs::remove_dir_all(made),
        other => other,
    }
}
