//! A project in a temporary folder: presets, components, locales, and the host that serves it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::forge::{Act, Forge};
use crate::guests::{Guest, repository, target};
use crate::host::Host;

/// Hosts that run at once at most; one that asks to be alone takes all places.
const PLACES: u32 = 64;

/// Variables that a host gets from the machine it is tested on: where programs and toolchains are.
const INHERITED: [&str; 5] = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];

/// Whether a host gets the variable: those of [`INHERITED`], and how package managers reach their registries.
fn is_inherited(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    INHERITED.contains(&name)
        || lower.starts_with("npm_config_")
        || lower.starts_with("pip_")
        || lower.ends_with("_proxy")
        || lower.starts_with("ssl_cert_")
        || lower == "node_extra_ca_certs"
}

/// A project in the making.
#[derive(Debug)]
pub struct Project {
    program: PathBuf,
    dir: Arc<TempDir>,
    plugins: &'static str,
    services: BTreeMap<String, String>,
    presets: BTreeMap<String, String>,
    settings: String,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    alone: bool,
    beside: Option<Arc<OwnedSemaphorePermit>>,
}

impl Project {
    /// An empty project, to be served by `program`.
    pub fn new(program: impl Into<PathBuf>) -> Project {
        let dir = tempfile::Builder::new().prefix("luckystack-").tempdir().unwrap();
        fs::create_dir_all(dir.path().join("presets/locales")).unwrap();
        Project {
            program: program.into(),
            dir: Arc::new(dir),
            plugins: "plugins",
            services: BTreeMap::new(),
            presets: BTreeMap::new(),
            settings: "[rate_limiting]\nenabled = false\n".to_owned(),
            flags: Vec::new(),
            env: Vec::new(),
            alone: false,
            beside: None,
        }
    }

    /// A project that brings its own configuration, with this plugin folder.
    pub fn bare(program: impl Into<PathBuf>, plugins: &'static str) -> Project {
        let project = Project { plugins, ..Project::new(program) };
        fs::remove_dir_all(project.dir().join("presets")).unwrap();
        project
    }

    /// The repository's own project: its presets, translations and example plugins.
    pub fn example(program: impl Into<PathBuf>) -> Project {
        let mut project = Project { plugins: "example-plugins", ..Project::new(program) };
        for folder in ["presets", "presets/locales"] {
            for entry in fs::read_dir(repository().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                // Its services are in languages whose toolchains are downloads.
                let needs_more = ["languages.toml", "board.toml"];
                let is_needed = |name: &std::ffi::OsStr| !needs_more.iter().any(|preset| name == *preset);
                if path.is_file() && path.file_name().is_some_and(is_needed) {
                    fs::copy(&path, project.dir().join(folder).join(path.file_name().unwrap())).unwrap();
                }
            }
        }
        for guest in
            [Guest::Vehicles, Guest::Billing, Guest::Audit, Guest::Session, Guest::Account, Guest::Functions]
        {
            project = project.guest(guest);
        }
        project.services.clear();
        project
    }

    /// The project's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The folder of its services.
    pub fn plugins(&self) -> PathBuf {
        self.dir().join(self.plugins)
    }

    /// Adds a plugin that is built from sources.
    pub fn guest(mut self, guest: Guest) -> Project {
        let component = guest.component();
        let name = component.file_name().unwrap().to_string_lossy().into_owned();
        let file = self.place(guest.service(), &name);
        fs::copy(component, file).unwrap();
        self
    }

    /// Adds a forged plugin to the folder of `service`, which may or may not be the one that it claims.
    pub fn forged(self, service: &str, file: &str, forge: &Forge) -> Project {
        self.file(service, file, &forge.build())
    }

    /// Adds a component whose route `getForged` answers at once, beside what is built from sources.
    pub fn forged_into(self, service: &str) -> Project {
        let forge = Forge::new(service, "forged").api("getForged", Act::success("forged".into()));
        let file = self.plugins().join(service).join("forged.wasm");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, forge.build()).unwrap();
        self
    }

    /// Adds a file that may or may not be a component.
    pub fn file(mut self, service: &str, file: &str, bytes: &[u8]) -> Project {
        let path = self.place(service, file);
        fs::write(path, bytes).unwrap();
        self
    }

    /// The path of a component, its service known from now on.
    fn place(&mut self, service: &str, file: &str) -> PathBuf {
        let plugins = self.plugins();
        let folder = if service == "system" { plugins } else { plugins.join(service) };
        fs::create_dir_all(&folder).unwrap();
        if service != "functions" {
            self.services.entry(service.to_owned()).or_default();
        }
        folder.join(file)
    }

    /// Settings of a service as they stand below `[service.NAME]`.
    pub fn service(mut self, service: &str, settings: &str) -> Project {
        let all = self.services.entry(service.to_owned()).or_default();
        all.push_str(settings);
        all.push('\n');
        self
    }

    /// Writes a preset. Without any, one called `all` lists every service.
    pub fn preset(mut self, name: &str, text: &str) -> Project {
        self.presets.insert(name.to_owned(), text.to_owned());
        self
    }

    /// What stands in `project.toml` besides paths and port, instead of no rate limits.
    pub fn settings(mut self, text: &str) -> Project {
        self.settings = text.to_owned();
        self
    }

    /// Sets one key over what stands in `project.toml`: `session.based_token=true`.
    pub fn set(mut self, setting: &str) -> Project {
        self.flags.extend(["--set".to_owned(), setting.to_owned()]);
        self
    }

    /// Writes any file of the project.
    pub fn write(self, path: &str, text: &str) -> Project {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Builds where the guests of these tests are built, so that a standard library which has to be
    /// built from source is built once.
    pub fn builds(self) -> Project {
        fs::create_dir_all(self.dir().join("target")).unwrap();
        fs::create_dir_all(target().join("guests")).unwrap();
        std::os::unix::fs::symlink(target().join("guests"), self.dir().join("target/guests")).unwrap();
        self
    }

    /// Sets a variable of the host's environment.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Project {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// No other host of this process runs beside it: for tests that watch how long something takes.
    pub fn alone(mut self) -> Project {
        self.alone = true;
        self
    }

    /// Runs beside another host of the same test.
    pub fn beside(mut self, other: &Host) -> Project {
        self.beside = Some(other.place());
        self
    }

    /// Starts a host and waits until it is ready.
    pub async fn start(self) -> Host {
        self.start_with(&[]).await
    }

    /// Starts a host with these arguments and waits until it is ready.
    pub async fn start_with(self, args: &[&str]) -> Host {
        self.serve(args).await
    }

    /// Starts a host as [`Project::start_with`] does, and can start another one on the same files.
    pub async fn serve(&self, args: &[&str]) -> Host {
        let place = self.take_place().await;
        let command = self.command(args);
        Host::start(command, Arc::clone(&self.dir), place).await
    }

    /// Runs the program to its end.
    pub async fn run(&self, args: &[&str]) -> Output {
        let _place = self.take_place().await;
        self.command(args).stdin(Stdio::null()).output().await.unwrap()
    }

    /// The program in the project's folder, its files written and its arguments set.
    pub fn command(&self, args: &[&str]) -> Command {
        self.write_configuration();
        let mut command = Command::new(&self.program);
        command.current_dir(self.dir()).args(args).args(&self.flags).env_clear().kill_on_drop(true);
        let inherited = std::env::vars_os().filter(|(name, _)| is_inherited(&name.to_string_lossy()));
        command
            .envs(inherited)
            .env("XDG_CACHE_HOME", shared_cache())
            .env("LUCKYSTACK_TOOLCHAINS", toolchains())
            .envs(self.env.iter().cloned());
        command
    }

    async fn take_place(&self) -> Arc<OwnedSemaphorePermit> {
        if let Some(place) = &self.beside {
            return Arc::clone(place);
        }
        static HOSTS: std::sync::LazyLock<Arc<Semaphore>> =
            std::sync::LazyLock::new(|| Arc::new(Semaphore::new(PLACES as usize)));
        let places = if self.alone { PLACES } else { 1 };
        Arc::new(Arc::clone(&HOSTS).acquire_many_owned(places).await.unwrap())
    }

    fn write_configuration(&self) {
        fs::create_dir_all(self.plugins()).unwrap();
        let presets = self.dir().join("presets");
        let project = presets.join("project.toml");
        if !project.exists() {
            let text = format!("{}\n[paths]\nplugins = \"plugins\"\n\n[listen]\nport = 0\n", self.settings);
            fs::write(project, text).unwrap();
        }
        if self.presets.is_empty() && !self.services.is_empty() {
            let names: Vec<_> = self.services.keys().map(|name| format!("{name:?}")).collect();
            let mut text = format!("services = [{}]\n", names.join(", "));
            for (name, settings) in self.services.iter().filter(|(_, settings)| !settings.is_empty()) {
                write!(text, "\n[service.{name}]\n{settings}").unwrap();
            }
            fs::write(presets.join("all.toml"), text).unwrap();
        }
        for (name, text) in &self.presets {
            fs::write(presets.join(format!("{name}.toml")), text).unwrap();
        }
    }
}

/// Compiled code of the components under test, kept between runs.
pub fn shared_cache() -> PathBuf {
    let dir = target().join("test-cache");
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Toolchains that the host installs are installed once for all tests, and kept: they are downloads.
pub fn toolchains() -> PathBuf {
    std::env::var_os("LUCKYSTACK_TOOLCHAINS").map_or_else(|| target().join("toolchains"), PathBuf::from)
}
