//! What is measured: the host's program, its components, and the projects that it serves.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use luckystack_devkit::{BuildRequest, Language, Quiet, Toolchain};

use crate::report::note;
use crate::server::{Server, free_port};

/// The route that everything is measured with: 20 small objects.
pub(crate) const LIST: &str = "/api/vehicles/getAll/v1";

/// What the load generator must not run into. Both buckets of every call are counted all the same.
const UNLIMITED: [&str; 3] = [
    "rate_limiting.default_api_limit=1000000000",
    "rate_limiting.default_ip_limit=1000000000",
    "http.max_requests_per_second_per_connection=false",
];

/// The repository, what was built of it, and a folder to work in.
#[derive(Debug)]
pub(crate) struct Workshop {
    root: PathBuf,
    host: PathBuf,
    dir: PathBuf,
}

/// A configuration directory and the folder of its plugins.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) name: String,
    pub(crate) config: PathBuf,
    pub(crate) plugins: PathBuf,
    /// The preset to load; all when absent.
    pub(crate) preset: Option<&'static str>,
}

impl Workshop {
    /// Builds the host and the components unless told not to.
    pub(crate) fn open(build: bool) -> anyhow::Result<Workshop> {
        let root = fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
        let program = std::env::current_exe()?;
        let built = program.parent().context("the program has no folder")?;
        let workshop = Workshop { host: built.join("luckystack-host"), dir: root.join("target/bench"), root };
        for folder in ["logs", "cache", "projects"] {
            fs::create_dir_all(workshop.dir.join(folder))?;
        }
        if build {
            workshop.build()?;
        }
        Ok(workshop)
    }

    fn build(&self) -> anyhow::Result<()> {
        note("building the host and the example plugins");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        run(command.current_dir(&self.root).args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "luckystack-host",
        ]))?;
        run(Command::new(&self.host).current_dir(&self.root).arg("build"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let toolchain = Toolchain::find_or_install(Language::Rust, &Quiet).await?;
            toolchain.build(&self.guest_request("hostile"), &Quiet).await?;
            toolchain.build(&self.guest_request("realtime"), &Quiet).await?;
            Ok(())
        })
    }

    fn guest_request(&self, name: &str) -> BuildRequest {
        BuildRequest {
            language: Language::Rust,
            service: name.into(),
            name: name.into(),
            nested: true,
            dir: self.root.join("tests/guests").join(name),
            output_dir: self.dir.join("components"),
            target_dir: self.root.join("target/guests"),
        }
    }

    /// The component whose route `spin` never ends and whose route `healthy` does next to nothing.
    pub(crate) fn hostile(&self) -> anyhow::Result<PathBuf> {
        Ok(self.guest_request("hostile").component()?)
    }

    /// The component whose sync handlers and call do next to nothing.
    pub(crate) fn realtime(&self) -> anyhow::Result<PathBuf> {
        Ok(self.guest_request("realtime").component()?)
    }

    /// The component of the list.
    pub(crate) fn vehicles(&self) -> PathBuf {
        self.root.join("example-plugins/vehicles/vehicles.wasm")
    }

    /// The component that subscribes to `postApiExecute`.
    pub(crate) fn audit(&self) -> PathBuf {
        self.root.join("example-plugins/audit/audit.wasm")
    }

    /// The host, without arguments.
    pub(crate) fn program(&self) -> Command {
        Command::new(&self.host)
    }

    /// Where guests are built.
    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("target/guests")
    }

    /// The SDKs.
    pub(crate) fn sdk(&self) -> PathBuf {
        self.root.join("sdk")
    }

    /// A file of the working folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A file of the bench's own sources.
    pub(crate) fn source(&self, name: &str) -> PathBuf {
        self.root.join("tests/bench").join(name)
    }

    /// The log of a server.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// The preset `fleet` as it is in the repository.
    pub(crate) fn fleet(&self) -> Project {
        Project {
            name: "fleet".to_owned(),
            config: self.root.join("presets"),
            plugins: self.root.join("example-plugins"),
            preset: Some("fleet"),
        }
    }

    /// The repository's presets and plugins with another `fleet`.
    pub(crate) fn fleet_with(
        &self,
        name: &str,
        edit: impl FnOnce(&str) -> anyhow::Result<String>,
    ) -> anyhow::Result<Project> {
        let fleet = self.fleet();
        let config = self.fresh_folder(&format!("projects/{name}"))?.join("presets");
        copy_folder(&fleet.config, &config)?;
        // It speaks of services that the edit may take out; one host needs none of it.
        fs::remove_file(config.join("deploy.toml"))?;
        let preset = config.join("fleet.toml");
        let text = edit(&fs::read_to_string(&preset)?)?;
        fs::write(&preset, text)?;
        Ok(Project { name: name.to_owned(), config, ..fleet })
    }

    /// A project of these services, each with one component and the lines of its section.
    pub(crate) fn project<'a>(
        &self,
        name: &str,
        services: impl IntoIterator<Item = (&'a str, &'a [u8], &'a str)>,
    ) -> anyhow::Result<Project> {
        let dir = self.fresh_folder(&format!("projects/{name}"))?;
        let (config, plugins) = (dir.join("presets"), dir.join("plugins"));
        fs::create_dir_all(&config)?;
        let mut names = Vec::new();
        let mut sections = String::new();
        for (service, component, settings) in services {
            let folder = plugins.join(service);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("{service}.wasm")), component)?;
            names.push(format!("{service:?}"));
            write!(sections, "\n[service.{service}]\n{settings}\n")?;
        }
        fs::write(config.join("all.toml"), format!("services = [{}]\n{sections}", names.join(", ")))?;
        Ok(Project { name: name.to_owned(), config, plugins, preset: None })
    }

    fn fresh_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let dir = self.dir.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// The host's command line for a project, on this port.
    pub(crate) fn host(&self, project: &Project, port: u16) -> Command {
        let mut command = Command::new(&self.host);
        command.current_dir(&self.root).args(["--no-build", "--port", &port.to_string()]);
        command.arg("--config").arg(&project.config);
        command.args(project.preset.iter().flat_map(|preset| ["--preset", preset]));
        // Each host keeps its own state, and begins without any.
        let data = self.dir.join("data").join(format!("{}-{port}", project.name));
        let _ = fs::remove_dir_all(&data);
        let paths = [("plugins", project.plugins.clone()), ("cache", self.dir.join("cache")), ("data", data)];
        let paths = paths.map(|(key, path)| format!("paths.{key}={:?}", path.display().to_string()));
        for setting in UNLIMITED.into_iter().chain(paths.iter().map(String::as_str)) {
            command.args(["--set", setting]);
        }
        command
    }

    /// Starts a host for a project and waits for a good answer to `path`.
    pub(crate) fn serve(&self, project: &Project, path: &str) -> anyhow::Result<Server> {
        let port = free_port()?;
        let (server, _, _) =
            Server::start(&mut self.host(project, port), port, path, &self.log(&project.name))?;
        Ok(server)
    }
}

/// Runs a command to its end; its output is shown only when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
