//! One run of cargo: its command line, its environment, and what its messages say.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::process::Command;

use super::owners::{self, Local};
use super::package::Package;
use super::{RustToolchain, TARGET};
use crate::process::{self, Line};
use crate::progress::{Event, Progress, Quiet};

/// `--config` values that every plugin gets, whatever its own profile says.
const CONFIG: [&str; 9] = [
    // One unit and link-time optimisation: serde's generated code shrinks to what is used.
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    // Unwinding does not exist on this target; the code for it would be dead weight.
    "profile.release.panic=\"abort\"",
    // Speed. A handler that parses and writes 2 KB with serde_json took 17 µs a call at 3 and 26 at
    // `s`; its component was 131 KB and 95 KB, both far under the 300 KB that a small handler may take.
    "profile.release.opt-level=3",
    // Names stay (17 KB of the 131): a trap's backtrace names functions instead of numbers.
    "profile.release.strip=\"debuginfo\"",
    "profile.release.debug=false",
    "profile.release.overflow-checks=false",
    "profile.release.incremental=false",
    // No crate may fall back to a browser's randomness. Cargo joins this list with one that the
    // plugin's own .cargo/config.toml gives, where RUSTFLAGS would displace it.
    "target.wasm32-unknown-unknown.rustflags=[\"--cfg\", 'getrandom_backend=\"custom\"']",
];

/// The settings of every build, for the comparison with those of an earlier one.
pub(crate) fn settings() -> String {
    CONFIG.join("\n")
}

/// What a run of cargo yielded.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether everything was built.
    pub(crate) success: bool,
    /// How cargo ended, in words.
    pub(crate) status: String,
    /// The core module of each package that was built, by package id.
    modules: HashMap<String, PathBuf>,
    /// Warnings and errors as the compiler renders them, with the package they are about.
    diagnostics: Vec<Diagnostic>,
    /// What cargo itself printed.
    text: String,
}

#[derive(Debug)]
struct Diagnostic {
    package: String,
    is_error: bool,
    rendered: String,
}

/// A message of `cargo build --message-format=json`.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum FromCargo {
    CompilerMessage {
        package_id: String,
        message: Rendered,
    },
    CompilerArtifact {
        package_id: String,
        target: Target,
        filenames: Vec<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Rendered {
    rendered: Option<String>,
    level: String,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

/// Compiles `packages`, which are of one workspace, in a target folder that other workspaces use too.
/// Packages that do not depend on a failed one are built nevertheless.
pub(crate) async fn build(
    packages: &[&Package],
    target_dir: &Path,
    toolchain: &RustToolchain,
    progress: &dyn Progress,
) -> io::Result<Outcome> {
    // Cargo is started in the plugin's folder, where a relative path would mean another one.
    let target_dir = std::path::absolute(target_dir)?;
    for package in packages {
        let foreign = owners::foreign(&target_dir, &package.workspace, &package.locals);
        if !foreign.is_empty() {
            let outcome = clean(package, &foreign, &target_dir, toolchain).await?;
            if !outcome.success {
                return Ok(outcome);
            }
        }
        owners::take(&target_dir, &package.workspace, &package.locals)?;
    }
    let mut outcome = compile(packages, &target_dir, toolchain, progress).await?;
    // Cargo writes the list of inputs only when all is well; the good ones are asked for once more,
    // which compiles nothing.
    let good: Vec<&Package> =
        packages.iter().copied().filter(|package| outcome.module(&package.id).is_some()).collect();
    if !outcome.success && !good.is_empty() {
        outcome.modules = compile(&good, &target_dir, toolchain, &Quiet).await?.modules;
    }
    Ok(outcome)
}

async fn compile(
    packages: &[&Package],
    target_dir: &Path,
    toolchain: &RustToolchain,
    progress: &dyn Progress,
) -> io::Result<Outcome> {
    let colour = progress.colour();
    let mut command = command(toolchain, colour);
    command.args(arguments(packages, target_dir, toolchain, colour));
    command.current_dir(packages[0].manifest.parent().unwrap_or(Path::new("/")));
    run(command, progress).await
}

/// Removes what another workspace left under the names of these packages.
async fn clean(
    package: &Package,
    foreign: &[&Local],
    target_dir: &Path,
    toolchain: &RustToolchain,
) -> io::Result<Outcome> {
    let mut command = command(toolchain, false);
    command.args(["clean", "--quiet", "--release", "--target", TARGET, "--target-dir"]).arg(target_dir);
    for local in foreign {
        command.args(["--package", &local.id]);
    }
    command.current_dir(package.manifest.parent().unwrap_or(Path::new("/")));
    run(command, &Quiet).await
}

async fn run(command: Command, progress: &dyn Progress) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let status = process::run(command, |line| outcome.take(line, progress)).await?;
    outcome.success = status.success();
    outcome.status = status.to_string();
    Ok(outcome)
}

/// Cargo, in an environment that only the user made.
pub(crate) fn command(toolchain: &RustToolchain, colour: bool) -> Command {
    let mut command = Command::new(toolchain.cargo());
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_foreign(name)) {
        command.env_remove(name);
    }
    command.env("CARGO_TERM_COLOR", if colour { "always" } else { "never" });
    command.env("CARGO_TERM_PROGRESS_WHEN", "never");
    match toolchain {
        RustToolchain::Prebuilt { rustc: None, .. } => {}
        RustToolchain::Prebuilt { rustc: Some(rustc), .. } => {
            command.env("RUSTC", rustc);
        }
        RustToolchain::BuildStd { rustc, linker, .. } => {
            // A release compiler builds its own standard library only when told that this is meant.
            command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", rustc);
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }
    command
}

/// Whether a variable of our environment must not reach cargo: what cargo set for us when it started
/// us (`cargo run`, `cargo test`), and what would bend the settings that every plugin gets.
fn is_foreign(name: &OsStr) -> bool {
    const USERS: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_BUILD_JOBS",
        "CARGO_BUILD_RUSTC_WRAPPER",
    ];
    const OTHERS: [&str; 6] =
        ["CARGO", "RUSTC", "RUSTC_BOOTSTRAP", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "RUSTDOCFLAGS"];
    let name = name.to_string_lossy();
    OTHERS.contains(&name.as_ref())
        || (name.starts_with("CARGO_") && !USERS.iter().any(|prefix| name.starts_with(prefix)))
}

fn arguments(
    packages: &[&Package],
    target_dir: &Path,
    toolchain: &RustToolchain,
    colour: bool,
) -> Vec<OsString> {
    // Link-time optimisation happens only where cargo makes nothing but a cdylib; for a library that is
    // also something else, `cargo rustc` can ask for that, one package at a time.
    let verb: &[&str] = match packages {
        [one] if one.also_library => &["rustc", "--crate-type", "cdylib"],
        _ => &["build"],
    };
    let format = if colour { "json-diagnostic-rendered-ansi" } else { "json" };
    let mut arguments: Vec<OsString> = verb.iter().map(OsString::from).collect();
    arguments.extend(
        ["--release", "--lib", "--keep-going", "--target", TARGET, "--message-format", format]
            .map(OsString::from),
    );
    arguments.push("--target-dir".into());
    arguments.push(target_dir.into());
    for package in packages {
        arguments.push("--package".into());
        arguments.push(package.id.clone().into());
    }
    for value in CONFIG {
        arguments.push("--config".into());
        arguments.push(value.into());
    }
    if let RustToolchain::BuildStd { .. } = toolchain {
        arguments.push("-Zbuild-std=std,panic_abort".into());
    }
    arguments
}

impl Outcome {
    /// The core module of a package, if it was built.
    pub(crate) fn module(&self, package: &str) -> Option<&Path> {
        self.modules.get(package).map(PathBuf::as_path)
    }

    /// What was printed about a package that was not built: its own diagnostics when there is an error
    /// among them, otherwise (a dependency failed, a version cannot be found, …) everything.
    pub(crate) fn output_for(&self, package: &str) -> String {
        let own = |diagnostic: &&Diagnostic| diagnostic.package == package;
        let render = |diagnostics: &mut dyn Iterator<Item = &Diagnostic>| {
            diagnostics.map(|diagnostic| diagnostic.rendered.as_str()).collect::<String>()
        };
        if self.diagnostics.iter().filter(own).any(|diagnostic| diagnostic.is_error) {
            return render(&mut self.diagnostics.iter().filter(own));
        }
        render(&mut self.diagnostics.iter()) + &self.text
    }

    fn take(&mut self, line: Line, progress: &dyn Progress) {
        match line {
            Line::Err(text) => {
                progress.event(Event::Output { text: &text });
                self.text.push_str(&text);
                self.text.push('\n');
            }
            Line::Out(text) => match serde_json::from_str(&text) {
                Ok(FromCargo::CompilerMessage { package_id, message }) => {
                    let rendered = message.rendered.unwrap_or_default();
                    progress.event(Event::Output { text: rendered.trim_end_matches('\n') });
                    let is_error = message.level.starts_with("error");
                    self.diagnostics.push(Diagnostic { package: package_id, is_error, rendered });
                }
                Ok(FromCargo::CompilerArtifact { package_id, target, filenames }) => {
                    let module = filenames
                        .into_iter()
                        .find(|file| file.extension() == Some(OsStr::new("wasm")))
                        .filter(|_| target.crate_types.iter().any(|kind| kind == "cdylib"));
                    if let Some(module) = module {
                        self.modules.insert(package_id, module);
                    }
                }
                Ok(FromCargo::Other) => {}
                // A build script or procedural macro that prints past cargo.
                Err(_) => progress.event(Event::Output { text: &text }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_set_for_us_does_not_reach_the_plugins_build() {
        let cases = [
            ("CARGO", true),
            ("CARGO_PKG_NAME", true),
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_ENCODED_RUSTFLAGS", true),
            ("CARGO_TARGET_DIR", true),
            ("CARGO_BUILD_TARGET", true),
            ("CARGO_PROFILE_RELEASE_LTO", true),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", true),
            ("RUSTFLAGS", true),
            ("RUSTC", true),
            ("RUSTC_BOOTSTRAP", true),
            ("RUSTC_WORKSPACE_WRAPPER", true),
            ("RUSTC_WRAPPER", false),
            ("CARGO_HOME", false),
            ("CARGO_HTTP_PROXY", false),
            ("CARGO_NET_OFFLINE", false),
            ("CARGO_REGISTRIES_MINE_TOKEN", false),
            ("CARGO_REGISTRY_TOKEN", false),
            ("CARGO_BUILD_JOBS", false),
            ("RUSTUP_TOOLCHAIN", false),
            ("HOME", false),
            ("PATH", false),
        ];
        for (name, foreign) in cases {
            assert_eq!(is_foreign(OsStr::new(name)), foreign, "{name}");
        }
    }

    fn message(package: &str, level: &str, rendered: &str) -> Line {
        Line::Out(
            serde_json::json!({
                "reason": "compiler-message",
                "package_id": package,
                "message": { "rendered": rendered, "level": level },
            })
            .to_string(),
        )
    }

    #[test]
    fn a_plugin_is_shown_its_own_errors_and_not_its_neighbours() {
        let mut outcome = Outcome::default();
        outcome.take(message("a", "warning", "warning in a\n"), &Quiet);
        outcome.take(message("b", "error", "\u{1b}[31merror in b\n"), &Quiet);
        outcome.take(message("a", "error", "error in a\n"), &Quiet);
        outcome.take(Line::Err("could not compile".to_owned()), &Quiet);
        assert_eq!(outcome.output_for("a"), "warning in a\nerror in a\n");
        assert_eq!(outcome.output_for("b"), "\u{1b}[31merror in b\n");
        let everything = "warning in a\n\u{1b}[31merror in b\nerror in a\ncould not compile\n";
        assert_eq!(outcome.output_for("c"), everything);
    }

    #[test]
    fn only_the_core_module_of_a_library_is_taken() {
        let mut outcome = Outcome::default();
        let artifact = |kind: &str, file: &str| {
            Line::Out(
                serde_json::json!({
                    "reason": "compiler-artifact",
                    "package_id": "a",
                    "target": { "crate_types": [kind] },
                    "filenames": [file],
                })
                .to_string(),
            )
        };
        outcome.take(artifact("bin", "/t/x.wasm"), &Quiet);
        outcome.take(artifact("cdylib", "/t/libx.rlib"), &Quiet);
        assert_eq!(outcome.module("a"), None);
        outcome.take(artifact("cdylib", "/t/x.wasm"), &Quiet);
        assert_eq!(outcome.module("a"), Some(Path::new("/t/x.wasm")));
    }

    #[test]
    fn text_that_is_no_message_is_passed_on_and_ignored() {
        let mut outcome = Outcome::default();
        for text in ["", "hello", "{}", "{\"reason\":\"build-finished\",\"success\":true}", "[1]"] {
            outcome.take(Line::Out(text.to_owned()), &Quiet);
        }
        assert!(outcome.modules.is_empty() && outcome.diagnostics.is_empty());
    }
}
