//! Keeps what is served current while the host runs: on SIGHUP, and with `--dev` on every save.
//!
//! With `--dev` the folders of presets, translations, plugins and everything that went into them are
//! watched; sources are built in the background. Without it nothing is watched or built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use luckystack_devkit::{BuildRequest, Freshness, inject_empty, inputs};
use luckystack_identity::Identity;
use luckystack_live::watch::tree;
use luckystack_live::{Builds, Change, Finished, LiveSet, Seen, Watch};
use luckystack_realtime::Realtime;
use luckystack_topology::{Finding, Language, ProjectConfig, SocketConfig};
use tracing::Level;

use crate::board::Board;
use crate::boot::{self, plan};
use crate::build::{needs_build, requests};
use crate::cli::Common;
use crate::project::{self, Problem, Project, print_findings};
use crate::serve::{Asked, Signals, is_production};
use crate::state::State;
use crate::terminal::{complain, note, note_at};
use crate::types;

/// What `--dev` asks for.
#[derive(Clone, Debug)]
pub(crate) struct DevOptions {
    /// Builds at a time.
    pub(crate) jobs: usize,
}

/// Keeps the live set equal to the disk.
pub(crate) struct Keeper {
    project: Project,
    common: Common,
    live: Arc<LiveSet>,
    state: Arc<State>,
    /// Logins, which follow the configuration; none on a host without login.
    identity: Option<Identity>,
    /// Sockets, which do too; none on a host without.
    realtime: Option<Realtime>,
    dev: Option<Dev>,
    /// What was printed about a configuration that was not taken.
    complained: Vec<Finding>,
    /// The configuration that the listener and the engine were started with.
    started_with: ProjectConfig,
}

/// What there is with `--dev` only.
struct Dev {
    watch: Watch,
    builds: Builds,
    board: Arc<Board>,
    /// Source folders whose last build failed: nothing but a change there is a reason to try again.
    failed: BTreeSet<PathBuf>,
    /// Sources that were known at the last look.
    known: BTreeSet<(PathBuf, Language)>,
}

/// What changed on the disk.
enum Cause {
    /// Perhaps anything.
    Everything,
    /// These paths.
    Paths(Vec<PathBuf>),
}

impl Cause {
    /// Without components: they are what builds make.
    fn of_sources(&self) -> Cause {
        match self {
            Cause::Everything => Cause::Everything,
            Cause::Paths(paths) => {
                let is_component =
                    |path: &Path| path.extension().is_some_and(|extension| extension == "wasm");
                Cause::Paths(paths.iter().filter(|path| !is_component(path)).cloned().collect())
            }
        }
    }

    fn touches(&self, dir: &Path) -> bool {
        match self {
            Cause::Everything => true,
            Cause::Paths(paths) => paths.iter().any(|path| path.starts_with(dir)),
        }
    }

    /// Whether a file that exists was written below `dir`. What is gone there counts if a build read it:
    /// editors and tools make files for a moment, and take them away again.
    fn writes_below(&self, dir: &Path) -> bool {
        match self {
            Cause::Everything => true,
            Cause::Paths(paths) => paths.iter().any(|path| path.starts_with(dir) && path.exists()),
        }
    }

    fn has(&self, file: &Path) -> bool {
        match self {
            Cause::Everything => true,
            Cause::Paths(paths) => paths.iter().any(|path| path == file),
        }
    }
}

impl Keeper {
    pub(crate) async fn new(
        project: Project,
        common: Common,
        live: Arc<LiveSet>,
        state: Arc<State>,
        identity: Option<Identity>,
        realtime: Option<Realtime>,
        dev: Option<DevOptions>,
    ) -> anyhow::Result<Self> {
        let dev = match dev {
            None => None,
            Some(options) => {
                let board = Board::new(false);
                let builds = Builds::new(options.jobs, Arc::clone(&board) as _);
                let watch = Watch::start()?;
                let (failed, known) = (BTreeSet::new(), BTreeSet::new());
                Some(Dev { watch, builds, board, failed, known })
            }
        };
        state.configuration(&project.selection.presets, &project.findings);
        let started_with = project.topology.project.clone();
        let complained = Vec::new();
        let mut keeper =
            Self { project, common, live, state, identity, realtime, dev, complained, started_with };
        keeper.watch_all();
        Ok(keeper)
    }

    /// Runs until a signal asks to stop.
    pub(crate) async fn run(&mut self, signals: &mut Signals) {
        // What changed between loading and watching, and what was never built.
        if self.dev.is_some() {
            self.refresh(Cause::Everything).await;
        }
        loop {
            let event = match &mut self.dev {
                None => match signals.next().await {
                    Asked::Stop => return,
                    Asked::Reload => Event::Reload,
                },
                Some(Dev { watch, builds, .. }) => tokio::select! {
                    asked = signals.next() => match asked {
                        Asked::Stop => return,
                        Asked::Reload => Event::Reload,
                    },
                    seen = watch.next() => Event::Seen(seen),
                    finished = builds.next() => Event::Built(finished),
                },
            };
            match event {
                Event::Reload => {
                    note("reloading: SIGHUP");
                    self.refresh(Cause::Everything).await;
                    note("reloaded");
                }
                Event::Seen(Seen::Everything) => self.refresh(Cause::Everything).await,
                Event::Seen(Seen::Paths(paths)) => self.refresh(Cause::Paths(paths)).await,
                Event::Built(finished) => self.built(finished).await,
            }
        }
    }

    /// Takes the disk as it is now.
    async fn refresh(&mut self, cause: Cause) {
        self.reopen();
        let locales = &self.project.topology.project.paths.locales;
        if cause.touches(&absolute(locales)) {
            self.live.pipeline().swap_locales(boot::locales(&self.project.topology));
            if let Cause::Paths(_) = cause {
                note("swapped   translations");
            }
        }
        self.start_builds(&cause.of_sources());
        self.reload().await;
        self.watch_all();
    }

    /// Reads the configuration again. One with errors changes nothing but what is printed.
    fn reopen(&mut self) {
        match project::open(&self.common, false) {
            Ok(now) => {
                let before = &self.project.topology.project;
                let config = &now.topology.project;
                if before != config {
                    self.live.pipeline().reconfigure(before, config, is_production());
                    if let Some(identity) = &self.identity {
                        identity.reconfigure(config);
                    }
                    if let Some(realtime) = &self.realtime {
                        realtime.reconfigure(config);
                    }
                    if before.default_language != config.default_language {
                        self.live.pipeline().swap_locales(boot::locales(&now.topology));
                    }
                    let waiting = needs_restart(&self.started_with, config);
                    self.state.needs_restart(&waiting);
                    if needs_restart(&self.started_with, before) != waiting && !waiting.is_empty() {
                        let keys = waiting.join(", ");
                        note_at(
                            Level::WARN,
                            format!("warning: {keys}: changed, and takes effect with the next start"),
                        );
                    }
                    note("swapped   configuration");
                }
                self.state.configuration(&now.selection.presets, &now.findings);
                if !self.complained.is_empty() {
                    note("the configuration is right again");
                    self.complained.clear();
                }
                let new = now.findings.iter().filter(|finding| !self.project.findings.contains(finding));
                print_findings(&new.cloned().collect::<Vec<_>>());
                self.project = now;
            }
            Err(problem) => {
                let findings = match problem {
                    Problem::Findings(findings) => findings,
                    Problem::UnknownPreset(message) => {
                        complain(format!("error: {message}"));
                        Vec::new()
                    }
                };
                // Before the words: who reads them may look at the state at once.
                self.state.findings(&findings);
                self.project.rediscover();
                if findings != self.complained {
                    print_findings(&findings);
                    complain("the configuration has errors; the one before it stays");
                    self.complained = findings;
                }
            }
        }
    }

    /// Starts the builds that a change asks for.
    fn start_builds(&mut self, cause: &Cause) {
        if self.common.no_build {
            return;
        }
        let Some(dev) = &mut self.dev else { return };
        let mut wanted = Vec::new();
        for request in &requests(&self.project) {
            let dir = absolute(&request.dir);
            let appeared = dev.known.insert((dir.clone(), request.language));
            let concerned =
                appeared || cause.writes_below(&dir) || inputs(request).iter().any(|input| cause.has(input));
            // Without a change there is no reason to try again, or to begin again.
            let nothing_new = matches!(cause, Cause::Everything)
                && (dev.failed.contains(&dir) || dev.builds.running().any(|running| running == request));
            if !concerned || nothing_new {
                continue;
            }
            fill_empty(request);
            match needs_build(request) {
                Ok(None) => {
                    // Sources that were put back to what is built: there is nothing wrong any more.
                    if dev.failed.remove(&dir) {
                        self.state.built(&request.dir, None);
                    }
                }
                Ok(Some(why)) => {
                    if !appeared && !matches!(why, Freshness::Missing) {
                        note(format!("building  {} ({})", request.name, reason(&why)));
                    }
                    wanted.push(request.clone());
                }
                Err(problem) => {
                    complain(&problem);
                    self.state.built(&request.dir, Some(&problem));
                }
            }
        }
        if !wanted.is_empty() {
            dev.builds.start(wanted);
        }
        dev.show(&self.state);
    }

    /// Takes the results of builds.
    async fn built(&mut self, finished: Vec<Finished>) {
        let Some(dev) = &mut self.dev else { return };
        for Finished { request, result, took } in &finished {
            let dir = absolute(&request.dir);
            match result {
                Ok(_) => {
                    dev.failed.remove(&dir);
                    self.state.built(&request.dir, None);
                }
                Err(problem) => {
                    dev.failed.insert(dir);
                    self.state.built(&request.dir, Some(problem));
                    complain(problem.trim_end());
                    let seconds = took.as_secs_f64();
                    complain(format!(
                        "failed    {} after {seconds:.1} s; what served before serves on",
                        request.dir.display()
                    ));
                }
            }
        }
        dev.show(&self.state);
        // A component may be the first of its service.
        self.reopen();
        self.reload().await;
        self.watch_all();
    }

    /// Loads and swaps what changed among the components.
    async fn reload(&mut self) {
        match self.live.reload(&plan(&self.project)).await {
            Ok(change) => {
                print_change(&change);
                if let Some(out) = &self.project.topology.project.paths.types
                    && self.dev.is_some()
                {
                    types::refresh(&self.project, &self.live.pipeline().table(), out);
                }
            }
            Err(error) => complain(format!("error: {error}; what served before serves on")),
        }
    }

    /// Watches what matters now.
    fn watch_all(&mut self) {
        let Some(dev) = &mut self.dev else { return };
        let paths = &self.project.topology.project.paths;
        let mut folders = BTreeSet::from([
            absolute(&self.project.topology.config_dir),
            absolute(&paths.locales),
            absolute(&paths.plugins),
        ]);
        for service in &self.project.services {
            let dir = absolute(&service.dir);
            if dir == absolute(&paths.plugins) {
                // The root service: its own sub-folders only, the others are services of their own.
                let own = dir.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
                let own = own.filter(|path| {
                    path.is_dir()
                        && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_'))
                });
                folders.extend(own.flat_map(|path| tree(&path)));
            } else {
                folders.extend(tree(&dir));
            }
        }
        for request in requests(&self.project) {
            // What a registry unpacked never changes.
            let own = inputs(&request).into_iter().filter(|input| !is_fetched(input));
            folders.extend(own.filter_map(|input| input.parent().map(Path::to_owned)));
        }
        if let Err(error) = dev.watch.set(folders) {
            complain(format!("error: {error}"));
        }
    }
}

/// One thing that happened.
enum Event {
    Reload,
    Seen(Seen),
    Built(Vec<Finished>),
}

impl Dev {
    /// Tells the board and the state which builds run.
    fn show(&self, state: &State) {
        let running: Vec<&BuildRequest> = self.builds.running().collect();
        state.building(running.iter().map(|request| request.dir.clone()).collect());
        let component = |request: &&BuildRequest| {
            let file = request.component().ok()?;
            Some(file.file_stem()?.to_string_lossy().into_owned())
        };
        self.board.retain(&running.iter().filter_map(component).collect::<Vec<_>>());
    }
}

/// Gives empty handler files their template, so that a new file is a handler at once.
fn fill_empty(request: &BuildRequest) {
    if !matches!(request.language, Language::TypeScript | Language::Python) {
        return;
    }
    for injected in inject_empty(&request.dir, &request.service, request.nested) {
        match injected {
            Ok(injected) => note(format!("template  {} ({})", injected.file.display(), injected.handler)),
            Err(problem) => complain(format!("error: {problem}")),
        }
    }
}

fn reason(why: &Freshness) -> String {
    match why {
        Freshness::Missing => "it has no component".to_owned(),
        Freshness::Stale(staleness) => staleness.to_string(),
        Freshness::Fresh => String::new(),
    }
}

/// Below `.cargo/registry`, `node_modules` or `site-packages`.
fn is_fetched(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str();
        part == "registry" || part == "node_modules" || part == "site-packages" || part == "rustlib"
    })
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// Keys whose change the running host cannot take.
fn needs_restart(before: &ProjectConfig, now: &ProjectConfig) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut compare = |key, same: bool| {
        if !same {
            keys.push(key);
        }
    };
    compare("listen", before.listen == now.listen);
    compare("tls", before.tls == now.tls);
    compare("http", before.http == now.http);
    compare("engine", before.engine == now.engine);
    compare("paths.public", before.paths.public == now.paths.public);
    compare("paths.cache", before.paths.cache == now.paths.cache);
    compare("paths.data", before.paths.data == now.paths.data);
    compare("paths.uploads", before.paths.uploads == now.paths.uploads);
    compare("name", before.name == now.name);
    compare("backplane", before.backplane == now.backplane);
    // Of sockets, what is no matter of the transport is live.
    let transport = |project: &ProjectConfig| SocketConfig {
        max_rooms_per_session: None,
        location_provider_enabled: false,
        ..project.socket.clone()
    };
    compare("socket", transport(before) == transport(now));
    compare("users", before.users == now.users);
    compare("oauth", before.oauth == now.oauth);
    compare("email", before.email == now.email);
    compare("uploads", before.uploads == now.uploads);
    compare("session.based_token", before.session.based_token == now.session.based_token);
    compare("session.expiry", before.session.expiry == now.session.expiry);
    compare("app", before.app == now.app);
    compare("auth.enabled", before.auth.enabled == now.auth.enabled);
    compare("rate_limiting.store", before.rate_limiting.store == now.rate_limiting.store);
    keys
}

fn print_change(change: &Change) {
    let took = change.took.as_millis();
    for (word, versions) in
        [("added", &change.added), ("swapped", &change.replaced), ("withdrawn", &change.withdrawn)]
    {
        for version in versions {
            let (name, number, file) = (&version.name, &version.version, version.file.display());
            note(format!("{word:<9} {}: {name} {number} ({file}) in {took} ms", version.service));
        }
    }
    for (file, warning) in &change.warnings {
        note_at(Level::WARN, format!("warning: {}: {warning}", file.display()));
    }
    for error in &change.refused {
        complain(format!("refused   {error}"));
    }
}
