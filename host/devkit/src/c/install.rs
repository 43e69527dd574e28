//! Installing a C compiler for the host's own use: Zig, a compiler, linker and C library in one, which PyPI
//! carries as `ziglang`. It goes into a folder of the host's and touches nothing else. Debian's clang is older
//! and does as well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Mutex;

use super::find::{self, CToolchain};
use crate::error::{Attempt, MissingToolchain};
use crate::install::{Step, is_debian, is_root, path, put_in_place, run, run_unless_silent, toolchains};
use crate::progress::{Event, Progress};

/// The version that is installed.
pub(crate) const ZIG: &str = "0.17.1";

/// Debian's package of pip.
const PIP: &str = "python3-pip";
/// Debian's packages of a whole toolchain: compiler, linker, C library and what the compiler calls itself.
const CLANG: [&str; 4] = ["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32"];

/// What the error calls the missing thing.
const MISSING: &str = "a C compiler for WebAssembly";

/// Pip says nothing while it downloads 100 MB.
const DOWNLOAD: Duration = Duration::from_secs(900);
/// Compiling the C library prints nothing either.
const FIRST_USE: Duration = Duration::from_secs(600);

/// Two installations at once would do the same work twice.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// The folder of the host's own Zig.
fn place() -> PathBuf {
    toolchains().join(format!("c-zig-{ZIG}"))
}

/// The host's own Zig, whether it is there or not.
pub(crate) fn zig() -> PathBuf {
    place().join("ziglang").join("zig")
}

/// Where it keeps what it compiled for good: the C library.
pub(crate) fn zig_cache() -> PathBuf {
    toolchains().join(format!("c-zig-{ZIG}-cache"))
}

impl CToolchain {
    /// Looks for a toolchain and, when there is none, installs Zig from PyPI; as root on Debian, pip first
    /// where that is missing, and Debian's clang where PyPI is of no help.
    ///
    /// # Errors
    /// When there is none afterwards; the error holds everything that was tried.
    pub async fn find_or_install(progress: &dyn Progress) -> Result<Self, MissingToolchain> {
        let _alone = INSTALLING.lock().await;
        let mut tried = match find::look().await {
            Ok(toolchain) => return Ok(toolchain),
            Err(tried) => tried,
        };
        let may_install = is_debian(&path()) && is_root();
        if may_install && !has_pip().await {
            for step in Step::debian(&[PIP.to_owned()]) {
                tried.extend(run(&step, progress).await);
            }
        }
        tried.extend(install_zig(progress).await.err());
        if let Ok(toolchain) = find::look().await {
            warm(&toolchain, progress).await;
            return Ok(toolchain);
        }
        if may_install {
            for step in Step::debian(&CLANG.map(str::to_owned)) {
                tried.extend(run(&step, progress).await);
            }
        }
        find::look().await.map_err(|after| {
            tried.extend(after);
            missing(tried)
        })
    }
}

/// The error, with the commands that help.
pub(crate) fn missing(tried: Vec<Attempt>) -> MissingToolchain {
    let zig = "install Zig (https://ziglang.org/download) so that `zig` is on the PATH";
    let mut install = vec![pip(&place()).to_string(), zig.to_owned()];
    if is_debian(&path()) {
        let steps = Step::debian(&CLANG.map(str::to_owned)).map(|step| format!("sudo {step}"));
        install.push(steps.join(" && "));
    }
    MissingToolchain { missing: MISSING, tried, install }
}

fn pip(into: &Path) -> Step {
    let package = format!("ziglang=={ZIG}");
    let into = into.display().to_string();
    let arguments =
        ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--target", &into, &package];
    Step::new("python3", &arguments)
}

async fn has_pip() -> bool {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--version"]);
    run_unless_silent(command, Duration::from_secs(60), &crate::progress::Quiet).await.is_ok()
}

/// Beside its place first, so that an interrupted download leaves nothing that looks whole.
async fn install_zig(progress: &dyn Progress) -> Result<(), Attempt> {
    let place = place();
    let failed = |what: String| move |error: std::io::Error| Attempt { what, result: error.to_string() };
    let parent = toolchains();
    let create = failed(format!("create {}", parent.display()));
    let made = std::fs::create_dir_all(&parent)
        .and_then(|()| tempfile::Builder::new().prefix(".installing-").tempdir_in(&parent))
        .map_err(create)?;
    let text = pip(&place).to_string();
    progress.event(Event::Running { command: &text });
    let mut command = Command::new("python3");
    command.args(&pip(made.path()).arguments);
    run_unless_silent(command, DOWNLOAD, progress).await.map_err(|result| Attempt { what: text, result })?;
    put_in_place(&made.keep(), &place).map_err(failed(format!("write {}", place.display())))
}

/// Has Zig compile its C library now, while somebody expects to wait. Without this, the first build does.
async fn warm(toolchain: &CToolchain, progress: &dyn Progress) {
    let CToolchain::Zig { cache: Some(_), .. } = toolchain else { return };
    let Ok(dir) = tempfile::tempdir() else { return };
    let text = "zig cc --target=wasm32-wasi (compiles the C library, once)";
    progress.event(Event::Running { command: text });
    if std::fs::write(dir.path().join("first.c"), "int luckystack_first(void) { return 0; }\n").is_err() {
        return;
    }
    let mut command = toolchain.command(dir.path(), dir.path());
    command.args(super::compile::LINK).args(["first.c", "-o", "first.wasm"]);
    if let Err(reason) = run_unless_silent(command, FIRST_USE, progress).await {
        // The first build meets the same problem and shows it.
        tracing::debug!(%reason, "the C library was not compiled ahead");
    }
}
