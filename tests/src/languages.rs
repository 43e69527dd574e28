//! Plugins in every language, built once with the host's own builders.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use luckystack_devkit::{BuildRequest, Freshness, Language, Quiet, Toolchain, freshness};

use crate::guests::{repository, target};
use crate::project::toolchains;

/// The component of the conformance suite in a language.
pub fn conformance(language: Language) -> PathBuf {
    let dir = repository().join("tests/conformance").join(language.key());
    component("conformance", "conformance", language, dir)
}

/// An example service that is not written in Rust.
pub fn example(service: &str, language: Language) -> PathBuf {
    component(service, service, language, repository().join("example-plugins").join(service))
}

/// Builds a plugin if it is missing or older than its sources, one at a time over all processes.
fn component(service: &str, name: &str, language: Language, dir: PathBuf) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let output_dir = target().join("test-components").join(format!("{service}-{}", language.key()));
    fs::create_dir_all(&output_dir).unwrap();
    let lock = File::create(target().join("test-components/.languages.lock")).unwrap();
    lock.lock().unwrap();
    let request = BuildRequest {
        language,
        service: service.to_owned(),
        name: name.to_owned(),
        dir,
        nested: true,
        output_dir,
        target_dir: target().join("guests"),
    };
    let component = request.component().unwrap_or_else(|error| panic!("{error}"));
    if freshness(&request, &component).unwrap() != Freshness::Fresh {
        // Tests run inside of runtimes of their own, which must not be blocked by another one.
        std::thread::scope(|scope| {
            let building = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(build(&request));
            });
            building.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }
    component
}

async fn build(request: &BuildRequest) {
    share_toolchains();
    let toolchain = Toolchain::find_or_install(request.language, &Quiet).await;
    let toolchain = toolchain.unwrap_or_else(|error| panic!("{error}"));
    toolchain.build(request, &Quiet).await.unwrap_or_else(|error| panic!("{error}"));
}

/// This process looks for toolchains where the hosts under test do.
#[expect(unsafe_code, reason = "the environment is the only way to say it, and nothing else changes it")]
fn share_toolchains() {
    // SAFETY: set once per process to the same value, under the lock of `component`.
    unsafe { std::env::set_var("LUCKYSTACK_TOOLCHAINS", toolchains()) };
}
