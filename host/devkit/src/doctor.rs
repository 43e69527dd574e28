//! What the machine has for each language, what is missing, and how to get it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use luckystack_topology::Language;
use tokio::process::Command;

use crate::c::CToolchain;
use crate::error::MissingToolchain;
use crate::install;
use crate::language::Toolchain;
use crate::progress::Progress;
use crate::rust::RustToolchain;

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// The state of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The language.
    pub language: Language,
    /// The programs that build it.
    pub tools: Vec<Tool>,
    /// What it takes; none when all of it is there.
    pub missing: Option<MissingToolchain>,
}

/// A program or package that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What it is: `cargo`.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Its version, where it says one.
    pub version: Option<String>,
}

/// Something about the machine that a host should have otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is the matter.
    pub problem: String,
    /// The command that changes it.
    pub remedy: String,
}

/// Looks at one language without changing anything.
pub async fn examine(language: Language) -> Diagnosis {
    diagnosis(language, Toolchain::find(language).await).await
}

/// Installs what is missing of one language, reporting each command before it runs
/// ([`crate::Event::Running`]), and looks again.
pub async fn provide(language: Language, progress: &dyn Progress) -> Diagnosis {
    diagnosis(language, Toolchain::find_or_install(language, progress).await).await
}

async fn diagnosis(language: Language, found: Result<Toolchain, MissingToolchain>) -> Diagnosis {
    match found {
        Ok(toolchain) => {
            let mut tools = Vec::new();
            for program in programs(&toolchain) {
                tools.push(program.ask().await);
            }
            Diagnosis { language, tools, missing: None }
        }
        Err(missing) => Diagnosis { language, tools: Vec::new(), missing: Some(missing) },
    }
}

/// A part of a toolchain, and how it is asked for its version.
struct Program {
    name: &'static str,
    path: PathBuf,
    version: &'static [&'static str],
}

impl Program {
    fn new(name: &'static str, path: &Path, version: &'static [&'static str]) -> Self {
        Self { name, path: path.to_owned(), version }
    }

    async fn ask(self) -> Tool {
        let Self { name, path, version } = self;
        let version = if version.is_empty() { None } else { first_line(&path, version).await };
        Tool { name, path, version }
    }
}

fn programs(toolchain: &Toolchain) -> Vec<Program> {
    match toolchain {
        Toolchain::Rust(RustToolchain::Prebuilt { cargo, rustc }) => {
            let rustc = rustc.clone().or_else(|| install::on_path(&install::path(), "rustc"));
            let mut programs = vec![Program::new("cargo", cargo, &["--version"])];
            programs.extend(rustc.map(|rustc| Program::new("rustc", &rustc, &["--version"])));
            programs
        }
        Toolchain::Rust(RustToolchain::BuildStd { cargo, rustc, linker }) => vec![
            Program::new("cargo", cargo, &["--version"]),
            Program::new("rustc", rustc, &["--version"]),
            Program::new("linker", linker, &["-flavor", "wasm", "--version"]),
        ],
        Toolchain::TypeScript(toolchain) => {
            let npm = install::on_path(&install::path(), "npm");
            let mut programs = vec![Program::new("node", &toolchain.node, &["--version"])];
            programs.extend(npm.map(|npm| Program::new("npm", &npm, &["--version"])));
            programs.push(Program::new("packages", &toolchain.modules, &[]));
            programs
        }
        Toolchain::Python(toolchain) => vec![
            Program::new("python", &toolchain.python(), &["--version"]),
            Program::new("componentize-py", &toolchain.componentize(), &["--version"]),
        ],
        Toolchain::C(toolchain @ CToolchain::Zig { .. }) => {
            vec![Program::new("zig", toolchain.program(), &["version"])]
        }
        Toolchain::C(toolchain @ CToolchain::Clang { .. }) => {
            vec![Program::new("clang", toolchain.program(), &["--version"])]
        }
    }
}

/// The first line that a program prints; none when it fails or takes too long.
async fn first_line(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

/// What stands against serving `instances` instances at once on this machine; nothing where nothing does.
#[must_use]
pub fn notes(instances: u32) -> Vec<Note> {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let limit = limit.ok().and_then(|text| text.trim().parse().ok());
    limit.and_then(|limit| mappings(instances, limit)).into_iter().collect()
}

/// An instance in use takes up to a dozen mappings (three memories of up to three each, tables, a stack), the
/// program itself some hundreds.
fn mappings(instances: u32, limit: u64) -> Option<Note> {
    let needed = 1000 + 12 * u64::from(instances);
    (limit < needed).then(|| Note {
        problem: format!(
            "vm.max_map_count is {limit}; {instances} instances (engine.max_instances) may need {needed}, and \
             beyond the limit no new one starts"
        ),
        remedy: format!("sysctl -w vm.max_map_count={}", needed.next_power_of_two()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_builds_a_language_is_listed_with_its_version() {
        let diagnosis = provide(Language::Rust, &crate::Quiet).await;
        assert_eq!(diagnosis.missing, None);
        let names: Vec<_> = diagnosis.tools.iter().map(|tool| tool.name).collect();
        assert_eq!(names[..2], ["cargo", "rustc"]);
        for tool in &diagnosis.tools {
            assert!(tool.path.is_file() && tool.version.is_some(), "{tool:?}");
        }
        assert_eq!(examine(Language::Rust).await, diagnosis);
    }

    #[tokio::test]
    async fn what_is_missing_is_told_with_the_commands_that_install_it() {
        let missing = MissingToolchain {
            missing: "a compiler",
            tried: Vec::new(),
            install: vec!["get one".to_owned()],
        };
        let diagnosis = diagnosis(Language::C, Err(missing.clone())).await;
        assert_eq!(diagnosis, Diagnosis { language: Language::C, tools: Vec::new(), missing: Some(missing) });
    }

    #[test]
    fn a_limit_on_mappings_is_reported_only_where_it_is_too_low() {
        assert_eq!(mappings(1000, 65_530), None);
        let note = mappings(20_000, 65_530).unwrap();
        assert!(note.problem.contains("65530") && note.problem.contains("241000"), "{note:?}");
        assert_eq!(note.remedy, "sysctl -w vm.max_map_count=262144");
    }
}
