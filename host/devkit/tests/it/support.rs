//! Guests in temporary folders, built with the machine's real toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use luckystack_devkit::{BuildError, BuildRequest, Built, Event, Language, Progress, Toolchain};
use tokio::sync::OnceCell;

/// The toolchain, installed if need be, once for all tests.
pub async fn toolchain() -> &'static Toolchain {
    static TOOLCHAIN: OnceCell<Toolchain> = OnceCell::const_new();
    TOOLCHAIN
        .get_or_init(|| async {
            let found = Toolchain::find_or_install(Language::Rust, &Kept::default()).await;
            found.unwrap_or_else(|error| panic!("{error}"))
        })
        .await
}

/// Intermediate results, kept between runs: the standard library may have to be built.
pub fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")
}

/// The project's top folder.
pub fn project() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap()
}

/// A temporary folder with sources.
pub struct Sources(tempfile::TempDir);

impl Sources {
    /// An empty folder.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A package without dependencies, whose library is this text.
    pub fn package(name: &str, library: &str) -> Self {
        Self::new().file("Cargo.toml", &manifest(name, "")).file("src/lib.rs", library)
    }

    /// Adds or replaces a file, dated in the past so that a build that begins now is newer.
    pub fn file(self, path: &str, text: &str) -> Self {
        self.save(path, text);
        let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::options().write(true).open(self.path(path)).unwrap().set_modified(an_hour_ago).unwrap();
        self
    }

    /// Saves a file as an editor does.
    pub fn save(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The path of a file in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The request to build the package in a folder of it; components go to `out`.
    pub fn request(&self, dir: &str) -> BuildRequest {
        BuildRequest {
            language: Language::Rust,
            service: "service".into(),
            name: "name".into(),
            nested: true,
            dir: self.path(dir),
            output_dir: self.path("out"),
            target_dir: target_dir(),
        }
    }

    /// Builds the package at the top.
    pub async fn build(&self) -> Result<Built, BuildError> {
        toolchain().await.build(&self.request(""), &Kept::default()).await
    }
}

/// A manifest for a plugin; `more` goes to its end.
pub fn manifest(name: &str, more: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [lib]\ncrate-type = [\"cdylib\"]\n\n{more}\n"
    )
}

/// Keeps what happened.
#[derive(Default)]
pub struct Kept {
    pub colour: bool,
    pub events: Mutex<Vec<String>>,
}

impl Progress for Kept {
    fn event(&self, event: Event<'_>) {
        let text = match event {
            Event::Running { command } => format!("$ {command}"),
            Event::Compiling { plugins } => format!("compiling {}", plugins.join(" ")),
            Event::Encoding { plugin } => format!("encoding {plugin}"),
            Event::Built(built) => format!("built {}", built.plugin),
            _ => return,
        };
        self.events.lock().unwrap().push(text);
    }

    fn colour(&self) -> bool {
        self.colour
    }
}
