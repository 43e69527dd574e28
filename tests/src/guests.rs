//! The Rust guests and example plugins, built once with the host's own builder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use luckystack_devkit::{BuildRequest, Event, Freshness, Language, Progress, Toolchain, freshness};

/// A plugin that is built from sources in this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// `tests/guests/accounts`, service `accounts`: keeps users.
    Accounts,
    /// `tests/guests/board`, service `board`: rooms, sync handlers, streams.
    Board,
    /// `tests/guests/hostile`, service `hostile`.
    Hostile,
    /// `tests/guests/outbound`, service `outbound`.
    Outbound,
    /// `tests/guests/relay`, service `relay`.
    Relay,
    /// `example-plugins/vehicles`, service `vehicles`.
    Vehicles,
    /// `example-plugins/billing`, service `billing`.
    Billing,
    /// `example-plugins/audit`, service `audit`.
    Audit,
    /// `example-plugins/_session`, service `system`.
    Session,
    /// `example-plugins/_account`, service `system`.
    Account,
    /// `example-plugins/functions`, the project functions.
    Functions,
}

/// All of them: they are built together, so that what they share is compiled once.
const ALL: [Guest; 11] = [
    Guest::Accounts,
    Guest::Board,
    Guest::Hostile,
    Guest::Outbound,
    Guest::Relay,
    Guest::Vehicles,
    Guest::Billing,
    Guest::Audit,
    Guest::Session,
    Guest::Account,
    Guest::Functions,
];

impl Guest {
    /// The service that it belongs to.
    pub fn service(self) -> &'static str {
        match self {
            Guest::Accounts => "accounts",
            Guest::Board => "board",
            Guest::Hostile => "hostile",
            Guest::Outbound => "outbound",
            Guest::Relay => "relay",
            Guest::Vehicles => "vehicles",
            Guest::Billing => "billing",
            Guest::Audit => "audit",
            Guest::Session | Guest::Account => "system",
            Guest::Functions => "functions",
        }
    }

    /// The folder of its sources.
    pub fn sources(self) -> PathBuf {
        let below = match self {
            Guest::Accounts | Guest::Board | Guest::Hostile | Guest::Outbound | Guest::Relay => {
                format!("tests/guests/{}", self.service())
            }
            Guest::Session => "example-plugins/_session".to_owned(),
            Guest::Account => "example-plugins/_account".to_owned(),
            Guest::Vehicles | Guest::Billing | Guest::Audit | Guest::Functions => {
                format!("example-plugins/{}", self.service())
            }
        };
        repository().join(below)
    }

    /// The component, built if it is missing or older than its sources.
    pub fn component(self) -> PathBuf {
        build_all();
        self.request().component().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The component's bytes.
    pub fn bytes(self) -> Vec<u8> {
        fs::read(self.component()).unwrap()
    }

    fn request(self) -> BuildRequest {
        BuildRequest {
            language: Language::Rust,
            service: self.service().to_owned(),
            name: self.service().to_owned(),
            nested: true,
            dir: self.sources(),
            output_dir: target().join("test-components").join(self.service()),
            target_dir: target().join("guests"),
        }
    }
}

/// The repository's top folder.
pub fn repository() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap()
}

/// The folder for everything that is made while testing and worth keeping.
pub fn target() -> PathBuf {
    repository().join("target")
}

/// Builds what is not up to date, once per process, one process at a time.
fn build_all() {
    static DONE: Mutex<bool> = Mutex::new(false);
    // A panic in another test says what is wrong; this one tries by itself.
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if *done {
        return;
    }
    let dir = target().join("test-components");
    fs::create_dir_all(&dir).unwrap();
    let lock = File::create(dir.join(".lock")).unwrap();
    lock.lock().unwrap();
    let stale: Vec<_> = ALL.into_iter().map(Guest::request).filter(|request| !is_fresh(request)).collect();
    if !stale.is_empty() {
        // Tests run inside of runtimes of their own, which must not be blocked by another one.
        std::thread::scope(|scope| {
            let building = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(build(&stale));
            });
            building.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }
    *done = true;
}

fn is_fresh(request: &BuildRequest) -> bool {
    let component = request.component().unwrap_or_else(|error| panic!("{error}"));
    freshness(request, &component).unwrap() == Freshness::Fresh
}

async fn build(requests: &[BuildRequest]) {
    let progress = Shown;
    let toolchain =
        Toolchain::find_or_install(Language::Rust, &progress).await.unwrap_or_else(|error| panic!("{error}"));
    for result in toolchain.build_all(requests, 1, &progress).await {
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Shows what takes long: a first build can take minutes.
struct Shown;

impl Progress for Shown {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Running { command } => show(command),
            Event::Compiling { plugins } => show(&format!("compiling guests: {}", plugins.join(", "))),
            Event::Built(built) => show(&format!("built {}", shown(&built.component))),
            _ => {}
        }
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

#[expect(clippy::print_stderr, reason = "read by the person who waits for the tests")]
fn show(text: &str) {
    eprintln!("{text}");
}
